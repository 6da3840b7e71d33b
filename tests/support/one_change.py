"""A ruleset of nft that is changed in one place: any number, word, flag or row that it has."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs

from vpccni_nft import nft

#: What makes the changed value, and puts it where the other one was.
Change = Callable[[], Any]


def changes(node: Any) -> list[Change]:
    """All that one change can make of a node; a change that the node refuses is a ValueError."""
    return list(_changes(node))


def _changes(node: Any) -> Iterator[Change]:
    yield from (partial(_same, value) for value in _others(node))
    if isinstance(node, tuple):
        for place, part in enumerate(node):
            yield from (partial(_in_row, node, place, inner) for inner in _changes(part))
    elif attrs.has(type(node)):
        for field in attrs.fields(type(node)):
            if field.eq and field.name not in _NAMES:
                for inner in _changes(getattr(node, field.name)):
                    yield partial(_in_field, node, field.name, inner)


def _same(value: Any) -> Any:
    return value


def _in_row(row: tuple[Any, ...], place: int, inner: Change) -> Any:
    return (*row[:place], inner(), *row[place + 1 :])


def _in_field(node: Any, name: str, inner: Change) -> Any:
    return attrs.evolve(node, **{name: inner()})


#: What other places name: a change of one alone would be no ruleset.
_NAMES = {
    "name",
    "set",
    "chain",
    "comment",
    "family",
    "protocol",
    "field",
    "type",
    "data",
    "header",
}


def _others(node: Any) -> Iterator[Any]:
    """What may stand in the place of a value."""
    match node:
        case bool():
            yield not node
        case enum.Enum():
            members = list(type(node))
            yield members[(members.index(node) + 1) % len(members)]
        case int():
            yield node + 1
            yield node ^ 1 << 7
            if node:
                yield node - 1
        case tuple():
            for place in range(len(node)):
                yield node[:place] + node[place + 1 :]
                if place:
                    yield (*node[: place - 1], node[place], node[place - 1], *node[place + 1 :])
                if isinstance(node[place], nft.Rule):
                    yield (*node[: place + 1], *node[place:])
