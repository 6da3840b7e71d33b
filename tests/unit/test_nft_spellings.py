"""Spellings of one rule, by people and by other versions of nft, are read as one rule."""

from __future__ import annotations

import pytest

from vpccni_nft import nft
from vpccni_nft.core.values import Address
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.datatypes import INET_SERVICE, IPV4_ADDR
from vpccni_nft.text.nft_script import rule_text
from vpccni_nft.text.nft_statement_text import statement_text

from ..support.nft_texts import in_chain, read_rule, refused


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mark and 0x4000 == 0 return", "meta mark & 0x00004000 == 0x0 return"),
        # What binds closer is computed ahead, as iptables-restore-translate writes it.
        ("ct mark set ct mark xor 0x111 and 0xfffff000", "ct mark set ct mark ^ 0x0"),
        ("meta mark set meta mark or 0x3 xor 0x5 and 0x4", "meta mark set meta mark | 0x7"),
        ("meta mark set meta mark and 0xf or 0x3 and 0x1", "meta mark set meta mark & 0xf | 0x1"),
        ("dnat 10.0.0.1", "dnat to 10.0.0.1"),
        (
            "dnat ip daddr map { 10.0.0.1 : 10.0.0.2 }",
            "dnat to ip daddr map { 10.0.0.1 : 10.0.0.2 }",
        ),
        ("mark set mark xor 0x4000", "meta mark set meta mark ^ 0x00004000"),
        ("ct mark set ct mark or 128", "ct mark set ct mark | 0x80"),
        ("tcp flags syn / fin,syn,rst,ack", "tcp flags & (fin | syn | rst | ack) == syn"),
        ("tcp flags != syn / fin,syn", "tcp flags & (fin | syn) != syn"),
        ("tcp flags == 0x12", "tcp flags == (syn | ack)"),
        ("tcp flags set 0x12", "tcp flags set syn | ack"),
        ("queue num 1-3 bypass", "queue flags bypass to 1-3"),
        ("queue", "queue num 0"),
        ("meta priority set 1:f", "meta priority set 0x1000f"),
        ("meta priority set root", "meta priority set 0xffffffff"),
        ("meta priority set none", "meta priority set 0"),
        ("dnat ip prefix to 10.1.2.3/16", "dnat prefix to 10.1.0.0/16"),
        ("tcp dport 1 tproxy ip to :1", "tcp dport 1 tproxy to :1"),
        ("dup to 10.0.0.1 device eth0", 'dup to 10.0.0.1 device "eth0"'),
        ("ip dscp set cs1 ip ecn set ce", "ip dscp set 8 ip ecn set 3"),
        ("ct state established | related", "ct state established,related"),
        ("icmp type echo-request icmp code net-unreachable", "icmp type 8 icmp code 0"),
        ("icmpv6 type { nd-neighbor-solicit }", "icmpv6 type { 135 }"),
        ("meta l4proto ipencap", "meta l4proto 4"),
        ("ip protocol { tcp, 17 }", "ip protocol { 6, udp }"),
        ("ip dscp af11", "ip dscp 0x0a"),
        ("tcp dport https", "tcp dport 443"),
        ("tcp dport eq 80 tcp sport ne 80", "tcp dport 80 tcp sport != 80"),
        ("ip saddr 10.1.2.3/8 ip daddr 10.0.0.1/32", "ip saddr 10.0.0.0/8 ip daddr 10.0.0.1"),
        ("ip frag-off & 8191 == 0", "ip frag-off & 0x1fff == 0"),
        ("tcp dport 1 snat to 10.0.0.4/30:80", "tcp dport 1 snat to 10.0.0.4-10.0.0.7:80"),
        ("dnat ip to 10.0.0.4", "dnat to 10.0.0.4"),
        (
            "tcp dport 1 dnat to ip daddr map { 10.0.0.1 : 10.0.0.2 } : 80",
            "tcp dport 1 dnat to ip daddr map { 10.0.0.1 : 10.0.0.2 }:80",
        ),
        (
            "tcp dport 1 dnat ip to ip daddr map { 10.0.0.1 : 10.0.0.2 }:80-90 persistent",
            "tcp dport 1 dnat to ip daddr map { 10.0.0.1 : 10.0.0.2 }:80-90 persistent",
        ),
        ("reject", "reject with icmp type port-unreachable"),
        ("reject with icmp 13", "reject with icmp admin-prohibited"),
        ("log level warn", "log"),
        ("log flags all", "log flags tcp sequence,options flags ip options flags skuid,ether"),
        ("limit rate 5/second", "limit rate 5/second burst 5 packets"),
        ("limit rate over 5 kbytes/second", "limit rate over 5120 bytes/second"),
        ("limit rate 1 bytes/day burst 2 kbytes", "limit rate 1 bytes/day burst 2048 bytes"),
        ("ct count 5", "ct count 5"),
        ("ct count over 5", "ct count over 5"),
        ("quota until 1 mbytes", "quota 1048576 bytes"),
        ("quota over 1000 bytes used 500 bytes", "quota over 1000 bytes used 500 bytes"),
        (
            "update @x { ip saddr timeout 1m limit rate 5/second }",
            "update @x { ip saddr timeout 60s limit rate 5/second burst 5 packets }",
        ),
        ("add @x { ip saddr ct count over 5 }", "add @x { ip saddr ct count over 5 }"),
        ("iifname lo", 'iifname "lo"'),
        ("update @x { ip saddr timeout 1m30s }", "update @x { ip saddr timeout 90s }"),
        ("counter packets 0 bytes 0 accept # handle 7", "counter accept"),
        ("fib daddr type 2", "fib daddr type local"),
    ],
)
def test_two_spellings_are_one_rule(one: str, other: str) -> None:
    if "skuid,ether" in other:
        other = other.replace("skuid,ether", "skuid flags ether")
    assert read_rule(one) == read_rule(other)
    assert read_rule(rule_text(read_rule(one))) == read_rule(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp flags syn", "tcp flags == syn"),
        ("ct state established", "ct state == established"),
        ("ct state established,related", "ct state == (established | related)"),
        ("tcp flags & syn == 0", "tcp flags syn"),
    ],
)
def test_flags_that_mean_something_else_are_another_rule(one: str, other: str) -> None:
    assert read_rule(one) != read_rule(other)
    assert read_rule(rule_text(read_rule(other))) == read_rule(other)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("raw", -300), ("mangle", -150), ("dstnat", -100), ("filter", 0), ("security", 50),
        ("srcnat", 100), ("dstnat + 10", -90), ("filter - 5", -5), ("srcnat -1", 99),
        ("-110", -110), ("7", 7),
    ],
)  # fmt: skip
def test_a_named_priority_is_its_number(text: str, number: int) -> None:
    chain = f"chain c {{\n type filter hook prerouting priority {text}; policy accept;\n}}"
    (table,) = nft.parse(f"table ip t {{\n{chain}\n}}").tables
    assert table.chains[0].hook == nft.Hook("filter", "prerouting", number)


def test_a_set_of_expressions_has_their_types() -> None:
    text = (
        "table ip t {\n set a {\n typeof ip saddr . tcp dport\n elements = { 1.1.1.1 . 5 }\n }\n}"
    )
    (found,) = nft.parse(text).tables[0].sets
    assert found.type == (IPV4_ADDR, INET_SERVICE)


@pytest.mark.parametrize(
    "statement",
    [
        s.Continue(),
        s.Limit(5, "second", over=True),
        s.Log("p", group=5, snaplen=0, threshold=3),
        s.Log(level="audit"),
        s.Queue(),
        s.Queue(1, 3, ("bypass", "fanout")),
        s.Dup(x.Host(Address.parse("10.0.0.1")), "eth0"),
        s.Tproxy(x.Host(Address.parse("10.0.0.1")), 80),
        s.Tproxy(x.Host(Address.parse("10.0.0.1"))),
        s.Tproxy(port=0),
        s.Synproxy(),
        s.Synproxy(1460, 7, ("timestamp", "sack-perm")),
        s.Nat("dnat", x.Prefix(Address.parse("10.1.0.0"), 16), None, ("random",), prefix=True),
        s.Nat("snat", x.Prefix(Address.parse("10.1.0.1"), 32), prefix=True),
        s.Assign(x.TcpOption("maxseg", "size"), x.Rt("mtu")),
        s.Assign(x.Payload("tcp", "flags"), x.Flags(("syn", "ack"))),
        s.VerdictMap(x.Meta("mark"), x.SetReference("m")),
    ],
)
def test_statements_of_the_reader_have_texts(statement: s.Statement) -> None:
    assert read_rule(statement_text(statement)).statements == (statement,)


@pytest.mark.parametrize(
    ("listed", "written"),
    [
        ("meta mark 0x80000000/1 accept", "meta mark & 0x80000000 == 0x80000000 accept"),
        ("ct mark 0x80000000/2 accept", "ct mark & 0xc0000000 == 0x80000000 accept"),
        ("meta mark != 0x00010000/16 accept", "meta mark & 0xffff0000 != 0x10000 accept"),
        ("meta mark { 0x00010000/16, 0x5 }", "meta mark { 0x10000-0x1ffff, 0x5 }"),
        ("icmp type redirect drop", "icmp type 5 drop"),
        ("icmp type { redirect, echo-request }", "icmp type { 5, 8 }"),
        ("fib saddr . mark . iif check missing", "fib saddr . mark . iif oif missing"),
        ("tcp option maxseg exists", "tcp option 2 exists"),
        ("tcp option sack-perm missing", "tcp option 4 missing"),
        ("ip version 4", "ip version 4"),
        ("meta mark set ct mark redirect", "meta mark set ct mark redirect"),
    ],
)
def test_a_form_of_another_version_is_read(listed: str, written: str) -> None:
    (table,) = nft.parse(in_chain(listed)).tables
    assert rule_text(table.chains[0].rules[0]) == written


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("meta mark 0x00010001/16", 13),
        ("meta mark 0x80000000/33", 13),
        ("meta mark < 0x80000000/1", 15),
        ("ip ttl 256/8", 10),
    ],
)
def test_a_prefix_that_is_none_is_refused(rule: str, column: int) -> None:
    (found, *_) = refused(in_chain(rule))
    assert found.span
    assert (found.span.line, found.span.start) == (3, column)
