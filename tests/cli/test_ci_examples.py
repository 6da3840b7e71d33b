"""What ships for CI systems and for containers: their commands run as they are written."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import vpccni_nft

from ..support.command import run
from ..support.dumps import APPROXIMATE
from ..support.profiles import NIGHTLY
from ..support.services import kube_proxy

ROOT = Path(vpccni_nft.__file__).parents[1]
EXAMPLES = ["github-actions.yml", "gitlab-ci.yml"]
CANARY = "ip-10-0-1-7"

SAME = kube_proxy("10.180.0.1")
DROP = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 192.0.2.7/32 -j DROP\nCOMMIT\n"


def commands(example: str) -> dict[str, list[str]]:
    """The words of the command of each job."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "docs/examples" / example).read_text())
    if "jobs" in read:
        lines = {
            name: [step["run"] for step in job["steps"] if "run" in step]
            for name, job in read["jobs"].items()
        }
    else:
        lines = {name: job["script"] for name, job in read.items() if "script" in job}
    ours = {
        name: [line for line in each if line.startswith("vpccni-nft ")]
        for name, each in lines.items()
    }
    return {name: shlex.split(line)[1:] for name, (line,) in ours.items()}


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node that is the same before and after, where the commands are run."""
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{CANARY}.save").write_text(SAME)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_check_goes_on_or_stops_and_has_a_report(example: str, records: Path) -> None:
    words = commands(example)["check"]
    *options, sign, report = words
    assert (sign, options[1]) == (">", "before/*")
    assert (ROOT / "docs/examples" / example).read_text().count(report) == 2  # written and kept
    node = f"before/{CANARY}.save"
    given = [node if word == "before/*" else word for word in options]
    done = run(*given)
    assert (done.code, done.out[:1]) == (0, "{" if "sarif" in options else "<")
    (records / node).write_text(APPROXIMATE)
    stopped = run(*given)
    assert (stopped.code, "T105" in stopped.out) == (1, True)


#: What the node does after the change, and what the job then ends with; a proof takes seconds.
AFTER = {"another program's": (SAME + DROP, 1), "as before": (SAME, 0)} if NIGHTLY else {}
AFTER["not understood"] = (SAME.replace("*nat", "*natt"), 1)


@pytest.mark.parametrize(("after", "code"), AFTER.values(), ids=AFTER)
def test_gate_goes_on_or_stops(after: str, code: int, records: Path) -> None:
    words, others = (commands(example)["gate"] for example in EXAMPLES)
    assert words == others
    (records / "after" / f"{CANARY}.save").write_text(after)
    assert run(*words).code == code
    assert CANARY in (records / "nodes.jsonl").read_text()


def test_the_container_has_what_the_wheel_is_built_of_and_no_root() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    copied = {
        place
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for place in line.split()[1:-1]
    }
    assert [place for place in copied if not (ROOT / place).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {*wheel["packages"], *wheel["force-include"], "hatch_build.py", "pyproject.toml"}
    wanted |= {project["project"]["readme"], *project["project"]["license-files"]}
    assert copied == wanted
    last = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]
    (user,) = (line for line in last if line.startswith("USER "))
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", user)
