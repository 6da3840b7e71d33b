"""A node and its twin: the same agents do the same in both, and in one of them rules are moved.

Steps of a move run in processes that are forked from this one, inside the node's namespace: they
start at once, and can be killed at any call.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from click.testing import CliRunner

from vpccni_nft.cli.commands import cli
from vpccni_nft.migration import legacy, programs, steps
from vpccni_nft.migration.journal import Process
from vpccni_nft.migration.netlink import Netlink
from vpccni_nft.migration.run import Runner, confirm, roll_back, watch
from vpccni_nft.migration.steps import Steps

from .agents import AGENTS, MOVED, NODE, Command
from .forks import Forked, enter_network
from .namespaces import Namespace

BACK_ENDS = ["legacy", "nft"]

#: Seconds between two steps of an agent.
BEAT = 0.5


# --- processes inside a namespace -----------------------------------------------------------------


class Inside(Forked):
    """A process of this program, forked, that works in a namespace."""

    def __init__(self, name: str, work: Callable[[], object], log: Path) -> None:
        def there() -> int:
            enter_network(name)
            return 0 if work() in {None, True} else 1

        super().__init__(there, log)


def play(names: Sequence[str], steps_of: Iterator[list[Command]], beat: float) -> None:
    """Be an agent in several namespaces, the same in each, until SIGTERM."""
    going = True

    def stop(*_: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, stop)
    while going:
        for arguments, text in next(steps_of):
            for name in names:
                enter(name, arguments, text)
        until = time.monotonic() + beat
        while going and time.monotonic() < until:
            time.sleep(0.02)


def enter(name: str, arguments: Sequence[str], text: str = "") -> str:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{name}", *arguments],
        input=text, capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{arguments}: {done.stderr}")
    return done.stdout


# --- a node and its twin --------------------------------------------------------------------------


class Pair:
    """A node, its twin, and a plan for the node."""

    def __init__(self, backend: str, plan: Path, folder: Path, dump: str = NODE) -> None:
        self.backend = backend
        self.dump = dump
        self.folder = folder
        self.plan = folder / "plan"
        shutil.copytree(plan, self.plan)
        self.node, self.twin = Namespace(), Namespace()

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        for one in (self.node, self.twin):
            self._stack.enter_context(one)
            enter(one.name, [f"iptables-{self.backend}-restore", "--counters"], self.dump)
        return self

    def __exit__(self, *_: object) -> None:
        # A watchdog that still watches after a failure must not go on for ever.
        pids = subprocess.run(
            ["ip", "netns", "pids", self.node.name], capture_output=True, text=True, check=True
        ).stdout
        for pid in map(int, pids.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._stack.close()

    @contextmanager
    def agents(self, *names: str) -> Iterator[None]:
        both = (self.node.name, self.twin.name)
        log = self.folder / "agents.log"
        played = [
            Inside(self.node.name, partial(play, both, self.steps(name), BEAT), log)
            for name in names
        ]
        try:
            yield
        finally:
            for one in played:
                os.kill(one.pid, signal.SIGTERM)
            codes = [one.wait() for one in played]
        assert not any(codes), log.read_text()

    def steps(self, agent: str) -> Iterator[list[Command]]:
        return AGENTS[agent](f"iptables-{self.backend}")

    def do(self, agent: str, *numbers: int) -> None:
        """Steps of an agent, in both."""
        every = self.steps(agent)
        for number in range(max(numbers) + 1):
            commands = next(every)
            for arguments, text in commands if number in numbers else ():
                for one in (self.node, self.twin):
                    enter(one.name, arguments, text)

    def start(self, work: Callable[[Steps], object]) -> Inside:
        plan = self.plan
        return Inside(self.node.name, lambda: work(Steps.of(plan)), self.folder / "run.log")

    def phase(self) -> str:
        try:
            return str(json.loads((self.plan / "state.json").read_text())["phase"])
        except FileNotFoundError:
            return "new"

    def wait_for(self, *phases: str) -> str:
        for _ in range(2400):
            if (phase := self.phase()) in phases:
                return phase
            time.sleep(0.05)
        raise AssertionError((self.plan / "state.json").read_text() + self.log())

    def log(self) -> str:
        return (self.folder / "run.log").read_text()

    def saved(self, namespace: Namespace, *options: str) -> list[str]:
        text = enter(namespace.name, [f"iptables-{self.backend}-save", *options])
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        return [line.rpartition(" [")[0] if line.startswith(":") else line for line in lines]

    def check(self, end: str) -> None:
        """The node is exactly as its twin, or exactly that without what has moved."""
        expected, found = self.saved(self.twin), self.saved(self.node)
        loaded = "vpccni-nat" in enter(self.node.name, ["nft", "list", "tables"])
        assert expected.count(MOVED) == 1
        if end == "new":
            expected.remove(MOVED)
        assert found == expected, self.log()
        assert loaded == (end == "new")
        assert f"[12:720] {MOVED}" in self.saved(self.twin, "-c")
        assert (f"[12:720] {MOVED}" in self.saved(self.node, "-c")) == (end == "old")


# --- plans ----------------------------------------------------------------------------------------


def plan_of(backend: str, folder: Path, node: str = NODE, owner: str = "user") -> Path:
    """A plan that moves the user's rules, made from files."""
    with Namespace() as namespace:
        enter(namespace.name, [f"iptables-{backend}-restore", "--counters"], node)
        dump = enter(namespace.name, [f"iptables-{backend}-save", "-c"])
    (folder / "node.save").write_text(dump)
    (folder / "node.nft").write_text("")
    done = CliRunner().invoke(
        cli,
        ["migrate", "plan", str(folder / "plan"), "--owner", owner, "--nft",
         str(folder / "node.nft"), f"--iptables-{backend}-save", str(folder / "node.save")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return folder / "plan"


# --- runs -----------------------------------------------------------------------------------------


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def go_back(plan: Steps) -> None:
    say(roll_back(plan, "a test"))


def run_plan(plan: Steps, timeout: float) -> bool:
    """Run a plan, with a watchdog that is forked."""

    def watchdog(runner: Runner) -> Process:
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.setsid()
            # As where it is started by itself: the lock that is held now is not its own.
            while programs._inherited:
                os.close(programs._inherited.pop())
            try:
                watch(runner.steps, writer)
            finally:
                os._exit(0)
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        return Process.of(pid)

    setattr(Runner, "_watchdog", watchdog)  # noqa: B010 - a method is replaced on purpose
    return Runner(plan, say).run(timeout)


def dies(owner: Any, name: str, when: str, *, at: Callable[..., bool] = lambda *_: True) -> None:
    """Let this process end at a call; not a watchdog that is forked from it."""
    original = getattr(owner, name)
    mine = os.getpid()

    def call(*arguments: Any, **options: Any) -> Any:
        mortal = os.getpid() == mine and at(*arguments)
        if mortal and when == "before":
            os.kill(mine, signal.SIGKILL)
        answer = original(*arguments, **options)
        if mortal:
            os.kill(mine, signal.SIGKILL)
        return answer

    setattr(owner, name, call)


def dies_at(backend: str, moment: str) -> None:
    """The moments at which a process ends."""
    when, _, what = moment.partition(" ")
    if what == "the commit":
        owner, name = (legacy, "_restore") if backend == "legacy" else (Netlink, "commit")
        dies(owner, name, when)
    elif what == "the removal":
        dies(steps, "run", when, at=lambda *words: words[-1].endswith("remove.nft"))
    else:
        dies(Steps, what, when)


def carried_out(pair: Pair, moment: str) -> str:
    """Do what a row of the table says; how it is to end."""
    kind, _, when = moment.partition(" dies ")
    if kind == "run":

        def run(plan: Steps) -> None:
            dies_at(pair.backend, when)
            run_plan(plan, 0)

        assert pair.start(run).wait() == -signal.SIGKILL, pair.log()
        pair.wait_for("rolled back")
        return "old"
    running = pair.start(lambda plan: run_plan(plan, 0 if moment == "unconfirmed" else 60))
    if moment == "unconfirmed":
        assert running.wait() == 1
        pair.wait_for("rolled back")
        return "old"
    if pair.wait_for("waiting", "refused", "rolled back") != "waiting":
        running.wait()
        # Nothing else is a reason: on a slow machine an agent may be faster than each proof.
        assert "faster than a change of it can be proved" in pair.log()
        return "old"
    if moment == "confirmed after the run is gone":
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    assert pair.start(confirm).wait() == 0, pair.log()
    if moment != "confirmed after the run is gone":
        assert running.wait() == 0, pair.log()
    if moment.startswith("confirmed"):
        return "new"
    time.sleep(BEAT)
    if kind == "rollback":

        def die(plan: Steps) -> None:
            dies_at(pair.backend, when)
            roll_back(plan, "a test")

        assert pair.start(die).wait() == -signal.SIGKILL, pair.log()
    assert pair.start(go_back).wait() == 0, pair.log()
    return "old"
