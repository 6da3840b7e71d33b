"""What the matches mean that ask what the host knows of a packet, each on a packet at a hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import vpccni_nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete, Question
from vpccni_nft.model.hook import outcome, run_hook
from vpccni_nft.model.packet import (
    DROP,
    FIELDS,
    PACKET_TYPES,
    STATE_BITS,
    TCP_FLAGS,
    interface_word,
)
from vpccni_nft.semantics import iptables

NEW, INVALID = STATE_BITS["new"], STATE_BITS["invalid"]
PACKET = {"protocol": 6, "length": 60, "ct_state": NEW, "iif": interface_word("eth0")}

NOBODY = {"has a socket of no program": 0, "the socket is open": 0}
KERNEL = {"has a socket of no program": 1, "the socket is open": 1}


def fits(
    match: str, chain: str = "INPUT", answers: Mapping[str, int] | None = None, **fields: int
) -> bool:
    """Whether a packet fits a match; the world answers 0 where nothing is said."""
    text = f"*mangle\n:{chain} ACCEPT [0:0]\n-A {chain} {match} -j DROP\nCOMMIT\n"
    chains = iptables.base_chains(vpccni_nft.parse(text, family=Family.IP).tables[0])
    packet: dict[str, Any] = dict.fromkeys(FIELDS, 0) | PACKET | fields
    world = Concrete(answers=_Answers(answers or {}))
    state = run_hook(world, Family.IP, chain.lower(), chains, packet)
    return outcome(state).verdict == DROP


class _Answers(dict[Question, int]):
    """Answers by the sentences of what is asked."""

    def __init__(self, sentences: Mapping[str, int]) -> None:
        super().__init__()
        self.sentences = sentences

    def get(self, question: Question, _default: object = None) -> int:
        return self.sentences.get(str(question[0]), 0)


@pytest.mark.parametrize(
    ("match", "nobody", "kernel", "program"),
    [
        ("--uid-owner 5", False, False, True),
        ("! --uid-owner 5", True, True, False),
        ("! --uid-owner 6", True, True, True),
        ("! --uid-owner 6 --gid-owner 7", False, False, True),
        ("! --uid-owner 6 ! --gid-owner 7", True, True, False),
        ("--socket-exists", False, True, True),
        ("! --socket-exists", True, False, False),
        ("--socket-exists --uid-owner 5", False, False, True),
        ("--socket-exists ! --uid-owner 5", False, True, False),
        ("! --socket-exists ! --uid-owner 6", True, False, False),
        ("! --socket-exists --uid-owner 5", False, False, False),
        ("! --gid-owner 8 --suppl-groups", False, True, True),
    ],
)
def test_a_packet_without_a_socket_has_no_owner(
    match: str, *, nobody: bool, kernel: bool, program: bool
) -> None:
    match = f"-m owner {match}"
    assert fits(match, "OUTPUT", NOBODY) is nobody
    assert fits(match, "OUTPUT", KERNEL) is kernel
    assert fits(match, "OUTPUT", has_socket=1, uid=5, gid=7) is program


def test_a_control_group_is_that_of_a_full_socket() -> None:
    for match, same in (("-m cgroup --cgroup 5", True), ("-m cgroup ! --cgroup 5", False)):
        assert fits(match, "OUTPUT", has_socket=1, cgroup=5) is same
        assert fits(match, "OUTPUT", has_socket=1, cgroup=6) is not same
        assert not fits(match, "OUTPUT", NOBODY, cgroup=5)
        opening = {"has a socket of no program": 1, "the socket is full": 0}
        assert not fits(match, "OUTPUT", opening, cgroup=5)


def test_a_socket_for_any_address_counts_only_where_the_rule_says_so() -> None:
    found = {"a socket is found": 1, "the socket is full": 1, "the socket is for any address": 1}
    assert not fits("-m socket", answers=found)
    assert fits("-m socket --nowildcard", answers=found)
    assert fits("-m socket", answers=found | {"the socket is full": 0})
    assert not fits("-m socket --nowildcard --transparent", answers=found)
    assert fits("-m socket --nowildcard --transparent", answers=found | {
        "the socket is transparent": 1
    })  # fmt: skip
    assert not fits("-m socket --nowildcard")


def test_a_connection_that_is_not_counted_matches_no_count() -> None:
    match = "-m connbytes {} --connbytes-mode bytes --connbytes-dir original"
    counted = {"packets of both ways": 1, "bytes of original": 9}
    for count, holds in (("--connbytes 5:9", True), ("! --connbytes 5:9", False),
                         ("--connbytes 10", False), ("! --connbytes 10", True)):  # fmt: skip
        assert fits(match.format(count), answers=counted) is holds
        assert not fits(match.format(count), answers=counted | {"packets of both ways": 0})
        assert not fits(match.format(count), answers=counted, ct_state=INVALID)


def test_what_has_no_connection_has_no_label_and_no_helper() -> None:
    assert not fits('-m connlabel --label "5"', ct_state=INVALID)
    assert fits('-m connlabel ! --label "5"', ct_state=INVALID)
    assert fits('-m connlabel --label "5" --set', answers={"the connection keeps labels": 1})
    assert fits('-m connlabel ! --label "5" --set')
    assert fits("-m helper ! --helper ftp", ct_state=INVALID)
    for helper, holds in (("ftp", True), ("ft", True), ("ftp-2", False), ("sip", False)):
        known = {
            "a helper foresaw the connection": 1,
            "helper of the master": interface_word(helper),
        }
        assert fits("-m helper --helper ftp", answers=known) is holds
        assert fits("-m helper ! --helper ftp", answers=known) is not holds


def test_the_mark_of_a_connection_needs_a_connection() -> None:
    for test, same in (("--mark 0x5/0xf", True), ("! --mark 0x5/0xf", False)):
        match = f"-m connmark {test}"
        assert fits(match, ct_mark=0x15) is same
        assert fits(match, ct_mark=0x16) is not same
        assert not fits(match, ct_mark=0x15, ct_state=INVALID)
        assert not fits(match, ct_mark=0x16, ct_state=STATE_BITS["untracked"])


def test_a_hardware_address_needs_a_header() -> None:
    here = {"came by Ethernet": 1}
    assert fits("-m mac --mac-source 00:00:00:00:00:05", answers=here, mac_source=5)
    assert fits("-m mac ! --mac-source 00:00:00:00:00:05", answers=here, mac_source=6)
    assert not fits("-m mac ! --mac-source 00:00:00:00:00:05", mac_source=6)


def test_groups_realms_and_types_are_compared_with_their_mask() -> None:
    assert fits("-m devgroup --src-group 0x13/0x0f", iif_group=0x23)
    assert not fits("-m devgroup ! --src-group 0x3", iif_group=3)
    assert fits("-m realm --realm 0x3/0x0f", realm=0x23)
    assert not fits("-m realm --realm 0x13/0x0f", realm=0x13)
    assert fits("-m pkttype --pkt-type unicast", packet_type=PACKET_TYPES["host"])
    assert fits("-m pkttype ! --pkt-type unicast", packet_type=PACKET_TYPES["other"])
    assert fits("-m cpu ! --cpu 1", cpu=2)
    assert not fits("-m iprange --src-range 10.0.0.9-10.0.0.1", saddr=0x0A000005)


def test_the_system_is_that_of_a_syn_packet_whatever_the_negation() -> None:
    linux = {"system": interface_word("Linux")}
    syn, ack = TCP_FLAGS["syn"], TCP_FLAGS["ack"]
    for match in ("-p tcp -m osf --genre Linux", "-p tcp -m osf ! --genre Linux"):
        assert fits(match, answers=linux, tcp_flags=syn)
        assert not fits(match, answers=linux, tcp_flags=ack)
        assert not fits(match, answers={"system": 0}, tcp_flags=syn)


def test_a_policy_is_met_by_some_transformation_or_by_all() -> None:
    two = {"transformations in": 2, "reqid of transformation 1 in": 7}
    assert fits("-m policy --dir in --pol none")
    assert not fits("-m policy --dir in --pol none", answers=two)
    assert fits("-m policy --dir in --pol ipsec", answers=two)
    assert fits("-m policy --dir in --pol ipsec --reqid 7", answers=two)
    assert not fits("-m policy --dir in --pol ipsec --reqid 7", answers=two | {
        "transformations in": 1
    })  # fmt: skip
    assert not fits("-m policy --dir in --pol ipsec --strict --reqid 0", answers=two)
    assert fits("-m policy --dir in --pol ipsec --strict --reqid 0 --next --reqid 7", answers=two)


@pytest.mark.parametrize(
    ("second", "day", "holds"),
    [(79200, 6, True), (7200, 0, True), (7201, 0, False), (79200, 0, False), (7200, 6, False)],
)
def test_what_comes_after_midnight_belongs_to_the_day_before(
    second: int, day: int, *, holds: bool
) -> None:
    match = "-m time --timestart 22:00:00 --timestop 02:00:00 --weekdays Sat --contiguous"
    clocks = {"second of the day": second, "day of the week": day, "second of the epoch": 10}
    assert fits(match, answers=clocks) is holds
    assert not fits(match, answers=clocks | {"second of the epoch": 1 << 31})


def test_a_multicast_of_the_link_becomes_a_packet_for_this_node() -> None:
    rule = (
        "-m cluster --cluster-local-nodemask 0x00000001 --cluster-total-nodes 1"
        " --cluster-hash-seed 0x00000000 -m pkttype --pkt-type unicast"
    )
    multicast = PACKET_TYPES["multicast"]
    assert fits(rule, "PREROUTING", packet_type=multicast, daddr=0x0A000001)
    assert not fits(rule, "PREROUTING", packet_type=multicast, daddr=0xE0000001)
    assert not fits(rule, "PREROUTING", packet_type=0, ct_state=INVALID)
