"""A packet on its whole path: what a hook leaves for the next one, and what is left in the end."""

from __future__ import annotations

import attrs
import pytest

from vpccni_nft import nft
from vpccni_nft.model.hook import Outcome
from vpccni_nft.model.packet import ACCEPT, DROP, interface_word
from vpccni_nft.simulate.packet_text import parse_packet
from vpccni_nft.simulate.sample import chains_of, differences, run
from vpccni_nft.simulate.trace import trace

from ..support.paths import rules


def sent(
    text: str, *chains: tuple[str, str], more: str = "", internal: int = 0
) -> dict[str, object]:
    """The verdict of a packet, how often what happened, and its fields in the end."""
    packet = attrs.evolve(parse_packet(text).packet, internal=internal)
    found = run(chains_of(nft.parse(rules(*chains, more=more)), packet.family), packet)
    events = [(one.kind, one.at) for one in found.events if one.kind != "count"]
    return {"verdict": found.verdict, "events": events, "bindings": found.bindings, **found.fields}


def test_what_prerouting_leaves_is_what_forward_and_postrouting_see() -> None:
    found = sent(
        "path=forward daddr=10.0.0.1 oif=eth1",
        ("mangle prerouting", "meta mark set 1"),
        ("nat prerouting", "ip daddr 10.0.0.1 dnat to 10.1.1.1"),
        ("filter forward", 'meta mark 1 ip daddr 10.1.1.1 oifname "eth1" ct mark set 7'),
        ("nat postrouting", "meta mark 1 snat to 10.9.9.9"),
    )
    assert found["verdict"] == ACCEPT
    assert (found["daddr"], found["saddr"], found["ct_mark"]) == (0x0A010101, 0x0A090909, 7)
    assert (found["ttl"], found["oif"]) == (63, interface_word("eth1"))


@pytest.mark.parametrize(
    ("path", "hooks"),
    [
        ("forward", ["prerouting", "forward", "postrouting"]),
        ("input", ["prerouting", "input"]),
        ("output", ["output", "postrouting"]),
    ],
)
def test_a_path_has_its_hooks_and_no_others(path: str, hooks: list[str]) -> None:
    every = ("prerouting", "input", "forward", "output", "postrouting")
    found = sent(f"path={path}", *((f"mangle {hook}", 'log prefix "x"') for hook in every))
    assert found["events"] == [("log", hook) for hook in hooks]


def test_of_a_packet_that_is_dropped_nothing_is_left_but_what_happened() -> None:
    chains = (
        ("mangle prerouting", 'meta mark set 1; ct mark set 1; log prefix "x"'),
        ("nat prerouting", "dnat to 10.1.1.1"),
        ("filter forward", "drop"),
    )
    first = sent("path=forward daddr=10.0.0.1", *chains)
    assert (first["verdict"], first["events"]) == (DROP, [("log", "prerouting")])
    assert (first["mark"], first["ct_mark"], first["bindings"]) == (0, 0, ())
    assert first["daddr"] == 0x0A000001
    later = sent("path=forward ctstate=established daddr=10.0.0.1", *chains)
    assert (later["mark"], later["ct_mark"]) == (0, 1)


def test_what_is_rejected_is_answered_as_it_is_then() -> None:
    found = sent(
        "path=forward", ("mangle prerouting", "meta mark set 1"), ("filter forward", "reject")
    )
    assert (found["mark"], found["ttl"], found["oif"]) == (1, 63, 0)


def test_internal_bits_do_not_leave_but_by_lo() -> None:
    chain = ("mangle postrouting", "meta mark set 0xc000")
    assert sent("path=forward", chain, internal=0x4000)["mark"] == 0x8000
    assert sent("path=output oif=lo", chain, internal=0x4000)["mark"] == 0xC000
    assert sent("path=forward", chain)["mark"] == 0xC000


@pytest.mark.parametrize(("ttl", "verdict"), [(1, DROP), (2, ACCEPT)])
def test_what_has_no_time_to_live_is_not_forwarded(ttl: int, verdict: object) -> None:
    chain = ("mangle prerouting", f"ip ttl set {ttl}")
    assert sent("path=forward", chain)["verdict"] == verdict
    assert sent("path=input", chain)["verdict"] == ACCEPT


def test_a_limit_and_a_set_know_what_hooks_before_have_done() -> None:
    found = sent(
        "path=forward",
        ("mangle prerouting", "add @s { ip saddr }"),
        ("filter forward", "ip saddr @s drop"),
        more="set s { type ipv4_addr; flags dynamic; }",
    )
    assert found["verdict"] == DROP


@pytest.mark.parametrize(
    ("chains", "anew"),
    [
        ([("reroute output", "meta mark set 1")], 1),
        ([("mangle output", "meta mark set 1")], 0),
        ([("nat output", "dnat to 10.1.1.1")], 1),
        ([("nat output", "dnat to 198.51.100.1")], 0),
        ([("nat output", "dnat to 10.1.1.1"), ("filter output", "drop")], 1),
        ([("raw output", "drop"), ("nat output", "dnat to 10.1.1.1")], 0),
    ],
)
def test_what_is_made_here_is_routed_anew_where_that_can_matter(
    chains: list[tuple[str, str]], anew: int
) -> None:
    packet = parse_packet("path=output daddr=198.51.100.1").packet
    found = run(chains_of(nft.parse(rules(*chains)), packet.family), packet)
    assert found.routed["routed anew"] == anew


def test_the_device_of_a_new_route_is_seen_from_postrouting_on() -> None:
    read = parse_packet("path=output")
    read.world.device = interface_word("eth1")
    script = rules(
        ("reroute output", "meta mark set 1"),
        ("filter output", 'oifname "eth1" drop'),
        ("mangle postrouting", 'oifname "eth1" meta mark set 2'),
    )
    found = run(chains_of(nft.parse(script), read.packet.family), read.packet)
    assert (found.verdict, found.fields["mark"]) == (ACCEPT, 2)
    assert found.fields["oif"] == interface_word("eth1")


def test_outcomes_differ_first_in_what_routing_sees_then_in_the_verdict() -> None:
    packet = parse_packet("path=forward").packet

    def of(*chains: tuple[str, str]) -> Outcome:
        return run(chains_of(nft.parse(rules(*chains)), packet.family), packet)

    plain = of()
    marked = of(("mangle prerouting", "meta mark set 1"), ("mangle postrouting", "meta mark set 0"))
    lost = of(("mangle prerouting", "meta mark set 1"), ("filter forward", "drop"))
    dropped = of(("raw prerouting", "drop"))
    assert differences(plain, marked) == {"mark at routing": (0, 1)}
    assert set(differences(plain, lost)) == {"mark at routing"}
    assert set(differences(plain, dropped)) == {"verdict"}
    assert differences(lost, dropped) == {}


def test_a_trace_has_a_step_for_each_hook() -> None:
    ruleset = nft.parse(rules(("mangle prerouting", "meta mark set 1"), ("filter input", "drop")))
    walked = trace((ruleset,), parse_packet("path=input").packet)
    assert [one.text for one in walked.steps if one.kind == "hook"] == ["prerouting", "input"]
    assert walked.outcome.verdict == DROP
    assert walked.changes == ()
