"""Pairs of rulesets that are not equivalent: each is one operator at work on one small ruleset.

An operator changes one thing that some packet, or some sequence of packets, can see. Whoever adds a
match, a target or a statement adds here what of it can be changed.
"""

from __future__ import annotations

import attrs

from vpccni_nft.core.values import Family


@attrs.frozen
class Pair:
    """Two sides that the kernel tells apart."""

    operator: str
    before: str
    after: str
    family: Family = Family.IP

    def __str__(self) -> str:
        return self.operator


def chain(rules: str, *, hook: str = "forward", more: str = "", type_: str = "filter 0") -> str:
    """A native table with one base chain; ``more`` is what stands beside it."""
    kind, _, priority = type_.partition(" ")
    return (
        f"table ip t {{\n{more}\n chain c {{\n  type {kind} hook {hook} priority {priority};"
        f" policy accept;\n{rules}\n }}\n}}\n"
    )
