"""Moves and ways back while agents write to the same tables, killed at any moment.

In the end the node has exactly what its twin has, in which nothing was moved, or exactly that
without the moved rule, which nft has.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from vpccni_nft.migration import journal, legacy, programs, run
from vpccni_nft.migration.journal import load
from vpccni_nft.migration.run import AlreadyRunning, age_of, problems_of
from vpccni_nft.migration.steps import Failed, Steps

from ..support.agents import AGENTS, MOVED
from ..support.profiles import NIGHTLY
from ..support.twins import (
    BACK_ENDS,
    Pair,
    carried_out,
    enter,
    go_back,
    plan_of,
    run_plan,
    say,
)

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A plan for each back end."""
    return {one: plan_of(one, tmp_path_factory.mktemp("agents")) for one in BACK_ENDS}


RUN_DIES = ["before apply", "after apply", "before the commit", "after the commit", "after verify"]
BACK_DIES = ["before the commit", "after the commit", "before the removal", "after the removal"]
MOMENTS = [
    *(f"run dies {moment}" for moment in RUN_DIES),
    *(f"rollback dies {moment}" for moment in BACK_DIES),
    "unconfirmed", "confirmed", "rolled back", "confirmed after the run is gone",
]  # fmt: skip

#: 130 runs. Usually every tenth: each moment and each agent on both back ends among them.
TABLE = list(product(BACK_ENDS, AGENTS, MOMENTS))


@pytest.mark.parametrize(("backend", "agent", "moment"), TABLE if NIGHTLY else TABLE[::10])
def test_a_move_is_whole_or_undone_whatever_happens_meanwhile(
    backend: str, agent: str, moment: str, plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair(backend, plans[backend], tmp_path) as pair:
        with pair.agents(agent):
            end = carried_out(pair, moment)
        pair.check(end)


def show(plan: Steps) -> None:
    """What rollback --print shows."""
    for line in plan.shown(age_of(load(plan.directory))):
        say(line)


#: What happens after a confirmed move, and was undone with it.
LATER = {
    "a Service gets another endpoint": ("a partial sync", (0, 1, 2)),
    "a host port gets another pod": ("portmap", (0, 1, 2)),
    "an administrator lets INPUT drop": ("an administrator", (0,)),
}


@pytest.mark.parametrize("backend", BACK_ENDS)
@pytest.mark.parametrize("scenario", LATER)
def test_what_others_have_done_since_is_kept(
    backend: str, scenario: str, plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair(backend, plans[backend], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        agent, numbers = LATER[scenario]
        pair.do(agent, *numbers)
        assert pair.start(show).wait() == 0, pair.log()
        assert f"#   + [12:720] {MOVED}" in pair.log()
        assert "delete table ip vpccni-nat" in pair.log()
        pair.check("new")
        assert pair.start(go_back).wait() == 0, pair.log()
        pair.check("old")


# --- what is in the way, and what is gone ---------------------------------------------------------


def refused(plan: Steps) -> bool:
    """Try to go back; whether it worked."""
    try:
        go_back(plan)
    except Failed as failed:
        say(str(failed))
        return False
    return True


_PORTALS = "-A PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES"

#: What is in the way: commands, and what is said.
IN_THE_WAY = {
    "both neighbours are gone": (
        ["-D PREROUTING 1", "-D PREROUTING 1"],
        "the rules that a moved rule stood between are gone",
    ),
    "another rule for the same packets": (
        ["-A PREROUTING -d 192.0.2.10/32 -j DNAT --to-destination 10.0.0.9"],
        "another thing happens to",
    ),
    "neighbours the other way round": (["-D PREROUTING 1", _PORTALS], "in another order"),
}


@pytest.mark.parametrize("backend", BACK_ENDS)
@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_in_the_way_is_said_and_nothing_is_changed(
    backend: str, what: str, plans: dict[str, Path], tmp_path: Path
) -> None:
    commands, said = IN_THE_WAY[what]
    with Pair(backend, plans[backend], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        for command in commands:
            words = shlex.split(f"iptables-{backend} -t nat {command}")
            enter(pair.node.name, words)
        before = pair.saved(pair.node, "-c"), enter(pair.node.name, ["nft", "list", "tables"])
        assert pair.start(refused).wait() == 1, pair.log()
        assert said in pair.log()
        assert pair.phase() == "confirmed"
        assert before == (
            pair.saved(pair.node, "-c"), enter(pair.node.name, ["nft", "list", "tables"])
        )  # fmt: skip


def problems(plan: Steps) -> bool:
    """Print what status and run say; whether there is a problem."""
    found = problems_of(plan, load(plan.directory))
    for line in found:
        say(line)
    try:
        run_plan(plan, 0)
    except AlreadyRunning as reason:
        say(str(reason))
    return bool(found)


@pytest.mark.parametrize("backend", BACK_ENDS)
def test_a_table_that_is_gone_is_noticed_and_needed_to_go_back(
    backend: str, plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair(backend, plans[backend], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        assert pair.start(problems).wait() == 1, pair.log()
        assert "the node is moved already, and that is confirmed" in pair.log()
        enter(pair.node.name, ["nft", "delete", "table", "ip", "vpccni-nat"])
        assert pair.start(problems).wait() == 0, pair.log()
        assert "the move was confirmed, but the table ip vpccni-nat is gone" in pair.log()
        enter(pair.node.name, shlex.split(f"iptables-{backend} -t nat {MOVED}"))
        assert pair.start(problems).wait() == 0, pair.log()
        assert "what has moved is in iptables again: " in pair.log()
        assert "besides" not in pair.log()
        enter(pair.node.name, shlex.split(f"iptables-{backend} -t nat {MOVED.replace('-A', '-D')}"))
        assert pair.start(refused).wait() == 1, pair.log()
        assert f"load it again with nft -f {pair.plan}/apply.nft, then roll back" in pair.log()
        enter(pair.node.name, ["nft", "-f", str(pair.plan / "apply.nft")])
        assert pair.start(go_back).wait() == 0, pair.log()
        pair.check("old")


@pytest.mark.parametrize("change", ["flush table", "add rule"])
def test_a_table_that_was_changed_is_noticed(
    change: str, plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair("legacy", plans["legacy"], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        assert pair.start(lambda plan: not problems_of(plan, load(plan.directory))).wait() == 0
        rest = "PREROUTING tcp dport 81 drop" if change == "add rule" else ""
        enter(pair.node.name, ["nft", *f"{change} ip vpccni-nat {rest}".split()])
        assert pair.start(problems).wait() == 0, pair.log()
        assert "the table ip vpccni-nat was changed since" in pair.log()
        # Both are other ways to treat a packet, so that nothing can be put back in their place.
        assert pair.start(refused).wait() == 1, pair.log()
        assert "another thing happens to" in pair.log()


#: A policy that moves.
CLOSED = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 192.0.2.0/24 -j ACCEPT\nCOMMIT\n"


def test_a_policy_that_is_in_iptables_again_is_noticed_and_kept(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    plan = plan_of("legacy", tmp_path / "made", CLOSED, "all")
    with Pair("legacy", plan, tmp_path, CLOSED) as pair:
        assert carried_out(pair, "confirmed") == "new"
        enter(pair.node.name, shlex.split("iptables-legacy -P INPUT DROP"))
        assert pair.start(problems).wait() == 0, pair.log()
        assert "in iptables again, besides the table ip vpccni-filter: -P INPUT DROP" in pair.log()
        before = pair.saved(pair.node)
        assert pair.start(refused).wait() == 1, pair.log()
        assert pair.saved(pair.node) == before


# --- other plans ----------------------------------------------------------------------------------


def of_another_plan(plan: Path) -> str:
    """What loads tables of the same names that another plan has."""
    about = json.loads((plan / "plan.json").read_text())
    return (plan / "apply.nft").read_text().replace(about["id"], "another")


def states(pair: Pair) -> tuple[object, ...]:
    """The rules of both languages, with their counters."""
    return (
        pair.saved(pair.node, "-c"),
        enter(pair.node.name, ["nft", "list", "table", "ip", "vpccni-nat"]),
    )


@pytest.mark.parametrize("when", ["before the run", "after preflight"])
def test_a_table_of_another_plan_is_neither_taken_nor_replaced(
    when: str, plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair("nft", plans["nft"], tmp_path) as pair:
        load = (["nft", "-f", "-"], of_another_plan(pair.plan))

        def work(plan: Steps) -> bool:
            apply = Steps.apply
            if when == "after preflight":
                setattr(Steps, "apply", lambda one: enter(pair.node.name, *load) or apply(one))  # noqa: B010
            return run_plan(plan, 0)

        if when == "before the run":
            enter(pair.node.name, *load)
        assert pair.start(work).wait() == 1, pair.log()
        assert ("not loaded from this directory" in pair.log()) is (when == "before the run")
        assert pair.phase() == ("refused" if when == "before the run" else "rolled back")
        assert pair.start(lambda plan: say(str(plan.in_place()))).wait() == 0
        assert "'nft.ip.vpccni-nat': 'of another plan'" in pair.log()
        assert "plan another" in str(states(pair))
        assert pair.saved(pair.node, "-c") == pair.saved(pair.twin, "-c")


def test_another_copy_of_the_plan_does_not_undo_it(plans: dict[str, Path], tmp_path: Path) -> None:
    with Pair("legacy", plans["legacy"], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        before = states(pair)
        other = pair.plan = Path(shutil.copytree(plans["legacy"], tmp_path / "copy"))
        assert pair.start(lambda plan: run_plan(plan, 0)).wait() == 1, pair.log()
        assert "not loaded from this directory" in pair.log()
        assert json.loads((other / "state.json").read_text())["phase"] == "refused"
        assert states(pair) == before


def test_a_table_that_another_plan_has_replaced_is_not_removed(
    plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair("nft", plans["nft"], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        enter(pair.node.name, ["nft", "-f", "-"], of_another_plan(pair.plan))
        before = states(pair)
        assert pair.start(refused).wait() == 1, pair.log()
        assert "not loaded from this directory" in pair.log()
        assert states(pair) == before


# --- the order of base chains ---------------------------------------------------------------------

#: All of it moves, so that the copy has the priority of iptables' own chain.
ALONE = f"*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{MOVED}\nCOMMIT\n"

#: What an administrator does since: the rule of the same packets runs behind the copy, or ahead.
SINCE = {
    "behind": ["-A PREROUTING -d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j DNAT --to 10.0.0.9"],
    "ahead": [
        "-X",
        "-A PREROUTING -d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j DNAT --to 10.0.0.9",
    ],
}


@pytest.mark.parametrize("where", SINCE)
def test_a_base_chain_that_is_made_again_runs_ahead_of_the_copy(where: str, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    plan = plan_of("nft", tmp_path / "made", ALONE, "all")
    with Pair("nft", plan, tmp_path, ALONE) as pair:
        assert carried_out(pair, "confirmed") == "new"
        for command in SINCE[where]:
            enter(pair.node.name, shlex.split(f"iptables-nft -t nat {command}"))
        before = states(pair)
        assert pair.start(refused).wait() == (where == "ahead"), pair.log()
        if where == "ahead":
            assert "another thing happens to" in pair.log()
            assert states(pair) == before
        else:
            rules = [line for line in pair.saved(pair.node) if line.startswith("-A")]
            assert [MOVED in line for line in rules] == [True, False]


# --- restarts, and old programs -------------------------------------------------------------------


def restarted(work: Callable[[Steps], object]) -> Callable[[Steps], object]:
    """The same after another start of the machine."""

    def after(plan: Steps) -> object:
        for module in (journal, run):
            setattr(module, "boot", lambda: "another")  # noqa: B010 - this process alone
        return work(plan)

    return after


@pytest.mark.parametrize("backend", BACK_ENDS)
@pytest.mark.parametrize("at_boot", [True, False])
def test_after_a_restart_what_was_loaded_at_boot_goes_back(
    backend: str, at_boot: bool, plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair(backend, plans[backend], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        if not at_boot:
            enter(pair.node.name, ["nft", "delete", "table", "ip", "vpccni-nat"])
        gone = pair.start(restarted(lambda plan: bool(problems_of(plan, load(plan.directory)))))
        assert gone.wait() == (1 if at_boot else 0), pair.log()
        assert pair.start(restarted(go_back)).wait() == 0, pair.log()
        if at_boot:
            pair.check("old")
        else:
            assert "nothing of the move is on this node" in pair.log()


def test_without_its_journal_a_move_goes_back_by_what_is_on_the_node(
    plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair("nft", plans["nft"], tmp_path) as pair:
        assert carried_out(pair, "confirmed") == "new"
        (pair.plan / "state.json").unlink()
        assert pair.start(go_back).wait() == 0, pair.log()
        pair.check("old")


def knows_one_lock(work: Callable[[Steps], object]) -> Callable[[Steps], object]:
    """The same with programs that know no other lock than iptables' own, as before 1.8.6."""

    def old(*words: str, given: str = "", environment: object = None) -> str:
        return programs.run(*words, given=given)

    def after(plan: Steps) -> object:
        setattr(legacy, "run", old)  # noqa: B010 - this process alone
        return work(plan)

    return after


def test_programs_that_know_one_lock_get_their_own_view_of_it(
    plans: dict[str, Path], tmp_path: Path
) -> None:
    with Pair("legacy", plans["legacy"], tmp_path) as pair:
        moving = pair.start(knows_one_lock(lambda plan: run_plan(plan, 0)))
        assert moving.wait() == 1, pair.log()
        assert "no confirmation came in time" in pair.log()
        pair.check("old")
