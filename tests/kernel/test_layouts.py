"""The native layout as the kernel holds it: what the CNI looks for is there."""

from __future__ import annotations

import re

import pytest

from vpccni_nft.node.extraction import move
from vpccni_nft.node.owners import VPC_CNI

from ..support.corpus import FOLDER
from ..support.namespaces import Namespace

#: What release v1.23.1 looks for in a rule (nftables_connmark.go), as ``nft --debug=netlink``
#: prints it. It reads over other statements, and deletes rules in which one of these is missing.
RETURNS_LOCAL = ("fib daddr type => reg 1", "cmp eq reg 1 0x00000002", "immediate reg 0 return")
JUMPS = ("meta load iifname => reg 1", "cmp eq reg 1 0x00696e65", "counter", "jump -> snat-mark")
RESTORES = (
    *("counter", "ct load mark => reg 1", "meta set mark with reg 1"),
    "bitwise reg 1 = ( reg 1 & 0x00000080 ) ^ 0x00000000",
)
SETS_MARK = (
    *("counter", "ct load mark => reg 1", "ct set mark with reg 1"),
    "bitwise reg 1 = ( reg 1 & 0xffffff7f ) ^ 0x00000080",
)
RETURNS_NETWORK = (
    *("counter", "payload load 4b @ network header + 16 => reg 1", "bitwise reg 1 = ( reg 1 &"),
    *("cmp eq reg 1", "immediate reg 0 return"),
)


def rules_of(listing: str, chain: str) -> list[str]:
    return re.findall(rf"^ip aws-cni {chain}\n((?:  \[.*\n)+)", listing, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "networks"),
    [("v1.23-legacy-default", 1), ("v1.14-three-cidrs-exclude", 5), ("v1.11-default", 1)],
)
def test_the_cni_finds_its_rules_in_the_native_layout(name: str, networks: int) -> None:
    dump = (FOLDER / "vpccni" / f"{name}.save").read_text()
    script = move(dump, VPC_CNI, layout="native").script()
    with Namespace() as namespace:
        listing = namespace.run("nft", "--debug=netlink", "-f", "-", script=script)
    base = rules_of(listing, "nat-prerouting")
    assert len(base) == 3
    for rule, wanted in zip(base, (RETURNS_LOCAL, JUMPS, RESTORES), strict=True):
        assert all(words in rule for words in wanted), rule
    *returns, last = rules_of(listing, "snat-mark")
    assert len(returns) == networks
    assert all(words in rule for rule in returns for words in RETURNS_NETWORK)
    assert all(words in last for words in SETS_MARK)
