"""The steps of a move, and the way back: what each of them does to the node.

No step keeps in memory what it has done. What is to be done is seen from the node: which of the
rules that move are in iptables, and whether the new tables are loaded. So each step can be killed
and made again. Each change is one transaction of the kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ..core.errors import CannotRead
from ..core.render import render
from . import custody, nftables
from . import directory as plans
from .change import TableChange, present
from .check import Age, Checker
from .copies import (
    check_free,
    copy_of,
    is_as_recorded,
    loaded,
    name_of,
    record_listed,
    record_registered,
)
from .edits import Edit, InTheWay, no_longer_fits, taking
from .moves import TableMove, moves_of
from .places import putting_back
from .programs import ProgramFailed, path_of, run
from .saved import SavedTable
from .stale import in_iptables_again, stale

if TYPE_CHECKING:
    from collections.abc import Iterator


class Failed(Exception):  # noqa: N818 - it says what the matter is
    """A step failed to do its work."""


class NothingDone(Failed):
    """A step was refused before it changed anything."""


@attrs.frozen
class Steps:
    """What can be done with a plan on this node. Every method raises Failed."""

    directory: Path
    moves: tuple[TableMove, ...]
    checker: Checker
    owners: frozenset[str]  #: whose rules move

    @classmethod
    def of(cls, directory: Path, seconds: float = 60) -> Steps:
        """The steps of a plan. Raises NoPlan."""
        about = plans.read(directory)
        try:
            moves = tuple(moves_of(directory, about))
            owners = frozenset(about["rules"]["moved"])
            return cls(directory, moves, Checker.of(directory, about, seconds), owners)
        except (OSError, KeyError, TypeError, ValueError, CannotRead) as error:
            raise plans.NoPlan(f"{directory} is no plan: {error}") from None

    # --- forth ------------------------------------------------------------------------------------

    def preflight(self, *, resumed: bool = False) -> None:
        """Look whether the move can be made; nothing is changed.

        Unless it is ``resumed``, no new table can be of a run from this directory.
        """
        with _failing("preflight"):
            for program in ("nft", *(f"{one.program}-{what}" for one in self.moves
                                     for what in ("save", "restore"))):  # fmt: skip
                path_of(program)
            for move in self.moves:
                try:
                    check_free([move], here=resumed)
                    self._check_there(move)
                    self._taking(move).settled(move)
                except InTheWay as found:
                    raise InTheWay(render(no_longer_fits(move.name, found))) from None
            # The kernel builds the tables and drops them: this shows whether it has what they need.
            run("nft", "-c", "-f", str(self.directory / "apply.nft"))

    def apply(self) -> None:
        """Load the new tables in one transaction, unless they are there."""
        with _failing("apply"):
            if absent := [move for move in self.moves if not loaded(move)]:
                record_registered(self.directory, self.moves)
                # Another plan may just have loaded tables of these names: then this is refused.
                create = "".join(f"create {name_of(move)}\n" for move in absent)
                run("nft", "-f", "-", given=create + self.moves[0].script)

    def cleanup(self) -> None:
        """Take the rules that the new tables replace out of iptables."""
        with _failing("cleanup"):
            for move in self.moves:
                _clear(move)
                self._taking(move).make(move)

    def _check_there(self, move: TableMove) -> None:
        """What moves is in iptables, or in the new table of an earlier run."""
        if (missing := move.missing(present(move))) and not loaded(move):
            raise InTheWay(f"of what moves, this is not in iptables: {missing[0]}")

    def _taking(self, move: TableMove) -> TableChange:
        def problem(edit: Edit) -> str:
            if not edit.chains:
                return ""
            return self.checker.problem(move, edit.now, edit.result, move.script)

        return TableChange(
            edits=lambda now: [taking(move, now)],
            problem=problem,
            record=lambda edit: self._record(move, edit.now),
        )

    def verify(self, age: Age = Age.NEWEST) -> str:
        """What is wrong with the rules as they are now; empty where nothing is."""
        self.checker.age = age
        try:
            for move in self.moves:
                if again := next(move.again(present(move)), ""):
                    return f"{move.name}: what moves is in iptables: {again}"
                self._putting_back(move, stay=True).settled(move)
        except (InTheWay, CannotRead, ProgramFailed, OSError) as problem:
            return str(problem)
        return ""

    def record(self) -> None:
        """Write down what is in the new tables, for ``problems``."""
        with _failing("verify"):
            record_listed(self.directory, self.moves)

    # --- back -------------------------------------------------------------------------------------

    def back(self, age: Age, *, taken: bool) -> str:
        """Put the moved rules back into iptables as it is now, and remove the new tables.

        Nothing is changed unless every edit is proved. Unless ``taken``, no rule was taken out yet:
        what was loaded beside them is removed. The answer is what was done.
        """
        self.checker.age = age
        done = []
        with _failing("rollback", NothingDone):
            moves = self._to_put_back(age)
            for move in moves:
                self._putting_back(move, taken=taken).settled(move)
        with _failing("rollback"):
            for move in moves:
                _clear(move)
                edit = self._putting_back(move, taken=taken).make(move)
                rules = sum(
                    len(one.result) - len(_rules(edit.now, one.name)) for one in edit.chains
                )
                done.append(f"{move.name}: {rules} rule{'s' * (rules != 1)} put back\n")
            for move in moves:
                if missing := move.missing(present(move)):
                    raise InTheWay(f"{move.name}: put back, and gone again: {missing[0]}")
            # Where they are needed no longer. One transaction for all of them.
            if any(map(loaded, self.moves)):
                run("nft", "-f", str(self.directory / "remove.nft"))
        return "".join(done)

    def shown(self, age: Age) -> Iterator[str]:
        """What going back would change now: each edit, and what is removed."""
        self.checker.age = age
        with _failing("rollback"):
            for move in self._to_put_back(age):
                edit = self._putting_back(move).settled(move)
                yield f"# {move.program}-restore --noflush --counters"
                yield from (f"# {line}" for line in edit.shown())
                yield from edit.script().splitlines() if edit.chains else ()
            if any(map(loaded, self.moves)):
                yield "# nft -f remove.nft"
                yield from (self.directory / "remove.nft").read_text().splitlines()

    def _to_put_back(self, age: Age) -> list[TableMove]:
        """The tables whose part is with nft now. Raises InTheWay where a part is nowhere."""
        found = [move for move in self.moves if loaded(move)]
        if found:
            check_free(self.moves)  # what is removed is removed by its name
        for move in self.moves:
            if move not in found and (missing := move.missing(present(move))):
                if age is Age.UNKNOWN and not found:
                    continue  # the machine was started again, and has neither: nothing to undo
                check_free([move])
                raise InTheWay(
                    f"the {name_of(move)} is gone, and so is this from iptables: {missing[0]}: load"
                    f" it again with nft -f {self.directory}/apply.nft, then roll back"
                )
        return found

    def _putting_back(
        self, move: TableMove, *, taken: bool = True, stay: bool = False
    ) -> TableChange:
        def problem(edit: Edit) -> str:
            if not edit.chains and not taken:
                return ""
            new = run("nft", "list", "table", move.family.value, move.nft_table)
            full = edit.result
            # Where nothing comes, the rules that move are all there, and the rest is without them.
            rest = edit.now if edit.now != full else taking(move, full).result
            return self.checker.problem(move, full, rest, new, stay=stay)

        return TableChange(
            edits=lambda now: putting_back(move, self._recorded(move), now), problem=problem
        )

    # --- what is in place -------------------------------------------------------------------------

    def in_place(self) -> dict[str, str]:
        """For each table of iptables: ``before``, ``after`` or ``changed``; each new one: if there.

        A table is as before where all that moves is in it, and as after where nothing of it is.
        """
        found = {}
        with _failing("status"):
            for move in self.moves:
                now = present(move)
                state = "changed" if any(move.again(now)) else "after"
                found[move.name] = "before" if not move.missing(now) else state
            for move in self.moves:
                found[f"nft.{move.family.value}.{move.nft_table}"] = copy_of(move).value
        return found

    def anything_loaded(self) -> bool:
        """Whether a new table of this plan is there."""
        with _failing("status"):
            return any(map(loaded, self.moves))

    def problems(self) -> list[str]:
        """Where the node is not as the move has left it, as sentences."""
        with _failing("status"):
            return [found for move in self.moves for found in self._problems_of(move)]

    def _problems_of(self, move: TableMove) -> Iterator[str]:
        copied = loaded(move)
        now = present(move)
        if not copied:
            yield f"the {name_of(move)} is gone"
        elif not is_as_recorded(self.directory, move):
            yield (
                f"the {name_of(move)} was changed since: whether it still means the same, says"
                f" vpccni-nft migrate verify {self.directory}"
            )
        yield from in_iptables_again(move, now, copied=copied)
        if copied:
            yield from stale(move, self.owners, now)

    # --- files ------------------------------------------------------------------------------------

    def _record(self, move: TableMove, table: SavedTable) -> None:
        """Write down where the rules stand that are taken out now. Raises OSError."""
        text = "".join(f"{line}\n" for line in table.lines(counters=True))
        path = self.directory / "backup" / move.name
        custody.make_folder(path.parent)
        custody.replace(path, text.encode("utf-8", "surrogateescape"))

    def _recorded(self, move: TableMove) -> SavedTable:
        """Where the rules stood when they were taken out, or when the plan was made."""
        try:
            text = (self.directory / "backup" / move.name).read_bytes()
        except FileNotFoundError:
            return move.before
        return SavedTable.of(move.table, text.decode("utf-8", "surrogateescape").split("\n"))


def _rules(table: SavedTable, name: str) -> tuple[Any, ...]:
    chain = table.chain(name)
    return chain.rules if chain else ()


def _clear(move: TableMove) -> None:
    """Delete what an edit that was killed has left."""
    if not move.legacy:
        nftables.clear(move)


class _failing:  # noqa: N801 - it reads as a word
    """Turn what goes wrong in a step into Failed."""

    def __init__(self, step: str, failure: type[Failed] = Failed) -> None:
        self.step, self.failure = step, failure

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, problem: BaseException | None, __: object) -> None:
        if isinstance(problem, InTheWay | CannotRead | ProgramFailed | OSError):
            raise self.failure(f"{self.step}: {problem}") from None
