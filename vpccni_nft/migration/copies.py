"""The new tables on this node: whether they are there, whether this plan has loaded them, and when.

Plans of two owners have tables of the same names. So a name does not tell whose a table is: its
comment does, which has the number of the plan.

Of base chains of one priority the kernel calls the one first that was registered last. So before
the new tables are loaded it is written down which of iptables-nft are there. One that is made again
later, as by ``iptables-nft-restore`` or ``iptables-nft -X``, runs ahead of the copy from then on.
"""

from __future__ import annotations

import enum
import json
import re
from typing import TYPE_CHECKING

from . import custody
from .edits import InTheWay
from .netlink import Netlink
from .programs import run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .moves import TableMove


class CopyState(enum.Enum):
    """What there is of a new table."""

    ABSENT = "absent"
    LOADED = "loaded"
    ANOTHER = "of another plan"


def comment_of(identity: str) -> str:
    """What the tables of a plan say of themselves."""
    return f"moved by vpccni-nft, plan {identity}"


def copy_of(move: TableMove) -> CopyState:
    """What there is of the new table. Raises OSError."""
    with Netlink() as kernel:
        tables = kernel.tables(move.family.value)
    if move.nft_table not in tables:
        return CopyState.ABSENT
    return CopyState.LOADED if tables[move.nft_table] == move.comment else CopyState.ANOTHER


def loaded(move: TableMove) -> bool:
    """Whether this plan's table is there. Raises OSError."""
    return copy_of(move) is CopyState.LOADED


def check_free(moves: Iterable[TableMove], *, here: bool = True) -> None:
    """Whether there is no table of such a name but, where ``here``, this plan's.

    Raises InTheWay and OSError.
    """
    for move in moves:
        found = copy_of(move)
        if found is CopyState.ANOTHER or (found is CopyState.LOADED and not here):
            raise InTheWay(
                f"the {name_of(move)} is there already, and was not loaded from this directory:"
                " roll back the plan that has loaded it, or delete the table if it is left over"
            )


def name_of(move: TableMove) -> str:
    """A new table as nft calls it."""
    return f"table {move.family.value} {move.nft_table}"


# --- what is in them ------------------------------------------------------------------------------

#: The elements of a set that rules fill, as nft lists them.
_FILLED = re.compile(
    r"(\tflags [a-z,]*\bdynamic\b[a-z,]*\n(?:\t\t(?!elements)[^\n]*\n)*)\t\telements = \{[^}]*\}\n",
    re.ASCII,
)


def record_listed(directory: Path, moves: Iterable[TableMove]) -> None:
    """Write down what is in the new tables. Raises OSError and ProgramFailed."""
    for move in moves:
        custody.make_folder(directory / "backup")
        custody.replace(_recorded(directory, move), _listed(move))


def is_as_recorded(directory: Path, move: TableMove) -> bool:
    """Whether a table is as it was written down. Raises OSError and ProgramFailed."""
    try:
        return _recorded(directory, move).read_bytes() == _listed(move)
    except FileNotFoundError:
        return True


def _recorded(directory: Path, move: TableMove) -> Path:
    return directory / "backup" / f"{move.name}.nft"


def _listed(move: TableMove) -> bytes:
    """A table without what packets change in it."""
    text = run("nft", "--stateless", "list", "table", move.family.value, move.nft_table)
    return _FILLED.sub(r"\1", text).encode("utf-8", "surrogateescape")


# --- when -----------------------------------------------------------------------------------------


def record_registered(directory: Path, moves: Iterable[TableMove]) -> None:
    """Write down the base chains that are there before the new tables. Raises OSError."""
    found = {move.name: sorted(_registered(move)) for move in moves}
    path = directory / "backup" / "registered.json"
    custody.make_folder(path.parent)
    custody.replace(path, (json.dumps(found, indent=2) + "\n").encode())


def is_newest(directory: Path, move: TableMove) -> bool:
    """Whether no base chain of the table in iptables is newer than the copy. Raises OSError.

    iptables-legacy registers its own once for each start of the machine.
    """
    try:
        text = (directory / "backup" / "registered.json").read_bytes()
    except FileNotFoundError:
        return True  # nothing was loaded yet
    before = {tuple(one) for one in json.loads(text).get(move.name, ())}
    return not loaded(move) or _registered(move) <= before


def _registered(move: TableMove) -> frozenset[tuple[str, int, int]]:
    if move.legacy:
        return frozenset()
    with Netlink() as kernel:
        return kernel.registered(move.family.value, move.table)
