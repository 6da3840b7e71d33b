"""Many nodes at a time: what is told of each, whatever becomes of another."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.fleet import FleetSettings, read_fleet, survey
from vpccni_nft.fleet.report import SHOWN

from ..support.command import INTERRUPTIBLE, Run, command, environment, run, run_process
from ..support.corpus import FOLDER, NODES, allowances, ipsets_of
from ..support.dumps import DUMP, DUMP6, UNMARKED, WRONG
from ..support.profiles import share
from ..support.schemas import fits

NODE = (FOLDER / "vpccni" / "v1.23-nft-default.save").read_text()
LISTING = (FOLDER / "native" / "v1.23-nft-default.nft").read_text()
LEGACY = (FOLDER / "vpccni" / "v1.23-legacy-default.save").read_text()

EVERYTHING = tuple(APPROXIMATIONS)

#: Put into the process that examines: what it does when it is given a node with such a rule.
_ACCIDENTS = """\
import json, os, time
loads = json.loads
def accident(text, **more):
    if isinstance(text, str):
        if "DIE" in text: os.kill(os.getpid(), 9)
        if "EXIT" in text: os._exit(7)
        if "SLEEP" in text: time.sleep(600)
        if "RAISE" in text: text = '{"texts": {"rules.save": 5}, "settings": {"allow": []}}'
    return loads(text, **more)
json.loads = accident
"""


@pytest.fixture
def accidents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process that examines a node with such a comment have an accident."""
    folder = tmp_path / "accidents"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_ACCIDENTS)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def with_comment(word: str) -> str:
    return DUMP.replace("-j DROP", f"-m comment --comment {word} -j DROP")


def folder_of(root: Path, files: dict[str, str]) -> Path:
    fleet = root / "fleet"
    for name, text in files.items():
        file = fleet / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return fleet


def examined(root: Path, files: dict[str, str], **settings: Any) -> dict[str, dict[str, Any]]:
    """The reports by the names of the nodes."""
    fleet = read_fleet(folder_of(root, files))
    reports = [*survey(fleet, FleetSettings(**settings))]
    assert len({report["node"] for report in reports}) == len(reports) == len(fleet.nodes)
    return {report["node"]: report for report in reports}


def answers(reports: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: report["answer"] for name, report in reports.items()}


# --- the corpus as a fleet ------------------------------------------------------------------------

#: Releases 1.2 and 1.20 on of the CNI, and usually a sixth of the other nodes.
FLEET = [path for path in NODES if path.stem.startswith("v1.2") or path in share(NODES, 6)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file a node, and nodes among them that nothing can be said of."""
    files = {f"{path.parent.name}-{path.name}": path.read_text() for path in FLEET}
    for path in FLEET:
        if sets := ipsets_of(path):
            files[f"{path.parent.name}-{path.stem}.ipset"] = sets
    files |= {
        "broken-cut.save": NODE[: NODE.rindex("COMMIT")],
        "broken-hello.save": "hello\n",
        "broken-nothing/readme": "nothing\n",
        "broken-empty.save": "",
        "broken-wrong.save": WRONG,
        "twin.save": NODE,
    }
    return folder_of(tmp_path_factory.mktemp("corpus"), files)


BROKEN = {
    "broken-cut": "refused",
    "broken-hello": "unreadable",
    "broken-nothing": "unreadable",
    "broken-empty": "unreadable",
    "broken-wrong": "refused",
}


def lines_with(backend: str, jobs: int, folder: Path) -> list[str]:
    settings = FleetSettings(allow=EVERYTHING)
    with joblib.parallel_config(backend=backend, n_jobs=jobs):
        return sorted(json.dumps(report) for report in survey(read_fleet(folder), settings))


@pytest.fixture(scope="module")
def reports(corpus: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_with("threading", 2, corpus)]


def test_every_node_of_the_corpus_is_proved_and_the_broken_ones_are_reported(
    reports: list[dict[str, Any]],
) -> None:
    found = {report["node"]: report["answer"] for report in reports}
    nodes = {f"{path.parent.name}-{path.stem}" for path in FLEET}
    assert found == dict.fromkeys({*nodes, "twin"}, "equivalent") | BROKEN


def test_a_line_is_as_its_schema_says(reports: list[dict[str, Any]]) -> None:
    assert all(fits("fleet-line", one) for one in reports)


def test_a_node_says_what_the_single_commands_say(reports: list[dict[str, Any]]) -> None:
    report = next(one for one in reports if one["node"] == "vpccni-v1.23-nft-default")
    assert report["detection"]["cni"] == ["iptables-nft"]
    assert report["cni_releases"] == ["v1.16.1 on"]
    assert set(report["dumps"]) == {"iptables-nft.save"}
    assert report["dumps"]["iptables-nft.save"]["rules"] == NODE.count("\n-A ")
    owned = sum(owner["rules"] for owner in report["owners"].values())
    assert owned == NODE.count("\n-A ")


def test_each_approximation_is_counted_where_it_is(reports: list[dict[str, Any]]) -> None:
    by_name = {f"{path.parent.name}-{path.stem}": path for path in FLEET}
    for report in reports:
        if path := by_name.get(report["node"]):
            needed = set(allowances(path.read_text()))
            if ipsets_of(path):
                needed.discard("T103")
            assert needed == {code for code in report["codes"] if code.startswith("T1")}


@pytest.fixture(scope="module")
def small(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = [path for pattern in ("vpccni-v1.2*", "broken-*.save", "twin*")
              for path in corpus.glob(pattern)]  # fmt: skip
    files = {path.name: path.read_text() for path in chosen}
    assert len(files) > 8
    return folder_of(tmp_path_factory.mktemp("small"), files)


def test_every_back_end_of_joblib_gives_the_same_lines(small: Path) -> None:
    expected = lines_with("threading", 1, small)
    for backend in ("loky", "multiprocessing"):
        assert lines_with(backend, 2, small) == expected


def test_counters_and_times_make_no_other_node(tmp_path: Path) -> None:
    later = re.sub(r"\[\d+:\d+\]", "[12:3456]", NODE.replace(" 2026", " 2027"))
    assert later != NODE
    found = examined(tmp_path, {"a.save": NODE, "b.save": later, "c.save": LEGACY})
    assert {name: one["like"] for name, one in found.items()} == {"a": None, "b": "a", "c": None}
    assert found["a"]["rules"] == found["b"]["rules"] != found["c"]["rules"]


# --- which file is what ---------------------------------------------------------------------------


def test_a_node_is_a_file_or_a_folder(tmp_path: Path) -> None:
    found = examined(
        tmp_path,
        {
            "ip-10-0-0-1.eu-west-1.compute.internal.save": NODE,
            "ip-10-0-0-1.eu-west-1.compute.internal.nft": LISTING,
            "ip-10-0-0-2/iptables-nft.save": NODE,
            "ip-10-0-0-2/nft.txt": LISTING,
            "ip-10-0-0-3.iptables-nft.save": NODE,
            "ip-10-0-0-3.nft-list-ruleset.txt": LISTING,
            "ip-10-0-0-4/iptables_nft_save": NODE,
            "ip-10-0-0-4/ruleset": LISTING,
            "ip-10-0-0-5/one": NODE,
            "ip-10-0-0-5/other.out": LISTING,
        },
    )
    assert len({report["rules"] for report in found.values()}) == 1
    assert len(found) == 5
    assert set(found["ip-10-0-0-1.eu-west-1.compute.internal"]["files"]) == {
        "iptables-nft.save",
        "nft.txt",
    }


def test_a_folder_of_one_node_is_a_fleet_of_one(tmp_path: Path) -> None:
    found = examined(tmp_path, {"iptables-nft.save": NODE, "iptables-version": "iptables v1.8.9"})
    assert answers(found) == {"fleet": "equivalent"}


def test_several_dumps_in_one_file_are_distinguished_and_keep_their_lines(tmp_path: Path) -> None:
    both = DUMP6 + WRONG
    found = examined(tmp_path, {"a.save": both})["a"]
    assert set(found["dumps"]) == {"ip6tables-legacy.save", "iptables-legacy.save"}
    problem = next(one for one in found["diagnostics"] if one["code"] == "P004")
    assert both.splitlines()[problem["line"] - 1] == "-A INPUT -s node.example.com -j DROP"


def test_two_files_that_disagree_are_reported_and_two_that_agree_are_one(tmp_path: Path) -> None:
    files = {"a/iptables.save": NODE, "a/iptables-nft.save": NODE}
    other = NODE.replace("-A ", "-A PREROUTING -j ACCEPT\n-A ", 1)
    found = examined(tmp_path, files | {"b/iptables.save": other, "b/iptables-nft.save": NODE})
    assert answers(found) == {"a": "equivalent", "b": "unreadable"}
    assert "two files are iptables-nft.save" in found["b"]["reasons"][0]


def test_files_of_no_node_are_named_and_nothing_else_comes_of_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.save": NODE, "README": "nothing\n", ".hidden.save": "hello"})
    done = run("fleet", str(folder))
    assert done.code == 0
    assert f"ignored: {folder / 'README'}" in done.err
    assert "hidden" not in done.out + done.err


def test_a_pipe_among_the_files_does_not_stop_the_rest(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.save": NODE})
    os.mkfifo(folder / "b.save")
    (folder / "c.save").symlink_to("nowhere")
    done, lines = fleet(folder)
    assert done.code == 3
    assert answers(lines) == {"a": "equivalent", "b": "unreadable", "c": "unreadable"}


# --- what is not equivalent -----------------------------------------------------------------------


def test_a_dump_that_does_not_show_its_family_is_refused(tmp_path: Path) -> None:
    found = examined(tmp_path, {"a.save": UNMARKED, "b/ip6tables-legacy.save": UNMARKED})
    assert answers(found) == {"a": "refused", "b": "equivalent"}
    assert found["a"]["codes"] == {"P012": 1}


def test_a_node_whose_back_ends_are_mixed_is_refused(tmp_path: Path) -> None:
    half = (FOLDER / "node" / "eks-mixed-legacy-half.save").read_text()
    mixed = {"a/iptables-legacy.save": half, "a/iptables-nft.save": NODE}
    found = examined(tmp_path, mixed)["a"]
    assert {dump["answer"] for dump in found["dumps"].values()} == {"equivalent"}
    assert found["answer"] == "refused"
    assert "M002" in found["codes"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.nft": LISTING}, "no iptables dump was given"),
        ({"a.nft": LISTING}, "the nft ruleset has rules of iptables-nft-save"),
        (
            {"a.save": NODE + "# Warning: iptables-legacy tables present, use x to see them\n"},
            "the node has rules in iptables-legacy",
        ),
    ],
)
def test_rules_that_nothing_was_given_of_leave_a_node_unknown(
    files: dict[str, str], reason: str, tmp_path: Path
) -> None:
    found = examined(tmp_path, files)["a"]
    assert found["answer"] == "unknown"
    assert any(one.startswith(reason) for one in found["reasons"])


def test_the_numbers_of_codes_count_what_is_not_shown(tmp_path: Path) -> None:
    rules = "-A INPUT -s node.example.com -j DROP\n" * (SHOWN + 7)
    found = examined(tmp_path, {"a.save": DUMP.replace("COMMIT", f"{rules}COMMIT")})["a"]
    assert found["codes"]["P004"] == SHOWN + 7
    assert len(found["diagnostics"]) == SHOWN


# --- accidents ------------------------------------------------------------------------------------


@pytest.fixture
def fresh_workers() -> Iterator[None]:
    """Loky keeps its workers, with the environment that they were started in."""
    get_reusable_executor().shutdown()
    yield
    get_reusable_executor().shutdown()


@pytest.mark.usefixtures("accidents", "fresh_workers")
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_worker_that_dies_or_fails_is_reported_and_the_rest_goes_on(
    backend: str, tmp_path: Path
) -> None:
    words = ("DIE", "EXIT", "RAISE")
    files = {f"{word}.save": with_comment(word) for word in words}
    good = {f"good-{n}.save": DUMP.replace("10.0.0.0", f"10.{n}.0.0") for n in range(6)}
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = examined(tmp_path, files | good)
    assert Counter(answers(found).values()) == {"equivalent": 6, "failed": 3}
    reasons = {word: found[word]["reasons"][0] for word in words}
    assert "SIGKILL" in reasons["DIE"]
    assert "exited with 7" in reasons["EXIT"]
    assert reasons["RAISE"].startswith("TypeError: ")


@pytest.mark.usefixtures("accidents")
def test_a_node_that_takes_too_long_is_reported_and_no_process_is_left_behind(
    tmp_path: Path,
) -> None:
    files = {"a.save": with_comment("SLEEP"), "b.save": DUMP}
    with joblib.parallel_config(backend="threading", n_jobs=2):
        found = examined(tmp_path, files, node_seconds=7)
    assert answers(found) == {"a": "unknown", "b": "equivalent"}
    assert found["a"]["reasons"] == ["no answer within 7 s"]
    assert workers(lambda process: parent_of(process) == os.getpid()) == []


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def workers(of: Callable[[int], bool]) -> list[str]:
    """The processes that examine nodes, of those that are asked for."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            if b"vpccni_nft.fleet.worker" in line and of(int(process.name)):
                found.append(line.decode())
        except OSError:  # it has ended meanwhile
            continue
    return found


# --- the command ----------------------------------------------------------------------------------


def fleet(folder: Path, *arguments: str) -> tuple[Run, dict[str, dict[str, Any]]]:
    done = run("fleet", str(folder), "-o", "-", "--jobs", "2", *arguments)
    lines = map(json.loads, done.out.splitlines())
    return done, {line["node"]: line for line in lines}


def test_the_command_writes_a_line_a_node_and_a_summary(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.save": NODE, "b.save": NODE, "c.save": WRONG, "d.save": "x\n"})
    output = tmp_path / "nodes.jsonl"
    done = run("fleet", str(folder), "-o", str(output))
    assert done.code == 1
    lines = output.read_text().splitlines()
    assert sorted(json.loads(line)["node"] for line in lines) == ["a", "b", "c", "d"]
    assert done.out.startswith("4 nodes, 1 of them with the same rules as another one\n")
    assert re.search(
        r"^answer +2  equivalent\n +1  unreadable\n +1  refused\n", done.out, re.MULTILINE
    )
    assert re.search(r"^vpc-cni release +2  unknown\n +2  v1.16.1 on$", done.out, re.MULTILINE)
    assert re.search(r"^c: refused: .*P004 \(1\)", done.err, re.MULTILINE)
    assert re.search(r"^d: unreadable: P001", done.err, re.MULTILINE)


def test_the_keys_of_a_line_are_those_that_the_documentation_names(tmp_path: Path) -> None:
    page = (FOLDER.parent.parent / "docs" / "fleet.md").read_text()
    table = page.partition("## A line")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    _, lines = fleet(folder_of(tmp_path, {"a.save": NODE, "b.save": "hello\n", "c.save": ""}))
    assert {frozenset(line) for line in lines.values()} == {frozenset(named)}


@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        ({"a.save": NODE}, (), 0),
        ({"a.save": NODE, "b.save": WRONG}, (), 1),
        ({"a.save": NODE, "b.save": "hello\n"}, (), 3),
        ({"a.save": "hello\n", "b.save": ""}, (), 2),
        ({"README": "hello\n"}, (), 2),
        ({"a.save": NODE}, ("--allow", "T999"), 2),
        ({"a.save": NODE}, ("--node-seconds", "0.001"), 3),
        ({"a.save": NODE}, ("-o", "/nowhere/at/all"), 2),
    ],
)
def test_the_exit_code_shows_the_result(
    files: dict[str, str], arguments: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    assert run("fleet", str(folder_of(tmp_path, files)), *arguments).code == code


def test_a_folder_that_is_not_there_is_reported() -> None:
    done = run("fleet", "/nowhere/at/all")
    assert done.code == 2
    assert "cannot read /nowhere/at/all: No such file or directory" in done.err


def test_without_joblib_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    # What None stands for cannot be imported.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['joblib'] = None\n")
    paths = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    done = run_process("fleet", str(tmp_path), env=environment(PYTHONPATH=paths))
    assert done.code == 2
    assert "pip install 'vpccni-nft[fleet]'" in done.err


@pytest.mark.usefixtures("accidents")
def test_a_command_that_is_interrupted_leaves_whole_lines_and_no_process(tmp_path: Path) -> None:
    files = {"a.save": NODE, "b.save": with_comment("SLEEP"), "c.save": LEGACY}
    folder, output = folder_of(tmp_path, files), tmp_path / "nodes.jsonl"
    paths = os.pathsep.join([os.environ["PYTHONPATH"], environment()["PYTHONPATH"]])
    process = subprocess.Popen(
        [*INTERRUPTIBLE, *command("fleet", str(folder), "-o", str(output), "--jobs", "2")],
        env=environment(PYTHONPATH=paths),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not output.exists() or output.read_text().count("\n") < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert {json.loads(line)["node"] for line in output.read_text().splitlines()} == {"a", "c"}
    assert workers(lambda worker: os.getpgid(worker) == process.pid) == []
