"""The command that shows the pages of codes."""

from __future__ import annotations

import json

from vpccni_nft.core.diagnostics import CATALOGUE

from ..support.command import run


def test_a_code_is_shown_with_its_page_however_it_is_written() -> None:
    shown = run("code", "t101")
    assert shown.code == 0
    assert shown.out.startswith("# T101: a recent list becomes a dynamic set\n")
    assert "## When that is harmless" in shown.out


def test_without_a_code_all_are_listed() -> None:
    listed = run("code").out.splitlines()
    assert [line.split()[0] for line in listed] == [code.name for code in CATALOGUE]
    assert all(code.title in line for code, line in zip(CATALOGUE, listed, strict=True))


def test_every_code_has_a_page_in_the_json() -> None:
    found = json.loads(run("code", "--json").out)
    assert [one["code"] for one in found] == [code.name for code in CATALOGUE]
    assert all(one["page"].startswith(f"# {one['code']}: ") for one in found)
    (only,) = json.loads(run("code", "V001", "--json").out)
    assert only.keys() == {"code", "kind", "title", "page"}


def test_a_code_that_is_not_there_is_wrong_usage_with_those_that_look_like_it() -> None:
    wrong = run("code", "T1O1")
    assert wrong.code == 2
    assert "there is no code 'T1O1': did you mean " in wrong.err
    assert "without a CODE all are listed" in run("code", "whatever").err
