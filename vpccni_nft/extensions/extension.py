"""The record that every match and target fills in, and what its functions are given.

See ``matches/mark.py`` for a short room and ``matches/conntrack.py`` for one that needs helpers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ..nft.statements import Statement
from .option_table import NO_OPTIONS, OptionTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..core.diagnostics import Code, Problem
    from ..core.values import Family
    from ..model.effects import View
    from .aiming import Draft
    from .context import Context
    from .kinds import ValueKind
    from .options import GivenOptions
    from .placement import Place, Placement

Node = TypeVar("Node")

Statements = tuple[Statement, ...]


@attrs.frozen
class AnyOf:
    """A condition that holds where one of several does; no two of them hold together."""

    alternatives: tuple[Statements, ...]


@attrs.frozen
class NoneOf:
    """A condition that holds where none of several does, even where they have no value."""

    alternatives: tuple[Statements, ...]


@attrs.frozen
class Prologue:
    """Rules that run before the rest, whatever they come to; each may end where it has no value."""

    rules: tuple[Statements, ...]


#: A part of a rule's conditions. Statements stand in the rule itself; the others need a chain.
Piece = Statement | AnyOf | NoneOf | Prologue


@attrs.frozen(kw_only=True)
class Extension(Generic[Node]):
    """All that is known of one match or target."""

    name: str  #: the word after ``-m`` or ``-j``
    #: What it does, where the module's first line speaks of several.
    what: str = ""
    node: type[Node]  #: declared in the same room
    options: OptionTable = NO_OPTIONS  #: what may stand behind the name
    #: Makes a node of the given options; raises Problem where they make no sense.
    build: Callable[[GivenOptions], Node] = attrs.field(
        default=attrs.Factory(lambda self: partial(self.options.build, self.node), takes_self=True)
    )
    #: The words that iptables-save prints after the name.
    save: Callable[[Node], Iterable[str]] = attrs.field(
        default=attrs.Factory(lambda self: self.options.save, takes_self=True)
    )
    placement: Placement  #: where the kernel takes it
    #: What a node's own options ask of its place beside that, in a family.
    needs: Callable[[Node, Family], Placement] | None = None
    draw: ValueKind  #: the nodes that ``build`` can make
    #: What the kernel does for it: a Test for a match, an Effect for a target.
    meaning: Callable[[Node, View], Any]
    #: What nft does for it; raises Problem where that cannot be exact. A target's pieces are
    #: statements only, and the last one ends the rule.
    lower: Callable[[Node, Context], tuple[Any, ...]]
    #: Make a packet fit a node, as far as it knows how; every packet fits where there is none.
    aim: Callable[[Node, Draft], None] | None = None
    #: What has the values at the edges of what a node takes, by field or by what is asked.
    edges: Callable[[Node], Mapping[Any, object]] = lambda _node: {}
    nft: str  #: the nft form, for the table of extensions
    codes: tuple[Code, ...] = ()  #: what lowering may answer instead
    uses_conntrack: bool = False  #: whether the kernel tracks connections because of it
    #: Whether a node reads or changes more of the packet's conntrack entry than its state.
    reads_entry: Callable[[Node], bool] = lambda _node: False

    def misplaced(self, node: Node, place: Place, protocol: int | None) -> Problem | None:
        """Why the kernel does not take a node in a place behind a protocol, if it does not."""
        problem = self.placement.problem(self.name, place, protocol)
        if problem is None and self.needs:
            problem = self.needs(node, place.family).problem(self.name, place, protocol)
        return problem

    def protocols(self, node: Node, family: Family) -> tuple[int, ...] | None:
        """The protocols of which a rule of a family with this node must have one."""
        needed = self.needs(node, family).protocols if self.needs else None
        return needed or self.placement.protocols or None
