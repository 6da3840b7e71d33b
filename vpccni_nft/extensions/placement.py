"""Where the kernel takes a match or target: in which tables and chains, behind which protocol.

Kernel: net/netfilter/x_tables.c, xt_check_match and xt_check_target, for what ``struct xt_match``
and ``struct xt_target`` declare; ``checkentry`` of each for what depends on its options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import BAD_PLACE, Problem
from ..iptables.protocols import protocol_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.values import Family

#: Hooks where packets have an interface that they came by, and those where they leave by one.
COMES_BY, LEAVES_BY = ("PREROUTING", "INPUT", "FORWARD"), ("FORWARD", "OUTPUT", "POSTROUTING")


@attrs.frozen
class Place:
    """A chain's place: ``hooks`` are the built-in chains that lead to it."""

    family: Family
    table: str
    hooks: frozenset[str]

    def is_under(self, *hooks: str) -> bool:
        """Whether no other built-in chain leads here."""
        return self.hooks.issubset(hooks)


@attrs.frozen(kw_only=True)
class Placement:
    """What the kernel asks of a rule's place and protocol; None is any."""

    family: Family | None = None
    tables: tuple[str, ...] | None = None
    hooks: tuple[str, ...] | None = None
    some_hook: tuple[str, ...] | None = None  #: of which one leads there, beside any others
    protocols: tuple[int, ...] | None = None
    #: What asks for it, where that is not the match or target by its bare name.
    subject: str = ""

    def fits(self, place: Place, protocol: int | None) -> bool:
        """Whether a rule of this place for this protocol may have it."""
        return self.problem("", place, protocol) is None

    def problem(self, name: str, place: Place, protocol: int | None) -> Problem | None:
        """Why the kernel refuses it, if it does; ``protocol`` is that of ``-p`` without a ``!``."""
        name = self.subject or name
        if self.family not in (None, place.family):
            assert self.family is not None
            return Problem(BAD_PLACE, f"{name} is for {self.family.title} only")
        if self.tables is not None and place.table not in self.tables:
            tables = "table" if len(self.tables) == 1 else "tables"
            return Problem(BAD_PLACE, f"{name} works in the {tables} {_listed(self.tables)} only")
        if self.hooks is not None and not place.is_under(*self.hooks):
            return Problem(BAD_PLACE, f"{name} works in {_listed(self.hooks)} only")
        if self.some_hook is not None and not place.hooks.intersection(self.some_hook):
            return Problem(BAD_PLACE, f"{name} works in {_listed(self.some_hook)} only")
        if self.protocols is not None and protocol not in self.protocols:
            hint = f"such as -p {protocol_name(self.protocols[0])}"
            return Problem(BAD_PLACE, f"{name} needs a protocol before it", hint=hint)
        return None


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


ANYWHERE = Placement()
