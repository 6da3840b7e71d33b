"""The node classes of nft, and the nodes inside of nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import attrs

from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s

#: Classes whose rules make the answer Unknown, and why.
WITHOUT_MEANING = {
    x.RawTcpOption: "bits of a TCP option are known by their names alone",
    x.Inner: "what is inside a tunnel is not modelled",
    s.ResetOption: "whether an option is there is a question to the world that no rule changes",
}


def nodes_in(node: Any) -> Iterator[Any]:
    """A node and all below it."""
    if isinstance(node, tuple):
        for one in node:
            yield from nodes_in(one)
    elif attrs.has(type(node)):
        yield node
        for field in attrs.fields(type(node)):
            yield from nodes_in(getattr(node, field.name))


def subclasses(base: type) -> Iterator[type]:
    """All node classes below one, but for private ones: what several of them have in common."""
    below: list[type[Any]] = base.__subclasses__()
    # In an order that all workers have, whatever each has imported first.
    for one in sorted(below, key=lambda one: (one.__module__, one.__qualname__)):
        # attrs makes a class with slots anew; the one that was written stays until it is collected.
        is_there = getattr(sys.modules[one.__module__], one.__name__, None) is one
        if is_there and attrs.has(one) and not one.__name__.startswith("_"):
            yield one
        yield from subclasses(one)
