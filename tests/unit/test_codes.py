"""The catalogue of codes: no two are the same, and each has a page and a use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vpccni_nft.core import diagnostics
from vpccni_nft.core.diagnostics import CATALOGUE, Code, Kind
from vpccni_nft.node.catalogues import CATALOGUES, catalogue

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "vpccni_nft"
#: The constants that stand for codes.
NAMES = {code: name for name, code in vars(diagnostics).items() if isinstance(code, Code)}
#: The words of all other modules.
WORDS = frozenset(
    word
    for path in PROGRAM.rglob("*.py")
    if path != Path(diagnostics.__file__)
    for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
)

every_code = pytest.mark.parametrize("code", CATALOGUE, ids=str)


def test_codes_are_in_order_and_have_names_and_titles_of_their_own() -> None:
    names = [code.name for code in CATALOGUE]
    assert names == sorted(set(names))
    assert len({code.title for code in CATALOGUE}) == len(CATALOGUE)


def test_every_code_is_in_the_catalogue() -> None:
    assert set(NAMES) == set(CATALOGUE)


@every_code
def test_a_code_has_a_page_with_its_title_and_kind(code: Code) -> None:
    page = (ROOT / f"docs/codes/{code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {code}: {code.title}\n")
    assert f"\nKind: {code.kind.value}" in page


@every_code
def test_a_code_is_used(code: Code) -> None:
    if code.kind is Kind.KNOWN:
        assert any(code.name in (each.code for each in catalogue(one).each) for one in CATALOGUES)
    else:
        assert NAMES[code] in WORDS


@every_code
def test_the_letter_of_a_code_says_where_it_comes_from(code: Code) -> None:
    assert re.fullmatch(r"[PTOVMK]\d{3}", code.name)
    assert (code.kind is Kind.KNOWN) == (code.name[0] == "K")
    assert (code.kind is Kind.UNKNOWN) == (code.name[0] == "V")
    assert code.kind is not Kind.APPROXIMATION or code.name[0] == "T"
