"""What the nft reader refuses: with a place, in time, and with no other exception."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.render import render

from ..support.nft_texts import BASE, NATIVE, in_chain, refused


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("queue num 3 sometimes", 15),
        ("queue to 3-1", 12),
        ("queue to 65536", 12),
        ("dup to 10.0.0.0/8", 10),
        ("dup to 10.0.0.1 device \"eth*\"", 26),
        ("meta l4proto tcp tproxy to :80-90", 30),
        ("meta l4proto tcp tproxy ip6 to :80", 27),
        ("synproxy mss 1 mss 2", 22),
        ("synproxy timestamp timestamp", 22),
        ("meta priority set 1:", 21),
        ("dnat prefix to :80", 18),
        ("accept xt match recent", 10),
        ("ip saddr example.org accept", 12),
        ("ip saddr fd00::1 accept", 12),
        ("ip saddr 10.0.0.1-10.0.0.0 accept", 12),
        ("tcp dport 65536 accept", 13),
        ("tcp dport unheard-of accept", 13),
        ("ip nonsense 1 accept", 6),
        ("meta nonsense 1 accept", 8),
        ("ct nonsense 1 accept", 6),
        ("ct original saddr 10.0.0.0/8 accept", 15),
        ("ct state fresh accept", 12),
        ("ct state > new accept", 14),
        ("tcp dport 80,443 accept", 13),
        ("tcp dport ! 80 accept", 15),
        ("tcp dport < { 80 } accept", 17),
        ("ip saddr < 10.0.0.0/8 accept", 14),
        ("ip saddr . tcp dport 80 accept", 24),
        ("ip saddr . tcp dport { 10.0.0.1 } accept", 26),
        ("tcp dport { 80 : accept }", 15),
        ("tcp dport vmap { 80 }", 20),
        ("tcp dport vmap { 80 : 90 }", 20),
        ("tcp dport { 80 comment \"a\" comment \"b\" }", 15),
        ("meta mark set meta mark << 32", 30),
        ("meta mark set \"x\"", 17),
        ("fib daddr set 5", 13),
        ("jump 1up", 8),
        ("log prefix \"a\" prefix \"b\"", 25),
        ("log level loud", 13),
        ("log group 65536", 13),
        ("log group 5 group 5", 21),
        ("limit rate 5 gbytes/second", 16),
        ("quota 5 gbytes", 11),
        ("ct count many", 12),
        ("limit rate 5/fortnight", 14),
        ("reject with icmp nonsense", 20),
        ("reject with icmpx type admin-prohibited", 15),
        ("dnat to example.org", 11),
        ("dnat to ip daddr map @x:http-x", 26),
        ("dnat ip6 to 10.0.0.1", 8),
        ("acceptdrop", 3),
        ("tcpdport 80", 3),
        ("masquerade to 10.0.0.1", 17),
        ("update @s { ip saddr timeout 5ms }", 32),
        ("numgen any mod 2 1", 10),
        ("exthdr nonsense exists", 10),
        ("counter packets 5 accept", 21),
        ("counter packets 018 bytes 0", 19),
        ("counter packets 18446744073709551616 bytes 0", 19),
        ("accept comment \"open", 18),
        ("accept comment \"bell \a\"", 18),
        ("accept; }; delete table ip other", 14),
        ("comment \"a\"; comment \"b\"", 24),
    ],
)  # fmt: skip
def test_a_rule_that_is_not_known_is_refused_at_its_place(rule: str, column: int) -> None:
    (found, *_) = refused(in_chain(rule))
    assert found.span
    assert (found.span.line, found.span.start) == (3, column)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("delete table ip t\n", 1),
        ("table ip t {\n}\ndelete table ip t\ndelete table ip t\n", 4),
        ("table ip t {\n}\nflush ruleset\nflush table ip t\n", 4),
        ("table ip t {\n}\nflush chain ip t c\n", 3),
        (f"{BASE}table ip t {{\n chain c {{ type nat hook input priority 0; }}\n}}\n", 6),
        (f"{BASE}table ip t {{\n set s {{ type mark; size 5; }}\n}}\n", 6),
        (f"{BASE}table ip t {{\n map m {{ type mark : mark; elements = {{ 1 : 3 }}; }}\n}}\n", 6),
        ("add rule ip t c accept\n", 1),
        ("include \"/etc/passwd\"\n", 1),
        ("table ip t {\n chain c {\n }\n chain c {\n }\n}\n", 4),
        ("table ip t {\n set c {\n type mark\n }\n map c {\n type mark : mark\n }\n}\n", 5),
        ("table ip t {\n set c {\n }\n}\n", 2),
        ("table ip t {\n set c {\n type nonsense\n }\n}\n", 3),
        ("table ip t {\n set c {\n type mark\n type mark\n }\n}\n", 4),
        ("table ip t {\n set c {\n type mark\n flags odd\n }\n}\n", 4),
        ("table ip t {\n map c {\n type mark\n }\n}\n", 2),
        ("table ip t {\n set c {\n type mark\n gc-interval x\n }\n}\n", 4),
        ("table ip t {\n chain c {\n policy drop\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook ingress device \"e\" priority 0\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook egress priority 0\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook input priority out\n }\n}\n", 3),
        ("table ip t {\n chain c {\n type filter hook input priority 5 + 5\n }\n}\n", 3),
        ("table ip t {\n ct helper h {\n }\n}\n", 2),
        ("table ip t {\n counter c {\n packets 1 bytes 2; packets 1 bytes 2\n }\n}\n", 3),
        ("# Generated by iptables-save\n*filter\nCOMMIT\n", 2),
        ("{\"nftables\": []}\n", 1),
    ],
)  # fmt: skip
def test_what_is_no_table_of_ours_is_refused_at_its_place(text: str, line: int) -> None:
    (found, *_) = refused(text)
    assert found.span
    assert found.span.line == line


def test_every_value_that_is_wrong_is_reported_in_one_run() -> None:
    text = "tcp dport 65536\n\t\tip nonsense 1\n\t\taccept\n\t\tct state fresh"
    assert [one.span and one.span.line for one in refused(in_chain(text))] == [3, 4, 6]


WITH_XT = [path for path in NATIVE if "xt match" in path.read_text()]


@pytest.mark.parametrize(
    "path", [path for path in NATIVE if path not in WITH_XT], ids=lambda path: path.stem
)
def test_a_ruleset_without_iptables_extensions_is_read(path: Path) -> None:
    assert nft.parse(path.read_text()).tables


@pytest.mark.parametrize("path", WITH_XT, ids=lambda path: path.stem)
def test_iptables_extensions_are_refused_with_a_hint(path: Path) -> None:
    (found,) = refused(path.read_text())
    assert found.span
    assert found.span.text == "xt"
    assert "iptables-nft-save" in found.hint


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut() -> None:
    text = next(path for path in NATIVE if path.stem == "v1.23-nft-default").read_text()
    whole = nft.parse(text)
    first = nft.Ruleset(whole.tables[:-1])
    for end in range(1, len(text.rstrip())):
        try:
            found = nft.parse(text[:end])
        except vpccni_nft.Refused as error:
            assert all(map(has_place, error.diagnostics))  # noqa: PT017
        else:
            # Between two tables nothing tells that another one should follow.
            kept = len(found.tables)
            assert found.tables == first.tables[:kept]
            assert text[:end].rstrip().endswith("}") or not kept


def has_place(found: vpccni_nft.Diagnostic) -> bool:
    """A line, or the whole of what is no text."""
    return bool(found.span) or found.message.startswith("<string> ")


@given(st.text() | st.text('table ip{}chn\n;"@.:()#\\ 0x-/,'))
def test_no_text_gives_another_exception(text: str) -> None:
    for whole in (text, in_chain(text), f"table ip t {{\nset s {{\n{text}\n}}\n}}"):
        try:
            nft.parse(whole)
        except vpccni_nft.Refused as error:
            assert all(has_place(one) and render(one) for one in error.diagnostics)  # noqa: PT017


@given(st.binary())
def test_no_bytes_give_another_exception(text: bytes) -> None:
    try:
        nft.parse(text)
    except vpccni_nft.Refused as error:
        assert all(map(has_place, error.diagnostics))  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "{" * 1_000_000,
        in_chain("(" * 1_000_000),
        in_chain("tcp flags & " + "(" * 20_000 + "syn"),
        in_chain("tcp dport " + "{ " * 20_000),
        in_chain("meta mark set meta mark" + " | 1" * 20_000),
        in_chain("ip saddr" + " . ip saddr" * 20_000 + " @x"),
        in_chain("fib saddr" + " . iif" * 20_000 + " oif 0"),
        in_chain("tcp dport { " + "1" * 1_000_000 + " }"),
        in_chain("jump " + "x" * 1_000_000),
        in_chain('accept comment "' + "x" * 1_000_000),
        in_chain("ip saddr " + "1-" * 500_000),
        in_chain("update @s { ip saddr timeout " + "1" * 1_000_000 + "s }"),
        "table ip t {\n" * 20_000,
        "#" * 1_000_000 + "\n}",
        "\\\n" * 100_000 + "}",
        "\n" * 1_000_000 + "}",
        ";" * 1_000_000 + "}",
    ],
    ids=range(18),
)
def test_a_text_out_of_proportion_is_refused_in_time(text: str) -> None:
    assert all(len(render(one)) < 2000 for one in refused(text))


def test_a_line_of_a_megabyte_is_read_in_time() -> None:
    elements = ", ".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(70_000))
    start = time.perf_counter()
    text = f"table ip t {{\n set s {{\n type ipv4_addr\n elements = {{ {elements} }}\n }}\n}}"
    (found,) = nft.parse(text).tables[0].sets
    assert len(found.elements) == 70_000
    assert time.perf_counter() - start < 60
