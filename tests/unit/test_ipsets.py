"""Sets of ipset: how their listing is read, and that packets are in nft's sets just as in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import hypothesis
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import Family, iptables
from vpccni_nft.cli.commands import cli
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import MaskedMark, Network
from vpccni_nft.extensions.shared.overlaps import Box, overlap, wanted_pieces
from vpccni_nft.ipset.ast import Entry, InterfacePart, IpSet, MacPart, MarkPart, PortPart, SetPart
from vpccni_nft.strategies.ipsets import rulesets_with_ipsets
from vpccni_nft.text.ipset_save import MESSAGES, TYPES, parse_ipsets

from ..support.agreement import Sides
from ..support.namespaces import LoadError, Namespace, cannot_run
from ..support.profiles import ALL

DUMP = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
{}
COMMIT
"""


def read(*lines: str) -> tuple[IpSet, ...]:
    sets, diagnostics = parse_ipsets(Source.of("\n".join(lines)))
    assert diagnostics == []
    return sets


def element(type_: str, text: str, family: str = "") -> Entry:
    (found,) = read(f"create a {type_}{family}", f"add a {text}")
    (entry,) = found.entries
    return entry


# --- reading ------------------------------------------------------------------------------------


def test_a_set_has_the_options_that_it_was_created_with() -> None:
    (found,) = read(
        "create a hash:ip family inet6 hashsize 64 maxelem 10 netmask 64 timeout 300 counters"
        " comment skbinfo forceadd bucketsize 12 initval 0x279bb8a8"
    )
    assert (found.name, found.type, found.family) == ("a", "hash:ip", Family.IP6)
    assert (found.timeout, found.counts, found.evicts, found.most) == (300, True, True, 10)
    assert found.mask == ((1 << 64) - 1) << 64


def test_an_element_has_what_is_kept_beside_it() -> None:
    entry = element(
        "hash:net",
        '10.0.0.0/8 nomatch timeout 60 packets 5 bytes 6 comment "a  b" skbmark 0x11/0xff'
        " skbprio 1:a skbqueue 3",
        " counters comment skbinfo timeout 0",
    )
    assert entry.parts == (Network.parse("10.0.0.0/8"),)
    assert (entry.nomatch, entry.timeout, entry.counter) == (True, 60, (5, 6))
    assert (entry.comment, entry.queue) == ("a  b", 3)
    assert (entry.mark, entry.priority) == (MaskedMark(0x11, 0xFF), 0x1000A)


@pytest.mark.parametrize(
    ("type_", "text", "parts"),
    [
        ("hash:ip,port", "10.0.0.1,tcp:80", (Network.parse("10.0.0.1"), PortPart(6, 80))),
        ("hash:ip,port", "10.0.0.1,gre:0", (Network.parse("10.0.0.1"), PortPart(47, 0))),
        ("hash:ip,port", "10.0.0.1,200:0", (Network.parse("10.0.0.1"), PortPart(200, 0))),
        ("hash:ip,port", "10.0.0.1,icmp:200/7", (Network.parse("10.0.0.1"), PortPart(1, 51207))),
        ("hash:ip,port", "10.0.0.1,icmp:ping", None),
        ("bitmap:port", "80", (PortPart(6, 80),)),
        ("hash:mac", "00:11:22:33:44:55", (MacPart(0x1122334455),)),
        ("hash:ip,mark", "10.0.0.1,0x00000012", (Network.parse("10.0.0.1"), MarkPart(0x12))),
        ("hash:net,iface", "10.0.0.0/8,eth0", (Network.parse("10.0.0.0/8"), InterfacePart("eth0"))),
        (
            "hash:net,iface",
            "10.0.0.0/8,physdev:eth0",
            (Network.parse("10.0.0.0/8"), InterfacePart("eth0", bridged=True)),
        ),
        (
            "hash:net,iface",
            "10.0.0.0/8,eth wildcard",
            (Network.parse("10.0.0.0/8"), InterfacePart("eth", wildcard=True)),
        ),
        ("bitmap:ip,mac", "10.0.0.1", (Network.parse("10.0.0.1"),)),
        ("list:set", "other", (SetPart("other"),)),
        ("hash:ip", "10.0.0.0/8", None),
        ("hash:ip", "10.0.0.1,80", None),
        ("hash:net", "fd00::/8", None),
        ("hash:net,net", "10.0.0.0/8", None),
        ("hash:ip,port", "10.0.0.1,tcp:65536", None),
    ],
)
def test_an_element_has_a_part_for_each_dimension(
    type_: str, text: str, parts: tuple[object, ...] | None
) -> None:
    if parts is None:
        _, diagnostics = parse_ipsets(Source.of(f"create a {type_}\nadd a {text}"))
        assert [found.code.name for found in diagnostics] == ["P017"]
    else:
        assert element(type_, text).parts == parts


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("create a hash:ip\nadd a 10.0.0.300", 2, 7, "10.0.0.300"),
        ("create a hash:ip\nadd b 10.0.0.1", 2, 5, "not created"),
        ("create a hash:ip\ncreate a hash:ip", 2, 8, "twice"),
        ("create a hash:what", 1, 10, "not a known type"),
        ("create a hash:ip colour red", 1, 18, "not a known option"),
        ("create a hash:ip\nadd a 10.0.0.1 colour red", 2, 16, "not a known option"),
        ("create a hash:ip timeout", 1, 25, "missing"),
        ("create a hash:ip timeout soon", 1, 26, "not a number"),
        ('create a hash:ip\nadd a 10.0.0.1 comment "x', 2, 24, "quotes"),
        ("create", 1, 7, "missing"),
        ("*filter", 1, 1, "neither create nor add"),
        (f"create {'a' * 32} hash:ip", 1, 8, "31 characters"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_place(
    text: str, line: int, column: int, words: str
) -> None:
    _, (found,) = parse_ipsets(Source.of(text, "sets"))
    assert found.code.name == "P017"
    assert found.span is not None
    assert (found.span.source.name, found.span.line, found.span.start) == ("sets", line, column)
    assert words in found.message


@given(st.text(st.sampled_from('create add a hash:ip,port net 10.0.0.1/8\n"'), max_size=80))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    parse_ipsets(Source.of(text))


# --- pieces of boxes ----------------------------------------------------------------------------

_intervals = st.lists(st.integers(0, 7), min_size=2, max_size=2).map(
    lambda ends: (min(ends), max(ends))
)


@st.composite
def _boxes(draw: st.DrawFn) -> list[Box]:
    """Boxes of two dimensions, each of a rank of its own."""
    count = draw(st.integers(1, 5))
    return [
        Box((draw(_intervals), draw(_intervals)), (rank,), draw(st.booleans()))
        for rank in range(count)
    ]


@given(_boxes())
def test_the_pieces_hold_the_points_that_are_wanted_once(boxes: list[Box]) -> None:
    pieces = wanted_pieces(boxes)

    def holds(intervals: tuple[tuple[int, int], ...], point: tuple[int, int]) -> bool:
        return all(
            low <= value <= high for (low, high), value in zip(intervals, point, strict=True)
        )

    together = False
    for point in ((x, y) for x in range(8) for y in range(8)):
        holding = [box for box in boxes if holds(box.intervals, point)]
        together |= len(holding) > 1
        wanted = bool(holding) and max(holding, key=lambda box: box.rank).wanted
        assert sum(holds(piece, point) for piece in pieces) == wanted
    assert overlap(boxes) == together


# --- both sides ---------------------------------------------------------------------------------


def test_a_packet_is_in_nfts_sets_as_it_is_in_ipsets() -> None:
    translated = refused = 0

    @given(rulesets_with_ipsets(), st.integers(0, 2**16))
    @ALL
    def check(drawn: tuple[iptables.Ruleset, str], seed: int) -> None:
        nonlocal translated, refused
        ruleset, sets = drawn
        hypothesis.note(sets)
        sides = Sides.of(iptables.save(ruleset), sets)
        refused += sides is None
        hypothesis.assume(sides is not None)
        assert sides is not None
        translated += 1
        sides.check(60, seed)

    check()
    assert translated > refused


@pytest.mark.kernel
def test_the_kernel_takes_what_ipsets_become(namespace: Namespace) -> None:
    @given(rulesets_with_ipsets())
    @settings(ALL, max_examples=max(10, ALL.max_examples // 5))
    def check(drawn: tuple[iptables.Ruleset, str]) -> None:
        ruleset, sets = drawn
        sides = Sides.of(iptables.save(ruleset), sets)
        hypothesis.assume(sides is not None)
        assert sides is not None
        hypothesis.note(sides.script)
        namespace.load(f"flush ruleset\n{sides.script}")

    check()


@pytest.mark.kernel
def test_the_reader_takes_what_ipset_prints(fresh_namespace: Namespace) -> None:
    if not shutil.which("ipset"):
        cannot_run("the program ipset is missing")
    seen = 0

    @given(rulesets_with_ipsets())
    @settings(ALL, max_examples=max(10, ALL.max_examples // 5))
    def check(drawn: tuple[iptables.Ruleset, str]) -> None:
        nonlocal seen
        # A list of sets lets go of them some time after it is gone.
        text = "".join(f"{line}\n" for line in drawn[1].splitlines() if " all" not in line)
        try:
            fresh_namespace.run("ipset", "restore", script=text)
        except LoadError:
            hypothesis.assume(False)  # the kernel has not all types
        finally:
            listed = fresh_namespace.run("ipset", "save")
            fresh_namespace.run("ipset", "destroy")
        seen += 1
        before, after = read(*text.splitlines()), read(*listed.splitlines())
        for one in before:
            (same,) = (other for other in after if other.name == one.name)
            assert (same.type, same.timeout, same.mask) == (one.type, one.timeout, one.mask)
            if one.mask is None:
                parts = {(entry.parts, entry.nomatch) for entry in one.entries}
                assert {(entry.parts, entry.nomatch) for entry in same.entries} == parts

    check()
    assert seen, "the kernel took none of them"


# --- the way there ------------------------------------------------------------------------------


def test_the_counters_of_elements_go_on_in_text() -> None:
    rule = "-A INPUT -m set --match-set a src -j DROP"
    sets = "create a hash:ip counters\nadd a 10.0.0.1 packets 5 bytes 6\n"
    script = vpccni_nft.translate(DUMP.format(rule), family=Family.IP, ipset_save=sets).script()
    assert "10.0.0.1 counter packets 5 bytes 6" in script


def test_a_set_that_rules_change_stays_in_one_table() -> None:
    text = "".join(
        DUMP.format(rule).replace("filter", table)
        for table, rule in (
            ("filter", "-A INPUT -m set --match-set l src -j DROP"),
            ("security", "-A INPUT -j SET --add-set a src"),
        )
    )
    sets = "create a hash:ip\ncreate l list:set\nadd l a\n"
    translation = vpccni_nft.translate(text, family=Family.IP, ipset_save=sets)
    assert [found.code.name for found in translation.diagnostics if found.refuses] == ["T001"] * 2


def test_a_file_without_the_sets_is_reported_with_its_place(tmp_path: Path) -> None:
    dump, sets = tmp_path / "node.save", tmp_path / "node.ipset"
    dump.write_text(DUMP.format("-A INPUT -m set --match-set a src -j DROP"))
    sets.write_text("create a hash:ip\nadd a 10.0.0.300\n")
    arguments = ["check", str(dump), "--family", "ip", "--ipset-save", str(sets)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert f"{sets}:2:7: error[P017]" in result.output


def test_sets_can_come_from_standard_input(tmp_path: Path) -> None:
    dump = tmp_path / "node.save"
    dump.write_text(DUMP.format("-A INPUT -m set --match-set a src -j DROP"))
    arguments = ["translate", str(dump), "--family", "ip", "--ipset-save", "-"]
    result = CliRunner().invoke(cli, arguments, input="create a hash:ip\nadd a 10.0.0.1\n")
    assert result.exit_code == 0
    assert "elements = { 10.0.0.1 }" in result.output


@pytest.mark.parametrize("files", [[], ["-"]])
def test_the_rules_and_the_sets_do_not_both_come_from_standard_input(files: list[str]) -> None:
    result = CliRunner().invoke(cli, ["check", *files, "--ipset-save", "-"], input="")
    assert result.exit_code == 2


def test_every_type_has_kinds_that_are_read() -> None:
    assert len(TYPES) == 16
    assert set(MESSAGES) == {1, 58}
