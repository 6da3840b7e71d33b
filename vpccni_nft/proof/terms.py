"""The algebra of terms: meanings of all packets at once.

Terms are interned and kept in a normal form, so that most terms that mean the same are the same
object. What the normal form does not settle, ``symbolic`` asks the solver.

A conjunction is a set of conditions; a disjunction is the negation of one. A comparison of some
bits with a constant is one atom, ``bits``, whatever masks, shifts and flips stand before it; so is
an upper bound, ``up to``.
"""

from __future__ import annotations

from operator import attrgetter, is_
from typing import TYPE_CHECKING

from ..model.packet import Event
from .bits import OF_BITS, comparisons
from .budget import Budget
from .dependence import Dependence
from .simplify import simplified
from .term import CONDITION, LOG, Term, conjuncts, postorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..model.lookup import KeyGroup, KeyIndex
    from ..model.oracle import Oracle
    from .bits import Piece

#: Conjunctions of conjunctions are flattened up to so many conditions. Beyond that a conjunction
#: stays a condition of the next one: the terms of a chain grow with its rules, not their square.
_MOST_CONDITIONS = 24

#: Of so many values a word is taken for one of them, and a comparison with each is made.
_MOST_VALUES = 16

#: How many terms get other parts before the clock is looked at again, and how many are asked for
#: that may be there already.
_OFTEN, _ASKED = 512, 4096

#: Terms are ordered by when they were made first.
_age = attrgetter("number")


class Terms:
    """Booleans and words are terms. What the world answers is a function of its question."""

    def __init__(self, budget: Budget | None = None) -> None:
        #: Called for every term that is made.
        self._budget = Budget() if budget is None else budget
        self._known: dict[tuple[object, ...], Term] = {}
        self._asked = 0
        self.true = self._make("true", (), CONDITION)
        self.false = self._make("false", (), CONDITION)
        self.true.negation, self.false.negation = self.false, self.true
        self.dependence = Dependence()
        self._values: dict[Term, frozenset[int] | None] = {}
        self._substituted = 0
        #: How many parts of the condition at hand may still be looked into.
        self.left = 0
        #: Conjunctions by what was joined: most are asked for many times, on many ways through the
        #: rules. Those that are made while a condition is looked into have another normal form.
        self._conjunctions: dict[bool, dict[tuple[Term, ...], Term]] = {False: {}, True: {}}

    # --- making terms -----------------------------------------------------------------------------

    def _make(self, kind: str, parts: tuple[object, ...], width: int) -> Term:
        self._asked += 1
        if self._asked % _ASKED == 0:
            self._budget.check()
        key = (kind, width, *parts)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Term(kind, parts, width, len(self._known))
            self._budget.check_terms(found.number)
        return found

    def raw(self, kind: str, parts: tuple[object, ...], width: int) -> Term:
        """A term as it stands, in no normal form: for the solver alone."""
        return self._make(kind, parts, width)

    def variable(self, name: str, width: int) -> Term:
        """Something that can have any value."""
        return self._make("variable", (name,), width)

    def const(self, value: int, width: int) -> Term:
        """A constant."""
        if value >> width:
            raise ValueError(f"{value} is no word of {width} bits")
        return self._make("const", (value,), width)

    def ask(self, oracle: Oracle, arguments: tuple[Term, ...], width: int) -> Term:
        """A function's value."""
        return self._make("ask", (oracle, *arguments), width)

    def result(self, of: str, arguments: tuple[Term, ...], width: int) -> Term:
        """What comes of something that is not looked into: a function of its arguments."""
        return self._make("result", (of, *arguments), width)

    def oracles(self) -> set[Oracle]:
        """What the world has been asked."""
        return {term.parts[0] for term in self._known.values() if term.kind == "ask"}

    # --- conditions -------------------------------------------------------------------------------

    def not_(self, condition: Term) -> Term:
        """Negation."""
        negation = condition.negation
        if negation is None:
            negation = self._make("not", (condition,), CONDITION)
            condition.negation, negation.negation = negation, condition
        return negation

    def all(self, *conditions: Term) -> Term:
        """Conjunction."""
        found: dict[Term, None] = {}
        for condition in conditions:
            if condition.kind == "and" and len(condition.parts) + len(found) <= _MOST_CONDITIONS:
                found.update(dict.fromkeys(condition.terms))
            elif condition is not self.true:
                found[condition] = None
        if not found:
            return self.true
        if len(found) == 1:
            return next(iter(found))
        conjunctions = self._conjunctions[self.left > 0]
        key = tuple(found)
        known = conjunctions.get(key)
        if known is None:
            known = conjunctions[key] = self._conjunction(simplified(self, found))
        return known

    def _conjunction(self, conditions: dict[Term, None]) -> Term:
        if self.false in conditions:
            return self.false
        if len(conditions) == 1:
            return next(iter(conditions))
        return self._make("and", tuple(sorted(conditions, key=_age)), CONDITION)

    def any(self, *conditions: Term) -> Term:
        """Disjunction."""
        found = [one for one in conditions if one is not self.false]
        if len(found) == 2 and (whole := self._whole(*found) or self._whole(*found[::-1])):
            return whole
        return self.not_(self.all(*map(self.not_, found)))

    def _whole(self, one: Term, other: Term) -> Term | None:
        """What was split in two by a condition: where it holds, and where it does not."""
        with_it, without = (dict.fromkeys(conjuncts(each)) for each in (one, other))
        extra = without.keys() - with_it.keys()
        if len(extra) != 1:
            return None
        (negated,) = extra
        split = dict.fromkeys(conjuncts(self.not_(negated)))
        if split.keys() != with_it.keys() - without.keys():
            return None
        return self.all(*(part for part in with_it if part not in split))

    def iff(self, left: Term, right: Term) -> Term:
        """Equivalence."""
        if left is right:
            return self.true
        return self.any(self.all(left, right), self.all(self.not_(left), self.not_(right)))

    def impossible(self, condition: Term) -> bool:
        """Whether the normal form is false."""
        return condition is self.false

    # --- what words can be ------------------------------------------------------------------------

    def values(self, word: Term) -> frozenset[int] | None:
        """The values that a word can have, where they are few and plain to see."""
        if word.kind == "const":
            return frozenset((_value(word),))
        if word.kind != "ite":
            return None
        if word not in self._values:
            then, otherwise = map(self.values, word.terms[1:])
            both = then | otherwise if then and otherwise else None
            self._values[word] = both if both and len(both) <= _MOST_VALUES else None
        return self._values[word]

    def candidates(self, index: KeyIndex, words: tuple[Term, ...], *, splits: bool) -> list[int]:  # noqa: ARG002 - for cases alone
        """The numbers of what words can match: comparisons with other keys would be false."""
        found = index.matched([self.values(word) for word in words])
        return index.numbers(found)

    def is_in(self, group: KeyGroup, words: tuple[Term, ...]) -> Term:
        """Whether words are one of some keys: of many of them it is one condition."""
        known = [_value(word) if word.kind == "const" else None for word in words]
        if None not in known:
            return self.true if tuple(known) in group.by_key else self.false
        group = group.where(known)
        words = tuple(word for word in words if word.kind != "const")
        found = list(group.keys_for([self.values(word) for word in words]))
        if len(found) > _MOST_VALUES:
            return self._make("in", (group, *words), CONDITION)
        return self.any(
            *(
                self.all(
                    *(
                        self.equal(word, self.const(value, word.width))
                        if not value >> word.width
                        else self.false
                        for word, value in zip(words, key, strict=True)
                    )
                )
                for key in found
            )
        )

    # --- comparisons ------------------------------------------------------------------------------

    def equal(self, left: Term, right: Term) -> Term:
        """Equality."""
        assert left.width == right.width, (left, right)
        if left is right:
            return self.true
        if left.kind == "const":
            left, right = right, left
        if right.kind == "const":
            return self.bits(left, (1 << left.width) - 1, _value(right))
        if not OF_BITS.isdisjoint((left.kind, right.kind)):
            found = comparisons(left, right)
            if found is not None:
                return self.all(*(self._equal_pieces(*pair) for pair in found))
        for one, other in ((left, right), (right, left)):
            if one.kind == "ite" and other in one.parts:
                condition, then, otherwise = one.terms
                return self.any(
                    self.all(condition, self.equal(then, other)),
                    self.all(self.not_(condition), self.equal(otherwise, other)),
                )
        return self._make("equal", tuple(sorted((left, right), key=_age)), CONDITION)

    def _equal_pieces(self, one: Piece, other: Piece) -> Term:
        """Whether the same bits of two words are equal, each with some turned round."""
        wrong = one.flipped ^ other.flipped
        if one.word is other.word or one.word is None:
            return self.false if wrong else self.true
        if other.word is None:
            return self.bits(one.word, one.mask, wrong)
        first, last = sorted((one.word, other.word), key=_age)
        words = self._masked(first, one.mask, 0), self._masked(last, one.mask, wrong)
        return self._make("equal", words, CONDITION)

    def bits(self, word: Term, mask: int, value: int) -> Term:
        """Whether a word's bits under a mask have a value."""
        if value & ~mask:
            return self.false
        if not mask:
            return self.true
        match word.kind, word.parts:
            case "const", (int(constant),):
                return self.true if constant & mask == value else self.false
            case "masked", (Term() as inner, int(free), int(flipped)):
                if (value ^ flipped) & mask & ~free:
                    return self.false
                return self.bits(inner, mask & free, (value ^ flipped) & mask & free)
            case "extract", (Term() as inner, int(low)):
                return self.bits(inner, mask << low, value << low)
            case "concat", (Term() as high, Term() as low_word):
                low_bits = (1 << low_word.width) - 1
                return self.all(
                    self.bits(high, mask >> low_word.width, value >> low_word.width),
                    self.bits(low_word, mask & low_bits, value & low_bits),
                )
            case "ite", (Term() as condition, Term() as then, Term() as otherwise):
                if then.kind == "const" or otherwise.kind == "const":
                    return self.any(
                        self.all(condition, self.bits(then, mask, value)),
                        self.all(self.not_(condition), self.bits(otherwise, mask, value)),
                    )
        if word.width == 1 and not value:
            return self.not_(self.bits(word, 1, 1))
        if mask & mask - 1 == 0 and not value:
            return self.not_(self._make("bits", (word, mask, mask), CONDITION))
        return self._make("bits", (word, mask, value), CONDITION)

    def ule(self, left: Term, right: Term) -> Term:
        """Order: bounds by constants are upper bounds, or the negation of one."""
        assert left.width == right.width, (left, right)
        if left is right:
            return self.true
        if right.kind == "const":
            return self.up_to(left, _value(right))
        if left.kind == "const":
            return self.not_(self.up_to(right, _value(left) - 1))
        return self._make("ule", (left, right), CONDITION)

    def up_to(self, word: Term, limit: int) -> Term:
        """Whether a word is at most a number; of a negative one, nothing is."""
        if limit < 0:
            return self.false
        if limit >= (1 << word.width) - 1:
            return self.true
        if limit == 0:
            return self.bits(word, (1 << word.width) - 1, 0)
        if limit & limit + 1 == 0:
            return self.bits(word, ((1 << word.width) - 1) ^ limit, 0)
        if limit + 2 == 1 << word.width:
            return self.not_(self.bits(word, limit + 1, limit + 1))
        if word.kind == "const":
            return self.true if _value(word) <= limit else self.false
        return self._make("up to", (word, limit), CONDITION)

    # --- words ------------------------------------------------------------------------------------

    def _masked(self, word: Term, free: int, flipped: int) -> Term:
        """The free bits of a word, with some bits turned round after that."""
        if word.kind == "const":
            return self.const(_value(word) & free ^ flipped, word.width)
        if word.kind == "masked":
            inner, before, turned = word.parts
            return self._masked(inner, before & free, turned & free ^ flipped)
        if not free:
            return self.const(flipped, word.width)
        if free == (1 << word.width) - 1 and not flipped:
            return word
        return self._make("masked", (word, free, flipped), word.width)

    def bvand(self, left: Term, right: Term) -> Term:
        """Bitwise and."""
        if left.kind == "const":
            left, right = right, left
        if right.kind == "const":
            return self._masked(left, _value(right), 0)
        return self._symmetric("bvand", left, right) if left is not right else left

    def bvor(self, left: Term, right: Term) -> Term:
        """Bitwise or."""
        if left.kind == "const":
            left, right = right, left
        if right.kind == "const":
            bits = _value(right)
            return self._masked(left, ((1 << left.width) - 1) & ~bits, bits)
        return self._symmetric("bvor", left, right) if left is not right else left

    def bvxor(self, left: Term, right: Term) -> Term:
        """Bitwise exclusive or."""
        if left.kind == "const":
            left, right = right, left
        if right.kind == "const":
            return self._masked(left, (1 << left.width) - 1, _value(right))
        return self._symmetric("bvxor", left, right)

    def _symmetric(self, kind: str, left: Term, right: Term) -> Term:
        assert left.width == right.width, (left, right)
        return self._make(kind, tuple(sorted((left, right), key=_age)), left.width)

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        """One of the two."""
        assert then.width == otherwise.width, (then, otherwise)
        if condition is self.true or then is otherwise:
            return then
        if condition is self.false:
            return otherwise
        if condition.kind == "not":
            (condition,) = condition.terms
            then, otherwise = otherwise, then
        if then.kind == "ite" and then.parts[0] is condition:
            then = then.parts[1]
        if otherwise.kind == "ite":
            inner, first, second = otherwise.terms
            if inner is condition:
                otherwise = second
            elif first is then:
                return self.ite(self.any(condition, inner), then, second)
        if then is otherwise:
            return then
        return self._make("ite", (condition, then, otherwise), then.width)

    def extract(self, word: Term, low: int, width: int) -> Term:
        """Some bits of a word."""
        if word.kind == "const":
            return self.const(_value(word) >> low & (1 << width) - 1, width)
        if not low and width == word.width:
            return word
        if word.kind == "concat":
            high, low_word = word.terms
            if low >= low_word.width:
                return self.extract(high, low - low_word.width, width)
            if low + width <= low_word.width:
                return self.extract(low_word, low, width)
        return self._make("extract", (word, low), width)

    def concat(self, high: Term, low: Term, low_width: int) -> Term:
        """One behind the other."""
        width = high.width + low_width
        if high.kind == low.kind == "const":
            return self.const(_value(high) << low_width | _value(low), width)
        if high.kind == low.kind == "extract":
            word, from_high = high.parts
            other, from_low = low.parts
            if word is other and from_high == from_low + low_width:
                return self.extract(word, from_low, width)
        return self._make("concat", (high, low), width)

    def bvadd(self, left: Term, right: Term, width: int) -> Term:
        """Modular addition."""
        if left.kind == right.kind == "const":
            return self.const(_value(left) + _value(right) & (1 << width) - 1, width)
        return self._symmetric("bvadd", left, right)

    # --- logs: what happened, in its order --------------------------------------------------------

    def log(self, events: Iterable[tuple[Term, object, tuple[Term, ...]]]) -> Term:
        """What has happened: each under its condition, with the words that went into it."""
        found = self.variable("log", LOG)
        for when, event, arguments in events:
            after = self._make("then", (event, found, *arguments), LOG)
            found = self.ite(when, after, found)
        return found

    def history(self, events: Sequence[tuple[Term, Event]]) -> tuple[Term, ...]:
        """The log of some events, where there are any."""
        log = self.log((when, *named(event)) for when, event in events)
        return () if log.kind == "variable" else (log,)

    def same(self, left: Term, right: Term) -> Term:
        """Whether two words, conditions or logs are the same."""
        if left.width == CONDITION:
            return self.iff(left, right)
        if left.width == LOG:
            if left is right:
                return self.true
            return self._make("equal", tuple(sorted((left, right), key=_age)), CONDITION)
        return self.equal(left, right)

    def is_plain(self, term: Term, most: int) -> bool:
        """Whether a term hangs on variables alone, and is not large."""
        return self.is_small(term, most, but=("ask", "result"))

    def is_small(self, term: Term, most: int, but: tuple[str, ...] = ()) -> bool:
        """Whether a term is made of no more terms than so many, and of none of some kinds."""
        done: dict[Term, None] = {}
        for one in postorder(term, done):
            if one.kind in but or len(done) == most:
                return False
            done[one] = None
        return True

    # --- other terms in place of some -------------------------------------------------------------

    def substitute(self, term: Term, others: Mapping[Term, Term]) -> Term:
        """A term with others in place of some of its parts."""
        # What draws lead to is all there soon, and gone through for long without a new term.
        self._substituted += 1
        if self._substituted % _OFTEN == 0:
            self._budget.check()
        done = dict(others)
        for one in postorder(term, done):
            done[one] = self.rebuilt(one, [done[part] for part in one.terms])
        return done[term]

    def rebuilt(self, term: Term, parts: list[Term]) -> Term:
        """A term of the same kind, of other parts."""
        return term if all(map(is_, parts, term.terms)) else self._again(term, parts)

    def _again(self, term: Term, parts: list[Term]) -> Term:
        """A term of the same kind, of other parts."""
        make: dict[str, Callable[..., Term]] = {
            "not": self.not_, "and": self.all, "equal": self.same, "ule": self.ule,
            "bvand": self.bvand, "bvor": self.bvor, "bvxor": self.bvxor,
            "ite": self.ite,
        }  # fmt: skip
        match term.kind:
            case "bits":
                return self.bits(parts[0], term.parts[1], term.parts[2])
            case "up to":
                return self.up_to(parts[0], term.parts[1])
            case "in":
                return self.is_in(term.parts[0], tuple(parts))
            case "masked":
                return self._masked(parts[0], term.parts[1], term.parts[2])
            case "extract":
                return self.extract(parts[0], term.parts[1], term.width)
            case "concat":
                return self.concat(parts[0], parts[1], parts[1].width)
            case "bvadd":
                return self.bvadd(parts[0], parts[1], term.width)
            case "ask" | "result" | "then":
                return self._make(term.kind, (term.parts[0], *parts), term.width)
        return make[term.kind](*parts)


def named(happened: object) -> tuple[object, tuple[Term, ...]]:
    """What happened, and the words that went into it; a chain's symbol says what it uses."""
    if isinstance(happened, Event):
        details = happened.details[:1] if happened.kind == "call" else happened.details
        return (happened.kind, details, happened.at), happened.arguments
    return happened, ()


def _value(word: Term) -> int:
    value: int = word.parts[0]
    return value
