"""The documentation against the code that it speaks of."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from vpccni_nft.core.diagnostics import (
    CATALOGUE,
)

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CODES = DOCS / "codes"

PAGES = [path for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if path.exists()]

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^]]*\]\((?P<place>[^)\s]+)(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"generate_{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CODE_PAGES = generator("codes")

#: The examples that are filled in from vectors, by code.
EXAMPLES = CODE_PAGES.examples()


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    pages = {path.stem for path in CODES.glob("*.md")} - {"README"}
    assert pages == {code.name for code in CATALOGUE}


def test_every_code_has_an_example() -> None:
    assert set(EXAMPLES) == {code.name for code in CATALOGUE}


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_the_page_of_a_code_has_its_example_and_what_that_prints(code: str) -> None:
    page = CODE_PAGES.page(code, EXAMPLES[code])
    assert read(CODES / f"{code}.md") == page
    assert f"[{code}]: " in page


def test_the_index_lists_all_codes_in_order_with_kind_and_title() -> None:
    rows = [line for line in read(CODES / "README.md").splitlines() if line.startswith("| [")]
    assert rows == [
        f"| [{code}]({code}.md) | {code.kind.value} | {code.title} |" for code in CATALOGUE
    ]


def test_the_table_of_extensions_is_up_to_date() -> None:
    assert read(DOCS / "extensions.md") == generator("extensions").page()


def test_the_schemas_are_up_to_date_and_a_test_uses_each() -> None:
    schemas = generator("schemas")
    written = {path.stem: read(path) for path in (DOCS / "schemas").glob("*.json")}
    assert written == {name: schemas.schema_of(name) for name in schemas.COMMANDS}
    tests = "".join(map(read, (ROOT / "tests").rglob("*.py")))
    assert {name for name in written if f'fits("{name}"' not in tests} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.finditer(_FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", link["place"]):
            continue
        place, _, heading = link["place"].partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link["place"]
        if heading:
            assert heading in anchors(target), link["place"]


def anchors(page: Path) -> set[str]:
    """The headings of a page as a link names them."""
    return {
        re.sub(r"[^\w\- ]", "", match["text"].lower()).replace(" ", "-")
        for match in _HEADING.finditer(_FENCE.sub("", read(page)))
    }
