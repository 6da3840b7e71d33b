"""Tables of the family inet: what is read of them, what it means, and what a proof says of it."""

from __future__ import annotations

import pytest

from vpccni_nft import Family, nft
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Address
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.inet import implied_family
from vpccni_nft.proof.answers import Answer, Different, Equivalent
from vpccni_nft.proof.order import ChainOrder
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.verify import ProofSettings, verify
from vpccni_nft.simulate.packet_text import complete
from vpccni_nft.simulate.sample import Packet, chains_of, run

from ..support.nft_texts import in_chain, read_rule, refused


def host(text: str) -> x.Host:
    return x.Host(Address.parse(text))


#: Ports are mapped where a rule says of which protocol.
OF_TCP = s.Match(x.Meta("l4proto"), "==", x.Protocol(6))

V4, V6 = 0x0A000001, 0xFD << 120 | 1


def read(rule: str) -> s.Statement:
    return read_rule(rule, "inet").statements[-1]


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        ("reject", s.Reject("icmpx", "port-unreachable")),
        ("reject with icmpx admin-prohibited", s.Reject("icmpx", "admin-prohibited")),
        ("reject with icmpx type 2", s.Reject("icmpx", "host-unreachable")),
        ("reject with icmp host-unreachable", s.Reject("icmp", "host-unreachable")),
        ("meta nfproto ipv6", s.Match(x.Meta("nfproto"), "==", x.Symbol("ipv6"))),
        ("meta l4proto tcp dnat ip to 10.0.0.1:80",
         s.Nat("dnat", host("10.0.0.1"), x.Number(80), family=Family.IP)),
        ("dnat to 10.0.0.1", s.Nat("dnat", host("10.0.0.1"), family=Family.IP)),
        ("snat to fd00::1", s.Nat("snat", host("fd00::1"), family=Family.IP6)),
        ("meta l4proto tcp dnat to [fd00::1]:80",
         s.Nat("dnat", host("fd00::1"), x.Number(80), family=Family.IP6)),
        ("meta l4proto tcp dnat to :80", s.Nat("dnat", None, x.Number(80))),
        ("masquerade", s.Nat("masquerade")),
        ("tproxy to :50080", s.Tproxy(None, 50080)),
        ("tproxy ip6 to [fd00::1]:1", s.Tproxy(host("fd00::1"), 1, Family.IP6)),
    ],
)  # fmt: skip
def test_a_statement_is_read_as_the_family_of_its_address(
    rule: str, statement: s.Statement
) -> None:
    assert read(rule) == statement
    table = nft.Table(nft.parse(in_chain("accept", "inet")).tables[0].family, "t",
                      (nft.Chain("c", (nft.Rule((OF_TCP, statement)),)),))  # fmt: skip
    assert nft.parse(nft.serialize(nft.Ruleset((table,)))).tables == (table,)


@pytest.mark.parametrize(
    ("rule", "family"),
    [
        ("reject with icmpx admin-prohibited", "ip"),
        ("reject with icmpv6 no-route", "ip"),
        ("dup to 10.0.0.1", "inet"),
        ("dnat to tcp dport map { 80 : 10.0.0.1 }", "inet"),
        ("dnat ip to fd00::1", "inet"),
        ("redirect to 10.0.0.1", "inet"),
        ("dnat ip6 to fd00::1", "ip"),
    ],
)
def test_what_the_family_does_not_have_is_refused(rule: str, family: str) -> None:
    refused(in_chain(rule, family))


def treated(rule: str, family: Family, **fields: int) -> str:
    """What a chain of this rule, with a policy of drop, says of a packet."""
    hook = "type filter hook input priority 0; policy drop;"
    ruleset = nft.parse(in_chain(f"{hook}\n{rule}", "inet"))
    packet = Packet(family, "input", complete(family, "input", fields))
    return str(run(chains_of(ruleset, family), packet).verdict.kind)


@pytest.mark.parametrize(
    ("rule", "ipv4", "ipv6"),
    [
        ("meta nfproto ipv4 accept", "accept", "drop"),
        ("meta protocol ip6 accept", "drop", "accept"),
        ("ip saddr 10.0.0.1 accept", "accept", "drop"),
        ("ip6 saddr fd00::1 accept", "drop", "accept"),
        ("ip saddr != 10.0.0.9 accept", "accept", "drop"),
        ("ip6 daddr != fd00::9 accept", "drop", "accept"),
        ("meta l4proto tcp accept", "accept", "accept"),
        ("tcp dport 22 accept", "accept", "accept"),
        ("ip saddr . tcp dport { 10.0.0.1 . 22 } accept", "accept", "drop"),
        ("ip saddr vmap { 10.0.0.1 : accept }", "accept", "drop"),
        ("frag id 5 accept", "drop", "drop"),
        ("ip option rr missing accept", "accept", "drop"),
        ("exthdr hbh missing accept", "drop", "accept"),
        ("ip dscp set 1 accept", "accept", "drop"),
        ("reject", "reject", "reject"),
        ("reject with icmp port-unreachable", "reject", "drop"),
        ("meta l4proto tcp reject with tcp reset", "reject", "reject"),
        ("ct l3proto ipv6 accept", "drop", "accept"),
        ("ct original ip saddr != 10.9.9.9 accept", "accept", "drop"),
    ],
)
def test_a_statement_is_for_the_packets_of_its_family(rule: str, ipv4: str, ipv6: str) -> None:
    fields = {"protocol": 6, "dport": 22, "ct_state": 8}
    assert treated(rule, Family.IP, saddr=V4, **fields) == ipv4
    assert treated(rule, Family.IP6, saddr=V6, **fields) == ipv6


@pytest.mark.parametrize(
    ("rule", "family", "protocol", "verdict"),
    [
        ("icmp type echo-request accept", Family.IP, 1, "accept"),
        ("icmp type echo-request accept", Family.IP6, 1, "drop"),
        ("icmpv6 type echo-request accept", Family.IP6, 58, "accept"),
        ("icmpv6 type echo-request accept", Family.IP, 58, "drop"),
    ],
)
def test_icmp_is_of_its_family(rule: str, family: Family, protocol: int, verdict: str) -> None:
    number = 8 if protocol == 1 else 128
    assert treated(rule, family, protocol=protocol, icmp_type=number) == verdict


# --- what a proof says --------------------------------------------------------------------------


def side(*texts: str) -> Side:
    return Side.of([Source.of(text, f"{number}.nft") for number, text in enumerate(texts)])


def chain(family: str, rules: str, name: str = "t", objects: str = "") -> str:
    hook = "type filter hook input priority 0; policy accept;"
    return f"table {family} {name} {{\n{objects}chain c {{\n{hook}\n{rules}\n}}\n}}\n"


def proved(before: Side, after: Side) -> Answer:
    return verify(before, after, ProofSettings(seconds=5))


def test_a_table_of_inet_is_one_of_each_family() -> None:
    rules = "ct state established accept\ntcp dport 22 ip saddr 10.0.0.0/8 drop\nip6 saddr ::1 drop"
    apart = side(
        chain("ip", "ct state established accept\ntcp dport 22 ip saddr 10.0.0.0/8 drop"),
        chain("ip6", "ct state established accept\nip6 saddr ::1 drop"),
    )
    answer = proved(side(chain("inet", rules)), apart)
    assert isinstance(answer, Equivalent)
    assert set(answer.hooks) == {(Family.IP, "input"), (Family.IP6, "input")}


def test_a_difference_in_one_family_is_found() -> None:
    answer = proved(
        side(chain("inet", "tcp dport 22 drop")), side(chain("ip", "tcp dport 22 drop"))
    )
    assert isinstance(answer, Different)
    assert {one.family for one in answer.counterexamples} == {Family.IP6}


@pytest.mark.parametrize(
    ("objects", "rules"),
    [
        ("", "limit rate 5/second accept\ndrop"),
        ("", "numgen inc mod 2 == 0 drop"),
        ("set s { type inet_service; flags dynamic; }\n", "update @s { tcp dport }"),
        (
            "set s { type inet_service; flags dynamic; }\n",
            "update @s { tcp dport limit rate 1/second } drop",
        ),
        ("counter n { }\n", "counter name n drop"),
    ],
)
def test_what_keeps_state_is_shared_by_both_families(objects: str, rules: str) -> None:
    """Packets of one family spend what the others have left: two tables share nothing."""
    whole = side(chain("inet", rules, objects=objects))
    apart = side(*(chain(family, rules, objects=objects) for family in ("ip", "ip6")))
    answer = verify(whole, apart, ProofSettings(seconds=5, counters=True))
    assert not isinstance(answer, Equivalent)
    again = verify(whole, side(chain("inet", rules, objects=objects)), ProofSettings(seconds=5))
    assert isinstance(again, Equivalent)


def test_tables_of_one_name_and_two_families_stand_beside_each_other() -> None:
    both = side(chain("inet", "tcp dport 22 drop"), chain("ip", "tcp dport 23 drop"))
    one = side(chain("inet", "tcp dport 22 drop\nmeta nfproto ipv4 tcp dport 23 drop"))
    assert isinstance(proved(both, one), Equivalent)


def test_an_order_names_a_table_of_inet() -> None:
    before = side(chain("inet", "meta mark set 1"), chain("ip", "meta mark 1 drop"))
    first = ChainOrder.of("inet t c, ip t c")
    answer = verify(before, side(chain("inet", "meta mark set 1\nmeta nfproto ipv4 drop")),
                    ProofSettings(seconds=5, order=first))  # fmt: skip
    assert isinstance(answer, Equivalent)
    last = ChainOrder.of("ip t c, inet t c")
    answer = verify(before, before, ProofSettings(seconds=5, order=last))
    assert isinstance(answer, Equivalent)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"protocol": 6, "has_mss": 1, "mss": 1460}, "accept"),
        ({"protocol": 6, "has_mss": 0}, "accept"),
        ({"protocol": 17}, "drop"),
        ({"protocol": 6, "fragment": 8}, "drop"),
    ],
)
def test_a_rule_goes_on_where_an_option_is_missing(fields: dict[str, int], verdict: str) -> None:
    assert treated("tcp option maxseg size set 1000 accept", Family.IP, **fields) == verdict


def test_a_header_within_a_tunnel_is_of_no_family() -> None:
    inner = read_rule("udp dport 4789 vxlan ip saddr 10.0.0.1", "inet").statements[-1]
    assert implied_family(inner) is None
    assert implied_family(read_rule("ip saddr 10.0.0.1", "inet").statements[-1]) is Family.IP
