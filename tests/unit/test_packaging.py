"""The package works however it is installed: its grammars come along."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from vpccni_nft.core.diagnostics import CATALOGUE
from vpccni_nft.text.grammar import LINE, RULESET

ROOT = Path(__file__).parents[2]
DUMP = (ROOT / "tests/corpus/vpccni/v1.23-legacy-default.save").read_bytes()


def run(*command: str | Path, cwd: Path, stdin: bytes = b"") -> bytes:
    # Nothing of the environment that runs the tests may help.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=environment,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist, built from what git tracks and what is new.

    By the hatchling that is here; pip gets one for the sdist, as ``pyproject.toml`` asks for it.
    """
    folder = tmp_path_factory.mktemp("dist")
    checkout = folder / "checkout"
    copy_checkout(checkout)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, checkout, cwd=folder)
    return folder


def copy_checkout(target: Path) -> None:
    left_out = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, target, ignore=left_out)


@functools.cache
def expected() -> bytes:
    command = (sys.executable, "-m", "vpccni_nft", "translate")
    return run(*command, cwd=ROOT, stdin=DUMP)


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_an_installed_distribution_translates(
    pattern: str, distributions: Path, tmp_path: Path
) -> None:
    (distribution,) = distributions.glob(pattern)
    # With the pip that is here, as to put another one into each environment takes seconds.
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    pip = (sys.executable, "-m", "pip", "--python", environment, "install", "--quiet")
    run(*pip, "--no-compile", distribution, cwd=tmp_path)
    program = environment / "bin" / "vpccni-nft"
    assert run(program, "translate", cwd=tmp_path, stdin=DUMP) == expected()
    # The tables came along, so that nothing makes them, wherever the program may not write.
    script = "import sys, vpccni_nft as nft; nft.translate(sys.stdin.read()).script()"
    command = (environment / "bin" / "python", "-c", f"{script}; print('lark' in sys.modules)")
    assert run(*command, cwd=tmp_path, stdin=DUMP) == b"False\n"


def test_the_wheel_holds_all_that_is_not_a_program(
    distributions: Path,
) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    grammars = {f"vpccni_nft/grammars/{path.name}" for path in (ROOT / "grammars").iterdir()}
    pages = {f"vpccni_nft/codes/{code.name}.md" for code in CATALOGUE}
    assert grammars
    tables = {f"vpccni_nft/grammars/{grammar.name}.json" for grammar in (LINE, RULESET)}
    schemas = {f"vpccni_nft/schemas/{path.name}" for path in (ROOT / "docs/schemas").iterdir()}
    assert schemas
    data = f"{wheel.name.rsplit('-', 3)[0]}.data/data/share/man/man1"
    men = {f"{data}/vpccni-nft.1", f"{data}/vpccni-nft-translate.1"}
    others = {"vpccni_nft/py.typed", "vpccni_nft/node/record.sh"}
    assert {*grammars, *tables, *pages, *schemas, *men, *others} <= names
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_a_bare_checkout_translates(tmp_path: Path) -> None:
    copy_checkout(tmp_path / "checkout")
    command = (sys.executable, "-m", "vpccni_nft", "translate")
    assert run(*command, cwd=tmp_path / "checkout", stdin=DUMP) == expected()


def test_the_wheel_has_what_a_release_is_checked_for(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    check = ROOT / ".ci/check-wheel"
    run(sys.executable, check, wheel, cwd=tmp_path)
    for name, said in (
        ("vpccni_nft/__pycache__/x.pyc", "does not belong there"),
        ("other/x.py", "is of no package of ours"),
    ):
        wrong = Path(shutil.copy(wheel, tmp_path / "wrong.whl"))
        with zipfile.ZipFile(wrong, "a") as changed:
            changed.writestr(name, "")
        command = [sys.executable, str(check), str(wrong)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, f"{name} {said}" in done.stderr) == (1, True)


def test_the_lowest_releases_are_those_of_the_project() -> None:
    lines = run(sys.executable, ROOT / ".ci/lowest", cwd=ROOT).decode().splitlines()
    assert lines
    text = (ROOT / "pyproject.toml").read_text()
    for line in lines:
        assert line.replace("==", ">=").removesuffix(".*") in text
    assert {"attrs", "click", "z3-solver"} <= {line.partition("==")[0] for line in lines}


@pytest.mark.parametrize("name", ["ci", "release"])
def test_a_workflow_runs_what_is_there(name: str) -> None:
    jobs = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
    steps = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    named = re.findall(r"(?:\.ci|tests)/[\w/.-]+", "\n".join(steps))
    assert named
    for place in named:
        assert (ROOT / place).exists(), place
