"""The documentation against the code that it speaks of."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import vpccni_nft
from vpccni_nft.core.diagnostics import (
    CATALOGUE,
    CONTRADICTED,
    ELEMENT_COUNTERS,
    MOVE_DIFFERS,
    MOVE_UNPROVED,
    NATIVE_TABLE_TAKEN,
    NO_ROOM,
    NO_TIME,
    ORDER_TAKEN,
    SEARCH_INCOMPLETE,
    TIMED_OUT,
    Code,
    Diagnostic,
)
from vpccni_nft.core.render import render
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Family
from vpccni_nft.lowering import TranslateOptions
from vpccni_nft.migration.edits import InTheWay, no_longer_fits, taking
from vpccni_nft.migration.moves import Move
from vpccni_nft.migration.plan import Choice, NodeOutput, plan
from vpccni_nft.migration.saved import SavedTable
from vpccni_nft.node.detection import detect_sources
from vpccni_nft.node.extraction import move
from vpccni_nft.node.ownership import inventory
from vpccni_nft.node.partition import take
from vpccni_nft.proof import budget, search
from vpccni_nft.proof import verify as proof
from vpccni_nft.proof.answers import Different, Unknown
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.symbolic import Solver, Undecided
from vpccni_nft.proof.verify import ProofSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CODES = DOCS / "codes"

PAGES = [path for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if path.exists()]

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^]]*\]\((?P<place>[^)\s]+)(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)
_EXAMPLE = re.compile(
    r"^## Example\n\n```text\n(?P<dump>.*?)^```\n\n"
    r"```text\n(?P<messages>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

_FILE = re.compile(
    r"^==> (?P<name>[^\n]+) <==\n(?P<text>.*?)(?=^==> |\Z)", re.MULTILINE | re.DOTALL
)

#: The dumps of a node as examples call them.
_DUMPS = {
    "legacy.save": "iptables_legacy_save",
    "nft.save": "iptables_nft_save",
    "either.save": "iptables_save",
}


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


@pytest.mark.parametrize("code", CATALOGUE, ids=str)
def test_the_page_of_a_code_has_its_title_and_kind(code: Code) -> None:
    title, blank, kind = read(CODES / f"{code}.md").splitlines()[:3]
    assert title == f"# {code}: {code.title}"
    assert not blank
    assert kind.startswith(f"Kind: {code.kind.value}")


def test_codes_of_reading_and_translating_have_their_example_from_a_vector() -> None:
    assert set(EXAMPLES) == {code.name for code in CATALOGUE if code.name[0] in "PT"}


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_the_page_of_a_code_has_the_example_of_its_vector(code: str) -> None:
    assert any(f"[{code}]" in line for line in EXAMPLES[code].messages())
    assert read(CODES / f"{code}.md") == CODE_PAGES.page(code, EXAMPLES[code])


@pytest.mark.parametrize("code", [code for code in CATALOGUE if code.name not in EXAMPLES], ids=str)
def test_the_example_of_a_code_prints_what_its_page_says(code: Code) -> None:
    example = _EXAMPLE.search(read(CODES / f"{code}.md"))
    assert example
    found = diagnostics_of(code, example["dump"])
    assert code in {one.code for one in found}
    printed = [line.rstrip() for one in found for line in render(one).splitlines()]
    assert example["messages"].splitlines() == printed


def diagnostics_of(code: Code, text: str) -> tuple[Diagnostic, ...]:
    """What is found in an example that no vector gives."""
    if code.name.startswith("M0"):
        return detected(text)
    if code in {MOVE_DIFFERS, MOVE_UNPROVED, NATIVE_TABLE_TAKEN, ORDER_TAKEN}:
        return moved(text)
    if code.name.startswith("M1"):
        return divided(text)
    if code.name.startswith("M2"):
        return planned(text)
    if code is ELEMENT_COUNTERS:
        with pytest.raises(vpccni_nft.Refused) as refused:
            vpccni_nft.translate(text, optimize=True).script("json")
        return refused.value.diagnostics
    return not_proved(code, text)


def detected(text: str) -> tuple[Diagnostic, ...]:
    """What detection says of files in one text, each below its name as head(1) prints it."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    version = files.pop("iptables --version", "")
    ruleset = files.pop("ruleset.nft", None)
    return detect_sources(
        {_DUMPS[name]: Source.of(text, name) for name, text in files.items()},
        Source.of(ruleset, "ruleset.nft") if ruleset else None,
        version,
    ).diagnostics


def moved(text: str) -> tuple[Diagnostic, ...]:
    """What is said of moving the CNI's rules, beside those of another file if there is one."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    beside = [files["beside.nft"]] if files else []
    dump = files.get("node.save", text)
    return move(dump, "vpc-cni", layout="native", beside=beside, name="node.save").diagnostics


def divided(text: str) -> tuple[Diagnostic, ...]:
    """What is said of the rules of the CNI, and of taking them."""
    ruleset = vpccni_nft.parse(text, name="node.save")
    try:
        take(ruleset, "vpc-cni")
    except vpccni_nft.Refused as refused:
        return refused.diagnostics
    return inventory(ruleset).diagnostics


def not_proved(code: Code, text: str) -> tuple[Diagnostic, ...]:
    """Why it is not known whether two sides mean the same."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    before, after = (
        Side.of([Source.of(text, name) for name, text in files.items() if name.startswith(side)])
        for side in ("before", "after")
    )
    settings = ProofSettings(
        timeout=20 if code is TIMED_OUT else None,
        most_terms=100 if code is NO_ROOM else budget.MOST_TERMS,
        most=1 if code is SEARCH_INCOMPLETE else 10,
    )
    with pytest.MonkeyPatch.context() as patch:
        if code is NO_TIME:
            patch.setattr(Solver, "find", no_answer)
        if code is TIMED_OUT:
            patch.setattr(budget.Budget, "seconds_left", 0)
        if code is NO_ROOM:
            patch.setattr(budget, "_OFTEN", 1)
        if code is CONTRADICTED:
            patch.setattr(search, "counterexample", lambda *_: None)
        answer = proof.verify(before, after, settings)
    assert isinstance(answer, Different if code is SEARCH_INCOMPLETE else Unknown)
    return answer.reasons


def no_answer(*_: object) -> None:
    raise Undecided


def planned(text: str) -> tuple[Diagnostic, ...]:
    """What planning says of a node, or of a table that was changed after it."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    if "now" in files:
        before, after, now = (
            SavedTable.of("filter", files[name].splitlines()) for name in ("before", "after", "now")
        )
        moving = Move(
            name="iptables-legacy.filter", program="iptables-legacy", family=Family.IP,
            table="filter", nft_table="vpccni-filter", before=before, after=after,
        )  # fmt: skip
        with pytest.raises(InTheWay) as found:
            taking(moving, now)
        return (no_longer_fits(moving.name, found.value),)
    files = files or {"legacy.save": text}
    ruleset = files.pop("ruleset.nft", "")
    dumps = {_DUMPS.get(name, "iptables_legacy_save"): text for name, text in files.items()}
    node = NodeOutput(
        dumps={name: Source.of(text, name) for name, text in dumps.items()},
        nft=Source.of(ruleset, "ruleset.nft"),
    )
    owner = "tailscale" if "ts-forward" in text else "all"
    choice = Choice(options=TranslateOptions(), owner=owner, forced=frozenset({"tailscale"}))
    with pytest.raises(vpccni_nft.Refused) as refused:
        plan(node, choice)
    return refused.value.diagnostics


def test_the_index_lists_all_codes_in_order_with_kind_and_title() -> None:
    rows = [line for line in read(CODES / "README.md").splitlines() if line.startswith("| [")]
    assert rows == [
        f"| [{code}]({code}.md) | {code.kind.value} | {code.title} |" for code in CATALOGUE
    ]


def test_the_table_of_extensions_is_up_to_date() -> None:
    assert read(DOCS / "extensions.md") == generator("extensions").page()


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
