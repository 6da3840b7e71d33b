"""What the matches mean, each on a packet at a hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import vpccni_nft
from vpccni_nft.core.values import Address, Family
from vpccni_nft.model.concrete import Concrete, Question
from vpccni_nft.model.hook import Outcome, outcome, run_hook
from vpccni_nft.model.oracle import KeptSet, Oracle, OracleKind, Position, member
from vpccni_nft.model.packet import (
    ADDRESS_TYPES,
    DROP,
    FIELDS,
    STATE_BITS,
    STATUS_BITS,
    TCP_FLAGS,
    Event,
    interface_word,
)
from vpccni_nft.semantics import iptables

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
LOCAL, UNICAST, BROADCAST = (ADDRESS_TYPES[name] for name in ("local", "unicast", "broadcast"))


def address(text: str) -> int:
    return Address.parse(text).value


def flags(*names: str) -> int:
    return sum(TCP_FLAGS[name] for name in names)


ETH0, ETH1 = interface_word("eth0"), interface_word("eth1")
SOURCE, DESTINATION = address("10.0.0.1"), address("10.0.0.2")
NEW, RELATED, ESTABLISHED, INVALID, UNTRACKED = (
    STATE_BITS[name] for name in ("new", "related", "established", "invalid", "untracked")
)
SNAT, DNAT = STATUS_BITS["snat"], STATUS_BITS["dnat"]

#: A whole TCP packet of a new connection; what is not here is zero.
PACKET = {
    "iif": ETH0,
    "oif": ETH1,
    "saddr": SOURCE,
    "daddr": DESTINATION,
    "protocol": TCP,
    "length": 60,
    "sport": 40000,
    "dport": 80,
    "ct_state": NEW,
}


def run(
    *rules: str,
    table: str = "filter",
    chain: str = "FORWARD",
    family: Family = Family.IP,
    answers: Mapping[Question, int] | None = None,
    **fields: int,
) -> Outcome:
    """Send a packet through rules; the world is asked nothing but what ``answers`` tells."""
    lines = (f"*{table}", f":{chain} ACCEPT [0:0]", *(f"-A {chain} {rule}" for rule in rules))
    ruleset = vpccni_nft.parse("\n".join((*lines, "COMMIT", "")), family=family)
    chains = iptables.base_chains(ruleset.tables[0])
    world = Concrete(answers=answers or {})
    packet: dict[str, Any] = dict.fromkeys(FIELDS, 0) | PACKET | fields
    state = run_hook(world, family, chain.lower(), chains, packet)
    assert world.asked.keys() <= world.answers.keys()
    return outcome(state)


def fits(match: str, **options: Any) -> bool:
    """Whether a rule with this match drops the packet."""
    return run(f"{match} -j DROP", **options).verdict == DROP


def changes(outcome: Outcome) -> tuple[Event, ...]:
    """What happened besides the counts of rules."""
    return tuple(event for event in outcome.events if event.details)


def fib_type(of: int, answer: int, interface: int = 0, *more: int) -> dict[Question, int]:
    return {(Oracle(OracleKind.FIB_TYPE), (of, interface, *more)): answer}


def test_a_comment_fits_every_packet() -> None:
    assert fits('-m comment --comment "no words"')


# addrtype


def test_addrtype_asks_the_routing_table() -> None:
    local = {"answers": fib_type(DESTINATION, LOCAL)}
    unicast = {"answers": fib_type(DESTINATION, UNICAST)}
    assert fits("-m addrtype --dst-type LOCAL", **local)
    assert not fits("-m addrtype --dst-type LOCAL", **unicast)
    assert not fits("-m addrtype ! --dst-type LOCAL", **local)
    assert fits("-m addrtype ! --dst-type LOCAL", **unicast)


@pytest.mark.parametrize("name", sorted(ADDRESS_TYPES))
def test_addrtype_knows_every_type_in_a_list(name: str) -> None:
    other = "LOCAL" if name != "local" else "UNICAST"
    match = f"-m addrtype --src-type {name.upper()},{other}"
    assert fits(match, answers=fib_type(SOURCE, ADDRESS_TYPES[name]))
    assert fits(match, answers=fib_type(SOURCE, ADDRESS_TYPES[other.lower()]))
    assert not fits(match, answers=fib_type(SOURCE, 200))


def test_addrtype_asks_for_both_addresses() -> None:
    match = "-m addrtype --src-type LOCAL ! --dst-type BROADCAST"
    local = fib_type(SOURCE, LOCAL)
    assert fits(match, answers=local | fib_type(DESTINATION, UNICAST))
    assert not fits(match, answers=local | fib_type(DESTINATION, BROADCAST))
    assert not fits(match, answers=fib_type(SOURCE, UNICAST) | fib_type(DESTINATION, UNICAST))


def test_addrtype_is_limited_to_an_interface() -> None:
    match = "-m addrtype --dst-type LOCAL"
    assert fits(f"{match} --limit-iface-in", answers=fib_type(DESTINATION, LOCAL, ETH0))
    assert fits(f"{match} --limit-iface-out", answers=fib_type(DESTINATION, LOCAL, ETH1))
    assert not fits(f"{match} --limit-iface-out", answers=fib_type(DESTINATION, UNICAST, ETH1))


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("::", "UNSPEC"),
        ("::1", "UNICAST"),
        ("::10.0.0.1", "UNICAST"),
        ("::ffff:10.0.0.1", ""),
        ("1::ffff:10.0.0.1", "UNICAST"),
        ("fd00::1", "UNICAST"),
        ("fe80::1", "UNICAST"),
        ("fe00::1", "UNICAST"),
        ("ff02::1", "MULTICAST"),
    ],
)
def test_addrtype_looks_at_an_ipv6_address_itself(text: str, looks: str) -> None:
    packet = {"family": Family.IP6, "saddr": address(text)}
    for name in ("UNSPEC", "UNICAST", "MULTICAST"):
        assert fits(f"-m addrtype --src-type {name}", **packet) is (name == looks)
        assert fits(f"-m addrtype ! --src-type {name}", **packet) is (name != looks)


def test_addrtype_wants_all_that_an_ipv6_address_looks_like() -> None:
    match = "-m addrtype --src-type UNICAST,MULTICAST"
    for text in ("fd00::1", "ff02::1", "::"):
        assert not fits(match, family=Family.IP6, saddr=address(text))


def test_addrtype_asks_for_the_route_of_an_ipv6_address_that_looks_right() -> None:
    match = "-m addrtype --src-type UNICAST,LOCAL"
    for text, found, expected in (
        ("fd00::1", LOCAL, True),
        ("fd00::1", UNICAST, False),
        ("ff02::1", LOCAL, False),
    ):
        answers = fib_type(address(text), found, 0, address(text), DESTINATION, 0, 0)
        packet = {"family": Family.IP6, "saddr": address(text), "answers": answers}
        assert fits(match, **packet) is expected
        assert fits(match.replace("--src", "! --src"), **packet) is not expected


@pytest.mark.parametrize("name", ["anycast", "unreachable"])
def test_addrtype_asks_for_ipv6_what_nft_cannot_answer(name: str) -> None:
    one = address("fd00::1")
    match = f"-m addrtype --dst-type {name.upper()} --limit-iface-in"
    for answer in (False, True):
        answers = {(Oracle(OracleKind.ROUTE_TYPE, name), (one, ETH0)): answer}
        assert fits(match, family=Family.IP6, daddr=one, answers=answers) is answer


def test_addrtype_wants_one_of_the_routes_of_an_ipv6_address() -> None:
    one = address("fd00::1")
    match = "-m addrtype --dst-type LOCAL,ANYCAST"
    for type_, anycast, expected in ((LOCAL, 0, True), (UNICAST, 1, True), (UNICAST, 0, False)):
        answers = fib_type(one, type_, 0, SOURCE, one, 0, 0) | {
            (Oracle(OracleKind.ROUTE_TYPE, "anycast"), (one, 0)): anycast
        }
        assert fits(match, family=Family.IP6, daddr=one, answers=answers) is expected


# conntrack and state


@pytest.mark.parametrize("option", ["-m conntrack {}--ctstate {}", "-m state {}--state {}"])
def test_a_state_is_in_the_list_or_not(option: str) -> None:
    for name, bit in STATE_BITS.items():
        for listed in ("NEW,INVALID", "RELATED,ESTABLISHED", "UNTRACKED"):
            inside = name.upper() in listed.split(",")
            assert fits(option.format("", listed), ct_state=bit) is inside
            assert fits(option.format("! ", listed), ct_state=bit) is not inside


def test_nat_is_a_state_besides() -> None:
    match = "-m conntrack {}--ctstate NEW,DNAT"
    for state, status, expected in (
        (NEW, 0, True),
        (NEW, DNAT, True),
        (ESTABLISHED, DNAT, True),
        (ESTABLISHED, SNAT, False),
        (ESTABLISHED, DNAT | SNAT, True),
        (ESTABLISHED, 0, False),
    ):
        assert fits(match.format(""), ct_state=state, ct_status=status) is expected
        assert fits(match.format("! "), ct_state=state, ct_status=status) is not expected


def test_source_nat_has_a_bit_of_its_own() -> None:
    assert fits("-m conntrack --ctstate SNAT", ct_status=SNAT)
    assert not fits("-m conntrack --ctstate SNAT", ct_status=DNAT)


@pytest.mark.parametrize("state", [INVALID, UNTRACKED])
def test_without_an_entry_there_is_no_nat(state: int) -> None:
    assert not fits("-m conntrack --ctstate DNAT,SNAT", ct_state=state, ct_status=DNAT | SNAT)
    assert fits("-m conntrack ! --ctstate ESTABLISHED,DNAT", ct_state=state, ct_status=DNAT)


@pytest.mark.parametrize("state", [INVALID, UNTRACKED])
def test_without_an_entry_only_the_state_is_looked_at(state: int) -> None:
    assert fits("-m conntrack ! --ctstate NEW --ctorigdst 1.2.3.4 --ctdir REPLY", ct_state=state)
    assert fits("-m conntrack ! --ctstate NEW --ctexpire 1", ct_state=state, answers=LEFT)
    assert not fits("-m conntrack --ctstate NEW --ctdir ORIGINAL", ct_state=state)


@pytest.mark.parametrize("state", [INVALID, UNTRACKED])
@pytest.mark.parametrize(
    "options",
    [
        "--ctproto 17", "--ctorigsrc 10.0.0.0/8", "--ctreplsrc 10.0.0.0/8", "--ctorigdstport 80",
        "--ctstatus NONE", "--ctstatus ASSURED", "--ctdir ORIGINAL", "--ctexpire 1:10",
    ],
)  # fmt: skip
def test_without_an_entry_and_without_a_state_nothing_fits(options: str, state: int) -> None:
    assert not fits(f"-m conntrack {options}", ct_state=state, answers=LEFT)
    if "--ctdir" not in options:
        assert not fits(f"-m conntrack ! {options}", ct_state=state, answers=LEFT)


LEFT: dict[Question, int] = {(Oracle(OracleKind.SECONDS_LEFT), ()): 30}


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--ctorigsrc", "ct_original_saddr"),
        ("--ctorigdst", "ct_original_daddr"),
        ("--ctreplsrc", "ct_reply_saddr"),
        ("--ctrepldst", "ct_reply_daddr"),
    ],
)
def test_addresses_of_the_entry_are_compared_under_their_mask(option: str, field: str) -> None:
    for text, expected in (("10.1.2.3", True), ("11.1.2.3", False)):
        packet = {field: address(text)}
        assert fits(f"-m conntrack {option} 10.0.0.0/8", **packet) is expected
        assert fits(f"-m conntrack ! {option} 10.0.0.0/8", **packet) is not expected


def test_addresses_of_an_entry_may_be_of_ipv6() -> None:
    match = "-m conntrack --ctorigdst fd00::/8"
    assert fits(match, family=Family.IP6, ct_original_daddr=address("fd12::1"))
    assert not fits(match, family=Family.IP6, ct_original_daddr=address("fe80::1"))


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--ctorigsrcport", "ct_original_sport"),
        ("--ctorigdstport", "ct_original_dport"),
        ("--ctreplsrcport", "ct_reply_sport"),
        ("--ctrepldstport", "ct_reply_dport"),
    ],
)
def test_ports_of_the_entry_are_in_the_range_or_not(option: str, field: str) -> None:
    for port, expected in ((99, False), (100, True), (200, True), (201, False)):
        packet = {field: port}
        assert fits(f"-m conntrack {option} 100:200", **packet) is expected
        assert fits(f"-m conntrack ! {option} 100:200", **packet) is not expected


def test_ports_of_the_entry_are_known_even_of_a_fragment() -> None:
    assert fits("-m conntrack --ctorigdstport 80", ct_original_dport=80, fragment=185)


def test_the_protocol_of_the_entry_is_its_own() -> None:
    assert fits("-m conntrack --ctproto 17", ct_protocol=UDP)
    assert not fits("-m conntrack --ctproto 17", ct_protocol=TCP)
    assert fits("-m conntrack ! --ctproto 17", ct_protocol=TCP)


def test_a_status_is_in_the_list_or_not() -> None:
    seen = STATUS_BITS["seen-reply"]
    assert fits("-m conntrack --ctstatus SEEN_REPLY,ASSURED", ct_status=seen | SNAT)
    assert not fits("-m conntrack --ctstatus EXPECTED,CONFIRMED", ct_status=seen)
    assert fits("-m conntrack ! --ctstatus EXPECTED,CONFIRMED", ct_status=seen)


def test_no_status_is_a_status_that_nothing_has() -> None:
    assert not fits("-m conntrack --ctstatus NONE", ct_status=0)
    assert fits("-m conntrack ! --ctstatus NONE", ct_status=2)


def test_the_direction_is_one_of_two() -> None:
    assert fits("-m conntrack --ctdir ORIGINAL", ct_reply=0)
    assert not fits("-m conntrack --ctdir ORIGINAL", ct_reply=1)
    assert fits("-m conntrack --ctdir REPLY", ct_reply=1)
    assert fits("-m conntrack ! --ctdir REPLY", ct_reply=0)


def test_an_oracle_answers_how_long_an_entry_lives() -> None:
    for text, expected in (("30", True), ("29", False), ("10:30", True), ("31:", False)):
        assert fits(f"-m conntrack --ctexpire {text}", answers=LEFT) is expected
        assert fits(f"-m conntrack ! --ctexpire {text}", answers=LEFT) is not expected


def test_all_options_of_conntrack_are_wanted() -> None:
    match = "-m conntrack --ctstate NEW --ctproto 6 --ctdir ORIGINAL"
    assert fits(match, ct_protocol=TCP)
    assert not fits(match, ct_protocol=UDP)
    assert not fits(match, ct_protocol=TCP, ct_reply=1)
    assert not fits(match, ct_protocol=TCP, ct_state=RELATED)


def test_before_conntrack_no_packet_has_an_entry() -> None:
    raw = {"table": "raw", "chain": "PREROUTING"}
    assert fits("-m conntrack --ctstate INVALID", **raw)
    assert not fits("-m conntrack --ctproto 0", **raw)


# tcp, udp, sctp, multiport


@pytest.mark.parametrize(("name", "number"), [("tcp", TCP), ("udp", UDP), ("sctp", SCTP)])
class TestPorts:
    def test_ports_are_in_the_range_or_not(self, name: str, number: int) -> None:
        for option, field in (("--sport", "sport"), ("--dport", "dport")):
            match = f"-p {name} -m {name} {{}}{option} 100:200"
            for port, expected in ((99, False), (100, True), (200, True), (201, False)):
                packet = {"protocol": number, field: port}
                assert fits(match.format(""), **packet) is expected
                assert fits(match.format("! "), **packet) is not expected

    def test_both_ports_are_wanted(self, name: str, number: int) -> None:
        match = f"-p {name} -m {name} --sport 1 ! --dport 2"
        assert fits(match, protocol=number, sport=1, dport=3)
        assert not fits(match, protocol=number, sport=1, dport=2)
        assert not fits(match, protocol=number, sport=2, dport=3)

    def test_a_further_fragment_has_no_ports(self, name: str, number: int) -> None:
        for match in (f"-m {name} --dport 80", f"-m {name} ! --dport 80", f"-m {name}"):
            assert not fits(f"-p {name} {match}", protocol=number, fragment=185)

    def test_a_first_fragment_has_ports(self, name: str, number: int) -> None:
        packet = {"protocol": number, "fragmented": 1}
        assert fits(f"-p {name} -m {name} --dport 80", **packet)

    def test_without_options_every_header_fits(self, name: str, number: int) -> None:
        assert fits(f"-p {name} -m {name}", protocol=number)

    def test_a_port_is_in_a_list(self, name: str, number: int) -> None:
        match = f"-p {name} -m multiport {{}}--dports 22,80:90"
        for port, expected in ((21, False), (22, True), (80, True), (90, True), (91, False)):
            packet = {"protocol": number, "dport": port, "sport": 85}
            assert fits(match.format(""), **packet) is expected
            assert fits(match.format("! "), **packet) is not expected

    def test_one_of_both_ports_is_in_a_list(self, name: str, number: int) -> None:
        match = f"-p {name} -m multiport {{}}--ports 22,80"
        for ports, expected in (
            ((22, 1), True),
            ((1, 80), True),
            ((22, 80), True),
            ((1, 2), False),
        ):
            packet = {"protocol": number, "sport": ports[0], "dport": ports[1]}
            assert fits(match.format(""), **packet) is expected
            assert fits(match.format("! "), **packet) is not expected


def test_a_source_port_is_in_a_list() -> None:
    assert fits("-p tcp -m multiport --sports 40000,50000")
    assert not fits("-p tcp -m multiport --sports 80")
    assert fits("-p tcp -m multiport ! --sports 80")


def test_a_further_fragment_is_in_no_list() -> None:
    for match in ("--dports 80", "! --dports 80", "--ports 80", "! --ports 80"):
        assert not fits(f"-p tcp -m multiport {match}", fragment=1)


def test_of_the_flags_in_the_mask_exactly_those_are_set() -> None:
    match = "-p tcp -m tcp {}--tcp-flags FIN,SYN,RST,ACK SYN"
    for found, expected in (
        (flags("syn"), True),
        (flags("syn", "psh", "ecn", "cwr"), True),
        (flags("syn", "ack"), False),
        (0, False),
    ):
        assert fits(match.format(""), tcp_flags=found) is expected
        assert fits(match.format("! "), tcp_flags=found) is not expected


def test_no_flag_of_all_is_set() -> None:
    match = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE"
    assert fits(match, tcp_flags=flags("ecn"))
    assert not fits(match, tcp_flags=flags("urg"))


def test_a_flag_outside_its_mask_is_never_found() -> None:
    assert not fits("-p tcp -m tcp --tcp-flags SYN ACK", tcp_flags=flags("ack"))
    assert fits("-p tcp -m tcp ! --tcp-flags SYN ACK", tcp_flags=flags("ack"))


def test_flags_and_options_are_those_of_a_header() -> None:
    assert not fits("-p tcp -m tcp ! --tcp-flags SYN SYN", fragment=2)
    assert not fits(
        "-p tcp -m tcp ! --tcp-option 2",
        fragment=2,
        answers={(Oracle(OracleKind.HAS_TCP_OPTION, parameters=(2,)), ()): 0},
    )


@pytest.mark.parametrize("answer", [False, True])
def test_oracles_answer_for_tcp_options_and_sctp_chunks(answer: bool) -> None:
    option = {"answers": {(Oracle(OracleKind.HAS_TCP_OPTION, parameters=(8,)), ()): answer}}
    assert fits("-p tcp -m tcp --tcp-option 8", **option) is answer
    assert fits("-p tcp -m tcp ! --tcp-option 8", **option) is not answer
    chunks = {
        "answers": {(Oracle(OracleKind.SCTP_CHUNKS, parameters=("any", "DATA,INIT")), ()): answer},
        "protocol": SCTP,
    }
    assert fits("-p sctp -m sctp --chunk-types any DATA,INIT", **chunks) is answer
    assert fits("-p sctp -m sctp ! --chunk-types any DATA,INIT", **chunks) is not answer


# icmp and icmp6


@pytest.mark.parametrize(
    ("match", "family", "number"),
    [
        ("-p icmp -m icmp {}--icmp-type {}", Family.IP, ICMP),
        ("-p ipv6-icmp -m icmp6 {}--icmpv6-type {}", Family.IP6, ICMPV6),
    ],
)
class TestMessages:
    def test_a_message_has_the_type(self, match: str, family: Family, number: int) -> None:
        for type_, expected in ((3, True), (4, False)):
            packet = {"family": family, "protocol": number, "icmp_type": type_, "icmp_code": 9}
            assert fits(match.format("", "3"), **packet) is expected
            assert fits(match.format("! ", "3"), **packet) is not expected

    def test_a_message_has_the_type_and_the_code(
        self, match: str, family: Family, number: int
    ) -> None:
        for type_, code, expected in ((3, 4, True), (3, 5, False), (5, 4, False)):
            packet = {"family": family, "protocol": number, "icmp_type": type_, "icmp_code": code}
            assert fits(match.format("", "3/4"), **packet) is expected
            assert fits(match.format("! ", "3/4"), **packet) is not expected

    def test_a_further_fragment_is_no_message(
        self, match: str, family: Family, number: int
    ) -> None:
        for negation in ("", "! "):
            packet = {"family": family, "protocol": number, "icmp_type": 3, "fragment": 1}
            assert not fits(match.format(negation, "3"), **packet)


def test_any_message_is_any_but_that_of_a_further_fragment() -> None:
    match = "-p icmp -m icmp {}--icmp-type any"
    assert fits(match.format(""), protocol=ICMP, icmp_type=77)
    assert not fits(match.format("! "), protocol=ICMP, icmp_type=77)
    for negation in ("", "! "):
        assert not fits(match.format(negation), protocol=ICMP, fragment=1)


def test_type_255_is_any_message_in_ipv4_alone() -> None:
    assert fits("-p icmp -m icmp --icmp-type 255/3", protocol=ICMP, icmp_type=8)
    packet = {"family": Family.IP6, "protocol": ICMPV6}
    assert not fits("-p ipv6-icmp -m icmp6 --icmpv6-type 255", icmp_type=128, **packet)
    assert fits("-p ipv6-icmp -m icmp6 --icmpv6-type 255", icmp_type=255, **packet)


# nfacct, physdev


def test_an_accounting_object_counts_where_it_is_reached() -> None:
    counted = Event("count", ("object",))
    reached = run("-m nfacct --nfacct-name object -p tcp -j DROP")
    assert (reached.verdict, changes(reached)) == (DROP, (counted,))
    assert changes(run("-p udp -m nfacct --nfacct-name object -j DROP")) == ()


def test_an_accounting_object_counts_before_a_later_match_fails() -> None:
    match = "-m nfacct --nfacct-name object -m mark --mark 1"
    failed = run(f"{match} -j DROP")
    assert (failed.verdict == DROP, changes(failed)) == (False, (Event("count", ("object",)),))


def test_no_packet_crosses_a_bridge() -> None:
    assert not fits("-m physdev --physdev-in eth0")
    assert not fits("-m physdev --physdev-is-bridged")
    assert fits("-m physdev ! --physdev-is-bridged ! --physdev-in eth0")
    assert not fits("-m physdev ! --physdev-is-in --physdev-is-out")


# recent


#: A list whose rules take addresses of any age.
LIST = KeptSet("recent-x")


def listed(
    key: int, answer: int, of: KeptSet = LIST, age: int | None = None
) -> dict[Question, int]:
    return {(member(of, *([] if age is None else [age])), (key,)): answer}


def update(key: int, of: KeptSet = LIST) -> Event:
    return Event("update", (of,), (key,))


def delete(key: int) -> Event:
    return Event("delete", (LIST,), (key,))


def test_entering_an_address_always_fits() -> None:
    for negation, dropped in (("", True), ("! ", False)):
        found = run(f"-m recent {negation}--set --name x --rsource -j DROP")
        assert (found.verdict == DROP, changes(found)) == (dropped, (update(SOURCE),))


@pytest.mark.parametrize("known", [False, True])
def test_checking_an_address_changes_nothing(known: bool) -> None:
    for negation in ("", "! "):
        match = f"-m recent {negation}--rcheck --seconds 60 --reap --name x --rdest -j DROP"
        found = run(match, answers=listed(DESTINATION, known, KeptSet("recent-x", timeout=60)))
        assert (found.verdict == DROP) is (known is not bool(negation))
        assert changes(found) == ()


@pytest.mark.parametrize("known", [False, True])
def test_updating_an_address_renews_it_where_it_fits(known: bool) -> None:
    found = run("-m recent --update --name x --rsource -j DROP", answers=listed(SOURCE, known))
    assert found.verdict == DROP if known else found.verdict != DROP
    assert changes(found) == (update(SOURCE),) * known


@pytest.mark.parametrize("known", [False, True])
def test_updating_what_is_not_there_renews_nothing(known: bool) -> None:
    found = run("-m recent ! --update --name x --rsource -j DROP", answers=listed(SOURCE, known))
    assert (found.verdict == DROP) is not known
    assert changes(found) == ()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_negated_update_renews_what_is_too_old(known: bool, old: bool) -> None:
    # What is older than nine seconds matters, too.
    kept = KeptSet("recent-x", policy=("ages", 9))
    oracle = Oracle(OracleKind.RECENT_LISTED, kept)
    answers = listed(SOURCE, known, kept, 9) | {(oracle, (SOURCE,)): old}
    found = run("-m recent ! --update --seconds 9 --name x --rsource -j DROP", answers=answers)
    assert (found.verdict == DROP) is not known
    assert changes(found) == (update(SOURCE, kept),) * (old and not known)


@pytest.mark.parametrize("known", [False, True])
def test_removing_an_address_takes_it_out_even_negated(known: bool) -> None:
    for negation in ("", "! "):
        match = f"-m recent {negation}--remove --name x --rsource -j DROP"
        found = run(match, answers=listed(SOURCE, known))
        assert (found.verdict == DROP) is (known is not bool(negation))
        assert changes(found) == (delete(SOURCE),) * known


def test_an_address_is_masked() -> None:
    key = address("10.0.0.0")
    found = run("-m recent --set --name x --mask 255.255.255.0 --rsource")
    assert changes(found) == (update(key),)


def test_an_ipv6_address_is_a_key_too() -> None:
    one = address("fd00::1")
    found = run("-m recent --set --name x --rsource", family=Family.IP6, saddr=one)
    assert changes(found) == (update(one),)


def test_later_rules_see_what_earlier_rules_changed() -> None:
    check = "-m recent --rcheck --name x --rsource -j DROP"
    enter, remove = (f"-m recent --{what} --name x --rsource" for what in ("set", "remove"))
    absent, present = listed(SOURCE, 0), listed(SOURCE, 1)
    assert run(enter, check, answers=absent).verdict == DROP
    assert run(remove, check, answers=present).verdict != DROP
    other = enter.replace("--rsource", "--rdest")
    assert run(other, check, answers=absent).verdict != DROP
    elsewhere = enter.replace("--name x", "--name y")
    assert run(elsewhere, check, answers=absent).verdict != DROP


@pytest.mark.parametrize("answer", [False, True])
def test_an_oracle_answers_how_often_and_with_which_ttl(answer: bool) -> None:
    for options, wanted in (
        ("--hitcount 4", "4 times"),
        ("--hitcount 4 --rttl", "4 times with this TTL"),
        ("--rttl", "1 times with this TTL"),
    ):
        oracle = Oracle(OracleKind.RECENT_SEEN, LIST, (wanted, 0))
        match = f"-m recent --rcheck {options} --name x --rsource"
        ttl = (0,) if "--rttl" in options else ()
        answers = {(oracle, (SOURCE, *ttl)): answer}
        assert fits(match, answers=answers | listed(SOURCE, 1)) is answer
        assert not fits(match, answers=answers | listed(SOURCE, 0))


def test_one_hit_is_no_more_than_being_there() -> None:
    assert fits("-m recent --rcheck --hitcount 1 --name x --rsource", answers=listed(SOURCE, 1))


# rpfilter


#: What else a route may hang on: both addresses and the service.
ROUTED = SOURCE, DESTINATION, 0
RAW = {"table": "raw", "chain": "PREROUTING", "mark": 7}


def route_back(answer: int, mark: int = 0, interface: int = ETH0) -> dict[Question, int]:
    return {(Oracle(OracleKind.ROUTE_BACK), (SOURCE, mark, interface, *ROUTED)): answer}


@pytest.mark.parametrize("answer", [False, True])
def test_there_is_a_route_back_or_not(answer: bool) -> None:
    for options, answers in (
        ("", route_back(answer)),
        ("--validmark", route_back(answer, mark=7)),
        ("--loose", route_back(answer, interface=0)),
        ("--loose --validmark", route_back(answer, mark=7, interface=0)),
    ):
        assert fits(f"-m rpfilter {options}", answers=answers, **RAW) is answer
        assert fits(f"-m rpfilter {options} --invert", answers=answers, **RAW) is not answer


def test_an_address_of_the_node_will_do() -> None:
    for found, type_, expected in ((0, LOCAL, True), (1, UNICAST, True), (0, UNICAST, False)):
        answers = route_back(found) | fib_type(SOURCE, type_, ETH0)
        assert fits("-m rpfilter --accept-local", answers=answers, **RAW) is expected
        inverted = "-m rpfilter --accept-local --invert"
        assert fits(inverted, answers=answers, **RAW) is not expected


def test_an_address_of_the_node_will_do_on_any_interface_where_loose() -> None:
    answers = route_back(0, interface=0) | fib_type(SOURCE, LOCAL)
    assert fits("-m rpfilter --loose --accept-local", answers=answers, **RAW)


@pytest.mark.parametrize("answer", [False, True])
def test_local_addresses_of_ipv6_have_an_oracle_of_their_own(answer: bool) -> None:
    question = (Oracle(OracleKind.ROUTE_BACK_TO_ITSELF), (SOURCE, 0, ETH0, *ROUTED))
    answers = route_back(0) | {question: answer}
    match = "-m rpfilter --accept-local"
    assert fits(match, family=Family.IP6, answers=answers, **RAW) is answer


# set


@pytest.mark.parametrize("answer", [False, True])
def test_an_address_is_in_a_set_or_not(answer: bool) -> None:
    for direction, key in (("src", SOURCE), ("dst", DESTINATION)):
        answers = listed(key, answer, KeptSet("hosts"))
        assert fits(f"-m set --match-set hosts {direction}", answers=answers) is answer
        assert fits(f"-m set ! --match-set hosts {direction}", answers=answers) is not answer


def test_a_set_of_several_dimensions_is_looked_up_with_all_of_them() -> None:
    answers = {(member(KeptSet("pairs")), (SOURCE, DESTINATION)): 1}
    assert fits("-m set --match-set pairs src,dst", answers=answers)


@pytest.mark.parametrize("answer", [False, True])
def test_counters_of_a_set_have_oracles_of_their_own(answer: bool) -> None:
    for options in ("--packets-gt 3", "! --bytes-eq 7", "--return-nomatch"):
        match = f"--match-set hosts src {options}"
        counted = Oracle(OracleKind.MEMBER_COUNTED, "hosts", (match,))
        answers = {(counted, (SOURCE,)): answer, (member(KeptSet("hosts")), (SOURCE,)): 1}
        assert fits(f"-m set {match}", answers=answers) is answer
        assert fits(f"-m set ! {match}", answers=answers) is not answer


# statistic


#: The first match of FORWARD that draws or counts, and the first one of its first rule.
DRAW, MATCH = Position("filter", "FORWARD", 0), Position("filter", "FORWARD", 0, 0)


def drawn(answer: int, place: Position = DRAW) -> dict[Question, int]:
    return {(Oracle(OracleKind.RANDOM, place), ()): answer}


def test_a_draw_is_less_than_the_probability() -> None:
    match = "-m statistic --mode random {}--probability 0.50000000000"
    half = 1 << 30
    for draw, expected in ((0, True), (half - 1, True), (half, False), (2 * half - 1, False)):
        assert fits(match.format(""), answers=drawn(draw)) is expected
        assert fits(match.format("! "), answers=drawn(draw)) is not expected


@pytest.mark.parametrize("draw", [0, (1 << 31) - 1])
def test_no_draw_changes_what_is_certain(draw: int) -> None:
    match = "-m statistic --mode random --probability {}"
    answers = drawn(draw, MATCH)
    assert fits(match.format("1.00000000000"), answers=answers)
    assert not fits(match.format("0.00000000000"), answers=answers)


def test_each_rule_draws_for_itself() -> None:
    rule = "-m statistic --mode random --probability 0.50000000000 -j DROP"
    answers = drawn((1 << 31) - 1) | drawn(0, Position("filter", "FORWARD", 1))
    assert run(rule, rule, answers=answers).verdict == DROP


def test_a_counter_stands_at_the_packet() -> None:
    match = "-m statistic --mode nth {}--every 3 --packet 1"
    for count, expected in ((0, False), (1, True), (2, False)):
        answers: dict[Question, int] = {(Oracle(OracleKind.COUNTER, DRAW, (3,)), ()): count}
        assert fits(match.format(""), answers=answers) is expected
        assert fits(match.format("! "), answers=answers) is not expected


def test_every_single_packet_is_chosen_without_counting() -> None:
    assert fits("-m statistic --mode nth --every 1 --packet 0")
    assert not fits("-m statistic --mode nth ! --every 1 --packet 0")
