"""Changes of a small header field, where the new value depends on the old one.

nft 1.0.6 computes no new value from an old one in fields that have a checksum or are narrower than
a byte. But it can name every old value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...nft import expressions as x
from ...nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context


@attrs.frozen
class Change:
    """``field = (field & keep) ^ flip``."""

    field: x.Payload
    width: int
    keep: int
    flip: int

    def at_once(self) -> tuple[s.Statement, ...]:
        """One statement, where the old value does not matter."""
        return () if self.keep else (s.Assign(self.field, x.Number(self.flip)),)

    @property
    def needs_rules(self) -> bool:
        """Whether the old value matters, and the new one is another."""
        unchanged = self.keep == self._full and not self.flip
        return bool(self.keep) and not unchanged

    @property
    def name(self) -> str:
        """A part of a helper's name."""
        return f"{self.field.field}-{self.keep:#x}-{self.flip:#x}"

    def rules(self) -> Iterator[tuple[s.Statement, ...]]:
        """One rule for all old values that get the same new one; the chain ends where one fits."""
        for kept in range(self._full + 1):
            if kept & ~self.keep:
                continue
            old = tuple(value for value in range(self._full + 1) if value & self.keep == kept)
            literals = tuple(map(x.Number, old))
            right = literals[0] if len(literals) == 1 else x.AnonymousSet(literals)
            new = x.Number(kept ^ self.flip)
            yield (s.Match(self.field, "==", right), s.Assign(self.field, new), s.Return())

    @property
    def _full(self) -> int:
        return (1 << self.width) - 1


def in_helper(context: Context, *changes: Change) -> tuple[s.Statement, ...]:
    """A jump to a helper chain for those changes that need rules, or nothing."""
    left = [change for change in changes if change.needs_rules]
    if not left:
        return ()
    first, *others = left
    chain = context.helper(f"set-{first.name}", *first.rules())
    for change in others:
        # A rule ends with its jump: what comes after it is in a chain that jumps there first.
        name = f"{chain.removeprefix('.')}-{change.name}"
        chain = context.helper(name, (s.Jump(chain),), *change.rules())
    return (s.Jump(chain),)
