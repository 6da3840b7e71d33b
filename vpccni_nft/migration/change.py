"""Change one table to what is proved of it, although other programs write to it all the time.

Read, build an edit, prove it, and carry it out if the table is still the same; otherwise again. The
edit itself is tied to what was read (``legacy``, ``nftables``): so a race costs a turn, no rule.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import attrs

from . import legacy, nftables
from .edits import Edit, InTheWay, TableChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from .moves import TableMove
    from .saved import SavedTable

#: Seconds after which a table that changes all the time is given up.
PATIENCE = 60

#: Turns before the lock of iptables-legacy is held from the first look on.
_FREE_TURNS = 2

#: The longest that it may be held so: kube-proxy and the CNI wait five seconds for it.
_MOST_HELD = 2.0

#: Seconds between two looks at what is in the way: it may be half of what an agent does.
_PAUSE = 0.3


def present(move: TableMove) -> SavedTable:
    """The table as it is now. Raises CannotRead and ProgramFailed."""
    return legacy.present(move) if move.legacy else nftables.present(move)


@attrs.frozen(kw_only=True)
class TableChange:
    """How a table is to change."""

    edits: Callable[[SavedTable], list[Edit]]  #: the possible ones, the likely first; InTheWay
    problem: Callable[[Edit], str]  #: why an edit is not proved; empty where it is
    record: Callable[[Edit], None] = lambda _: None  #: called before an edit is carried out

    def proved(self, now: SavedTable) -> Edit:
        """The first edit of a table that is proved. Raises InTheWay where none is."""
        problem = ""
        for edit in self.edits(now):
            found = self.problem(edit)
            if not found:
                return edit
            problem = problem or found
        raise InTheWay(problem)

    def settled(self, move: TableMove) -> Edit:
        """The edit of the table as it is now; it is not carried out.

        Raises InTheWay only for what stays in the way.
        """
        last: SavedTable | None = None
        until = time.monotonic() + PATIENCE
        while True:
            now = present(move)
            try:
                return self.proved(now)
            except InTheWay:
                if now == last or time.monotonic() > until:
                    raise
            last = now
            time.sleep(_PAUSE)

    def make(self, move: TableMove) -> Edit:
        """Change the table. The edit that was made, which may be an empty one.

        Raises InTheWay, CannotRead, ProgramFailed and OSError; then nothing was changed.
        """
        until = time.monotonic() + PATIENCE
        turn, took = 0, 0.0
        while time.monotonic() < until:
            turn += 1
            start = time.monotonic()
            hold = move.legacy and turn > _FREE_TURNS and took < _MOST_HELD
            try:
                with legacy.held() if hold else contextlib.nullcontext():
                    edit = self.proved(present(move)) if hold else self.settled(move)
                    took = time.monotonic() - start
                    if not edit.chains:
                        return edit
                    self.record(edit)
                    self._commit(move, edit, held=hold)
                    return edit
            except TableChanged:
                continue
            except InTheWay:
                if not hold:
                    raise
                took = _MOST_HELD  # to be looked at again, without the lock
        raise InTheWay(
            f"the table {move.name} has changed {turn} times in {PATIENCE} s, faster than a change"
            " of it can be proved: stop the program that writes it for a moment"
        )

    @staticmethod
    def _commit(move: TableMove, edit: Edit, *, held: bool) -> None:
        if not move.legacy:
            nftables.commit(move, edit)
            return
        with contextlib.nullcontext() if held else legacy.held():
            legacy.commit(move, edit)
