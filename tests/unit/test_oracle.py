"""Oracles are told apart by what they ask, of what, with which parameters; text is for readers."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.effects import View
from vpccni_nft.model.oracle import (
    CHOICES,
    Bound,
    KeptSet,
    Oracle,
    OracleKind,
    Position,
    header_field,
    member,
)  # fmt: skip
from vpccni_nft.model.packet import Event, NoMeaning, State
from vpccni_nft.proof.context import ProofContext
from vpccni_nft.proof.term import CONDITION
from vpccni_nft.proof.terms import Terms
from vpccni_nft.simulate.side import chains_of_side

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
    place = Position("filter", "FORWARD", 2)
    assert str(Oracle(OracleKind.COUNTER, place, (3,))) == "counter of 3 at FORWARD draw 2"
    bound = Bound(5, per="second", burst=7)
    assert str(Oracle(OracleKind.WITHIN, place, (bound,))) == (
        "within 5/second burst 7 at FORWARD draw 2"
    )
    assert str(Oracle(OracleKind.WITHIN, place, (Bound(9, "bytes"),))) == (
        "within 9 bytes at FORWARD draw 2"
    )
    assert str(header_field("ah", "spi")) == "ah spi"
    assert str(Position("filter", "FORWARD", 0, 1)) == "FORWARD rule 0 match 1"


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
            View(state, None, True).ask_here(kind, width=8)


def test_no_regular_expression_reads_an_oracle() -> None:
    for room in ("model", "proof", "semantics", "simulate"):
        for path in (PACKAGE / room).glob("*.py"):
            assert not re.search(
                r"oracle\.(startswith|partition|split)|match\(oracle", path.read_text()
            )


def test_an_object_that_keeps_state_answers_anew_after_each_use() -> None:
    place = Position("filter", "FORWARD", 0)
    state = State.start(Concrete(), Family.IP, "forward", {})
    assert state.history(place) == ()
    state.emit(False, Event("spend", (place,)))
    assert state.history(place) == ()
    state.emit(True, Event("spend", (place,)))
    state.emit(True, Event("spend", (Position("filter", "FORWARD", 1),)))
    assert state.history(place) == (1,)
    state.use(True, Event("call", ("chain", frozenset({place}), frozenset())))
    assert state.history(place) == (2,)


def test_a_draw_is_drawn_anew_and_is_no_side_effect() -> None:
    place = Position("filter", "FORWARD", 0)
    for kind, effects in ((OracleKind.RANDOM, 0), (OracleKind.COUNTER, 2)):
        world = Concrete()
        state = State.start(world, Family.IP, "forward", {})
        for _ in range(2):
            View(state, place, True).ask_here(kind, 2, width=8)
        assert [arguments for _, arguments in world.asked] == [(), (1,)]
        assert len(state.events) == effects


def test_what_terms_know_of_an_object_is_the_log_of_its_uses() -> None:
    terms = Terms()
    state = State.start(terms, Family.IP, "forward", {})
    when = terms.variable("when", CONDITION)
    one, other = (Position("filter", "FORWARD", number) for number in range(2))
    state.emit(when, Event("spend", (one,)))
    (first,) = state.history(one)
    assert state.history(other) == ()
    state.emit(when, Event("spend", (other,)))
    assert state.history(one) == (first,)
    state.emit(when, Event("spend", (one,)))
    assert state.history(one) != (first,)


def test_a_set_is_another_one_where_any_part_of_its_definition_is() -> None:
    kept = KeptSet("s", timeout=5, size=65535)
    assert kept == KeptSet("s", timeout=5)
    others = [
        KeptSet("t", timeout=5), KeptSet("s", timeout=6), KeptSet("s", timeout=5, size=9),
        KeptSet("s", "table", timeout=5), KeptSet("s", timeout=5, policy=("ages", 1)),
    ]  # fmt: skip
    assert kept not in others
    assert [str(one) for one in others] == ["t", "s", "s", "s", "s"]


def test_tables_of_one_side_with_one_name_have_places_of_their_own() -> None:
    text = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m limit --limit 5/sec\nCOMMIT\n"
    dump = vpccni_nft.parse(text, family=Family.IP)
    script = nft.parse(vpccni_nft.translate(text, family=Family.IP).script())
    programs = [
        [chain.program for chain in chains_of_side(side, Family.IP)]
        for side in ((dump,), (script,), (dump, script))
    ]
    places = [
        {place for program in side for place in program.places.values()}  # type: ignore[attr-defined]
        for side in programs
    ]
    assert places[0] == places[1]
    assert len(places[2]) == 2


def test_a_meaning_that_reads_the_hook_is_noted() -> None:
    setting = ProofContext(Terms(), Family.IP, "input", fragments=False, counters=False)
    state = setting.start(None)
    assert not setting.hook_reads.seen
    assert state.is_("mark", 0) is not None
    assert not setting.where("mark", 0).hook_reads.seen
    assert state.hook == "input"
    assert setting.hook_reads.seen
    assert setting.where("mark", 0).hook_reads.seen


class _Counted:
    """An object that counts how often it is compared."""

    compared = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return hash(self.number)

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return isinstance(other, _Counted) and self.number == other.number


def test_what_happened_to_many_objects_is_looked_up() -> None:
    terms = Terms()
    state = State(terms, Family.IP, "input", {}, terms.true)
    uses = frozenset(_Counted(number) for number in range(200))
    state.use(terms.true, Event("call", ("chain", uses, frozenset())))
    _Counted.compared = 0
    state.history(*(_Counted(number) for number in range(200)))
    assert len(state.looked) == 200
    assert _Counted.compared < 1000
