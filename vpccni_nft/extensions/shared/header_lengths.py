"""Lengths of IPv6 extension headers, which ``hbh``, ``dst`` and ``rt`` compare in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...nft import expressions as x
from ...nft import statements as s
from .compare import always_or_never, equality

if TYPE_CHECKING:
    from ...core.values import Negatable


def compare_length(
    name: str, test: Negatable[int] | None, *, there: s.Match
) -> tuple[s.Match, ...]:
    """Compare the length in bytes of a header; ``there`` stands where its field need not be read.

    The field counts units of eight bytes, without the first.
    """
    if not test:
        return (there,)
    field, rest = test.value // 8 - 1, test.value % 8
    if rest or not 0 <= field <= 255:
        return (there, *always_or_never(holds=test.negated))
    length = x.ExtensionHeader(name, "hdrlength")
    return (s.Match(length, equality(negated=test.negated), x.Number(field)),)
