"""What differs between two sides, as it is accepted: ``verdict: drop / accept``.

The words are those that differences are printed with. A change is looked for in outcomes of terms,
where the answer is a condition, and in those of numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from ..core.values import parse_integer
from ..model.hook import ROUTED_BY
from ..model.packet import (
    ACCEPT,
    ANEW,
    FIELDS,
    ROUTED,
    STATUS_BITS,
    Binding,
    Event,
    Verdict,
    width,
)
from ..simulate.packet_text import KEYS, parse_value
from ..simulate.report import binding_text
from ..simulate.sample import AT_ROUTING
from .context import is_count
from .term import LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..core.values import Family
    from ..model.algebra import Algebra, Bool, Word
    from ..model.concrete import Concrete
    from ..model.hook import Outcome
    from .term import Term
    from .terms import Terms

#: What a binding of a destination changes, and what one of a source does.
_BY_DNAT = ("daddr", "dport", "ct_reply_saddr", "ct_reply_sport")
_BY_SNAT = ("saddr", "sport", "ct_reply_daddr", "ct_reply_dport")
_KINDS = {"dnat": _BY_DNAT, "redirect": _BY_DNAT, "snat": _BY_SNAT, "masquerade": _BY_SNAT}

#: What differs where bindings do.
BY_BINDINGS = frozenset((*_BY_DNAT, *_BY_SNAT, "ct_status"))

#: What differs where routing sees something else of a packet.
SEEN_BY_ROUTING = frozenset({ANEW, *(f"{field}{AT_ROUTING}" for field in ROUTED_BY)})

#: The bits of the connection's status that bindings set.
_NAT_BITS = STATUS_BITS["snat"] | STATUS_BITS["dnat"]

#: What of a field is accepted: it is as it was. What may follow in a list: anything.
UNCHANGED, ANYTHING = "unchanged", "*"

#: What of the mark at routing is accepted: some of its bits are those of the connection's mark.
RESTORED = "restored"

#: The names of outcomes, by those that a reader sees.
_IN_PROOF = {"verdict": ("undecided", "verdicts")}


@attrs.frozen
class Items:
    """What happened: a verdict, bindings or events, each by its text or by its first word."""

    texts: tuple[str, ...]

    @classmethod
    def parse(cls, name: str, text: str) -> Items:
        """Read what a difference is printed as. Raises ValueError."""
        texts = tuple(filter(None, map(str.strip, text.split(","))))
        if not texts:
            raise ValueError(f"{name} has no value; nothing is “none”")
        if name == "verdict":
            first = texts[0].split()[0]
            if len(texts) > 1 or first not in {"accept", "drop", "reject"}:
                raise ValueError(f"“{text}” is not accept, drop or reject")
            return cls(() if texts == ("accept",) else texts)
        if texts == ("none",):
            return cls(())
        kinds = [one.split()[0] for one in texts if one != ANYTHING]
        if name == "events" and (keyed := [one for one in texts if ": " in one]):
            kept = keyed[0].partition(":")[0]
            raise ValueError(f"an event is accepted with any key: write “{kept}”")
        if name == "bindings" and (wrong := [kind for kind in kinds if kind not in _KINDS]):
            raise ValueError(f"“{wrong[0]}” is not one of {', '.join(_KINDS)}, none")
        return cls(texts)

    def are(self, happened: Sequence[object], family: Family) -> bool:
        """Whether these happened, and nothing else."""
        texts, rest = self._parted
        count = len(texts)
        if len(happened) < count or (len(happened) > count and not rest):
            return False
        return all(_fits(text, one, family) for text, one in zip(texts, happened, strict=False))

    def in_log(self, terms: Terms, log: Term, family: Family) -> Term:
        """Where a log is of these, and of nothing else."""
        texts, rest = self._parted
        known: dict[tuple[Term, int], Term] = {}
        waiting = [(log, len(texts))]
        while waiting:
            here = one, count = waiting[-1]
            if here in known:
                waiting.pop()
                continue
            parts: list[tuple[Term, int]] = []
            if one.kind == "then":
                if count and _fits(texts[count - 1], one.parts[0], family):
                    parts.append((one.terms[0], count - 1))
                if rest and count == len(texts):
                    parts.append((one.terms[0], count))
            elif one.kind != "variable":
                parts = [(part, count) for part in one.terms[1:]]
            if missing := [part for part in parts if part not in known]:
                waiting.extend(missing)
                continue
            waiting.pop()
            if one.kind == "variable":
                known[here] = terms.false if count else terms.true
            elif one.kind == "then":
                known[here] = terms.any(*(known[part] for part in parts))
            else:
                condition, then, otherwise = one.terms[0], *(known[part] for part in parts)
                known[here] = terms.any(
                    terms.all(condition, then), terms.all(terms.not_(condition), otherwise)
                )
        return known[log, len(texts)]

    @property
    def _parted(self) -> tuple[tuple[str, ...], bool]:
        """The texts, and whether anything may follow."""
        rest = self.texts[-1:] == (ANYTHING,)
        return (self.texts[:-1], True) if rest else (self.texts, False)


def _fits(text: str, happened: object, family: Family) -> bool:
    """Whether a text is of something that happened: all of it, or its first word."""
    match happened:
        case Verdict(kind, reason):
            return text in {kind, f"{kind} with {reason}"}
        case Binding(kind):
            return text in {kind, binding_text(happened, family)}
        case Event(kind, details):
            pass
        case (str(kind), tuple(details), *_):
            pass
        case _:
            return False
    words = [str(part) for part in details if part not in ("", None, ())]
    return text.partition(":")[0] in {kind, " ".join((kind, *words))}


#: The verdict of a packet that is dropped.
_DROPPED = Items(("drop",))


@attrs.frozen
class AcceptedValue:
    """A field's value, that of some of its bits, or that it is as it was."""

    value: int | None = None  #: None: it is unchanged
    mask: int | None = None  #: None: all bits count
    #: Whether each bit of a mark may also be that of the connection's mark.
    is_restored: bool = False

    @classmethod
    def parse(cls, field: str, text: str) -> AcceptedValue:
        """Read a value, or VALUE/MASK. Raises ValueError."""
        value, slash, mask = text.partition("/")
        if text == RESTORED and field == "mark":
            return cls(is_restored=True)
        if value == UNCHANGED:
            return cls(None, parse_integer(mask) if slash else None)
        number = parse_value(field, value)
        if not slash:
            return cls(number)
        bits = parse_integer(mask)
        if number & ~bits:
            raise ValueError(f"“{text}” has bits set that its mask leaves out")
        return cls(number, bits)

    def holds(
        self, algebra: Algebra, word: Word, start: Word, connection: Word | None, bits: int
    ) -> Bool:
        """Whether a field has come to this, from what it was at the start.

        ``connection`` is the mark of the connection, for what a mark at routing may be made of.
        """
        if self.is_restored and connection is not None:
            none = algebra.const(0, bits)
            changed, other = (algebra.bvxor(word, one) for one in (start, connection))
            return algebra.equal(algebra.bvand(changed, other), none)
        mask = (1 << bits) - 1 if self.mask is None else self.mask
        if mask >> bits or (self.value or 0) >> bits:
            return algebra.false
        some = algebra.bvand(word, algebra.const(mask, bits))
        if self.value is None:
            return algebra.equal(some, algebra.bvand(start, algebra.const(mask, bits)))
        return algebra.equal(some, algebra.const(self.value, bits))


@attrs.frozen
class Deviation:
    """What of a packet may differ: both sides of it."""

    name: str  #: ``verdict``, ``bindings``, ``events``, or a field
    before: Items | AcceptedValue
    after: Items | AcceptedValue

    @classmethod
    def parse(cls, key: str, before: str, after: str) -> Deviation:
        """Read it by what a reader sees. Raises ValueError."""
        plain = key.removesuffix(AT_ROUTING)
        field = KEYS.get(plain, plain)
        if key in {"verdict", "bindings", "events"}:
            return cls(key, Items.parse(key, before), Items.parse(key, after))
        if RESTORED in {before, after} and key != f"mark{AT_ROUTING}":
            raise ValueError(f"{key}: only the mark at routing can be “{RESTORED}”")
        if field not in (FIELDS if plain == key else ROUTED_BY):
            known = ("verdict", "bindings", "events", *KEYS, f"mark{AT_ROUTING}")
            raise ValueError(f"“{key}” is not known; what can differ is {', '.join(known)}")
        ends = AcceptedValue.parse(field, before), AcceptedValue.parse(field, after)
        if ends[0].mask != ends[1].mask and not {UNCHANGED, RESTORED} & {before, after}:
            raise ValueError(f"{key}: both sides have the same mask")
        return cls(field + key[len(plain) :], *ends)

    @property
    def turned(self) -> Deviation:
        """The same the other way round."""
        return attrs.evolve(self, before=self.after, after=self.before)

    @property
    def names(self) -> frozenset[str]:
        """What a proof calls that which may differ."""
        return frozenset(_IN_PROOF.get(self.name, (self.name,)))

    @property
    def is_of_field(self) -> bool:
        """Whether it is of a field, rather than of what happened."""
        return isinstance(self.before, AcceptedValue)

    def holds(self, ends: Ends) -> Bool:
        """Where nothing else of this differs than what may."""
        if self.is_of_field and self.name.endswith(AT_ROUTING):
            field = self.name.removesuffix(AT_ROUTING)
            one, other = (ends.at_routing(side, field) for side in (0, 1))
            if one is None or other is None:
                return ends.algebra.true
            return self._of_field(ends, one, other, self.holds_at_routing(ends, (0, 1)))
        if self.is_of_field:
            one, other = ends.words(self.name)
            bits, start = width(self.name, ends.family), ends.start(self.name)
            fits = (
                end.holds(ends.algebra, word, start, None, bits)
                for end, word in zip(self._values, (one, other), strict=True)
            )
            return self._of_field(ends, one, other, ends.algebra.all(*fits))
        return ends.algebra.any(ends.same(self.name), self.happens(ends))

    def holds_at_routing(self, ends: Ends, sides: Iterable[int]) -> Bool:
        """Where routing sees of a field what may be on these sides, or does not see the packet."""
        algebra, field = ends.algebra, self.name.removesuffix(AT_ROUTING)
        bits = width(field, ends.family)
        kept = algebra.const(((1 << bits) - 1) & ~(ends.internal if field == "mark" else 0), bits)
        start = algebra.bvand(ends.start(field), kept)
        fits = []
        for side in sides:
            word = ends.at_routing(side, field)
            if word is not None:
                connection = ends.at_routing(side, "ct_mark")
                if connection is not None:
                    connection = algebra.bvand(connection, kept)
                as_said = self._values[side].holds(algebra, word, start, connection, bits)
                fits.append(algebra.any(algebra.not_(ends.is_routed(side)), as_said))
        return algebra.all(*fits)

    @property
    def _values(self) -> tuple[AcceptedValue, AcceptedValue]:
        assert isinstance(self.before, AcceptedValue)
        assert isinstance(self.after, AcceptedValue)
        return self.before, self.after

    @property
    def refuses(self) -> bool:
        """Whether a packet comes through on one side, and not on the other."""
        items = [end for end in (self.before, self.after) if isinstance(end, Items)]
        return self.name == "verdict" and len({bool(end.texts) for end in items}) == 2

    def happens(self, ends: Ends) -> Bool:
        """Where both sides are as this has them."""
        found = [
            ends.happened(side, self.name, items)
            for side, items in enumerate((self.before, self.after))
            if isinstance(items, Items)
        ]
        return ends.algebra.all(*found)

    def names_binding(self, binding: Binding, family: Family) -> tuple[bool, ...]:
        """Which of the texts on either side are of a binding."""
        ends = (end for end in (self.before, self.after) if isinstance(end, Items))
        return tuple(_fits(text, binding, family) for end in ends for text in end.texts)

    @property
    def mask(self) -> int | None:
        """The bits of a field that may differ; None: all of them."""
        ends = (end for end in (self.before, self.after) if isinstance(end, AcceptedValue))
        return next((end.mask for end in ends if end.mask is not None), None)

    def _of_field(self, ends: Ends, one: Word, other: Word, fits: Bool) -> Bool:
        """Where a field is the same, or fits and differs in no more bits than may."""
        field = self.name.removesuffix(AT_ROUTING)
        algebra, mask, bits = ends.algebra, self.mask, width(field, ends.family)
        if mask is not None and not mask >> bits:
            rest = algebra.const(((1 << bits) - 1) & ~mask, bits)
            same = algebra.equal(algebra.bvand(one, rest), algebra.bvand(other, rest))
            fits = algebra.all(fits, same)
        return algebra.any(algebra.equal(one, other), fits)


@attrs.frozen
class Following:
    """What follows from what may differ: other addresses by NAT, and what routing sees of that."""

    #: The fields that either side's bindings may change; all others are as they were.
    bound: tuple[frozenset[str], frozenset[str]]
    #: What is said of a field.
    said: Mapping[str, Deviation] = attrs.field(eq=False)
    #: What is said of bindings.
    bindings: Deviation | None = None

    @classmethod
    def of(cls, changes: Sequence[Deviation]) -> Following:
        """What follows from several changes together."""
        bound: list[set[str]] = [set(), set()]
        for one in changes:
            if one.name == "bindings":
                for items, fields in zip((one.before, one.after), bound, strict=True):
                    assert isinstance(items, Items)
                    kinds = [text.split()[0] for text in items.texts]
                    kinds = list(_KINDS) if ANYTHING in kinds else kinds
                    fields.update(field for kind in kinds for field in _KINDS[kind])
        said = {one.name: one for one in changes if one.is_of_field}
        bindings = next((one for one in changes if one.name == "bindings"), None)
        return cls((frozenset(bound[0]), frozenset(bound[1])), said, bindings)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that differ where bindings do, as far as nothing is said of them."""
        return BY_BINDINGS - self.said.keys() if any(self.bound) else frozenset()

    @property
    def at_routing(self) -> frozenset[str]:
        """What routing may see otherwise: only NAT leads elsewhere.

        Without NAT nothing may differ there: behind that, nothing could be compared.
        """
        return SEEN_BY_ROUTING if any(self.bound) else frozenset()

    def holds(self, ends: Ends) -> Bool:
        """Where no more differs of the fields than what follows."""
        return ends.algebra.all(*(self._of_field(ends, name) for name in sorted(self.fields)))

    def holds_at_routing(self, ends: Ends) -> Bool:
        """Where routing sees no more of it; what happens behind that is not compared."""
        seen = (self._at_routing(ends, name) for name in ROUTED_BY)
        return ends.algebra.all(*self._is_bound(ends), *seen)

    def _is_bound(self, ends: Ends) -> Iterator[Bool]:
        """Where NAT did it, rather than what rewrites addresses without a connection.

        Of a packet that is dropped no binding is left to be seen.
        """
        if self.bindings:
            for side, items in enumerate((self.bindings.before, self.bindings.after)):
                assert isinstance(items, Items)
                dropped = ends.happened(side, "verdict", _DROPPED)
                yield ends.algebra.any(ends.happened(side, "bindings", items), dropped)

    def _of_field(self, ends: Ends, name: str) -> Bool:
        algebra, (one, other) = ends.algebra, ends.words(name)
        if name == "ct_status":
            bits = width(name, ends.family)
            rest = algebra.const(((1 << bits) - 1) & ~_NAT_BITS, bits)
            return algebra.equal(algebra.bvand(one, rest), algebra.bvand(other, rest))
        as_it_was = (
            algebra.equal(word, ends.start(name))
            for word, changed in zip((one, other), self.bound, strict=True)
            if name not in changed
        )
        return algebra.any(algebra.equal(one, other), algebra.all(*as_it_was))

    def _at_routing(self, ends: Ends, name: str) -> Bool:
        """Where routing sees of a field what NAT does not change, or is said of it."""
        algebra = ends.algebra
        sides = [side for side in (0, 1) if name not in self.bound[side]]
        fits = algebra.all(*(self._is_kept(ends, name, side) for side in sides))
        one, other = (ends.at_routing(side, name) for side in (0, 1))
        if len(sides) < 2 or one is None or other is None:
            return fits
        return algebra.any(algebra.equal(one, other), fits)

    def _is_kept(self, ends: Ends, name: str, side: int) -> Bool:
        """Where a field is as it came; a packet that is made here may not be routed anew."""
        algebra, bits = ends.algebra, width(name, ends.family)
        word = ends.at_routing(side, name)
        if word is None:
            return algebra.true
        said = self.said.get(f"{name}{AT_ROUTING}")
        as_said = said.holds_at_routing(ends, (side,)) if said else algebra.true
        free = ends.internal if name == "mark" else 0
        for one in filter(None, (said, self.said.get(name))):
            free |= (1 << bits) - 1 if one.mask is None else one.mask
        kept = algebra.const(((1 << bits) - 1) & ~free, bits)
        start, seen = (algebra.bvand(one, kept) for one in (ends.start(name), word))
        not_routed = algebra.not_(ends.is_routed(side))
        return algebra.all(as_said, algebra.any(not_routed, algebra.equal(start, seen)))


class Ends(Protocol):
    """What becomes of a packet on both sides, of any packet or of one."""

    @property
    def algebra(self) -> Algebra:
        """That of the packet's words."""

    @property
    def family(self) -> Family:
        """What it is."""

    @property
    def internal(self) -> int:
        """Bits of the mark that routing does not look at."""

    def start(self, field: str) -> Word:
        """A field of the packet as it comes."""

    def words(self, field: str) -> tuple[Word, Word]:
        """A field in the end, on either side."""

    def same(self, name: str) -> Bool:
        """Where the same verdict, bindings or events are on both sides."""

    def happened(self, side: int, name: str, items: Items) -> Bool:
        """Where these are a side's verdict, bindings or events."""

    def at_routing(self, side: int, field: str) -> Word | None:
        """What routing sees of a field; None where the packet is not routed."""

    def is_routed(self, side: int) -> Bool:
        """Where it is routed."""


@attrs.frozen
class TermEnds:
    """Of any packet."""

    algebra: Terms
    family: Family
    internal: int
    fields: Mapping[str, Term]
    outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]

    def start(self, field: str) -> Term:
        """A field of the packet as it comes."""
        return self.fields[field]

    def words(self, field: str) -> tuple[Term, Term]:
        """A field in the end, on either side."""
        one, other = (each.get(field) or self.fields[field] for each in self.outcomes)
        return one, other

    def same(self, name: str) -> Term:
        """Where the same verdict, bindings or events are on both sides."""
        return self.algebra.same(self._log(0, name), self._log(1, name))

    def happened(self, side: int, name: str, items: Items) -> Term:
        """Where these are a side's verdict, bindings or events."""
        return items.in_log(self.algebra, self._log(side, name), self.family)

    def _log(self, side: int, name: str) -> Term:
        log = "verdicts" if name == "verdict" else name
        return self.outcomes[side].get(log) or self.algebra.variable("log", LOG)

    def at_routing(self, side: int, field: str) -> Term | None:
        """What routing sees of a field; None where the packet is not routed."""
        return self.outcomes[side].get(f"{field}{AT_ROUTING}")

    def is_routed(self, side: int) -> Term:
        """Where it is routed."""
        outcome = self.outcomes[side]
        whether = outcome.get(ANEW) or outcome.get(ROUTED)
        return (
            self.algebra.equal(whether, self.algebra.const(1, 1)) if whether else self.algebra.false
        )


@attrs.frozen
class NumberEnds:
    """Of one packet."""

    algebra: Concrete
    family: Family
    internal: int
    fields: Mapping[str, int]
    outcomes: tuple[Outcome, Outcome]
    counts: bool  #: whether it counts which rules counted the packet

    def start(self, field: str) -> int:
        """A field of the packet as it comes."""
        return self.fields[field]

    def words(self, field: str) -> tuple[int, int]:
        """A field in the end, on either side."""
        one, other = (each.fields[field] for each in self.outcomes)
        return one, other

    def same(self, name: str) -> bool:
        """Whether the same verdict, bindings or events are on both sides."""
        return self._happened(0, name) == self._happened(1, name)

    def happened(self, side: int, name: str, items: Items) -> bool:
        """Whether these are a side's verdict, bindings or events."""
        return items.are(self._happened(side, name), self.family)

    def _happened(self, side: int, name: str) -> tuple[object, ...]:
        """What happened, as a list: a packet that is accepted has no verdict of its own."""
        outcome = self.outcomes[side]
        match name:
            case "verdict":
                return () if outcome.verdict == ACCEPT else (outcome.verdict,)
            case "bindings":
                return outcome.bindings
        return tuple(one for one in outcome.events if self.counts or not is_count(one))

    def at_routing(self, side: int, field: str) -> int | None:
        """What routing sees of a field; None where the packet is not routed."""
        return self.outcomes[side].routed.get(field)

    def is_routed(self, side: int) -> bool:
        """Whether it is routed."""
        routed = self.outcomes[side].routed
        return bool(routed.get(ANEW, routed.get(ROUTED, 0)))
