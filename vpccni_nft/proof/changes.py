"""What differs between two sides, as it is accepted: ``verdict: drop / accept``.

The words are those that differences are printed with. A change is looked for in outcomes of terms,
where the answer is a condition, and in those of numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import parse_integer
from ..model.packet import FIELDS, STATUS_BITS, Binding, Event, Verdict, width
from ..simulate.packet_text import KEYS, parse_value
from ..simulate.report import binding_text
from .terms import LOG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.values import Family
    from ..model.algebra import Algebra, Bool, Word
    from .context import ProofContext
    from .terms import Term, Terms

#: What a binding of a destination changes, and what one of a source does.
_BY_DNAT = ("daddr", "dport", "ct_reply_saddr", "ct_reply_sport")
_BY_SNAT = ("saddr", "sport", "ct_reply_daddr", "ct_reply_dport")
_KINDS = {"dnat": _BY_DNAT, "redirect": _BY_DNAT, "snat": _BY_SNAT, "masquerade": _BY_SNAT}

#: What differs where bindings do.
BY_BINDINGS = frozenset((*_BY_DNAT, *_BY_SNAT, "ct_status"))

#: The bits of the connection's status that bindings set.
_NAT_BITS = STATUS_BITS["snat"] | STATUS_BITS["dnat"]

#: What of a field is accepted: it is as it was.
UNCHANGED = "unchanged"

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
        kinds = [one.split()[0] for one in texts]
        if name == "bindings" and (wrong := [kind for kind in kinds if kind not in _KINDS]):
            raise ValueError(f"“{wrong[0]}” is not one of {', '.join(_KINDS)}, none")
        return cls(texts)

    def are(self, happened: Sequence[object], family: Family) -> bool:
        """Whether these happened, and nothing else."""
        return len(happened) == len(self.texts) and all(
            _fits(text, one, family) for text, one in zip(self.texts, happened, strict=True)
        )

    def in_log(self, terms: Terms, log: Term, family: Family) -> Term:
        """Where a log is of these, and of nothing else."""
        known: dict[tuple[Term, int], Term] = {}
        waiting = [(log, len(self.texts))]
        while waiting:
            here = one, count = waiting[-1]
            if here in known:
                waiting.pop()
                continue
            match one.kind:
                case "variable":
                    parts: list[tuple[Term, int]] = []
                case "then":
                    fits = count and _fits(self.texts[count - 1], one.parts[0], family)
                    parts = [(one.terms[0], count - 1)] if fits else []
                case _:
                    parts = [(part, count) for part in one.terms[1:]]
            if missing := [part for part in parts if part not in known]:
                waiting.extend(missing)
                continue
            waiting.pop()
            if one.kind == "variable":
                known[here] = terms.false if count else terms.true
            elif one.kind == "then":
                known[here] = known[parts[0]] if parts else terms.false
            else:
                condition, then, otherwise = one.terms[0], *(known[part] for part in parts)
                known[here] = terms.any(
                    terms.all(condition, then), terms.all(terms.not_(condition), otherwise)
                )
        return known[log, len(self.texts)]


def _fits(text: str, happened: object, family: Family) -> bool:
    """Whether a text is of something that happened: all of it, or its first word."""
    match happened:
        case Verdict(kind, reason):
            return text in {kind, f"{kind} with {reason}"}
        case Binding(kind):
            return text in {kind, binding_text(happened, family)}
        case Event(kind, details):
            pass
        case (str(kind), tuple(details), _):
            pass
        case _:
            return False
    words = [str(part) for part in details if part not in ("", None, ())]
    return text.partition(":")[0] in {kind, " ".join((kind, *words))}


@attrs.frozen
class AcceptedValue:
    """A field's value, that of some of its bits, or that it is as it was."""

    value: int | None = None  #: None: it is unchanged
    mask: int | None = None  #: None: all bits count

    @classmethod
    def parse(cls, field: str, text: str) -> AcceptedValue:
        """Read a value, or VALUE/MASK. Raises ValueError."""
        if text == UNCHANGED:
            return cls()
        value, slash, mask = text.partition("/")
        number = parse_value(field, value)
        if not slash:
            return cls(number)
        bits = parse_integer(mask)
        if number & ~bits:
            raise ValueError(f"“{text}” has bits set that its mask leaves out")
        return cls(number, bits)

    def holds(self, algebra: Algebra, word: Word, start: Word, bits: int) -> Bool:
        """Whether a field has come to this, and what it was at the start."""
        if self.value is None:
            return algebra.equal(word, start)
        mask = (1 << bits) - 1 if self.mask is None else self.mask
        if self.value >> bits or mask >> bits:
            return algebra.false
        some = algebra.bvand(word, algebra.const(mask, bits))
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
        field = KEYS.get(key, key)
        if key in {"verdict", "bindings", "events"}:
            return cls(key, Items.parse(key, before), Items.parse(key, after))
        if field not in FIELDS:
            known = ("verdict", "bindings", "events", *KEYS)
            raise ValueError(f"“{key}” is not known; what can differ is {', '.join(known)}")
        ends = AcceptedValue.parse(field, before), AcceptedValue.parse(field, after)
        masks = {one.mask for one in ends if one.value is not None}
        if len(masks) > 1:
            raise ValueError(f"{key}: both sides have the same mask")
        return cls(field, *ends)

    @property
    def turned(self) -> Deviation:
        """The same the other way round."""
        return attrs.evolve(self, before=self.after, after=self.before)

    @property
    def names(self) -> frozenset[str]:
        """What a proof calls that which may differ."""
        return frozenset(_IN_PROOF.get(self.name, (self.name,)))

    def in_terms(
        self, setting: ProofContext, outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]
    ) -> Term:
        """Where nothing else of this differs than what may."""
        terms, family = setting.terms, setting.family
        if isinstance(self.before, AcceptedValue) or isinstance(self.after, AcceptedValue):
            start = setting.fields[self.name]
            one, other = (each.get(self.name) or start for each in outcomes)
            found: Term = self._of_field(terms, one, other, start, width(self.name, family))
            return found
        log = {"verdict": "verdicts"}.get(self.name, self.name)
        empty = terms.variable("log", LOG)
        logs = [each.get(log) or empty for each in outcomes]
        fits = (
            end.in_log(terms, one, family)
            for end, one in zip((self.before, self.after), logs, strict=True)
        )
        return terms.any(terms.same(*logs), terms.all(*fits))

    def in_numbers(
        self,
        algebra: Algebra,
        family: Family,
        differing: Mapping[str, tuple[object, object]],
        start: Mapping[str, int],
    ) -> bool:
        """The same of a packet, by what of it differs."""
        if self.name not in differing:
            return True
        one, other = differing[self.name]
        if isinstance(self.before, AcceptedValue) or isinstance(self.after, AcceptedValue):
            found = self._of_field(algebra, one, other, start[self.name], width(self.name, family))
            return bool(found)
        ends = zip((self.before, self.after), (one, other), strict=True)
        return all(end.are(_happened(what), family) for end, what in ends)

    def _of_field(self, algebra: Algebra, one: Word, other: Word, start: Word, bits: int) -> Bool:
        assert isinstance(self.before, AcceptedValue)
        assert isinstance(self.after, AcceptedValue)
        mask = next((end.mask for end in (self.before, self.after) if end.mask is not None), None)
        fits = [
            self.before.holds(algebra, one, start, bits),
            self.after.holds(algebra, other, start, bits),
        ]
        if mask is not None and not mask >> bits:
            rest = algebra.const(((1 << bits) - 1) & ~mask, bits)
            fits.append(algebra.equal(algebra.bvand(one, rest), algebra.bvand(other, rest)))
        return algebra.any(algebra.equal(one, other), algebra.all(*fits))


@attrs.frozen
class NatDeviation:
    """What NAT does to a packet that is bound on one side, and not in the same way on the other."""

    #: The fields that either side's bindings may have changed; the others are as they were.
    before: frozenset[str]
    after: frozenset[str]
    names: frozenset[str]  #: those that are looked at

    @classmethod
    def by(cls, change: Deviation, others: frozenset[str]) -> NatDeviation:
        """What follows from bindings, where nothing else is said of the fields."""
        ends = []
        for items in (change.before, change.after):
            assert isinstance(items, Items)
            ends.append(frozenset(field for one in items.texts for field in _KINDS[one.split()[0]]))
        return cls(before=ends[0], after=ends[1], names=BY_BINDINGS - others)

    def in_terms(
        self, setting: ProofContext, outcomes: tuple[Mapping[str, Term], Mapping[str, Term]]
    ) -> Term:
        """Where no more differs of the fields than bindings change."""
        ends = [{name: each.get(name) or setting.fields[name] for name in self.names}
                for each in outcomes]  # fmt: skip
        found: Term = setting.terms.all(
            *(
                self._holds(setting.terms, setting.family, name, setting.fields[name], *words)
                for name in sorted(self.names)
                if (words := [end[name] for end in ends])
            )
        )
        return found

    def in_numbers(
        self,
        algebra: Algebra,
        family: Family,
        differing: Mapping[str, tuple[object, object]],
        start: Mapping[str, int],
    ) -> bool:
        """The same of a packet, by what of it differs."""
        return all(
            self._holds(algebra, family, name, start[name], *differing[name])
            for name in self.names & differing.keys()
        )

    def _holds(
        self, algebra: Algebra, family: Family, name: str, start: Word, one: Word, other: Word
    ) -> Bool:
        bits = width(name, family)
        if name == "ct_status":
            rest = algebra.const(((1 << bits) - 1) & ~_NAT_BITS, bits)
            return algebra.equal(algebra.bvand(one, rest), algebra.bvand(other, rest))
        as_it_was = (
            algebra.equal(word, start)
            for word, changed in ((one, self.before), (other, self.after))
            if name not in changed
        )
        return algebra.any(algebra.equal(one, other), algebra.all(*as_it_was))


def _happened(what: object) -> tuple[object, ...]:
    """What happened, as a list: a packet that is accepted has no verdict of its own."""
    if isinstance(what, Verdict):
        return () if what.kind == "accept" else (what,)
    return what if isinstance(what, tuple) else (what,)
