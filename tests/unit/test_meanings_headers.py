"""What the matches of headers mean, each on a packet at a hook."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.oracle import Oracle, OracleKind

from ..support.meanings_of_matches import ICMP, ICMPV6, SCTP, TCP, UDP, fits, flags


def test_a_comment_fits_every_packet() -> None:
    assert fits('-m comment --comment "no words"')


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
