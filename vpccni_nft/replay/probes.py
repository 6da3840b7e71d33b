"""Probes: chains at the very beginning and end of every hook, which log each packet that is there.

What the logs carry: the hook and the state of the connection in the prefix, both interfaces, the
packet mark and the headers. A log does not carry the connection's mark (few kernels are built to
add it), so at the end of the last hook the packet's own mark, which is of no more use there, is
replaced by the connection's for one more log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.packet import CONNTRACK_PRIORITY, HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.values import Family

#: The table of the probes, in either family.
TABLE = "vpccni-replay"

#: The group that probes log to; rules seldom use one so high.
GROUP = 61357

#: What the log of a connection's mark has for a prefix.
PREFIX_OF_MARK = "mark"

_FIRST, _LAST = -(2**31), 2**31 - 1

#: After fragments have been put together (-400), before the table raw (-300).
_BEGIN = -399

#: The hooks where conntrack runs.
_TRACKS = ("prerouting", "output")

#: The hooks after which nothing reads the packet's mark any more.
_ENDS = ("input", "postrouting")


def chains() -> Iterator[str]:
    """The names of the chains that have rules now and then."""
    for hook in HOOKS:
        yield from (f"begin-{hook}", f"end-{hook}")
    yield from (f"track-{hook}" for hook in _TRACKS)


def hooks(family: Family) -> str:
    """The chains, still empty.

    Of chains with the same priority the kernel calls the one first that came last, so these must be
    there before anything else, to come even after conntrack has confirmed a connection.
    """
    lines = [f"table {family.value} {TABLE} {{"]
    for hook in HOOKS:
        begin = _BEGIN if hook in _TRACKS else _FIRST
        places = {"begin": begin, "end": _LAST}
        if hook in _TRACKS:
            places["track"] = CONNTRACK_PRIORITY + 1
        lines += [
            f"chain {place}-{hook} {{ type filter hook {hook} priority {priority};\n}}"
            for place, priority in places.items()
        ]
    lines += [f"chain preset {{ type filter hook prerouting priority {_FIRST};", _PRESET, "}"]
    return "\n".join([*lines, "}", ""])


#: The mark travels in the last four bytes of the sender's hardware address. What the node sends to
#: itself has its mark already.
_PRESET = 'iifname != "lo" meta mark set @ll,64,32'


def rules(family: Family, *, tracked: bool, begin: bool) -> str:
    """The rules of the probes.

    ``tracked`` is whether conntrack runs anyway: a probe that asks for the state would start it.
    ``begin`` adds logs at the beginning of each hook.
    """
    return "\n".join(_rules(family, tracked=tracked, begin=begin)) + "\n"


def _rules(family: Family, *, tracked: bool, begin: bool) -> Iterator[str]:
    for hook in HOOKS:
        stateless = hook in _TRACKS or not tracked
        if begin and stateless:
            yield _rule(family, f"begin-{hook}", "", f"begin {hook} ?")
        elif begin:
            yield from _with_states(family, f"begin-{hook}", f"begin {hook}")
        if begin and tracked and hook in _TRACKS:
            yield from _with_states(family, f"track-{hook}", f"track {hook}")
        if tracked:
            yield from _with_states(family, f"end-{hook}", f"hook {hook}")
        else:
            yield _rule(family, f"end-{hook}", "", f"hook {hook} ?")
        if tracked and hook in _ENDS:
            yield _rule(
                family, f"end-{hook}", "ct mark != 0 meta mark set ct mark ", PREFIX_OF_MARK
            )
    # The node's own programs shall not answer: the conversation does. What is dropped here has been
    # through all rules, and its connection is confirmed.
    own = "meta l4proto { tcp, udp, udplite, sctp, dccp } drop"
    yield f"add rule {family.value} {TABLE} end-input {own}"


def _with_states(family: Family, chain: str, prefix: str) -> Iterator[str]:
    """A rule for each state; of the connection's two directions, > is that of its first packet."""
    for state in ("invalid", "untracked"):
        yield _rule(family, chain, f"ct state {state} ", f"{prefix} {state}")
    for state in ("new", "established", "related"):
        for direction, sign in (("original", ">"), ("reply", "<")):
            condition = f"ct state {state} ct direction {direction} "
            yield _rule(family, chain, condition, f"{prefix} {state}{sign}")


def _rule(family: Family, chain: str, condition: str, prefix: str) -> str:
    log = f'log prefix "{prefix}" group {GROUP} snaplen 192'
    return f"add rule {family.value} {TABLE} {chain} {condition}{log}"
