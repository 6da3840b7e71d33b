"""The value of an nft expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ..model.algebra import Bool, Word


@attrs.frozen
class Value:
    """A word, and where there is one at all."""

    word: Word
    width: int
    there: Bool
