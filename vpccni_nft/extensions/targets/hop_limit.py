"""TTL, HL: the time to live of an IPv4 packet, the hop limit of an IPv6 packet.

Kernel: net/netfilter/xt_HL.c, ttl_tg and hl_tg6, in the mangle table only. An increment ends at 255
and a decrement at 0. nft has no addition and writes constants only, so that a helper chain has a
rule for each new value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family
from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, exactly_one
from ..placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context

LARGEST = 0xFF


@attrs.frozen
class HopChange:
    """One of the options ``--ttl-set``, ``--ttl-inc`` and ``--ttl-dec``, or those of HL."""

    kind: str  #: ``set``, ``inc`` or ``dec``
    amount: int


@attrs.frozen
class SetTtl(Target):
    """``-j TTL`` with one of its options."""

    change: HopChange


@attrs.frozen
class SetHl(Target):
    """``-j HL`` with one of its options."""

    change: HopChange


def meaning(node: SetTtl | SetHl, view: View) -> Effect:
    """Where a sum would be out of eight bits it stops at the end."""
    kind, number = node.change.kind, node.change.amount
    state, algebra = view.state, view.state.algebra
    old, amount = state.fields["ttl"], state.word("ttl", number)
    match kind:
        case "set":
            new = amount
        case "inc":
            fits = state.between("ttl", 0, LARGEST - number)
            full = state.word("ttl", LARGEST)
            new = algebra.ite(fits, algebra.bvadd(old, amount, 8), full)
        case _:
            fits = state.between("ttl", number, LARGEST)
            less = algebra.bvadd(old, state.word("ttl", -number & 0xFF), 8)
            new = algebra.ite(fits, less, state.word("ttl", 0))
    return Effect(assignments=((algebra.true, "ttl", new),))


def _set(field: x.Payload, change: HopChange, context: Context) -> tuple[s.Statement, ...]:
    """Set the field, or each of its old values to the new one."""
    if change.kind == "set":
        return (s.Assign(field, x.Number(change.amount)),)
    name = f"{field.field}-{change.kind}-{change.amount}"
    return (s.Jump(context.helper(name, *_rules(field, change))),)


def _rules(field: x.Payload, change: HopChange) -> Iterator[tuple[s.Statement, ...]]:
    """A rule for all old values that become the same new one; the chain ends where one fits."""
    amount = change.amount if change.kind == "inc" else -change.amount
    news = [min(max(old + amount, 0), LARGEST) for old in range(LARGEST + 1)]
    for new in sorted(set(news)):
        first = news.index(new)
        last = first + news.count(new) - 1
        ends = x.Number(first), x.Number(last)
        old = ends[0] if first == last else x.Range(*ends)
        yield (s.Match(field, "==", old), s.Assign(field, x.Number(new)), s.Return())


_CHANGES = k.Build(HopChange, "set", k.BYTE) | k.Build(
    HopChange, k.Among(("inc", "dec")), k.OneOf(1, LARGEST - 1, LARGEST, k.Integers(1, LARGEST))
)


def _options(name: str) -> OptionTable:
    kinds = ("set", "inc", "dec")
    return OptionTable.of(
        *(_change(name, kind) for kind in kinds),
        exactly_one(*(f"--{name}-{kind}" for kind in kinds)),
    )


def _change(name: str, kind: str) -> Option:
    return Option(
        f"--{name}-{kind}",
        number(LARGEST, smallest=int(kind != "set")),
        "change",
        keep=lambda amount: HopChange(kind, amount),
        show=lambda node: node.change.amount if node.change.kind == kind else None,
    )


def _extension(
    name: str, what: str, node: type[SetTtl | SetHl], family: Family, field: x.Payload
) -> Extension[SetTtl | SetHl]:
    """The record of a target that changes a field of a family's header."""
    written = f"{field.protocol} {field.field} set VALUE"
    return Extension(
        name=name,
        what=what,
        node=node,
        options=_options(name.lower()),
        meaning=meaning,
        lower=lambda node, context: _set(field, node.change, context),
        placement=Placement(family=family, tables=("mangle",)),
        draw=k.Build(node, _CHANGES),
        nft=f"{written}; sums: a rule for each new value in a helper chain",
        codes=(BAD_PLACE,),
    )


TTL = _extension(
    "TTL", "the time to live of an IPv4 packet.", SetTtl, Family.IP, x.Payload("ip", "ttl")
)
HL = _extension(
    "HL", "the hop limit of an IPv6 packet.", SetHl, Family.IP6, x.Payload("ip6", "hoplimit")
)
