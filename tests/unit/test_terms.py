"""The normal form of terms and the solver, against all values that there are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.oracle import Oracle, OracleKind, member
from vpccni_nft.proof import general, simplify
from vpccni_nft.proof import terms as normal_form
from vpccni_nft.proof.symbolic import Solver
from vpccni_nft.proof.term import CONDITION, Term, asks, postorder
from vpccni_nft.proof.terms import Terms

#: The variables of every formula here, and their bits: few, so that all values can be tried.
WIDTHS = {"a": 4, "b": 4, "c": 2, "d": 1, "p": CONDITION, "q": CONDITION}

#: A place for each bit of each variable.
BITS = [(name, bit) for name, width in WIDTHS.items() for bit in range(max(width, 1))]

#: How many ways there are to give all variables values.
CASES = 1 << len(BITS)
EVERYWHERE = (1 << CASES) - 1

MANY = settings(max_examples=10 * settings.default.max_examples)  # type: ignore[union-attr]


def column(place: int) -> int:
    """In which cases the bit at a place is set: bit n of the number is of case n."""
    run = 1 << place
    return sum(((1 << run) - 1) << start for start in range(run, CASES, 2 * run))


COLUMNS = {where: column(place) for place, where in enumerate(BITS)}

#: A word in all cases: its bits, the lowest one first, each as the cases where it is set.
Bits = tuple[int, ...]


class Tables:
    """The algebra of truth tables: every value of every variable at once.

    A condition is the cases where it holds. What the world answers is some function of the
    arguments.
    """

    true = EVERYWHERE
    false = 0

    def const(self, value: int, width: int) -> Bits:
        return tuple(EVERYWHERE if value >> bit & 1 else 0 for bit in range(width))

    def all(self, *conditions: int) -> int:
        found = EVERYWHERE
        for condition in conditions:
            found &= condition
        return found

    def any(self, *conditions: int) -> int:
        found = 0
        for condition in conditions:
            found |= condition
        return found

    def not_(self, condition: int) -> int:
        return EVERYWHERE ^ condition

    def iff(self, left: int, right: int) -> int:
        return EVERYWHERE ^ left ^ right

    def equal(self, left: Bits, right: Bits) -> int:
        return self.all(*map(self.iff, left, right))

    def ule(self, left: Bits, right: Bits) -> int:
        found = EVERYWHERE
        for mine, theirs in zip(left, right, strict=True):
            found = self.not_(mine) & theirs | self.iff(mine, theirs) & found
        return found

    def bvand(self, left: Bits, right: Bits) -> Bits:
        return tuple(one & other for one, other in zip(left, right, strict=True))

    def bvor(self, left: Bits, right: Bits) -> Bits:
        return tuple(one | other for one, other in zip(left, right, strict=True))

    def bvxor(self, left: Bits, right: Bits) -> Bits:
        return tuple(one ^ other for one, other in zip(left, right, strict=True))

    def ite(self, condition: int, then: Bits, otherwise: Bits) -> Bits:
        return tuple(
            one & condition | other & self.not_(condition)
            for one, other in zip(then, otherwise, strict=True)
        )

    def extract(self, word: Bits, low: int, width: int) -> Bits:
        return word[low : low + width]

    def concat(self, high: Bits, low: Bits, low_width: int) -> Bits:
        assert len(low) == low_width
        return low + high

    def bvadd(self, left: Bits, right: Bits, width: int) -> Bits:
        found, carry = [], 0
        for one, other in zip(left, right, strict=True):
            found.append(one ^ other ^ carry)
            carry = one & other | carry & (one ^ other)
        assert len(found) == width
        return tuple(found)

    def ask(self, oracle: Oracle, arguments: tuple[Bits, ...], width: int) -> Bits:
        """As ``answer`` says, of numbers."""
        bits = [bit for word in arguments for bit in word]
        first = EVERYWHERE if len(str(oracle)) & 1 else 0
        found = []
        for place in range(width):
            bit = first
            for one in bits[place::width]:
                bit ^= one
            found.append(bit)
        return tuple(found)

    def impossible(self, condition: int) -> bool:
        return not condition

    @cached_property
    def variables(self) -> dict[str, Any]:
        return {
            name: tuple(COLUMNS[name, bit] for bit in range(width)) if width else COLUMNS[name, 0]
            for name, width in WIDTHS.items()
        }


TABLES = Tables()

#: Two oracles, whose sentences are of even and of odd length.
ROUTE, SET = Oracle(OracleKind.ROUTE_BACK), member("x")


class Fixed(Concrete):
    """The interpreter's own algebra, in a world that answers as that of the tables."""

    def ask(self, oracle: Oracle, arguments: tuple[Any, ...], width: int) -> int:
        bits = "".join(f"{value:0{size}b}"[::-1] for value, size in arguments)
        return sum(
            ((len(str(oracle)) + bits[place::width].count("1")) & 1) << place
            for place in range(width)
        )


@attrs.frozen
class Formula:
    """A term before any algebra has made it."""

    operation: str
    parts: tuple[Any, ...]
    width: int

    def build(self, algebra: Any, variables: Mapping[str, Any]) -> Any:
        parts = [
            one.build(algebra, variables) if isinstance(one, Formula) else one for one in self.parts
        ]
        if self.operation == "variable":
            return variables[parts[0]]
        if self.operation in {"true", "false"}:
            return getattr(algebra, self.operation)
        if self.operation == "ask":
            oracle, *arguments = parts
            if isinstance(algebra, Concrete):
                widths = [one.width for one in self.parts[1:]]
                arguments = list(zip(arguments, widths, strict=True))
            return algebra.ask(oracle, tuple(arguments), self.width)
        return getattr(algebra, self.operation)(*parts)

    def __repr__(self) -> str:
        if self.operation == "variable":
            return str(self.parts[0])
        return f"{self.operation}({', '.join(map(repr, self.parts))})"


# --- drawing formulas ---------------------------------------------------------------------------


def variable(name: str) -> Formula:
    return Formula("variable", (name,), WIDTHS[name])


def constants(width: int) -> st.SearchStrategy[Formula]:
    return st.integers(0, (1 << width) - 1).map(
        lambda value: Formula("const", (value, width), width)
    )


@st.composite
def words(draw: st.DrawFn, width: int, depth: int) -> Formula:
    leaves = [name for name, bits in WIDTHS.items() if bits == width]
    kinds = ["const"] + 2 * (["variable"] if leaves else [])
    if depth:
        kinds += ["bvand", "bvor", "bvxor", "ite", "ite", "bvadd", "extract", "ask"]
        kinds += ["masked"] * 3 + (["concat"] if width > 1 else [])
    kind = draw(st.sampled_from(kinds))
    below = words(width, depth - 1)
    match kind:
        case "const":
            return draw(constants(width))
        case "variable":
            return variable(draw(st.sampled_from(leaves)))
        case "masked":
            operation = draw(st.sampled_from(("bvand", "bvor", "bvxor")))
            return Formula(operation, (draw(below), draw(constants(width))), width)
        case "ite":
            condition = draw(conditions(depth - 1))
            return Formula(kind, (condition, draw(below), draw(below)), width)
        case "bvadd":
            return Formula(kind, (draw(below), draw(below), width), width)
        case "extract":
            wider = draw(st.integers(width, 4))
            low = draw(st.integers(0, wider - width))
            return Formula(kind, (draw(words(wider, depth - 1)), low, width), width)
        case "concat":
            low = draw(st.integers(1, width - 1))
            high = draw(words(width - low, depth - 1))
            return Formula(kind, (high, draw(words(low, depth - 1)), low), width)
        case "ask":
            oracle = draw(st.sampled_from((SET, ROUTE)))
            return Formula(kind, (oracle, draw(words(2, depth - 1))), width)
        case _:
            return Formula(kind, (draw(below), draw(below)), width)


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> Formula:
    kinds = ["variable"]
    if depth:
        kinds += ["not_", "iff", "range", "true"]
        kinds += ["all", "any", "equal", "ule"] * 2 + ["bits"] * 3
    kind = draw(st.sampled_from(kinds))
    below = conditions(depth - 1)
    match kind:
        case "variable":
            return variable(draw(st.sampled_from("pq")))
        case "true":
            return Formula(draw(st.sampled_from(("true", "false"))), (), CONDITION)
        case "not_":
            return Formula(kind, (draw(below),), CONDITION)
        case "iff":
            return Formula(kind, (draw(below), draw(below)), CONDITION)
        case "all" | "any":
            return Formula(kind, tuple(draw(st.lists(below, max_size=5))), CONDITION)
    width = draw(st.sampled_from((1, 2, 4, 4)))
    word = draw(words(width, depth - 1))
    match kind:
        case "bits":
            masked = Formula("bvand", (word, draw(constants(width))), width)
            return Formula("equal", (masked, draw(constants(width))), CONDITION)
        case "range":
            first, last = draw(constants(width)), draw(constants(width))
            bounds = (("ule", (first, word)), ("ule", (word, last)))
            return Formula("all", tuple(Formula(*one, CONDITION) for one in bounds), CONDITION)
        case _:
            other = draw(st.one_of(constants(width), words(width, depth - 1)))
            pair = (word, other) if draw(st.booleans()) else (other, word)
            return Formula(kind, pair, CONDITION)


any_condition = conditions(4)
any_word = words(4, 4)

# --- what a term is worth -----------------------------------------------------------------------


def terms_of(terms: Terms) -> dict[str, Term]:
    return {name: terms.variable(name, width) for name, width in WIDTHS.items()}


def table_of(term: Term) -> Any:
    """A term's value in all cases, by what each kind of term means."""
    found: dict[Term, Any] = {}
    for one in postorder(term, found):
        found[one] = _value(one, [found[part] for part in one.terms])
    return found[term]


def _value(term: Term, parts: list[Any]) -> Any:  # noqa: PLR0912 - one a kind of term
    rest = [part for part in term.parts if not isinstance(part, Term)]
    match term.kind:
        case "true" | "false":
            return getattr(TABLES, term.kind)
        case "variable":
            return TABLES.variables[rest[0]]
        case "const":
            return TABLES.const(rest[0], term.width)
        case "ask":
            return TABLES.ask(rest[0], tuple(parts), term.width)
        case "not":
            return TABLES.not_(parts[0])
        case "and":
            return TABLES.all(*parts)
        case "bits":
            width = len(parts[0])
            mask, value = (TABLES.const(number, width) for number in rest)
            return TABLES.equal(TABLES.bvand(parts[0], mask), value)
        case "up to":
            return TABLES.ule(parts[0], TABLES.const(rest[0], len(parts[0])))
        case "masked":
            free, flipped = (TABLES.const(number, term.width) for number in rest)
            return TABLES.bvxor(TABLES.bvand(parts[0], free), flipped)
        case "extract":
            return TABLES.extract(parts[0], rest[0], term.width)
        case "concat":
            return TABLES.concat(parts[0], parts[1], len(parts[1]))
        case "bvadd":
            return TABLES.bvadd(parts[0], parts[1], term.width)
        case "ule":
            return TABLES.ule(*parts)
        case _:
            return getattr(TABLES, term.kind)(*parts)


def values_in(case: int) -> dict[str, Any]:
    """The variables' values in a case."""
    found: dict[str, Any] = {}
    for name, width in WIDTHS.items():
        bits = [COLUMNS[name, bit] >> case & 1 for bit in range(max(width, 1))]
        number = sum(bit << place for place, bit in enumerate(bits))
        found[name] = number if width else bool(number)
    return found


def case_of(values: Mapping[str, int]) -> int:
    return sum((values[name] >> bit & 1) << place for place, (name, bit) in enumerate(BITS))


def in_case(table: Any, case: int) -> int:
    if isinstance(table, int):
        return table >> case & 1
    return sum((bit >> case & 1) << place for place, bit in enumerate(table))


# --- the normal form ----------------------------------------------------------------------------


@given(any_condition, any_word, st.integers(0, CASES - 1))
def test_the_tables_say_what_the_interpreter_says(
    condition: Formula, word: Formula, case: int
) -> None:
    for formula in (condition, word):
        plain = formula.build(Fixed(), values_in(case))
        assert in_case(formula.build(TABLES, TABLES.variables), case) == plain


@MANY
@given(any_condition)
def test_the_normal_form_of_a_condition_holds_where_the_condition_holds(formula: Formula) -> None:
    terms = Terms()
    term = formula.build(terms, terms_of(terms))
    assert table_of(term) == formula.build(TABLES, TABLES.variables)


@MANY
@given(any_word)
def test_the_normal_form_of_a_word_has_the_word_s_value(formula: Formula) -> None:
    terms = Terms()
    term = formula.build(terms, terms_of(terms))
    assert table_of(term) == formula.build(TABLES, TABLES.variables)


@given(any_condition)
def test_the_limits_of_the_normal_form_change_no_meaning(formula: Formula) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normal_form, "_MOST_CONDITIONS", 2)
        patch.setattr(simplify, "_DEPTH", 1)
        patch.setattr(simplify, "_MOST_PARTS", 1)
        terms = Terms()
        term = formula.build(terms, terms_of(terms))
    assert table_of(term) == formula.build(TABLES, TABLES.variables)


@given(any_condition)
def test_a_general_term_with_its_literals_put_back_is_the_term(formula: Formula) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(general, "_WIDE", 2)
        terms = Terms()
        term = formula.build(terms, terms_of(terms))
        shape = general.LiteralShape(terms, {})
        shape.of(term)
        again = shape.particular(shape.general(term))
    assume(not any(True for _ in asks(term)))  # what the world answers has lost its name
    assert table_of(again) == formula.build(TABLES, TABLES.variables)


@given(any_condition)
def test_a_condition_that_is_impossible_holds_nowhere(formula: Formula) -> None:
    terms = Terms()
    if terms.impossible(formula.build(terms, terms_of(terms))):
        assert formula.build(TABLES, TABLES.variables) == 0


@given(any_word)
def test_a_term_depends_on_no_bit_of_a_variable_but_those_that_it_reads(formula: Formula) -> None:
    terms = Terms()
    term = formula.build(terms, terms_of(terms))
    table = table_of(term)
    read = terms.dependence.reads(term)
    for place, (name, number) in enumerate(BITS):
        if not (read.get(name, 0) >> number & 1 if WIDTHS[name] else name in read):
            one = [bit >> (1 << place) & ~COLUMNS[BITS[place]] for bit in table]
            other = [bit & ~COLUMNS[BITS[place]] for bit in table]
            assert one == other


@settings(max_examples=25)
@given(st.lists(st.tuples(any_condition, st.integers(0, 15), any_word), min_size=1, max_size=3))
def test_what_a_word_has_become_hangs_on_what_is_read_alone(
    steps: list[tuple[Formula, int, Formula]],
) -> None:
    """Rules that set some bits of a word, each where a condition holds.

    For all packets that are equal in what is read, a bit is new and has one value, or it is what it
    was; and where all bits are new at once, that is the same for all of them.
    """
    terms = Terms()
    variables = terms_of(terms)
    word = variables["a"]
    for condition, mask, value in steps:
        taken, rest = terms.const(mask, 4), terms.const(15 ^ mask, 4)
        new = terms.bvor(terms.bvand(value.build(terms, variables), taken), terms.bvand(word, rest))
        word = terms.ite(condition.build(terms, variables), new, word)
    change = terms.dependence.change(word, variables["a"])
    groups: dict[tuple[int, ...], list[int]] = {}
    read = [
        COLUMNS[name, bit]
        for name, bit in BITS
        if name in change.reads and (change.reads[name] >> bit & 1 or not WIDTHS[name])
    ]
    for case in range(CASES):
        groups.setdefault(tuple(column >> case & 1 for column in read), []).append(case)
    table = table_of(word)
    for cases in groups.values():
        kept, fresh = set(range(4)), set(range(4))
        for bit in range(4):
            values = [table[bit] >> case & 1 for case in cases]
            if values != [COLUMNS["a", bit] >> case & 1 for case in cases]:
                kept.discard(bit)
            if len(set(values)) > 1:
                fresh.discard(bit)
        changed = {bit for bit in range(4) if change.mask >> bit & 1}
        assert kept >= set(range(4)) - changed
        assert kept | fresh == set(range(4))
        assert not change.is_whole or changed <= kept or changed <= fresh


@given(any_condition, any_condition)
def test_terms_of_one_normal_form_mean_the_same(one: Formula, other: Formula) -> None:
    """And what is built twice is one object."""
    terms = Terms()
    variables = terms_of(terms)
    mine, theirs = one.build(terms, variables), other.build(terms, variables)
    assert one.build(terms, variables) is mine
    if mine is theirs:
        assert one.build(TABLES, TABLES.variables) == other.build(TABLES, TABLES.variables)


# --- the solver ---------------------------------------------------------------------------------


def without_questions(formula: Formula) -> bool:
    """Whether the world is not asked: the solver may take it for another one than the tables do."""
    return formula.operation != "ask" and all(
        without_questions(part) for part in formula.parts if isinstance(part, Formula)
    )


plain_conditions = conditions(3).filter(without_questions)
plain_words = words(4, 3).filter(without_questions)


@given(plain_conditions, plain_words)
def test_the_solver_finds_values_just_where_there_are_some(formula: Formula, word: Formula) -> None:
    terms, solver = Terms(), Solver(60)
    variables = terms_of(terms)
    condition, term = (one.build(terms, variables) for one in (formula, word))
    table = formula.build(TABLES, TABLES.variables)
    model = solver.find(condition)
    if model is None:
        assert table == 0
        return
    case = case_of({name: _number(model, terms, one) for name, one in variables.items()})
    assert in_case(table, case)
    assert model.value(term) == in_case(word.build(TABLES, TABLES.variables), case)


def _number(model: Any, terms: Terms, variable: Term) -> int:
    """A variable's value; the model has numbers of words only."""
    if variable.width != CONDITION:
        return int(model.value(variable))
    one, zero = terms.const(1, 1), terms.const(0, 1)
    return int(model.value(terms._make("ite", (variable, one, zero), 1)))


@given(plain_conditions, plain_conditions)
def test_the_solver_keeps_to_what_is_given(one: Formula, other: Formula) -> None:
    terms = Terms()
    variables = terms_of(terms)
    found = Solver(60).find(one.build(terms, variables), [other.build(terms, variables)])
    tables = [formula.build(TABLES, TABLES.variables) for formula in (one, other)]
    assert (found is None) is (tables[0] & tables[1] == 0)


def test_the_world_gives_one_answer_to_one_question() -> None:
    terms, solver = Terms(), Solver(60)
    a, b = (terms.variable(name, 4) for name in "ab")
    alike = terms.equal(a, b)
    answers = {
        (oracle, name): terms.ask(oracle, (word,), 4)
        for oracle in (ROUTE, SET)
        for name, word in (("a", a), ("b", b))
    }
    differ = {
        pair: terms.not_(terms.equal(*(answers[one] for one in pair)))
        for pair in itertools.combinations(answers, 2)
    }
    found = {pair for pair, condition in differ.items() if not solver.find(condition, [alike])}
    assert found == {
        ((ROUTE, "a"), (ROUTE, "b")),
        ((SET, "a"), (SET, "b")),
    }
    assert all(solver.find(condition) for condition in differ.values())


def test_answers_of_other_widths_and_to_other_arguments_are_of_other_functions() -> None:
    terms, solver = Terms(), Solver(60)
    a, c = terms.variable("a", 4), terms.variable("c", 2)
    short, long, two = (
        terms.ask(ROUTE, arguments, width)
        for arguments, width in (((c,), 2), ((a,), 4), ((a, c), 4))
    )
    assert solver.find(terms.equal(long, two))
    assert solver.find(terms.not_(terms.equal(long, two)))
    assert solver.find(terms.not_(terms.equal(terms.extract(long, 0, 2), short)))


# --- logs ---------------------------------------------------------------------------------------

happened = st.lists(
    st.tuples(conditions(2), st.sampled_from(("log", "count")), words(2, 1)).filter(
        lambda one: without_questions(one[0]) and without_questions(one[2])
    ),
    max_size=4,
)
Log = list[tuple[Formula, str, Formula]]


@given(happened, st.data())
def test_two_logs_are_equal_just_where_the_same_happens_in_the_same_order(
    one: Log, data: st.DataObject
) -> None:
    other: Log = data.draw(st.one_of(st.permutations(one), happened))
    terms = Terms()
    variables = terms_of(terms)
    mine, theirs = (
        terms.log(
            (when.build(terms, variables), event, (word.build(terms, variables),))
            for when, event, word in log
        )
        for log in (one, other)
    )
    found = Solver(60).find(terms.not_(terms.same(mine, theirs)))
    sequences = [list(happened_in_all(log)) for log in (one, other)]
    assert (found is not None) is (sequences[0] != sequences[1])


def happened_in_all(log: Log) -> Iterator[list[tuple[str, int]]]:
    """What has happened in each case."""
    tables = [
        (when.build(TABLES, TABLES.variables), event, word.build(TABLES, TABLES.variables))
        for when, event, word in log
    ]
    for case in range(CASES):
        yield [(event, in_case(word, case)) for when, event, word in tables if when >> case & 1]
