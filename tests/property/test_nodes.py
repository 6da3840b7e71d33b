"""Nodes of the VPC CNI that are drawn, not recorded."""

from __future__ import annotations

import functools
from ipaddress import IPv4Address, IPv4Network

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import iptables
from vpccni_nft.strategies import NodeConfig, Randomize, node_configs, node_dump
from vpccni_nft.strategies.nodes import RELEASES, Generation, Release

from ..support.agreement import sides_of
from ..support.corpus import FOLDER
from ..support.profiles import NODES_FEW

PACKETS = 60


def cidrs(text: str) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, text.split()))


def rules_of(dump: str) -> list[str]:
    """A dump without its remarks."""
    return [line for line in dump.split("\n") if not line.startswith("#")]


config = functools.partial(
    NodeConfig, vpc_cidrs=cidrs("10.0.0.0/16"), address=IPv4Address("10.0.12.34")
)
THREE = cidrs("10.0.0.0/16 100.64.0.0/16 10.1.0.0/16")
EXCLUDED = cidrs("10.20.0.0/16 172.16.0.0/12")
HASHRANDOM = Randomize.HASHRANDOM

#: The dumps of nodes that were started once, and how the nodes were configured.
RECORDED = {
    "v1.1-default": config(release=(1, 1, 0)),
    "v1.1-externalsnat": config(release=(1, 1, 0), external_snat=True),
    "v1.2-connmark-0x2000": config(release=(1, 2, 0), connmark=0x2000),
    "v1.3-two-cidrs": config(release=(1, 3, 0), vpc_cidrs=THREE[:2]),
    "v1.4-default": config(release=(1, 4, 0), primary_interface="ens5"),
    "v1.5-none": config(release=(1, 5, 0), randomize=Randomize.NONE),
    "v1.5-nodeport-off": config(release=(1, 5, 0), node_ports=False),
    "v1.6-exclude-cidrs": config(
        release=(1, 6, 0), vpc_cidrs=THREE[:2], excluded_cidrs=EXCLUDED, randomize=HASHRANDOM
    ),
    "v1.6-prng": config(release=(1, 6, 0), vpc_cidrs=THREE[:2]),
    "v1.7-hashrandom": config(
        release=(1, 7, 0), vpc_cidrs=THREE[:2], excluded_cidrs=EXCLUDED, randomize=HASHRANDOM
    ),
    "v1.7-none-nodeport-off": config(release=(1, 7, 0), randomize=Randomize.NONE, node_ports=False),
    "v1.8-default": config(release=(1, 8, 0)),
    "v1.8-externalsnat": config(release=(1, 8, 0), external_snat=True),
    "v1.12.1-nodeport-off": config(release=(1, 12, 1), node_ports=False),
    "v1.14-three-cidrs-exclude": config(
        release=(1, 14, 0), vpc_cidrs=THREE, excluded_cidrs=EXCLUDED, primary_interface="ens5"
    ),
    "v1.16.1-three-cidrs-exclude": config(
        release=(1, 16, 1), vpc_cidrs=THREE, excluded_cidrs=EXCLUDED
    ),
    "v1.18-exclude-all-restarted": config(release=(1, 18, 0), excluded_cidrs=cidrs("0.0.0.0/0")),
    "v1.18-externalsnat": config(release=(1, 18, 0), external_snat=True),
    "v1.21-connmark-prefix": config(
        release=(1, 21, 0), connmark=0x1000000, primary_interface="ens5", veth_prefix="eks"
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_node_with_the_same_configuration_has_the_same_dump(name: str) -> None:
    recorded = (FOLDER / "vpccni" / f"{name}.save").read_text()
    assert rules_of(node_dump(RECORDED[name])) == rules_of(recorded)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: ".".join(map(str, release)))
def test_a_drawn_node_means_the_same(release: Release) -> None:
    @given(node_configs([release]), st.integers(0, 2**16))
    @NODES_FEW
    def check(drawn: NodeConfig, seed: int) -> None:
        text = node_dump(drawn)
        assert not vpccni_nft.translate(text).refused
        sides_of(text).check(PACKETS, seed)

    check()


@given(node_configs(most_cidrs=4))
@NODES_FEW
def test_a_drawn_dump_is_what_is_saved_from_it(drawn: NodeConfig) -> None:
    """So it is one as iptables-save prints it."""
    text = node_dump(drawn)
    assert rules_of(iptables.save(vpccni_nft.parse(text))) == rules_of(text)


@pytest.mark.parametrize("release", [(1, 15, 0), (1, 20, 0)], ids=["cascade", "returns"])
def test_a_node_may_have_more_networks_than_chains_can_call_each_other(release: Release) -> None:
    many = tuple(IPv4Network(f"10.{number}.0.0/16") for number in range(30))
    big = config(release=release, vpc_cidrs=many[:18], excluded_cidrs=many[18:])
    assert not vpccni_nft.translate(node_dump(big)).refused
    sides_of(node_dump(big)).check(4 * PACKETS)


def test_each_release_has_the_form_of_its_generation() -> None:
    forms = {release: config(release=release).generation for release in RELEASES}
    assert set(forms.values()) == set(Generation)
    assert forms[1, 2, 0] is Generation.ONE_RULE
    assert config(release=(1, 16, 0)).generation is Generation.CASCADE
    assert forms[1, 16, 1] is Generation.RETURNS


def test_a_release_without_exclusions_leaves_them_out() -> None:
    old = config(release=(1, 5, 0), excluded_cidrs=EXCLUDED)
    assert node_dump(old) == node_dump(attrs.evolve(old, excluded_cidrs=()))
