"""Whole dumps and the whole scripts that they become: ``vectors/rulesets/NAME.{save,nft}``.

After a change that is meant, write the scripts anew: ``python -m tests.unit.test_rulesets``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import vpccni_nft

from ..support.corpus import allowances
from ..support.namespaces import Namespace
from ..support.vectors import FOLDER

DUMPS = sorted((FOLDER / "rulesets").glob("*.save"))


def script_of(path: Path) -> str:
    dump = path.read_text()
    script = vpccni_nft.translate(dump, allow=allowances(dump)).script()
    return script.split("\n", 1)[1]  # without the line that has the version


def test_there_are_rulesets() -> None:
    assert DUMPS
    assert {path.stem for path in DUMPS} == {
        path.stem for path in (FOLDER / "rulesets").glob("*.nft")
    }


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_a_dump_becomes_the_script_beside_it(path: Path) -> None:
    assert script_of(path) == path.with_suffix(".nft").read_text()


@pytest.mark.kernel
@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_the_kernel_takes_the_script_beside_a_dump(path: Path, fresh_namespace: Namespace) -> None:
    script = path.with_suffix(".nft").read_text()
    fresh_namespace.load(script)
    once = fresh_namespace.list_ruleset()
    fresh_namespace.load(script)
    assert fresh_namespace.list_ruleset() == once


if __name__ == "__main__":
    for dump in DUMPS:
        dump.with_suffix(".nft").write_text(script_of(dump))
