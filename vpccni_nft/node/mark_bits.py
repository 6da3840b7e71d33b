"""Bits of marks that several owners write: what one sets, another one clears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import MARKS_SHARED, Diagnostic
from ..extensions.targets.connmark import Connmark, ConnmarkMode
from ..extensions.targets.mark import SetMark
from .owners import UNKNOWN, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..iptables.ast import Target
    from .ownership import Inventory, OwnedRule


@attrs.frozen
class _Written:
    """What the first rule of an owner writes that has these bits."""

    rule: OwnedRule
    mark: str  #: whose it is
    bits: int


def shared_bits(found: Inventory) -> Iterator[Diagnostic]:
    """A note on each two owners that write the same bits of a mark, with a rule of either.

    One of the two is a program that is known.
    """
    written: dict[tuple[str, str, int], _Written] = {}
    for rule in found.rules:
        for mark, bits in _bits_of(rule.rule.target):
            key = rule.answer.owner, mark, bits
            written.setdefault(key, _Written(rule, mark, bits))
    seen: set[frozenset[str]] = set()
    ordered = sorted(written.values(), key=lambda one: one.rule.answer.owner)
    for place, one in enumerate(ordered):
        for other in ordered[place + 1 :]:
            owners = frozenset({one.rule.answer.owner, other.rule.answer.owner})
            both = one.bits & other.bits
            named = owners - {USER, UNKNOWN}
            if len(owners) > 1 and named and owners not in seen and one.mark == other.mark and both:
                seen.add(owners)
                yield _note(one, other, both)


def _note(one: _Written, other: _Written, both: int) -> Diagnostic:
    beside = other.rule.rule.span
    place = f" at {beside.source.name}:{beside.line}" if beside else ""
    return Diagnostic(
        MARKS_SHARED,
        f"{one.rule.answer.owner} writes the bits {both:#x} of the {one.mark}'s mark here, and so"
        f" does {other.rule.answer.owner}{place}: {other.rule.text}",
        one.rule.rule.span,
        "which of the two a packet keeps depends on the order of their rules: give one of them"
        " other bits where its settings allow it",
    )


def _bits_of(target: Target | None) -> Iterator[tuple[str, int]]:
    """The marks that a target writes, and which bits of them."""
    match target:
        case SetMark(mark):
            yield "packet", mark.mask | mark.value
        case Connmark(mode=ConnmarkMode.RESTORE, nfmask=mask):
            yield "packet", mask
        case Connmark(mode=ConnmarkMode.SAVE, ctmask=mask):
            yield "connection", mask
        case Connmark(value=value, ctmask=mask):
            yield "connection", mask | value
        case _:
            pass
