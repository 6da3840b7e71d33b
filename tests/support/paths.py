"""Rulesets over several hooks, and pairs of them that are equal as whole paths or not."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs

#: Type and priority of a base chain, by what a name in these tests begins with.
_KINDS = {"raw": "filter", "mangle": "filter", "nat": "nat", "filter": "filter", "reroute": "route"}
_PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "reroute": -150}


def rules(*chains: tuple[str, str], more: str = "") -> str:
    """A table with base chains: each a kind with a hook, ``raw prerouting``, and its rules.

    It tracks connections, whatever the rules are.
    """
    blocks = [f"table ip t {{\n {more}"]
    tracking = ("filter input", "ct state untracked accept")
    for number, (name, text) in enumerate((*chains, tracking)):
        kind, hook = name.split()
        natural = 100 if hook in {"input", "postrouting"} else -100
        blocks.append(
            f" chain c{number} {{ type {_KINDS[kind]} hook {hook}"
            f" priority {_PRIORITIES.get(kind, natural) + number}; policy accept;\n  {text}\n }}"
        )
    return "\n".join((*blocks, "}\n"))


@attrs.frozen
class PathPair:
    """Two sides."""

    name: str
    before: str
    after: str
    internal_mark: int = 0

    def __str__(self) -> str:
        return self.name


_DROP = "ip saddr 10.0.0.1 drop"
_MASQUERADE = "meta mark & 0x4000 == 0x4000 masquerade"
_CLEARED = "meta mark & 0x4000 == 0x4000 meta mark set meta mark & 0xffffbfff"
_MARKED = "meta mark set meta mark | 0x4000"
_SET = "set s { type ipv4_addr; flags dynamic; }"
_LIMIT = "limit rate 5/second"
_DNAT = "ip daddr 10.0.0.1 dnat to 10.1.1.1"

_OUT = ("filter output", _DROP)
_IN = ("filter input", _DROP)
_FORWARD = ("filter forward", _DROP)
_POST = ("mangle postrouting", "counter")

_FRAGMENTS = "ip frag-off & 0x1fff != 0 drop"


def _untracked(*chains: tuple[str, str], family: str = "ip") -> str:
    """Rules without connections, so that fragments come as they are."""
    return "".join(
        f"table {family} {hook} {{ chain c {{ type filter hook {hook} priority 0; {text}; }}; }}\n"
        for hook, text in chains
    )


#: What is the same on whole paths, and at single hooks is not.
EQUAL = (
    PathPair(
        "a rule that lets nothing be routed",
        rules(("mangle prerouting", "drop"), ("filter forward", "meta mark set 1")),
        rules(("filter forward", "drop"), ("filter input", "drop")),
    ),
    PathPair("a drop in raw and in filter", rules(("raw prerouting", _DROP)), rules(_IN, _FORWARD)),
    PathPair("a drop on the way out", rules(_OUT, _FORWARD), rules(("mangle postrouting", _DROP))),
    PathPair(
        "a mark of a packet that is dropped",
        rules(("mangle prerouting", "ip saddr 10.0.0.1 meta mark set 1"), _IN, _FORWARD),
        rules(("mangle prerouting", "ip saddr 10.0.0.1 meta mark set 2"), _IN, _FORWARD),
    ),
    PathPair(
        "NAT of a first packet that is dropped",
        rules(
            ("nat prerouting", _DNAT),
            ("filter forward", "ct state new,related drop"),
            ("filter input", "ct state new,related drop"),
        ),
        rules(
            ("filter forward", "ct state new,related drop"),
            ("filter input", "ct state new,related drop"),
        ),
    ),
    PathPair(
        "a mark on the way to one decision",
        rules(
            ("mangle prerouting", f'iifname "eni*" {_MARKED}'),
            ("filter forward", f"meta mark & 0x4000 == 0x4000 drop; {_CLEARED}"),
            ("filter input", _CLEARED),
        ),
        rules(
            (
                "filter forward",
                f'iifname "eni*" drop; meta mark & 0x4000 == 0x4000 drop; {_CLEARED}',
            ),
            ("filter input", _CLEARED),
        ),
        internal_mark=0x4000,
    ),
    PathPair(
        "a mark that is cleared where it was set",
        rules(
            ("mangle forward", "meta mark 0 meta mark set 7"),
            ("mangle postrouting", "meta mark 7 meta mark set 0"),
        ),
        rules(("mangle postrouting", "meta mark 7 meta mark set 0")),
    ),
    PathPair(
        "the class of what is forwarded",
        rules(
            ("mangle prerouting", "meta priority set 1:1"),
            ("mangle input", "meta priority set 0:1"),
        ),
        rules(("mangle input", "meta priority set 0:1")),
    ),
    PathPair(
        "a destination that a later hook tests by its answers",
        rules(
            ("nat prerouting", _DNAT),
            (
                "filter forward",
                'iifname != "lo" meta pkttype host ct state new ct reply ip saddr 10.1.1.1 drop',
            ),
        ),
        rules(
            ("nat prerouting", _DNAT),
            (
                "filter forward",
                'iifname != "lo" meta pkttype host ct state new ip daddr 10.1.1.1 drop',
            ),
        ),
    ),
)

#: What is not the same, each by one thing that only a whole path shows, or that is left of it.
UNEQUAL = (
    PathPair(
        "fragments, which input never sees",
        _untracked(("prerouting", _FRAGMENTS)),
        _untracked(("forward", _FRAGMENTS), ("input", _FRAGMENTS)),
    ),
    PathPair(
        "fragments of IPv6, which input sees",  # measured on Linux 6.18
        _untracked(("input", "exthdr frag exists drop"), family="ip6"),
        _untracked(("input", "counter"), family="ip6"),
    ),
    PathPair("input only", rules(("raw prerouting", _DROP)), rules(_IN)),
    PathPair("forward only", rules(("raw prerouting", _DROP)), rules(_FORWARD)),
    PathPair(
        "output is no part of it", rules(("raw prerouting", _DROP)), rules(_IN, _FORWARD, _OUT)
    ),
    PathPair("postrouting is of two paths", rules(_FORWARD), rules(("mangle postrouting", _DROP))),
    PathPair(
        "a reject is no drop",
        rules(_IN, _FORWARD),
        rules(_IN, ("filter forward", "ip saddr 10.0.0.1 reject")),
    ),
    PathPair(
        "how it is rejected",
        rules(("filter forward", "tcp dport 1 reject")),
        rules(("filter forward", "tcp dport 1 reject with tcp reset")),
    ),
    PathPair(
        "a reject ahead of routing",
        rules(("mangle prerouting", "ip ttl 200 ip saddr 10.0.0.1 reject")),
        rules(
            ("filter input", "ip ttl 200 ip saddr 10.0.0.1 reject"),
            ("filter forward", "ip ttl 199 ip saddr 10.0.0.1 reject"),
        ),
    ),
    PathPair(
        "a bit that leaves at postrouting",
        rules(("mangle prerouting", f'iifname "eni*" {_MARKED}'), ("nat postrouting", _MASQUERADE)),
        rules(("nat postrouting", f'iifname "eni*" masquerade; {_MASQUERADE}')),
    ),
    PathPair(
        "a bit beside the internal ones",
        rules(("mangle postrouting", "meta mark set meta mark | 0xc000")),
        rules(_POST),
        internal_mark=0x4000,
    ),
    PathPair(
        "an internal bit that comes back by lo",
        rules(("mangle postrouting", _MARKED)),
        rules(_POST),
        internal_mark=0x4000,
    ),
    PathPair(
        "a bit that routing sees",
        rules(
            ("mangle prerouting", "meta mark set 1"),
            ("mangle input", "meta mark set 0"),
            ("mangle forward", "meta mark set 0"),
        ),
        rules(
            ("mangle prerouting", "meta mark set 2"),
            ("mangle input", "meta mark set 0"),
            ("mangle forward", "meta mark set 0"),
        ),
    ),
    PathPair(
        "the type of service that routing sees",
        rules(
            ("mangle prerouting", "ip dscp set 1"),
            ("mangle input", "ip dscp set 0"),
            ("mangle forward", "ip dscp set 0"),
        ),
        rules(("mangle input", "ip dscp set 0"), ("mangle forward", "ip dscp set 0")),
    ),
    PathPair(
        "the route of what is made here",
        rules(("reroute output", "meta mark set 1"), ("mangle postrouting", "meta mark set 0")),
        rules(("mangle postrouting", "meta mark set 0")),
    ),
    PathPair(
        "whether it is routed anew",
        rules(("reroute output", "meta mark set 1"), ("mangle postrouting", "meta mark set 0")),
        rules(("mangle output", "meta mark set 1"), ("mangle postrouting", "meta mark set 0")),
    ),
    PathPair(
        "a mark between two new routes",
        rules(
            ("reroute output", "meta mark set 1"),
            ("nat output", _DNAT),
            ("mangle postrouting", "meta mark set 0"),
        ),
        rules(
            ("reroute output", "meta mark set 2"),
            ("nat output", _DNAT),
            ("mangle postrouting", "meta mark set 0"),
        ),
    ),
    PathPair(
        "the mark at a new destination",
        rules(
            ("mangle output", "meta mark set 1"),
            ("nat output", _DNAT),
            ("mangle postrouting", "meta mark set 0"),
        ),
        rules(
            ("mangle output", "meta mark set 2"),
            ("nat output", _DNAT),
            ("mangle postrouting", "meta mark set 0"),
        ),
    ),
    PathPair(
        "where a destination is changed",
        rules(("nat prerouting", _DNAT)),
        rules(("nat output", _DNAT)),
    ),
    PathPair(
        "another destination",
        rules(("nat prerouting", _DNAT)),
        rules(("nat prerouting", "ip daddr 10.0.0.1 dnat to 10.1.1.2")),
    ),
    PathPair(
        "a lost masquerade",
        rules(("nat prerouting", _DNAT), ("nat postrouting", "ct status dnat masquerade")),
        rules(("nat prerouting", _DNAT), ("nat postrouting", "counter")),
    ),
    PathPair(
        "a masquerade of input and of postrouting",
        rules(("nat postrouting", "ip saddr 10.0.0.1 snat to 10.9.9.9")),
        rules(("nat input", "ip saddr 10.0.0.1 snat to 10.9.9.9")),
    ),
    PathPair(
        "a connection's mark behind a drop",
        rules(
            ("mangle prerouting", "ct mark set 1"),
            ("filter forward", "drop"),
            ("filter input", "drop"),
        ),
        rules(("filter forward", "drop"), ("filter input", "drop")),
    ),
    PathPair(
        "a connection's mark that is left",
        rules(("mangle postrouting", "ct mark set meta mark")),
        rules(_POST),
    ),
    PathPair(
        "a log of what is dropped later",
        rules(("mangle prerouting", 'ip saddr 10.0.0.1 log prefix "x"'), _IN, _FORWARD),
        rules(_IN, _FORWARD),
    ),
    PathPair(
        "where it is logged",
        rules(("mangle prerouting", 'ip saddr 10.0.0.1 log prefix "x"')),
        rules(
            ("filter input", 'ip saddr 10.0.0.1 log prefix "x"'),
            ("filter forward", 'ip saddr 10.0.0.1 log prefix "x"'),
        ),
    ),
    PathPair(
        "the order of logs across hooks",
        rules(
            ("mangle forward", 'log prefix "a"'),
            ("mangle postrouting", 'ip ttl 1-254 log prefix "b"'),
        ),
        rules(
            ("mangle forward", 'log prefix "b"'),
            ("mangle postrouting", 'ip ttl 1-254 log prefix "a"'),
        ),
    ),
    PathPair(
        "a log by another device",
        rules(
            ("mangle prerouting", "meta mark set 1"),
            ("mangle forward", 'meta mark set 0; log prefix "x"; drop'),
            ("filter input", "drop"),
        ),
        rules(
            ("mangle prerouting", "meta mark set 2"),
            ("mangle forward", 'meta mark set 0; log prefix "x"; drop'),
            ("filter input", "drop"),
        ),
    ),
    PathPair(
        "a limit that is used at two hooks",
        rules(
            ("mangle prerouting", "jump l"),
            ("filter forward", "jump l"),
            more=f"chain l {{ {_LIMIT} accept; drop; }}",
        ),
        rules(("mangle prerouting", "jump l"), more=f"chain l {{ {_LIMIT} accept; drop; }}"),
    ),
    PathPair(
        "a limit where it is reached",
        rules(("mangle prerouting", f"{_LIMIT} accept; drop")),
        rules(
            ("filter forward", f"{_LIMIT} accept; drop"), ("filter input", f"{_LIMIT} accept; drop")
        ),
    ),
    PathPair(
        "a set that prerouting fills for forward",
        rules(
            ("mangle prerouting", "add @s { ip saddr }"),
            ("filter forward", "ip saddr @s drop"),
            more=_SET,
        ),
        rules(
            ("mangle prerouting", "add @s { ip saddr }"),
            ("filter forward", "ip daddr @s drop"),
            more=_SET,
        ),
    ),
    PathPair(
        "a set that is filled behind the test",
        rules(
            ("mangle prerouting", "add @s { ip saddr }"),
            ("filter forward", "ip saddr @s drop"),
            more=_SET,
        ),
        rules(
            ("filter forward", "ip saddr @s drop"),
            ("mangle postrouting", "ip ttl 1-254 add @s { ip saddr }"),
            ("mangle input", "add @s { ip saddr }"),
            more=_SET,
        ),
    ),
    PathPair(
        "a time to live ahead of routing",
        rules(("mangle prerouting", "ip ttl 64 drop")),
        rules(("mangle forward", "ip ttl 64 drop"), ("mangle input", "ip ttl 64 drop")),
    ),
    PathPair(
        "the time to live that is left",
        rules(("mangle postrouting", "ip ttl set 64")),
        rules(("mangle prerouting", "ip ttl set 64"), ("mangle output", "ip ttl set 64")),
    ),
    PathPair(
        "the class of what is delivered",
        rules(("mangle prerouting", "meta priority set 1:1")),
        rules(("mangle forward", "counter")),
    ),
    PathPair(
        "the class that forwarding sets anew",
        rules(
            ("mangle prerouting", "meta priority set 1:1"),
            ("filter forward", "meta priority 1:1 drop"),
        ),
        rules(("mangle prerouting", "meta priority set 1:1"), ("filter forward", "drop")),
    ),
    PathPair(
        "what is not tracked",
        rules(("raw prerouting", "ip saddr 10.0.0.1 notrack")),
        rules(("mangle prerouting", "ip saddr 10.0.0.1 counter")),
    ),
    PathPair(
        "a device that a rule of prerouting cannot see",
        rules(("mangle forward", 'oifname "eth1" drop')),
        rules(("mangle prerouting", 'oifname "eth1" drop')),
    ),
    PathPair(
        "the device of a program's queue",
        rules(("mangle prerouting", "ip saddr 10.0.0.1 queue num 1"), _FORWARD),
        rules(
            ("mangle prerouting", "ip saddr 10.0.0.1 queue num 1"), ("mangle postrouting", _DROP)
        ),
    ),
    PathPair(
        "a jump at two hooks",
        rules(("mangle prerouting", "jump l"), more='chain l { log prefix "x"; }'),
        rules(
            ("filter input", "jump l"),
            ("filter forward", "jump l"),
            more='chain l { log prefix "x"; }',
        ),
    ),
    PathPair(
        "a draw at two hooks",
        rules(
            ("mangle prerouting", "numgen random mod 2 0 meta mark set 1"),
            ("mangle input", "numgen random mod 2 0 drop"),
        ),
        rules(
            ("mangle prerouting", "numgen random mod 2 0 meta mark set 1"),
            ("mangle input", "meta mark 1 drop"),
        ),
    ),
)


# --- drawn rulesets over several hooks ----------------------------------------------------------

_ADDRESSES = ("10.0.1.7", "10.0.2.8", "198.51.100.9", "10.0.0.0/16")

_TESTS = (
    "", "meta mark 1", "meta mark & 2 == 2", "ct mark 1", "ct status dnat", "ct state new",
    "ct state established", "ct direction reply", "meta mark != 0", "meta l4proto tcp",
    "ip ttl < 64", "ip dscp 3",
    "ct reply ip saddr 10.0.0.0/16", "fib daddr type local", "ct state invalid",
    *(f"ip {end} {address}" for end in ("saddr", "daddr") for address in _ADDRESSES),
)  # fmt: skip
_EVERYWHERE = (
    "drop", "accept", "meta mark set 1", "meta mark set meta mark | 2", "meta mark set 0",
    "ct mark set 1", "ct mark set meta mark", "meta mark set ct mark", "ip dscp set 3",
    "ip ttl set 60", "counter",
)  # fmt: skip
_AT = {
    "prerouting": ("notrack",),
    "forward": ("reject", 'oifname "eth0" meta mark set 1', "meta priority set 1:1"),
    "input": ("reject", 'oifname "eth0" drop'),
    "output": ("notrack", "reject"),
    "postrouting": ('oifname "eth0" ct mark set 1', 'iifname "eth0" drop'),
}
_NAT = {
    "prerouting": ("dnat to 10.0.2.8", "tcp dport 80 dnat to 10.0.1.7:8080", "redirect"),
    "output": ("dnat to 10.0.2.8", "tcp dport 80 dnat to 10.0.1.7:8080"),
    "input": ("snat to 10.0.9.9",),
    "postrouting": ("masquerade", "snat to 10.0.9.9"),
}


def drawn(seed: int) -> str:
    """Rules that hand things on from one hook to the next."""
    random = Random(seed)  # noqa: S311 - it is to be the same each time
    chains = []
    for hook, own in _AT.items():
        kinds = ["mangle", "filter", *(["raw"] if hook in {"prerouting", "output"} else [])]
        kinds += ["reroute"] if hook == "output" else []
        for kind in random.sample(kinds, random.randint(0, 2)):
            choices = [*_EVERYWHERE, *(one for one in own if one != "notrack" or kind == "raw")]
            chains.append((f"{kind} {hook}", _drawn_rules(random, choices)))
        if hook in _NAT and random.random() < 0.6:
            chains.append((f"nat {hook}", _drawn_rules(random, _NAT[hook])))
    return rules(*chains)


def _drawn_rules(random: Random, actions: Sequence[str]) -> str:
    drawn_ = [
        f"{random.choice(_TESTS)} {random.choice(actions)}" for _ in range(random.randint(1, 3))
    ]
    return "\n  ".join(drawn_)
