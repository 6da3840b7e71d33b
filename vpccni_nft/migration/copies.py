"""The new tables on this node: whether they are there, and whether this plan has loaded them.

Plans of two owners have tables of the same names. So a name does not tell whose a table is: its
comment does, which has the number of the plan.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from .edits import InTheWay
from .netlink import Netlink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .moves import TableMove


class Copy(enum.Enum):
    """What there is of a new table."""

    ABSENT = "absent"
    LOADED = "loaded"
    ANOTHER = "of another plan"


def comment_of(identity: str) -> str:
    """What the tables of a plan say of themselves."""
    return f"moved by vpccni-nft, plan {identity}"


def copy_of(move: TableMove) -> Copy:
    """What there is of the new table. Raises OSError."""
    with Netlink() as kernel:
        tables = kernel.tables(move.family.value)
    if move.nft_table not in tables:
        return Copy.ABSENT
    return Copy.LOADED if tables[move.nft_table] == move.comment else Copy.ANOTHER


def loaded(move: TableMove) -> bool:
    """Whether this plan's table is there. Raises OSError."""
    return copy_of(move) is Copy.LOADED


def check_free(moves: Iterable[TableMove], *, here: bool = True) -> None:
    """Whether there is no table of such a name but, where ``here``, this plan's.

    Raises InTheWay and OSError.
    """
    for move in moves:
        found = copy_of(move)
        if found is Copy.ANOTHER or (found is Copy.LOADED and not here):
            raise InTheWay(
                f"the {name_of(move)} is there already, and was not loaded from this directory:"
                " roll back the plan that has loaded it, or delete the table if it is left over"
            )


def name_of(move: TableMove) -> str:
    """A new table as nft calls it."""
    return f"table {move.family.value} {move.nft_table}"
