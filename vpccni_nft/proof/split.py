"""Any packet, case by case: one for each key that rules or maps ask for, and one for all others.

Thousands of rules and elements each ask for one address and port. Sent through all of them, a
packet that can be anything makes terms as large as the rules; sent through once for each key, with
the few rules that can match it, it makes small ones. The cases are found on the way: where a word
of the packet decides between many rules, it is split by the values that they ask for. Each packet
is in one of the cases, whatever it is.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from ..model.packet import STATE_BITS, width
from .chance import draws
from .term import atoms
from .terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..model.lookup import Key, KeyGroup, KeyIndex
    from .context import ProofContext
    from .term import Term

#: Between so many keys a packet is not split, unless that is needed.
_FEW = 16

#: Packets are split by their states, too, where they are split between so many times more keys than
#: they need be.
_STATES = 4

#: How large a condition is that packets are split by.
_PLAIN = 60

#: Fields of which no axiom says anything: ``packets_at`` is the same whatever they are.
ONLY_KEYS = frozenset({
    "saddr", "daddr", "sport", "dport", "ct_original_saddr", "ct_original_daddr",
    "ct_reply_saddr", "ct_reply_daddr", "ct_original_sport", "ct_original_dport", "ct_reply_sport",
    "ct_reply_dport",
})  # fmt: skip

Result = TypeVar("Result")


@attrs.frozen
class ByCondition:
    """Packets of which a condition holds, and those of which it does not."""

    condition: Term


@attrs.frozen
class ByKey:
    """Packets of each of some keys, and those of none."""

    fields: tuple[Term, ...]  #: variables
    group: KeyGroup


@attrs.frozen
class ByState:
    """Packets of each state of connections: each packet has one (``ProofContext.invariants``)."""


class Split(Exception):  # noqa: N818 - found on the way, and caught
    """Packets had better be looked at in several cases."""

    def __init__(self, by: ByCondition | ByKey, *, is_large: bool = False) -> None:
        super().__init__(by)
        self.by = by
        self.is_large = is_large  #: whether there will be many cases


class Smaller(Exception):  # noqa: N818 - found on the way, and caught
    """Packets had better be looked at in smaller cases."""

    def __init__(self, case: PacketCase) -> None:
        super().__init__(case)
        self.case = case


class CaseTerms(Terms):
    """The same terms, where something is known of all packets.

    What is made here is the same object for all cases. It is simpler only where a condition decides
    that is known, and where keys are left out that no packet of the case has.
    """

    #: Between how many keys packets are not split.
    few: int
    #: Whether conditions hold.
    decided: Mapping[Term, bool]
    #: Rows of words that have none of some keys.
    excluded: tuple[tuple[tuple[Term, ...], KeyGroup], ...]
    _holding: tuple[Term, ...]
    _impossible: dict[Term, bool]

    @classmethod
    def of(cls, terms: Terms) -> CaseTerms:
        """Where nothing is known."""
        found = copy.copy(terms)
        found.__class__ = cls
        assert isinstance(found, CaseTerms)
        found.few, found.decided, found.excluded = _FEW, {}, ()
        found._note()
        return found

    def _note(self) -> None:
        """Note which conditions hold: those that do not rule out little by themselves."""
        self._holding = tuple(one for one, holds in self.decided.items() if holds)
        self._impossible = {}
        # What a conjunction comes to hangs on what is known, where words in it do.
        self._conjunctions = {False: {}, True: {}}

    def splitting(self) -> CaseTerms:
        """Where packets are split wherever rules ask for more than one value."""
        found = copy.copy(self)
        found.few = 1
        return found

    def deciding(self, condition: Term, *, holds: bool) -> CaseTerms:
        """Where a condition is known, too."""
        found = copy.copy(self)
        found.decided = {**self.decided, condition: holds}
        found._note()
        return found

    def excluding(self, words: tuple[Term, ...], group: KeyGroup) -> CaseTerms:
        """Where words are known to have none of some keys, too."""
        found = copy.copy(self)
        found.excluded = (*self.excluded, (words, group))
        return found

    def where(self, values: Mapping[Term, Term]) -> CaseTerms:
        """Where variables have values, too."""
        found = copy.copy(self)
        decided = {}
        for condition, holds in self.decided.items():
            now = self.substitute(condition, values)
            if now.kind == "not":
                decided[now.terms[0]] = not holds
            else:
                decided[now] = holds
        found.decided = decided
        found._note()
        return found

    def all(self, *conditions: Term) -> Term:
        """Conjunction."""
        decided = self.decided
        if not decided:
            return super().all(*conditions)
        found = []
        for condition in conditions:
            parts = condition.terms if condition.kind == "and" else (condition,)
            for part in parts:
                negated = part.kind == "not"
                holds = decided.get(part.terms[0] if negated else part)
                if holds is None:
                    found.append(part)
                elif holds is negated:
                    return self.false
        return super().all(*found)

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        """One of the two."""
        negated = condition.kind == "not"
        base = condition.terms[0] if negated else condition
        if base in self.decided:
            return then if self.decided[base] is not negated else otherwise
        return super().ite(condition, then, otherwise)

    def impossible(self, condition: Term) -> bool:
        """Whether the normal form is false, with what is known to hold."""
        if condition is self.false:
            return True
        if not self._holding:
            return False
        if condition not in self._impossible:
            self._impossible[condition] = self.all(condition, *self._holding) is self.false
        return self._impossible[condition]

    def candidates(self, index: KeyIndex, words: tuple[Term, ...], *, splits: bool) -> list[int]:
        """The numbers of what words can match; Split where they are many, and splitting helps."""
        matched = list(index.matched([self.values(word) for word in words]))
        if self.excluded:
            matched = [one for one in matched if not self._is_excluded(words, *one)]
        if splits and len(matched) > self.few:
            settled = {place for place, word in enumerate(words) if self.values(word)}
            unsettled = [group for group, _ in matched if not settled.issuperset(group.places)]
            if len(unsettled) > self.few:
                self._split(words, unsettled)
        return index.numbers(matched)

    def _is_excluded(self, words: tuple[Term, ...], group: KeyGroup, key: Key) -> bool:
        own = dict(zip((words[place] for place in group.places), key, strict=True))
        return any(
            all(word in own or word.kind == "const" for word in without)
            and tuple(own.get(word, word.parts[0]) for word in without) in keys.by_key
            for without, keys in self.excluded
        )

    def _split(self, words: tuple[Term, ...], groups: list[KeyGroup]) -> None:
        """Split by what most of the keys ask for, if that is a field or hangs on a condition."""
        group = max(dict.fromkeys(groups), key=groups.count)
        asked = [words[place] for place in group.places]
        many = len(groups) > min(_FEW, _STATES * self.few)
        made = [word for word in asked if word.kind == "ite" and self.values(word) is None]
        if made:
            # What a word is often hangs on a field with few values: where a port stands hangs on
            # the protocol.
            fields = [number for number, word in enumerate(asked) if word.kind == "variable"]
            plain = [(asked[number], group.onto(number)) for number in fields]
            word, keys = min(plain, key=lambda one: len(one[1].by_key), default=(None, group))
            if word is not None and len(keys.by_key) <= _FEW:
                raise Split(ByKey((word,), keys), is_large=many)
            for word in made:
                condition = word.terms[0]
                if self.is_plain(condition, _PLAIN):
                    raise Split(ByCondition(condition), is_large=many)
        if all(word.kind in {"variable", "const"} for word in asked):
            rest = group.where([w.parts[0] if w.kind == "const" else None for w in asked])
            by = ByKey(tuple(w for w in asked if w.kind == "variable"), rest)
            raise Split(by, is_large=many)


@attrs.frozen
class Says:
    """What a case says of its packets, beside what is known of all those that are split."""

    terms: tuple[Term, ...]  #: conditions on any packet
    #: Whether it is no fact of the case: fields have values there instead.
    of_fields: bool = False


@attrs.frozen
class PacketCase:
    """Some packets: what is known of them."""

    setting: ProofContext
    #: The fields that have a value because packets were split by it.
    keys: Mapping[str, int] = attrs.Factory(dict)

    @classmethod
    def of_all(cls, setting: ProofContext) -> PacketCase:
        """All packets."""
        return cls(attrs.evolve(setting, terms=CaseTerms.of(setting.terms)))

    def splitting(self) -> PacketCase | None:
        """The same, split wherever rules ask for more than one value; None where it is already."""
        terms = self.setting.terms
        if not isinstance(terms, CaseTerms) or terms.few == 1:
            return None
        return PacketCase(attrs.evolve(self.setting, terms=terms.splitting()), self.keys)

    @property
    def is_of_key(self) -> bool:
        """Whether others may have the same shape, that differ in addresses and ports."""
        return not ONLY_KEYS.isdisjoint(self.keys)

    @property
    def key_terms(self) -> tuple[Term, ...]:
        """That fields have the values that packets were split by."""
        terms, family = self.setting.terms, self.setting.family
        return tuple(
            terms.equal(
                terms.variable(name, width(name, family)), terms.const(value, width(name, family))
            )
            for name, value in self.keys.items()
        )

    def on_draws(self, values: Iterable[Term]) -> ByCondition | None:
        """What decides whether a number is drawn that was drawn before, as far as it is plain."""
        terms = self.setting.terms
        assert isinstance(terms, CaseTerms)
        for value in values:
            for draw in draws(value):
                for atom in atoms(draw):
                    if atom not in terms.decided and terms.is_plain(atom, _PLAIN):
                        return ByCondition(atom)
        return None

    def split(self, by: ByCondition | ByKey | ByState) -> Iterator[tuple[Says, PacketCase]]:
        """Cases that each of these packets is in one of, with what each of them says."""
        terms = self.setting.terms
        assert isinstance(terms, CaseTerms)
        if isinstance(by, ByState):
            word = self.setting.fields["ct_state"]
            for value in STATE_BITS.values():
                is_it = terms.equal(word, terms.const(value, word.width))
                yield Says((is_it,), of_fields=True), self._with(terms, {"ct_state": value})
            return
        if isinstance(by, ByCondition):
            for holds in (True, False):
                fact = by.condition if holds else terms.not_(by.condition)
                known = terms.deciding(by.condition, holds=holds)
                yield Says((fact,)), self._with(known, {}, fact)
            return
        # What has no key first: there most differs that is no Service's own.
        others = terms.not_(terms.is_in(by.group, by.fields))
        yield Says((others,)), self._with(terms.excluding(by.fields, by.group), {}, others)
        for key in by.group.by_key:
            values = dict(zip((str(one.parts[0]) for one in by.fields), key, strict=True))
            says = tuple(
                terms.equal(word, terms.const(value, word.width))
                for word, value in zip(by.fields, key, strict=True)
                if not value >> word.width
            )
            if len(says) == len(key):
                yield Says(says, of_fields=True), self._with(terms, values)

    def _with(self, terms: CaseTerms, values: Mapping[str, int], *facts: Term) -> PacketCase:
        before = self.setting
        setting = attrs.evolve(before, known={**before.known, **values})
        here = {before.fields[name]: setting.fields[name] for name in values}
        if here:
            terms = terms.where(here)
        known = (terms.substitute(one, here) for one in (*before.facts, *facts))
        kept = tuple(one for one in known if one is not terms.true)
        setting = attrs.evolve(setting, terms=terms, facts=kept)
        return PacketCase(setting, {**self.keys, **values})

    def has(self, fields: Mapping[str, int]) -> bool:
        """Whether a packet is one of them."""
        terms = self.setting.terms
        if any(fields[name] != value for name, value in self.keys.items()):
            return False
        if not self.setting.facts:
            return True
        here = {
            word: terms.const(fields[name], word.width)
            for name, word in self.setting.fields.items()
            if word.kind == "variable"
        }
        return all(terms.substitute(one, here) is terms.true for one in self.setting.facts)

    @property
    def is_empty(self) -> bool:
        """Whether no packet is one of them, as far as that is plain to see."""
        return self.setting.terms.false in self.setting.facts


@attrs.frozen
class Tree(Generic[Result]):
    """What was found of packets, or of all the cases that they are in one of."""

    result: Result | None = None
    #: Each case with what it says: conditions on any packet.
    cases: tuple[tuple[Says, Tree[Result]], ...] = ()


def by_case(case: PacketCase, look: Callable[[PacketCase], Result]) -> Tree[Result]:
    """Look at packets case by case, as splits are found on the way."""
    try:
        return Tree(look(case))
    except Smaller as smaller:
        return by_case(smaller.case, look)
    except Split as split:
        by: ByCondition | ByKey | ByState = split.by
        is_large = split.is_large
    if is_large and case.setting.fields["ct_state"].kind == "variable":
        # Most of what rules and the kernel do hangs on it: everything is shorter for one state.
        by = ByState()
    cases = ((says, by_case(one, look)) for says, one in case.split(by) if not one.is_empty)
    return Tree(cases=tuple(cases))


def results(tree: Tree[Result]) -> Iterator[Result]:
    """What was found of each case that is not split."""
    if tree.result is not None:
        yield tree.result
    for _, case in tree.cases:
        yield from results(case)
