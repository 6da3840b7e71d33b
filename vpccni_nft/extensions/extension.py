"""The record that every match and target fills in, and what its functions are given.

See ``matches/mark.py`` for a short room and ``matches/conntrack.py`` for one that needs helpers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ..nft.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..core.diagnostics import Code
    from ..model.effects import View
    from .context import Context
    from .options import Options

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
class First:
    """Rules that run before the rest, whatever they come to; each may end where it has no value."""

    rules: tuple[Statements, ...]


#: A part of a rule's conditions. Statements stand in the rule itself; the others need a chain.
Piece = Statement | AnyOf | NoneOf | First


@attrs.frozen(kw_only=True)
class Extension(Generic[Node]):
    """All that is known of one match or target."""

    name: str  #: the word after ``-m`` or ``-j``
    #: What it does, where the module's first line speaks of several.
    what: str = ""
    node: type[Node]  #: declared in the same room
    build: Callable[[Options], Node]  #: raises Problem where the options make no sense
    save: Callable[[Node], Iterable[str]]  #: the words that iptables-save prints after the name
    #: What the kernel does for it: a Test for a match, an Effect for a target.
    meaning: Callable[[Node, View], Any]
    #: What nft does for it; raises Problem where that cannot be exact. A target's pieces are
    #: statements only, and the last one ends the rule.
    lower: Callable[[Node, Context], tuple[Any, ...]]
    nft: str  #: the nft form, for the table of extensions
    codes: tuple[Code, ...] = ()  #: what lowering may answer instead
    uses_conntrack: bool = False  #: whether the kernel tracks connections because of it
