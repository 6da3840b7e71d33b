"""How far a migration is: ``state.json``, replaced at once, and a lock for who changes the node.

The journal says what to do next; what is in place is seen from the node itself (``steps``). So a
journal that could not be written does not keep a rollback from being complete.

The lock is one on an open file, which the programs of a step inherit. Where their starter is
killed, it stays locked until they have ended: no process rolls back beside a step at work.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ..core.errors import CannotRead
from .custody import replace
from .programs import inheriting

if TYPE_CHECKING:
    from collections.abc import Iterator

_JOURNAL, _LOCK = "state.json", "lock"


class Phase(enum.Enum):
    """Where a migration is."""

    NEW = "new"  #: nothing was done
    PREFLIGHT = "preflight"
    REFUSED = "refused"  #: preflight said no; the node was not changed
    ARMED = "armed"  #: the watchdog runs; the node is not changed yet
    APPLY = "apply"
    CLEANUP = "cleanup"
    VERIFY = "verify"
    WAITING = "waiting"  #: for a confirmation
    CONFIRMED = "confirmed"
    ROLLING_BACK = "rolling back"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"  #: rolling back failed; it can be tried again

    @property
    def changes(self) -> bool:
        """Whether something of the move can be in place, and is not settled."""
        return self.goes_on or self in {Phase.ROLLING_BACK, Phase.STUCK}

    @property
    def leaves(self) -> bool:
        """Whether something of the move can be in place, settled or not."""
        return self.changes or self is Phase.CONFIRMED

    @property
    def goes_on(self) -> bool:
        """Whether a run is between its steps, and not going back."""
        return self in {Phase.ARMED, Phase.APPLY, Phase.CLEANUP, Phase.VERIFY, Phase.WAITING}


@attrs.frozen
class Process:
    """A process by its number and its start, for numbers are used again."""

    pid: int
    start: str  #: in ticks since the machine was started

    @classmethod
    def of(cls, pid: int) -> Process:
        """A process that runs."""
        return cls(pid, _start(pid))

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return bool(self.start) and _start(self.pid) == self.start


def _start(pid: int) -> str:
    """Empty where there is no such process, or one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]


@attrs.frozen(kw_only=True)
class JournalState:
    """What the journal says."""

    phase: Phase = Phase.NEW
    reason: str = ""  #: why it goes back, or did
    deadline: float = 0  #: when it goes back by itself, in seconds since the machine was started
    runner: Process | None = None
    watchdog: Process | None = None
    boot: str = ""  #: which start of the machine it is about
    #: The phase that an earlier start of the machine ended in: its rules are gone.
    before_restart: Phase = Phase.NEW
    #: Each phase with the time at which it was reached.
    history: tuple[tuple[str, str], ...] = ()

    @property
    def taken(self) -> bool:
        """Whether this run has come so far that no rule that moves is left in iptables."""
        names = [name for name, _ in self.history]
        started = len(names) - 1 - names[::-1].index("preflight") if "preflight" in names else 0
        return Phase.WAITING.value in names[started:]

    def to(self, phase: Phase, **changes: Any) -> JournalState:
        """The next state."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        history = (*self.history, (phase.value, now))
        return attrs.evolve(self, phase=phase, history=history, **changes)


def boot() -> str:
    """Which start of the machine this is: rules do not outlive it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def clock() -> float:
    """Seconds since the machine was started, asleep or not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def load(directory: Path) -> JournalState:
    """The journal; what an earlier start of the machine came to is kept apart.

    Raises CannotRead where it is not what ``store`` has written, and OSError.
    """
    path = directory / _JOURNAL
    try:
        return _state(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return JournalState(boot=boot())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CannotRead(
            f"{path} is damaged: delete it: what there is of the move is seen from the node then,"
            " and rollback works as before"
        ) from None


def _state(found: dict[str, Any]) -> JournalState:
    phase, earlier = Phase(found["phase"]), Phase(found.get("before_restart", "new"))
    history = tuple((phase, at) for phase, at in found["history"])
    if found["boot"] != boot():
        ended = earlier if phase is Phase.NEW else phase
        return JournalState(boot=boot(), before_restart=ended, history=history)
    return JournalState(
        phase=phase,
        before_restart=earlier,
        reason=found["reason"],
        deadline=found["deadline"],
        runner=Process(**found["runner"]) if found["runner"] else None,
        watchdog=Process(**found["watchdog"]) if found["watchdog"] else None,
        boot=found["boot"],
        history=history,
    )


def store(directory: Path, state: JournalState) -> None:
    """Write the journal: the old one or the new one is there, whatever happens. Raises OSError."""
    text = json.dumps(attrs.asdict(state, value_serializer=_plain), indent=2) + "\n"
    replace(directory / _JOURNAL, text.encode())


def _plain(_: object, __: object, value: Any) -> Any:
    return value.value if isinstance(value, Phase) else value


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock; programs that are started meanwhile inherit it."""
    # Opened for reading, where it is there: so it can be locked on a full disk, too.
    handle = os.open(directory / _LOCK, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with inheriting(handle):
            yield
    finally:
        os.close(handle)
