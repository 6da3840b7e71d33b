"""The node classes of nft, and the nodes inside of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs


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
    for one in below:
        if attrs.has(one) and not one.__name__.startswith("_"):
            yield one
        yield from subclasses(one)
