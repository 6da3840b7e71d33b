"""Keep nft from merging comparisons of neighbouring header fields where that changes the rule.

nft reads ``tcp sport 5 tcp dport 7`` as one comparison of four bytes. Up to 1.0.6 at least it does
the same with ``tcp sport != 5 tcp dport != 7``, which then holds where only one of the two differs,
and it does so across a limit or a counter between the two, which then counts other packets
(measured; 1.1.3 does neither). It leaves ranges and orders alone, so the later one becomes a lookup
among all other numbers, or two orders. (A range of one number would do, but nft before 1.0.3 takes
none.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..nft import expressions as x
from ..nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..extensions.extension import Statements


def kept_apart(statements: Statements) -> Statements:
    """The same statements, written so that nft leaves each where it stands."""
    return tuple(_kept_apart(statements))


def _kept_apart(statements: Statements) -> Iterator[s.Statement]:
    negated: set[str] = set()  # headers with a field that must not be some number
    equal: set[str] = set()  # headers with a field that must be some number
    behind: set[str] = set()  # those of them from before a statement with a side effect
    for statement in statements:
        header = _merged_header(statement)
        if header is None:
            if s.has_side_effect(statement):
                behind |= equal
            yield statement
            continue
        assert isinstance(statement, s.Match)
        if header in (negated if statement.operator == "!=" else behind):
            yield from _not_merged(statement)
            continue
        (negated if statement.operator == "!=" else equal).add(header)
        yield statement


def _not_merged(match: s.Match) -> Iterator[s.Match]:
    """The same comparison with one number, in a form that nft merges with nothing."""
    assert isinstance(match.left, x.Payload)
    assert isinstance(match.right, x.Number)
    if match.operator == "==":
        yield s.Match(match.left, ">=", match.right)
        yield s.Match(match.left, "<=", match.right)
    else:
        yield s.Match(match.left, "==", x.all_but(match.right, match.left.place.bits))


def _merged_header(statement: s.Statement) -> str | None:
    """The header whose field is compared with one number, or None where nft merges nothing."""
    match statement:
        case s.Match(x.Payload(header) as field, "==" | "!=", x.Number()):
            # Bits of a byte are compared under a mask, which nft does not merge.
            whole_bytes = field.place.offset % 8 == field.place.bits % 8 == 0
            return header if whole_bytes else None
        case _:
            return None
