"""Nodes of the corpus are moved and moved back in the kernel, with traffic and with faults."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Self

import pytest

from ..support import traffic
from ..support.forks import Forked, command_line, enter_network, load_all, put_over
from ..support.namespaces import Namespace
from ..support.profiles import NIGHTLY
from ..support.schemas import fits

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests/corpus"

FORCED = [
    word for name in ("vpc-cni", "kube-proxy", "kubelet", "portmap")
    for word in ("--force-owner", name)
]  # fmt: skip

#: A dump of each back end that is quick to prove, and one of a whole node.
SMALL = {"legacy": "vpccni/v1.23-legacy-default.save", "nft": "vpccni/v1.18-nft-default.save"}
WHOLE = {
    "legacy": "node/eks-1.34-cni-1.23-legacy.save",
    "nft": "node/eks-1.29-cni-1.18-al2023-nft.save",
}
BACK_ENDS = ["legacy", "nft"]

PROXY = (CORPUS / "native/kube-proxy-nftables.nft").read_text()

#: What a fake program runs before or after the real one, once, where its arguments fit.
SHIM = """\
#!/bin/sh
case "$0 $*" in
*"{pattern}"*)
    if mkdir "{once}" 2>/dev/null; then
        {before}
        "{real}" "$@" || exit $?
        {after}
        exit 0
    fi ;;
esac
exec "{real}" "$@"
"""


class Node:
    """A namespace with a dump, and the commands as they run on it."""

    #: Programs come from fixed folders. The command has mounts of its own: fakes go to the first.
    BEGIN = 'mount --bind "$0" /usr/local/sbin && exec "$@"'

    def __init__(
        self, backend: str, dump: str, folder: Path, before: str = "", *, forked: bool = False
    ) -> None:
        self.backend = backend
        self.forked = forked  #: whether commands are forked from the tests, which takes less time
        self.folder = folder
        self.plan = folder / "plan"
        self.shims = folder / "bin"
        self.shims.mkdir()
        self.namespace = Namespace()
        self.dump = (CORPUS / dump).read_text()
        self.before = before  #: an nft ruleset that is loaded first
        self.numbers = count()
        self.outputs = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        if self.forked:
            load_all()
        self.namespace.__enter__()
        self.namespace.load(self.before)
        self.namespace.run(f"iptables-{self.backend}-restore", script=self.dump)
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        for shim in () if failure else self.shims.iterdir():
            assert (self.folder / f"once-{shim.name}").exists(), f"{shim.name} was never called so"
        # Who still watches goes first: its namespace must not stay behind.
        for _attempt in range(100):
            pids = subprocess.run(
                ["ip", "netns", "pids", self.namespace.name],
                capture_output=True, text=True, check=True,
            ).stdout.split()  # fmt: skip
            for number in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGKILL)
            if not pids:
                break
            time.sleep(0.05)
        self.namespace.__exit__()
        self.outputs.cleanup()

    def saved(self, program: str = "iptables") -> str:
        """What iptables-save prints, without counters and times."""
        text = self.namespace.run(f"{program}-{self.backend}-save")
        return "\n".join(
            re.sub(r" \[\d+:\d+\]$", "", line)
            for line in text.splitlines()
            if not line.startswith("#")
        )

    def moved(self) -> bool:
        """Whether the node is fully switched; that it is fully as before is asserted otherwise."""
        return self.loaded() and "-A " not in self.saved()

    def loaded(self) -> bool:
        """Whether there are tables of a migration."""
        return "vpccni-" in self.namespace.run("nft", "list", "tables")

    def start(self, *arguments: str) -> subprocess.Popen[str] | Forked:
        if self.forked:

            def work() -> int:
                enter_network(self.namespace.name)
                put_over(self.shims, "/usr/local/sbin")
                return command_line("migrate", *arguments)

            return Forked(work, Path(self.outputs.name) / str(next(self.numbers)))
        return subprocess.Popen(
            ["ip", "netns", "exec", self.namespace.name, "sh", "-c", self.BEGIN, str(self.shims),
             sys.executable, "-m", "vpccni_nft", "migrate", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # what kills the run and its programs must not kill the test
        )  # fmt: skip

    def migrate(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        return process.wait(), said

    def at(self, program: str, pattern: str, *, before: str = ":", after: str = ":") -> None:
        """Do something at the first call of a program with such arguments."""
        shim = self.shims / program
        shim.write_text(
            SHIM.format(
                pattern=pattern,
                once=self.folder / f"once-{program}",
                before=before,
                after=after,
                real=shutil.which(program),
            )
        )
        shim.chmod(0o755)

    def kill(self, *names: str) -> str:
        """A command that kills processes of the run, and the script that it stands in."""
        state = self.plan / "state.json"
        pids = " ".join(
            f"$(grep -A1 '\"{name}\": {{' {state} | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p')"
            for name in names
        )
        return f"kill -9 {pids}; kill -9 0"

    def phase(self) -> str:
        text = (self.plan / "state.json").read_text()
        return str(json.loads(text)["phase"])

    def wait_for(self, *phases: str) -> None:
        for _ in range(600):
            if (self.plan / "state.json").exists() and self.phase() in phases:
                return
            time.sleep(0.1)
        pytest.fail(f"the run stays in {self.phase()}")


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Plans of dumps, made once."""
    made: dict[str, Path] = {}

    def plan(backend: str, dump: str) -> Path:
        if dump not in made:
            folder = tmp_path_factory.mktemp("planned")
            with Node(backend, dump, folder, forked=True) as node:
                code, said = node.migrate("plan", str(node.plan), *FORCED, "--allow", "T101")
                assert code == 0, said
            made[dump] = folder / "plan"
        return made[dump]

    return plan


@contextmanager
def planned(
    backend: str, dump: str, plans: Callable[[str, str], Path], folder: Path, *, forked: bool = True
) -> Iterator[Node]:
    """A node with a plan for it."""
    with Node(backend, dump, folder, forked=forked) as node:
        shutil.copytree(plans(backend, dump), node.plan)
        yield node


Plans = Callable[[str, str], Path]


# --- traffic --------------------------------------------------------------------------------------


class Network:
    """A pod behind the node, and the world on its other side."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.pod, self.world = Namespace(), Namespace()
        self.processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self.pod.__enter__()
        self.world.__enter__()
        node = self.node.namespace
        for inside, outside, other in (("eni1", "eth0", self.pod), ("ens5", "eth0", self.world)):
            node.run(
                "ip", "link", "add", inside, "type", "veth", "peer", outside, "netns", other.name
            )  # fmt: skip
            node.run("ip", "link", "set", inside, "up")
            other.run("ip", "link", "set", outside, "up")
        node.run("ip", "address", "add", f"{traffic.NODE}/16", "dev", "ens5")
        node.run("ip", "route", "add", traffic.POD, "dev", "eni1")
        node.run("ip", "route", "add", traffic.OUTSIDE[0], "dev", "ens5")
        node.run("ip", "route", "add", "172.20.0.0/16", "dev", "ens5")
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eni1/proxy_arp")
        self.pod.run("ip", "address", "add", f"{traffic.POD}/32", "dev", "eth0")
        self.pod.run("ip", "route", "add", "default", "dev", "eth0")
        for address in (traffic.OUTSIDE[0], "10.0.13.21", "10.0.44.9", "10.0.90.3"):
            self.world.run("ip", "address", "add", f"{address}/32", "dev", "eth0")
        self.world.run("ip", "route", "add", traffic.NODE, "dev", "eth0")
        self.world.run("ip", "route", "add", "default", "via", traffic.NODE)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.pod.__exit__()
        self.world.__exit__()

    def start(self, *, services: bool) -> None:
        self._run(self.world, "serve")
        self._run(self.pod, "services" if services else "plain")

    def _run(self, namespace: Namespace, what: str) -> None:
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace.name, sys.executable, traffic.__file__, what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"

    def stop(self) -> dict[str, dict[str, int]]:
        said, _ = self.processes[1].communicate(timeout=120)
        return dict(json.loads(said))


@pytest.mark.parametrize("backend", BACK_ENDS if NIGHTLY else ["legacy"])
def test_a_whole_node_is_moved_and_back_while_flows_go_on(
    backend: str, plans: Plans, tmp_path: Path
) -> None:
    whole = planned(backend, WHOLE[backend], plans, tmp_path, forked=not NIGHTLY)
    with whole as node, Network(node) as network:
        before = node.saved()
        network.start(services=True)
        run = node.start("run", str(node.plan), "--confirm-timeout", "120")
        node.wait_for("waiting")
        assert node.moved()
        code, said = node.migrate("confirm", str(node.plan))
        assert code == 0, said
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 0, said
        time.sleep(0.5)
        assert node.moved()
        code, said = node.migrate("verify", str(node.plan))
        assert code == 0, said
        code, said = node.migrate("rollback", str(node.plan))
        assert code == 0, said
        assert node.saved() == before
        assert not node.loaded()
        time.sleep(0.5)
        found = network.stop()
        assert not found["wrong"]
        assert set(found["seen"]) == {"long-lived TCP", "UDP", "new TCP", "Service"}


def test_the_traffic_shows_where_a_rule_is_missing_for_a_moment(tmp_path: Path) -> None:
    with Node("legacy", SMALL["legacy"], tmp_path) as node, Network(node) as network:
        network.start(services=False)
        time.sleep(0.5)
        node.namespace.run("iptables-legacy", "-t", "nat", "-F", "POSTROUTING")
        time.sleep(0.5)
        node.namespace.run("iptables-legacy-restore", script=node.dump)
        time.sleep(0.5)
        found = network.stop()
        assert any(traffic.POD in line for line in found["wrong"])


@pytest.mark.parametrize("backend", BACK_ENDS)
def test_what_is_not_confirmed_goes_back(backend: str, plans: Plans, tmp_path: Path) -> None:
    with planned(backend, SMALL[backend], plans, tmp_path) as node:
        before = node.saved()
        code, said = node.migrate("run", str(node.plan), "--confirm-timeout", "0.3")
        assert code == 1
        assert "no confirmation came in time" in said
        assert node.saved() == before
        assert not node.loaded()
        code, said = node.migrate("confirm", str(node.plan))
        assert code == 1
        assert "nothing to confirm" in said
        code, said = node.migrate("status", str(node.plan), "--json")
        assert code == 0, said
        assert fits("status", json.loads(said))


#: Usually each once.
TURNS = (("first", "legacy"), ("last", "nft"), ("first", "nft"), ("last", "legacy"))


@pytest.mark.parametrize(("turn", "backend"), TURNS if NIGHTLY else TURNS[:2])
def test_the_rules_of_the_cni_are_moved_beside_kube_proxy_in_nftables_mode(
    turn: str, backend: str, tmp_path: Path
) -> None:
    """What is loaded last runs first, so the kernel has both orders here."""
    ahead, behind = ("", PROXY) if turn == "last" else (PROXY, "")
    prepared = Node(backend, SMALL[backend], tmp_path, ahead, forked=True)
    with prepared as node, Network(node) as network:
        node.namespace.load(behind)
        before = node.saved()
        chosen = ["--owner", "vpc-cni", "--force-owner", "vpc-cni", "--iptables-runs", turn]
        code, said = node.migrate("plan", str(node.plan), *chosen)
        assert code == 0, said
        network.start(services=False)
        run = node.start("run", str(node.plan), "--confirm-timeout", "120")
        node.wait_for("waiting")
        assert node.moved()
        assert node.migrate("confirm", str(node.plan))[0] == 0
        assert run.wait(timeout=60) == 0
        time.sleep(0.5)
        code, said = node.migrate("rollback", str(node.plan))
        assert code == 0, said
        assert node.saved() == before
        assert not network.stop()["wrong"]


def test_both_families_of_a_node_are_moved_together(tmp_path: Path) -> None:
    folder = "node/eks-1.28-ipv6-cluster"
    with Node("legacy", f"{folder}-iptables.save", tmp_path, forked=True) as node:
        dump = (CORPUS / f"{folder}-ip6tables.save").read_text()
        node.namespace.run("ip6tables-legacy-restore", script=dump)
        before = node.saved(), node.saved("ip6tables")
        forced = [*FORCED, "--force-owner", "egress-cni", "--allow", "T106", "--allow", "T101"]
        code, said = node.migrate("plan", str(node.plan), *forced)
        assert code == 0, said
        run = node.start("run", str(node.plan), "--confirm-timeout", "120")
        node.wait_for("waiting")
        assert "-A " not in node.saved() + node.saved("ip6tables")
        assert node.migrate("confirm", str(node.plan))[0] == 0
        assert run.wait(timeout=60) == 0
        assert node.migrate("rollback", str(node.plan))[0] == 0
        assert (node.saved(), node.saved("ip6tables")) == before
        assert not node.loaded()


def test_the_watchdog_goes_back_where_the_waiting_run_is_gone(plans: Plans, tmp_path: Path) -> None:
    with planned("legacy", SMALL["legacy"], plans, tmp_path) as node:
        before = node.saved()
        run = node.start("run", str(node.plan), "--confirm-timeout", "3")
        node.wait_for("waiting")
        run.kill()
        run.wait()
        assert node.moved()
        node.wait_for("rolled back")
        assert node.saved() == before


def test_a_move_can_be_confirmed_after_the_session_is_gone(plans: Plans, tmp_path: Path) -> None:
    with planned("nft", SMALL["nft"], plans, tmp_path) as node:
        run = node.start("run", str(node.plan), "--confirm-timeout", "60")
        node.wait_for("waiting")
        run.kill()
        run.wait()
        assert node.migrate("confirm", str(node.plan))[0] == 0
        time.sleep(1)
        assert node.moved()
        code, said = node.migrate("run", str(node.plan))
        assert code == 0
        assert "already" in said


# --- faults ---------------------------------------------------------------------------------------

#: The programs at which a run is killed, with how far they are.
KILLS = [
    ("nft", "nft -f", "before"),
    ("nft", "nft -f", "after"),
    ("nft", "list table ip", "before"),
]

#: The same where iptables-legacy takes the rules out.
OF_LEGACY = [
    ("iptables-legacy-restore", "--noflush", "before"),
    ("iptables-legacy-restore", "--noflush", "after"),
]


@pytest.mark.parametrize(
    ("backend", "program", "pattern", "when"),
    [("legacy", *kill) for kill in KILLS + OF_LEGACY] + [("nft", *kill) for kill in KILLS],
)
def test_where_the_run_is_killed_the_watchdog_goes_back(
    backend: str, program: str, pattern: str, when: str, plans: Plans, tmp_path: Path
) -> None:
    with planned(backend, SMALL[backend], plans, tmp_path) as node:
        before = node.saved()
        node.at(program, pattern, **{when: node.kill("runner")})
        node.start("run", str(node.plan)).communicate(timeout=120)
        node.wait_for("rolled back")
        assert node.saved() == before
        assert not node.loaded()


@pytest.mark.parametrize("then", ["run", "rollback"])
@pytest.mark.parametrize(("program", "pattern", "when"), KILLS + OF_LEGACY)
def test_where_both_are_killed_the_next_command_goes_on_or_back(
    program: str, pattern: str, when: str, then: str, plans: Plans, tmp_path: Path
) -> None:
    with planned("legacy", SMALL["legacy"], plans, tmp_path) as node:
        before = node.saved()
        node.at(program, pattern, **{when: node.kill("runner", "watchdog")})
        node.start("run", str(node.plan)).communicate(timeout=120)
        if then == "run":
            run = node.start("run", str(node.plan), "--confirm-timeout", "60")
            node.wait_for("waiting")
            assert node.migrate("confirm", str(node.plan))[0] == 0
            assert run.wait(timeout=60) == 0
            assert node.moved()
        else:
            code, said = node.migrate("rollback", str(node.plan))
            assert code == 0, said
            assert node.saved() == before
            assert not node.loaded()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("then", ["run", "rollback"])
def test_a_rollback_that_is_killed_is_finished_by_the_next_command(
    when: str, then: str, plans: Plans, tmp_path: Path
) -> None:
    with planned("legacy", SMALL["legacy"], plans, tmp_path) as node:
        before = node.saved()
        node.at("nft", "remove.nft", **{when: node.kill("runner", "watchdog")})
        node.start("run", str(node.plan), "--confirm-timeout", "0").communicate(timeout=120)
        node.migrate(then, str(node.plan))
        assert node.phase() == "rolled back"
        assert node.saved() == before
        assert not node.loaded()


@pytest.mark.parametrize(
    ("program", "pattern", "before"),
    [
        ("nft", "-c -f", "echo no such file or directory; exit 1"),
        ("nft", "nft -f", "echo no memory; exit 1"),
        ("iptables-legacy-restore", "--noflush", "exit 2"),
        ("nft", "list table", "exit 1"),
    ],
)
def test_where_a_program_fails_the_node_is_as_before(
    program: str, pattern: str, before: str, plans: Plans, tmp_path: Path
) -> None:
    with planned("legacy", SMALL["legacy"], plans, tmp_path) as node:
        saved = node.saved()
        node.at(program, pattern, before=before)
        code, said = node.migrate("run", str(node.plan), "--confirm-timeout", "60")
        assert code == 1, said
        assert node.phase() in {"refused", "rolled back"}
        assert node.saved() == saved
        assert not node.loaded()


def test_an_iptables_that_takes_no_other_lock_has_its_own_view_of_it(
    plans: Plans, tmp_path: Path
) -> None:
    """It ends with 4, because the lock is held for it."""
    with planned("legacy", SMALL["legacy"], plans, tmp_path) as node:
        saved = node.saved()
        node.at("iptables-legacy-restore", "--noflush", before="exit 4")
        code, said = node.migrate("run", str(node.plan), "--confirm-timeout", "0")
        assert code == 1
        assert "no confirmation came in time" in said
        assert node.saved() == saved


#: A rule of another agent, and where it is added.
FOREIGN = "-A POSTROUTING -s 192.0.2.7/32 -j ACCEPT"


@pytest.mark.parametrize("backend", BACK_ENDS)
def test_a_rule_that_changes_what_the_plan_has_proved_refuses_it(
    backend: str, plans: Plans, tmp_path: Path
) -> None:
    with planned(backend, SMALL[backend], plans, tmp_path) as node:
        node.namespace.run(f"iptables-{backend}", "-t", "nat", "-I", *FOREIGN.split()[1:])
        before = node.saved()
        code, said = node.migrate("run", str(node.plan))
        assert code == 1
        assert "M206" in said
        assert node.saved() == before
        assert not node.loaded()


@pytest.mark.parametrize("backend", BACK_ENDS)
@pytest.mark.parametrize("when", ["before the run", "after the load", "before the proof"])
def test_a_rule_that_is_added_meanwhile_is_kept(
    backend: str, when: str, plans: Plans, tmp_path: Path
) -> None:
    with planned(backend, SMALL[backend], plans, tmp_path) as node:
        before = node.saved()
        add = f"{shutil.which(f'iptables-{backend}')} -t nat {FOREIGN}"
        if when == "before the run":
            node.namespace.run(*add.split())
        elif when == "after the load":
            node.at("nft", "nft -f", after=add)
        else:
            node.at("nft", "list table ip", before=add)
        code, said = node.migrate("run", str(node.plan), "--confirm-timeout", "0")
        assert code == 1
        assert "no confirmation came in time" in said
        kept = node.saved().splitlines()
        assert kept.count(FOREIGN) == 1
        kept.remove(FOREIGN)
        assert "\n".join(kept) == before
        assert not node.loaded()


@pytest.mark.parametrize("full", ["from the start", "after the load"])
def test_on_a_full_disk_the_node_is_as_before(full: str, plans: Plans, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    try:
        with planned("legacy", SMALL["legacy"], plans, disk) as node:
            before = node.saved()
            fill = f"cat /dev/zero > {disk}/filler 2>/dev/null || true"
            if full == "from the start":
                subprocess.run(["sh", "-c", fill], check=True)
            else:
                node.at("nft", "nft -f", after=fill)
            code, said = node.migrate("run", str(node.plan), "--confirm-timeout", "60")
            assert code in {1, 2}, said
            assert node.saved() == before
            assert not node.loaded()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
