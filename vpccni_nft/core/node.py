"""What every node of a language can do: be walked, searched, and changed into another tree.

Nodes are frozen: a change makes a new tree, which shares with the old one what did not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    #: What becomes of a node: another one, itself, or None where it is left out of a tuple.
    Change = Callable[[Any], Any]

_Kind = TypeVar("_Kind")


class Node:
    """The base of all nodes of both languages."""

    __slots__ = ()

    def walk(self) -> Iterator[Any]:
        """Give the node and all that are in it, each before those in it; addresses and such, too.

        Places in a text are no part of it.

        >>> from vpccni_nft import iptables
        >>> [type(node).__name__ for node in iptables.Rule(target=iptables.Jump("A")).walk()]
        ['Rule', 'Jump']
        """
        return _walk(self)

    def find_all(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """All nodes of a class, in the order of ``walk``.

        >>> from vpccni_nft import iptables
        >>> rule = iptables.Rule(target=iptables.Jump("A"))
        >>> [jump.chain for jump in rule.find_all(iptables.Jump)]
        ['A']
        """
        return (node for node in _walk(self) if isinstance(node, kind))

    def transform(self, function: Change) -> Self:
        """The tree in which ``function(node)`` stands for each node: first for what is in it.

        What the function gives back as it is stays, and so does every node in which nothing
        changed. None leaves a node out of the tuple that it stands in. Raises ValueError where
        None is given for any other node, TypeError where the result does not fit its place.

        >>> from vpccni_nft import iptables
        >>> chain = iptables.Chain("A", rules=(iptables.Rule(target=iptables.Jump("B")),))
        >>> def without_jumps(node):
        ...     return None if isinstance(node, iptables.Rule) else node
        >>> chain.transform(without_jumps)
        Chain(name='A', policy=None, rules=(), counters=None)
        """
        found = _transformed(self, function, {})
        if found is None:
            raise ValueError("the whole tree cannot be left out")
        return found  # type: ignore[no-any-return]

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """With other values of some fields, and without what these made untrue."""
        return attrs.evolve(self, **changes)  # type: ignore[misc]


def _walk(value: Any) -> Iterator[Any]:
    if type(value) is tuple:
        for one in value:
            yield from _walk(one)
    elif attrs.has(type(value)):
        yield value
        for _, part in _parts(value):
            yield from _walk(part)


def _parts(node: Any) -> Iterator[tuple[str, Any]]:
    """The fields that make a node what it is, with their values."""
    for field in attrs.fields(type(node)):
        if field.eq:
            yield field.name, getattr(node, field.name)


def _transformed(node: Any, function: Change, known: dict[int, Any]) -> Any:
    if id(node) in known:  # equal parts of a dump are one node
        return known[id(node)]
    changes = {}
    for name, value in _parts(node):
        changed = _transformed_value(value, function, known)
        if changed is not value:
            if changed is None:
                raise ValueError(f"{type(node).__name__}.{name} cannot be left out")
            changes[name] = changed
    made = node
    if changes:
        made = node.changed(changes) if isinstance(node, Node) else attrs.evolve(node, **changes)
    found = known[id(node)] = function(made)
    return found


def _transformed_value(value: Any, function: Change, known: dict[int, Any]) -> Any:
    if attrs.has(type(value)):
        return _transformed(value, function, known)
    if type(value) is not tuple:
        return value
    new = tuple(
        changed
        for one in value
        if (changed := _transformed_value(one, function, known)) is not None or one is None
    )
    same = len(new) == len(value) and all(a is b for a, b in zip(new, value, strict=True))
    return value if same else new
