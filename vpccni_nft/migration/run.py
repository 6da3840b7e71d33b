"""Carry a plan out: step by step, watched, and back where something is wrong.

Two processes know what is to be done: the one that runs the steps, and a watchdog in a session of
its own. Either can be killed at any moment. The watchdog rolls back where the steps stop before
the rules are verified, or where no confirmation comes in time. Where both are killed, the next
``run`` goes on, and ``rollback`` goes back.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import attrs

from ..core.isolated import command
from .check import Age
from .journal import JournalState, Phase, Process, boot, clock, load, locked, store
from .steps import Failed, NothingDone, Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Seconds that all steps may take.
WORK_SECONDS = 1800
#: Seconds between looks at the journal.
_PAUSE = 0.1
#: Seconds between attempts of the watchdog to roll back, and how often it tries.
_RETRY, _ATTEMPTS = 5, 60
#: Seconds that a watchdog may take to start.
_START_SECONDS = 60
#: Seconds that the runner has to go back before the watchdog does.
_LAG = 2

_LATE = "no confirmation came in time"


class AlreadyRunning(Exception):  # noqa: N818
    """Another process is at it, or has settled it."""


@attrs.frozen
class Runner:
    """Carries out the plan in a directory."""

    steps: Steps
    say: Callable[[str], None]

    @property
    def directory(self) -> Path:
        """Where the plan is."""
        return self.steps.directory

    def run(self, confirm_timeout: float) -> bool:
        """Move, or go on with a move. Whether the node is moved, and that is confirmed.

        Raises AlreadyRunning where another process moves the rules, and Failed where it can go
        neither way.
        """
        earlier = self._begin()
        if earlier.phase is Phase.CONFIRMED:
            if problem := "; ".join(problems_of(self.steps, earlier)):
                raise AlreadyRunning(f"the move was confirmed, but {problem}")
            self.say("the node is moved already, and that is confirmed")
            return True
        if earlier.phase in {Phase.ROLLING_BACK, Phase.STUCK}:
            self.say(f"rolling back an earlier run: {earlier.reason}")
            self.rollback(earlier.reason)
            return False
        try:
            self.say("preflight")
            self.steps.preflight(resumed=earlier.phase.changes or earlier.before_restart.leaves)
        except Failed as failed:
            if earlier.phase.changes:
                self.rollback(str(failed))
            else:
                self._settle(Phase.REFUSED, str(failed))
                self.say(f"{failed}\nnothing was changed")
            return False
        try:
            self._move(confirm_timeout)
            return self._wait()
        except (Failed, OSError) as failed:
            self.rollback(str(failed))
        except KeyboardInterrupt:
            self.rollback("interrupted")
            raise
        return False

    def _begin(self) -> JournalState:
        """Take the plan, unless another process has it. The state that was there."""
        with locked(self.directory):
            state = load(self.directory)
            if state.phase is Phase.CONFIRMED:
                return state
            for process in (state.runner, state.watchdog):
                settled = state.phase in {Phase.REFUSED, Phase.ROLLED_BACK}
                if process and process.alive and not settled:
                    raise AlreadyRunning(f"another run is under way, as process {process.pid}")
            mine = Process.of(os.getpid())
            if state.phase in {Phase.ROLLING_BACK, Phase.STUCK}:
                store(self.directory, attrs.evolve(state, runner=mine))
            elif not state.phase.changes:
                fresh = JournalState(boot=boot(), history=state.history)
                store(self.directory, fresh.to(Phase.PREFLIGHT, runner=mine))
            else:
                store(self.directory, attrs.evolve(state, runner=mine))
        return state

    def _move(self, confirm_timeout: float) -> None:
        with locked(self.directory):
            state = load(self.directory)
            # An earlier run is no longer watched; a watchdog leaves where it is another one.
            armed = state.to(Phase.ARMED, deadline=clock() + WORK_SECONDS, watchdog=None)
            store(self.directory, armed)
            watchdog = self._watchdog()
            store(self.directory, attrs.evolve(armed, watchdog=watchdog))
        for phase, step in ((Phase.APPLY, self.steps.apply), (Phase.CLEANUP, self.steps.cleanup)):
            with self._turn(phase):
                self.say(phase.value)
                step()
        with self._turn(Phase.VERIFY):
            self.say("verify")
        if problem := self.steps.verify():
            raise Failed(f"verify: {problem}")
        self.steps.record()
        with self._turn(Phase.WAITING, deadline=clock() + confirm_timeout):
            self.say(
                f"verified; waiting {confirm_timeout:g} s for vpccni-nft migrate confirm"
                f" {self.directory}" + ", or Enter" * _is_terminal()
            )

    @contextlib.contextmanager
    def _turn(self, phase: Phase, **changes: float) -> Iterator[None]:
        """Hold the lock for a step, unless the move was given up meanwhile."""
        with locked(self.directory):
            state = load(self.directory)
            if not state.phase.goes_on:
                raise Failed(state.reason)  # the watchdog goes back
            store(self.directory, state.to(phase, **changes))
            yield

    def _watchdog(self) -> Process:
        """Start the watchdog, and wait until it watches."""
        reader, writer = os.pipe()
        try:
            child = subprocess.Popen(
                command(
                    "vpccni_nft.cli", "migrate", "watch", str(self.directory), "--ready",
                    str(writer),
                ),
                cwd="/",
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True, pass_fds=(writer,),
            )  # fmt: skip
            os.close(writer)
            writer = -1
            there, _, _ = select.select([reader], [], [], _START_SECONDS)
            if not there or os.read(reader, 1) != b"!":
                raise Failed("the watchdog does not start")
            return Process.of(child.pid)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)

    def _wait(self) -> bool:
        """Until the confirmation comes. Raises Failed where it is to go back."""
        while True:
            state = load(self.directory)
            if state.phase is Phase.CONFIRMED:
                if problem := "; ".join(problems_of(self.steps, state)):
                    raise AlreadyRunning(f"the move was confirmed, but {problem}")
                self.say("confirmed")
                return True
            if state.phase is not Phase.WAITING:
                raise Failed(state.reason)
            if clock() > state.deadline:
                raise Failed(_LATE)
            if _entered(_PAUSE):
                with contextlib.suppress(AlreadyRunning):  # too late: the next look shows it
                    confirm(self.steps)

    def _settle(self, phase: Phase, reason: str) -> None:
        with locked(self.directory), contextlib.suppress(OSError):
            store(self.directory, load(self.directory).to(phase, reason=reason))

    def rollback(self, reason: str) -> None:
        """Go back. Raises Failed where that cannot be done; it can be tried again."""
        self.say(f"rolling back: {reason}")
        self.say(roll_back(self.steps, reason, unless={Phase.CONFIRMED, Phase.ROLLED_BACK}))


def roll_back(steps: Steps, reason: str, *, unless: set[Phase] | None = None) -> str:
    """Go back, and say so. Raises Failed: then what the move has done is still in place.

    ``unless`` are the phases, settled meanwhile, in which nothing is to be done. A journal that
    cannot be written does not stop it.
    """
    directory = steps.directory
    with locked(directory):
        state = load(directory)
        if state.phase in (unless or set()):
            return state.phase.value
        age = age_of(state)
        unchanged = state.phase in {Phase.NEW, Phase.PREFLIGHT, Phase.REFUSED, Phase.ROLLED_BACK}
        if unchanged and not steps.anything_loaded():
            return _NOTHING if age is Age.UNKNOWN else "nothing was changed"
        earlier, state = state, state.to(Phase.ROLLING_BACK, reason=reason)
        with contextlib.suppress(OSError):
            store(directory, state)
        try:
            said = steps.back(age, taken=state.taken or age is Age.UNKNOWN)
        except Failed as failed:
            # What is settled stays so, where it was refused to undo it.
            settled = isinstance(failed, NothingDone) and not earlier.phase.changes
            stuck = state.to(Phase.STUCK, reason=f"{reason}; {failed}")
            with contextlib.suppress(OSError):
                store(directory, earlier if settled else stuck)
            raise
        with contextlib.suppress(OSError):
            store(directory, state.to(Phase.ROLLED_BACK))
    return f"{said}rolled back: the moved rules are in iptables again, and nothing else was changed"


_NOTHING = "the machine was started again: nothing of the move is on this node"


def age_of(state: JournalState) -> Age:
    """What is known of when the new tables were loaded."""
    if state.before_restart is not Phase.NEW and state.phase is Phase.NEW:
        return Age.UNKNOWN
    return Age.NEWEST if state.phase.goes_on else Age.THIS_START


def problems_of(steps: Steps, state: JournalState) -> list[str]:
    """Where the node is not as a move that was confirmed, or that waits for it, has left it."""
    restarted = state.phase is Phase.NEW and state.before_restart is Phase.CONFIRMED
    moved = restarted or state.phase in {Phase.WAITING, Phase.CONFIRMED}
    found = steps.problems() if moved else []
    return ["the machine was started again since", *found] if found and restarted else found


def confirm(steps: Steps) -> None:
    """Say that the move is to stay.

    Raises AlreadyRunning where it is too late, or too early, or where the node is not as the move
    has left it, and Failed where the node does not answer.
    """
    directory = steps.directory
    with locked(directory):
        state = load(directory)
        if problem := "; ".join(problems_of(steps, state)):
            raise AlreadyRunning(f"there is nothing to confirm: {problem}")
        if state.phase is Phase.CONFIRMED:
            return
        if state.phase is not Phase.WAITING or clock() > state.deadline:
            why = f": {state.reason}" if state.reason else ""
            raise AlreadyRunning(f"there is nothing to confirm: {state.phase.value}{why}")
        store(directory, state.to(Phase.CONFIRMED))


def watch(steps: Steps, ready: int) -> None:
    """Be the watchdog: roll back where the runner stops, or no confirmation comes."""
    directory = steps.directory
    os.write(ready, b"!")
    os.close(ready)
    me = os.getpid()
    while True:
        time.sleep(_PAUSE)
        state = load(directory)
        if not state.phase.changes or (state.watchdog and state.watchdog.pid != me):
            return
        if reason := _why_back(state):
            break
    for _ in range(_ATTEMPTS):
        try:
            roll_back(steps, reason, unless={Phase.CONFIRMED, Phase.ROLLED_BACK})
        except Failed:
            time.sleep(_RETRY)
        else:
            return


def _why_back(state: JournalState) -> str:
    runs = state.runner is not None and state.runner.alive
    # The runner, where it is there, comes first: it can say so.
    if clock() > state.deadline + _LAG * runs:
        return _LATE if state.phase is Phase.WAITING else "it took too long"
    # Who waits may go: the session of an operator can end before they confirm.
    if not runs and state.phase is not Phase.WAITING:
        return f"the run has ended in {state.phase.value}"
    return ""


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _entered(seconds: float) -> bool:
    """Whether Enter was pressed within a time."""
    if not _is_terminal():
        time.sleep(seconds)
        return False
    there, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(there and sys.stdin.readline().endswith("\n"))
