"""Rules are taken out of a table and put back in the kernel, with counters and policies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import attrs
import pytest

from vpccni_nft.core.errors import CannotRead
from vpccni_nft.core.values import Family
from vpccni_nft.migration.change import TableChange, present
from vpccni_nft.migration.edits import taking
from vpccni_nft.migration.moves import TableMove
from vpccni_nft.migration.places import putting_back
from vpccni_nft.migration.saved import SavedTable

from ..support.namespaces import Namespace
from ..support.twins import Inside, enter

pytestmark = pytest.mark.kernel

#: Rules for fe80::1 and fe80::2, and the others of INPUT, stay.
TABLE = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [3:4]
:OUTPUT ACCEPT [0:0]
:EMPTY - [0:0]
:MINE - [0:0]
-A INPUT -s fe80::1/128 -j ACCEPT
[5:6] -A INPUT ! -p ipv6-icmp -m comment --comment "a \\"b\\" -p tcp" -j MINE
[7:8] -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -m limit --limit 3/sec -j DROP
-A INPUT -d fe80::2/128 -j ACCEPT
[9:10] -A INPUT -i eth0 -m mark --mark 0x1/0x3
[1:2] -A MINE -p tcp -m tcp --dport 80 -m recent --set --name x -j ACCEPT
[3:4] -A MINE -p udp -m multiport --dports 1,2 -j LOG --log-prefix "x y\\"z "
COMMIT
"""


def there_and_back(backend: str, dump: str) -> None:
    before = SavedTable.of("filter", dump.split("\n"))
    stays = tuple(
        attrs.evolve(
            chain, policy="ACCEPT", rules=tuple(one for one in chain.rules if "fe80" in one.text)
        )
        for chain in before.chains
        if chain.built_in
    )
    program = f"ip6tables-{backend}"
    move = TableMove(
        name=f"{program}.filter", program=program, family=Family.IP6, table="filter",
        nft_table="vpccni-filter", before=before, after=SavedTable("filter", stays),
    )  # fmt: skip
    TableChange(edits=lambda now: [taking(move, now)], problem=lambda _: "").make(move)
    assert move.now() == move.after
    TableChange(edits=lambda now: putting_back(move, before, now), problem=lambda _: "").make(move)
    assert move.now() == before


@pytest.mark.parametrize("backend", ["legacy", "nft"])
def test_an_edit_and_its_opposite_give_the_same_table(backend: str, tmp_path: Path) -> None:
    def saved() -> str:
        lines = enter(namespace.name, [f"ip6tables-{backend}-save", "-c"]).splitlines()
        return "\n".join(line for line in lines if not line.startswith("#"))

    with Namespace() as namespace:
        enter(namespace.name, [f"ip6tables-{backend}-restore", "--counters"], TABLE)
        before = saved()
        work = Inside(namespace.name, lambda: there_and_back(backend, before), tmp_path / "log")
        assert work.wait() == 0, (tmp_path / "log").read_text()
        assert saved() == before


#: Names of an interface, and what follows in its rule: lines that look like others.
BREAKS = [
    ("x\n-A INPUT", "-j DROP"),  # a second rule
    ("x\n#", "-j DROP"),  # a remark
    ("x\nCOMMIT", ""),
    ("x\n:MINE -", ""),
    ("x\n:MINE DROP", ""),
    ("x\n*mangle", ""),
    ("x\n", ""),
]


@pytest.mark.parametrize("backend", ["legacy", "nft"])
def test_a_rule_of_several_lines_is_no_other_rule(backend: str, tmp_path: Path) -> None:
    program = f"iptables-{backend}"
    empty = SavedTable("filter")
    move = TableMove(
        name=f"{program}.filter", program=program, family=Family.IP, table="filter",
        nft_table="vpccni-filter", before=empty, after=empty,
    )  # fmt: skip

    def look() -> None:
        assert present(move).chain("INPUT")
        for name, rest in BREAKS:
            rule = ["INPUT", "-i", name, *rest.split()]
            subprocess.run([program, "-A", *rule], check=True)
            with pytest.raises(CannotRead, match="a rule has a line break"):
                present(move)
            subprocess.run([program, "-D", *rule], check=True)
        assert present(move).chain("INPUT")

    with Namespace() as namespace:
        enter(namespace.name, [program, "-A", "INPUT", "-i", "x", "-j", "ACCEPT"])
        work = Inside(namespace.name, look, tmp_path / "log")
        assert work.wait() == 0, (tmp_path / "log").read_text()
