"""Oracles are told apart by what they ask, of what, with which parameters; text is for readers."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft.core import diagnostics
from vpccni_nft.core.diagnostics import CATALOGUE, Kind
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.effects import View
from vpccni_nft.model.oracle import (
    CHOICES,
    Bound,
    Oracle,
    OracleKind,
    Position,
    header_field,
    member,
)  # fmt: skip
from vpccni_nft.model.packet import NoMeaning, State
from vpccni_nft.proof.context import ProofContext
from vpccni_nft.proof.terms import Terms

PACKAGE = Path(vpccni_nft.__file__).parent


def test_equal_sentences_do_not_make_equal_oracles() -> None:
    set_, field = member("x"), Oracle(OracleKind.HEADER_FIELD, "member of x")
    assert str(set_) == str(field)
    assert set_ != field
    world = Concrete(answers={(set_, (1,)): 1, (field, (1,)): 0})
    assert [world.ask(one, (1,), 1) for one in (set_, field)] == [1, 0]
    terms = Terms()
    assert terms.ask(set_, (), 1) is not terms.ask(field, (), 1)


def test_an_oracle_has_a_sentence() -> None:
    place = Position("FORWARD", 2)
    assert str(Oracle(OracleKind.COUNTER, place, (3,))) == "counter of 3 at FORWARD draw 2"
    bound = Bound(5, per="second", burst=7)
    assert str(Oracle(OracleKind.WITHIN, place, (bound,))) == (
        "within 5/second burst 7 at FORWARD draw 2"
    )
    assert str(Oracle(OracleKind.WITHIN, place, (Bound(9, "bytes"),))) == (
        "within 9 bytes at FORWARD draw 2"
    )
    assert str(header_field("ah", "spi")) == "ah spi"
    assert str(Position("FORWARD", 0, 1)) == "FORWARD rule 0 match 1"


@pytest.mark.parametrize("kind", OracleKind)
def test_every_kind_has_a_sentence_of_its_own(kind: OracleKind) -> None:
    numbers = [int(name) for _, name, _, _ in string.Formatter().parse(kind.value)
               if name and name.isdecimal()]  # fmt: skip
    assert sorted(set(numbers)) == list(range(len(set(numbers))))
    assert str(Oracle(kind, "object", tuple(range(len(numbers)))))
    assert [one for one in OracleKind if one.value == kind.value] == [kind]


def test_what_draws_has_a_place() -> None:
    state = State.start(Concrete(), Family.IP, "input", {})
    for kind in CHOICES:
        with pytest.raises(NoMeaning):
            View(state, None).ask_here(kind, width=8)


def test_no_regular_expression_reads_an_oracle() -> None:
    for room in ("model", "proof", "semantics", "simulate"):
        for path in (PACKAGE / room).glob("*.py"):
            assert not re.search(
                r"oracle\.(startswith|partition|split)|match\(oracle", path.read_text()
            )


def test_a_meaning_that_reads_the_hook_is_noted() -> None:
    setting = ProofContext(Terms(), Family.IP, "input", fragments=False, counters=False)
    state = setting.start(None)
    assert not setting.hook_reads.seen
    assert state.is_("mark", 0) is not None
    assert not setting.where("mark", 0).hook_reads.seen
    assert state.hook == "input"
    assert setting.hook_reads.seen
    assert setting.where("mark", 0).hook_reads.seen


def test_codes_have_names_and_titles_of_their_own() -> None:
    assert len({code.name for code in CATALOGUE}) == len({code.title for code in CATALOGUE})
    for name, title in (("P001", "another title"), ("P999", CATALOGUE[0].title)):
        with pytest.raises(ValueError, match="is taken"):
            diagnostics._code(name, Kind.ERROR, title)
    assert "P999" not in {code.name for code in CATALOGUE}
