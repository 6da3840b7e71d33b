"""What programs of Debian write: read, meant, owned, translated, proved; writers/README.md."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.diagnostics import NO_MEANING
from vpccni_nft.core.span import Source
from vpccni_nft.iptables import UnknownMatch, UnknownTarget
from vpccni_nft.node.ownership import Inventory, inventory_of
from vpccni_nft.proof.answers import Different, Equivalent, Unknown

from ..support.command import run
from ..support.profiles import NIGHTLY, share
from ..support.writers import (
    ALL,
    DUMPS,
    LISTINGS,
    REFUSED,
    TOLD_APART,
    WRITERS,
    name_of,
    sets_of,
    writer_of,
)


def owned(path: Path) -> Inventory:
    source = Source.of(path.read_text(), path.name)
    dumps, listings = ((source,), ()) if path.suffix == ".save" else ((), (source,))
    return inventory_of(dumps, None, listings)[0]


every_dump = pytest.mark.parametrize("path", DUMPS, ids=name_of)
every_listing = pytest.mark.parametrize("path", LISTINGS, ids=name_of)

#: Who owns the rules of a fixture, where it is not one of its name.
OWNERS = {
    "cni-plugins": {"cni-plugins", "portmap"},
    "cni-plugins-iptables": {"cni-plugins", "portmap"},
    # One rule of DOCKER-USER.
    "docker-20": {"docker", "user"},
    "docker-28": {"docker", "user"},
    "docker-28-swarm": {"docker"},
    "netavark": {"podman"},
    "netavark-iptables": {"podman"},
    "networkd": {"systemd"},
    "shorewall6": {"shorewall", "unknown"},
    # The rules in built-in chains beside theirs have no sign.
    **{name: {name, "unknown"} for name in ("apf", "arno", "firehol", "shorewall")},
    "firewalld-iptables": {"firewalld", "unknown"},
    # Of lxc's network nothing but its addresses is known.
    "lxc-iptables": {"lxc", "unknown"},
    # Their table is called filter.
    **{name: {"unknown"} for name in ("miniupnpd", "opensnitch", "uif")},
    # Their rules have no sign of who wrote them.
    **{name: {"user"} for name in ("ferm", "knockd", "netscript", "psad", "pyroman", "uruk")},
}
#: Where a program writes one family only, or less of it.
OWNERS_OF_V6 = {
    **{name: {"docker"} for name in ("docker-20", "docker-28")},
    "arno": {"user"},
    "lxc-iptables": {"user"},
}


def test_every_fixture_is_described_and_has_rules() -> None:
    rows = (WRITERS / "README.md").read_text().partition("| --- |\n")[2].splitlines()
    described = {row.split("|")[1].strip() for row in rows if row.count("|") == 5}
    assert described == {writer_of(path) for path in (*DUMPS, *LISTINGS)}
    assert len(described) >= 50
    assert all("\n-A " in path.read_text() for path in DUMPS)


@pytest.mark.parametrize("path", [*DUMPS, *LISTINGS], ids=name_of)
def test_the_owner_of_each_rule_is_its_writer(path: Path) -> None:
    writer = writer_of(path)
    expected = OWNERS.get(writer, {writer.partition("-")[0]})
    if writer.startswith("wg-quick"):
        expected = {"wg-quick"}
    if path.name.endswith(".v6.save"):
        expected = OWNERS_OF_V6.get(writer, expected)
    found = owned(path)
    of_rules = {one.answer.owner for one in found.rules}
    assert of_rules | {one.answer.owner for one in found.tables} == expected
    assert {one.answer.owner for one in found.chains} <= expected


@every_dump
def test_a_dump_is_read_whole_and_saved_as_it_was(path: Path) -> None:
    text = path.read_text()
    ruleset = vpccni_nft.parse(text, name=path.name, ipset_save=sets_of(path))
    rules = [rule for table in ruleset.tables for chain in table.chains for rule in chain.rules]
    nodes = [node for rule in rules for node in (*rule.matches, rule.target)]
    assert not [node for node in nodes if isinstance(node, UnknownMatch | UnknownTarget)]
    assert _lines(vpccni_nft.iptables.save(ruleset)) == _lines(text)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("path", share(DUMPS, 4), ids=name_of)
def test_a_dump_is_proved_the_same_as_its_translation(path: Path) -> None:
    """Or as itself, where it has none: what is read has a meaning."""
    text, sets = path.read_text(), sets_of(path)
    translation = vpccni_nft.translate(text, name=path.name, allow=ALL, ipset_save=sets)
    refused = Counter(one.code.name for one in translation.diagnostics if one.refuses)
    assert refused == REFUSED.get(path.name, {})
    other = text if refused or path.name in TOLD_APART else translation.script()
    answer = vpccni_nft.verify(text, other, ipset_save=sets, allow=ALL)
    assert isinstance(answer, Equivalent), getattr(answer, "reasons", answer)


@pytest.mark.parametrize("name", TOLD_APART if NIGHTLY else ["lxc-iptables.save"])
def test_what_an_approximation_changes_is_shown(name: str) -> None:
    text = (WRITERS / name).read_text()
    translation = vpccni_nft.translate(text, name=name, allow=ALL)
    assert TOLD_APART[name] in {one.code.name for one in translation.diagnostics}
    answer = vpccni_nft.verify(text, translation.script(), allow=ALL, first=True)
    assert isinstance(answer, Different), getattr(answer, "reasons", answer)


#: Listings with a rule that has no meaning: Incus clears checksums of UDP.
UNKNOWN = {"incus": NO_MEANING}


@every_listing
def test_a_listing_is_read_whole_and_proved_the_same_as_its_script(path: Path) -> None:
    text = path.read_text()
    ruleset = nft.parse(text, path.name)
    script = nft.serialize(ruleset)
    assert nft.parse(script) == ruleset
    answer = vpccni_nft.verify(text, script)
    if path.stem in UNKNOWN:
        assert isinstance(answer, Unknown)
        assert {one.code for one in answer.reasons} == {UNKNOWN[path.stem]}
    else:
        assert isinstance(answer, Equivalent), getattr(answer, "reasons", answer)


# --- the commands -------------------------------------------------------------------------------

#: Writers of both languages, of both back ends of iptables, with sets and on bridges.
NODES = (
    "cni-plugins", "cni-plugins-iptables", "docker-28", "fail2ban-ipset", "firewalld", "incus",
    "libvirt-nwfilter", "ufw",
)  # fmt: skip


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a node for each of some writers, with files as of a node's bundle."""
    folder = tmp_path_factory.mktemp("fleet")
    for path in (*DUMPS, *LISTINGS, *WRITERS.glob("*.ipset"), *WRITERS.glob("*.list")):
        node = folder / path.name.removesuffix(path.suffix).removesuffix(".v6")
        if node.name in NODES:
            node.mkdir(exist_ok=True)
            shutil.copy(path, node / _file(path))
    return folder


def _file(path: Path) -> str:
    if path.suffix != ".save":
        return "ipset-save.txt" if path.suffix == ".ipset" else "nft-ruleset.txt"
    family = "ip6tables" if path.name.endswith(".v6.save") else "iptables"
    back_end = "nft" if "(nf_tables)" in path.read_text() else "legacy"
    return f"{family}-{back_end}-save.txt"


def test_a_fleet_of_writers_is_examined(nodes: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    allowed = [word for code in ALL for word in ("--allow", code)]
    done = run("fleet", str(nodes), *allowed, "--jobs", "1", "-o", str(report))
    assert done.code == 1, done.err
    rows = {row["node"]: row for row in map(json.loads, report.read_text().splitlines())}
    assert {name: (row["answer"], *row["reasons"]) for name, row in rows.items()} == {
        **dict.fromkeys(NATIVE, ("unknown", "no iptables dump was given")),
        **dict.fromkeys(set(NODES) - NATIVE, ("equivalent",)),
        "ufw": ("different",),  # T120
    }


NATIVE = {"cni-plugins", "firewalld", "incus"}


@pytest.mark.parametrize("name", NODES)
def test_the_commands_take_the_node_of_a_writer(name: str, nodes: Path) -> None:
    node = str(nodes / name)
    assert run("detect", node).code == 3  # it has no agent of Kubernetes
    done = run("inventory", "--json", node)
    assert done.code == 0, done.err
    assert set(json.loads(done.out)["owners"]) & OWNERS.get(name, {name.partition("-")[0]})
    done = run("verify", "--before", node, "--after", node)
    if (nodes / name / "nft-ruleset.txt").exists() and name not in NATIVE:
        assert "is as the dump has it, not as nft lists it" in done.out
    # The list of recent that ufw's rules of both families share has the mask of either.
    assert done.code == (3 if name in {"ufw", "incus"} else 0), done.err
    first = min(one for one in (nodes / name).iterdir() if one.name.startswith(("iptables", "nft")))
    packet = "hook=input saddr=203.0.113.9 daddr=10.0.12.34 proto=tcp dport=22 ctstate=new"
    sets = nodes / name / "ipset-save.txt"
    with_sets = ("--ipset-save", str(sets)) if sets.exists() else ()
    done = run("explain", str(first), "--packet", packet, *with_sets)
    assert done.code == 0, done.err
    assert "outcome: " in done.out
