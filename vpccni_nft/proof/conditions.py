"""Conditions on packets, read from text: ``hook=forward saddr=10.0.0.0/8 dport!=22,80``.

The words are those that classes of differences are printed with. Over terms a condition is a set of
packets, over numbers it says whether a packet is of that set: one definition of both.

``final-daddr`` is a field as a packet has it in the end, on both sides. ``daddr.proto.dport=@NAME``
looks several fields up in a group: a set of values that the rules themselves have, known by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family, parse_integer
from ..model.hook import BY_DEVICE, ROUTED_BY, TO_THE_NODE
from ..model.lookup import KeyGroup
from ..model.oracle import Oracle, OracleKind
from ..model.packet import (
    ADDRESS_TYPES,
    ADDRESSES,
    FIELDS,
    HOOKS,
    NAME_BYTES,
    STATE_BITS,
    STATUS_BITS,
    interface_word,
    prefix_mask,
    width,
)
from ..model.path import RECEIVED
from ..simulate.packet_text import BOUND, KEYS, PATH_HOOKS, parse_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..model.algebra import Algebra, Bool, Word
    from ..model.path import Path
    from .changes import Ends

#: What a field is in the end, on both sides.
FINAL = "final-"

#: Where a packet goes, on both sides or on one.
_SIDES_OF_PATHS = {"path": (0, 1), "path-before": (0,), "path-after": (1,)}

_INTERFACES = {"iif", "oif"}
#: One word of a condition.
_WORD = re.compile(r"(?P<key>[^\s=!]+)(?P<operator>!?=)(?P<values>\S+)")
#: What stands before conditions where an answer prints them.
_LEAD = re.compile(r"\s*(?:so are all with|or)\s+")


class BadCondition(ValueError):  # noqa: N818 - the field's word, as BadPacketText
    """A condition that cannot be read; ``start`` and ``end`` say where in its text."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


@attrs.frozen
class Bits:
    """A value under a mask; without a mask all bits count."""

    value: int
    mask: int | None = None

    def holds(self, algebra: Algebra, word: Word, bits: int) -> Bool:
        """Whether a word has these bits."""
        mask = (1 << bits) - 1 if self.mask is None else self.mask
        if self.value >> bits or mask >> bits:
            return algebra.false
        found = algebra.bvand(word, algebra.const(mask, bits))
        return algebra.equal(found, algebra.const(self.value, bits))


@attrs.frozen
class Between:
    """All values from one to another."""

    first: int
    last: int

    def holds(self, algebra: Algebra, word: Word, bits: int) -> Bool:
        """Whether a word is one of them."""
        if self.last >> bits:
            return algebra.false
        first, last = (algebra.const(end, bits) for end in (self.first, self.last))
        return algebra.all(algebra.ule(first, word), algebra.ule(word, last))


@attrs.frozen
class Group:
    """A set that rules have: what is in it, and whether that is all."""

    #: Elements, each with a span for each field.
    elements: tuple[tuple[Between, ...], ...]
    #: The names of sets that rules look up and whose elements are not known.
    unknown: frozenset[str] = frozenset()
    #: The elements of which each field has one value: a word is looked up among all at once.
    keys: KeyGroup = attrs.field(init=False, eq=False, repr=False)

    @keys.default
    def _keys(self) -> KeyGroup:
        exact = [one for one in self.elements if all(span.first == span.last for span in one)]
        places = range(len(exact[0])) if exact else ()
        return KeyGroup(
            tuple(places),
            {tuple(span.first for span in one): [number] for number, one in enumerate(exact)},
        )

    @property
    def ranges(self) -> tuple[tuple[Between, ...], ...]:
        """All other elements."""
        return tuple(one for one in self.elements if any(span.first != span.last for span in one))


@attrs.frozen
class Packets:
    """Any packet, or one, as conditions look at it."""

    ends: Ends
    path: Path
    groups: Mapping[str, Group] = attrs.Factory(dict)
    #: Sets whose elements are not known, by their names: what rules look up there, as fields; None
    #: where it is not a field of the packet that comes.
    asked: Mapping[str, Sequence[tuple[Oracle, tuple[str, ...] | None]]] = attrs.Factory(dict)

    @property
    def algebra(self) -> Algebra:
        """That of the packet's words."""
        return self.ends.algebra

    @property
    def family(self) -> Family:
        """What it is."""
        return self.ends.family

    def goes(self, way: str, side: int) -> Bool:
        """Where a packet goes this way on a side: ``forward``, ``input`` or ``output``."""
        algebra = self.algebra
        if self.path is not RECEIVED:
            return algebra.true if way == "output" else algebra.false
        words = tuple(self.ends.at_routing(side, field) for field in ROUTED_BY)
        if way == "output" or None in words:
            return algebra.false
        answer = algebra.const(BY_DEVICE if way == "forward" else TO_THE_NODE, 2)
        return algebra.equal(algebra.ask(Oracle(OracleKind.ROUTE), words, 2), answer)

    def is_member(self, name: str, key: tuple[Word, ...] | None = None) -> Iterator[Bool]:
        """What the node answers about a set, for a key or for the fields that are looked up."""
        questions: dict[tuple[Oracle, tuple[Word, ...]], None] = {}
        for oracle, fields in self.asked.get(name, ()):
            if key is not None:
                questions[oracle, key] = None
            elif fields is not None:
                questions[oracle, tuple(map(self.ends.start, fields))] = None
        for oracle, words in questions:
            answer = self.algebra.ask(oracle, words, 1)
            yield self.algebra.equal(answer, self.algebra.const(1, 1))


@attrs.frozen
class ConditionWord:
    """One word: fields, and which values of them fit."""

    keys: tuple[str, ...]  #: fields of the model, or ``hook``, ``path``, ``fib-FIELD``, ``in:NAME``
    values: tuple[Bits | Between, ...] = ()
    group: str = ""  #: in place of values
    names: tuple[str, ...] = ()  #: of hooks or paths, in place of values
    negated: bool = False
    final: bool = False  #: whether it is about the fields in the end
    family: Family | None = None  #: of the addresses in it

    def holds(self, packets: Packets) -> Bool:
        """Where it holds."""
        algebra = packets.algebra
        if self.keys == ("hook",):
            if packets.path.is_whole:
                return algebra.false
            here = packets.path.entry in self.names
            return algebra.false if here is self.negated else algebra.true
        if routed := _SIDES_OF_PATHS.get(self.keys[0]):
            return self._is_of_path(packets, routed)
        if self.keys[0].startswith("in:"):
            asked = list(packets.is_member(self.keys[0].removeprefix("in:")))
            turned = (algebra.not_(one) if self.negated else one for one in asked)
            return algebra.all(*turned) if asked else algebra.false
        if not self.final:
            return self._holds(packets, packets.ends.start)
        sides = (lambda field, side=side: packets.ends.words(field)[side] for side in (0, 1))
        return algebra.all(*(self._holds(packets, side) for side in sides))

    def _is_of_path(self, packets: Packets, sides: tuple[int, ...]) -> Bool:
        """Where a packet goes one of the ways on these sides, or none of them on any."""
        algebra = packets.algebra
        if not packets.path.is_whole:
            return algebra.false
        ways = [[packets.goes(name, side) for side in sides] for name in self.names]
        if self.negated:
            return algebra.all(*(algebra.not_(goes) for way in ways for goes in way))
        return algebra.any(*(algebra.all(*way) for way in ways))

    def _holds(self, packets: Packets, field: Callable[[str], Word]) -> Bool:
        algebra = packets.algebra
        words, sizes = zip(*(self._word(packets, field, key) for key in self.keys), strict=True)
        if not self.group:
            found = algebra.any(*(one.holds(algebra, words[0], sizes[0]) for one in self.values))
            return algebra.not_(found) if self.negated else found
        group = packets.groups.get(self.group)
        # What is looked up with other fields than the set has is neither in it nor outside of it.
        if group is None or any(len(one) != len(words) for one in group.elements):
            return algebra.false
        inside = [
            algebra.all(
                *(
                    span.holds(algebra, word, bits)
                    for span, word, bits in zip(one, words, sizes, strict=True)
                )
            )
            for one in group.ranges
        ]
        if group.keys.by_key:
            inside.append(algebra.is_in(group.keys, words))
        for name in sorted(group.unknown):
            inside += packets.is_member(name, tuple(words))
        found = algebra.any(*inside)
        return algebra.not_(found) if self.negated else found

    @staticmethod
    def _word(packets: Packets, field: Callable[[str], Word], key: str) -> tuple[Word, int]:
        if not key.startswith("fib-"):
            return field(key), width(key, packets.family)
        address = field(key.removeprefix("fib-"))
        nowhere = packets.algebra.const(0, width("iif", packets.family))
        return packets.algebra.ask(Oracle(OracleKind.FIB_TYPE), (address, nowhere), 8), 8


@attrs.frozen
class Condition:
    """Conjunctions of words, any of which holds."""

    alternatives: tuple[tuple[ConditionWord, ...], ...]
    texts: tuple[str, ...] = attrs.field(eq=False)

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition; each line of it is an alternative. Raises BadCondition."""
        found, texts, start = [], [], 0
        for line in text.split("\n"):
            lead = _LEAD.match(line)
            skipped = lead.end() if lead else 0
            if line[skipped:].strip():
                found.append(tuple(_tests(line[skipped:], start + skipped)))
                texts.append(line[skipped:].strip())
            start += len(line) + 1
        if not found:
            raise BadCondition(
                "the condition is empty: say which packets it is about", 0, len(text)
            )
        return cls(tuple(found), tuple(texts))

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it names."""
        return frozenset(one.group for part in self.alternatives for one in part if one.group)

    def holds(self, packets: Packets) -> Bool:
        """Where it holds."""
        algebra = packets.algebra
        return algebra.any(
            *(
                algebra.all(*(one.holds(packets) for one in part))
                for part in self.alternatives
                if all(one.family in {None, packets.family} for one in part)
            )
        )


def _tests(line: str, start: int) -> Iterator[ConditionWord]:
    for found in re.finditer(r"\S+", line):
        word = _WORD.fullmatch(found.group())
        place = start + found.start(), start + found.end()
        if not word:
            raise BadCondition(
                f"“{found.group()}” is not KEY=VALUE or KEY!=VALUE, without blanks", *place
            )
        try:
            yield _test(word["key"], word["values"], negated=word["operator"] == "!=")
        except ValueError as error:
            raise BadCondition(str(error), *place) from None


def _test(key: str, values: str, *, negated: bool) -> ConditionWord:
    """A word. Raises ValueError."""
    if key == "hook" or key in _SIDES_OF_PATHS:
        names, known = tuple(values.split(",")), HOOKS if key == "hook" else PATH_HOOKS
        if wrong := [name for name in names if name not in known]:
            raise ValueError(f"{key}: “{wrong[0]}” is not one of {', '.join(known)}")
        return ConditionWord((key,), names=names, negated=negated)
    if key.startswith("in:"):
        if values not in {"yes", "no"}:
            raise ValueError(f"{key}: “{values}” is not yes or no")
        return ConditionWord((key,), negated=negated is not (values == "no"))
    final = key.startswith(FINAL)
    fields = tuple(map(_field, key.removeprefix(FINAL).split(".")))
    if values.startswith("@"):
        return ConditionWord(fields, group=values[1:], negated=negated, final=final)
    if len(fields) > 1:
        raise ValueError(f"{key}: several fields are looked up in a group: {key}=@NAME")
    (field,) = fields
    found = [_value(key, field, one) for one in _listed(field, values)]
    families = {family for _, family in found} - {None}
    if len(families) > 1:
        raise ValueError(f"{key}: the addresses are of two families")
    family = families.pop() if families else None
    return ConditionWord(
        fields, tuple(one for one, _ in found), negated=negated, final=final, family=family
    )


def _field(key: str) -> str:
    """The field of a key, or what the node is asked of one."""
    if key.startswith("fib-") and (address := key.removeprefix("fib-")) in ADDRESSES:
        return f"fib-{address}"
    field = KEYS.get(key) or BOUND.get(key) or key
    if field not in FIELDS:
        known = (*KEYS, "hook", "path", "fib-saddr", "fib-daddr", *BOUND, "in:SETNAME")
        raise ValueError(f"“{key}” is not known; the keys are {', '.join(known)}")
    return field


def _listed(field: str, values: str) -> list[str]:
    """The values of a list; flags are one value, whose names commas part."""
    return [values] if field == "tcp_flags" else values.split(",")


def _value(key: str, field: str, text: str) -> tuple[Bits | Between, Family | None]:
    """A value, a prefix, a range, or a value under a mask; and its family. Raises ValueError."""
    if not text:
        raise ValueError(f"{key} has an empty value")
    try:
        if field.startswith("fib-"):
            return Bits(_named(text, ADDRESS_TYPES)), None
        if field in BOUND.values():
            return Bits(_named(text, {"yes": 1, "no": 0})), None
        if field in ADDRESSES:
            return _addresses(text)
        if field in _INTERFACES and text == "none":
            return Bits(0, 0xFF << 8 * (NAME_BYTES - 1)), None
        if field in _INTERFACES and text.endswith("*"):
            name = text[:-1]
            return Bits(interface_word(name), prefix_mask(name)), None
        if field == "ct_state":
            bit = _named(text, STATE_BITS)
            return Bits(bit, bit), None
        if field == "ct_status" and "/" not in text:
            bit = _named(text, STATUS_BITS)
            return Bits(bit, bit), None
        return _number(field, text), None
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _named(text: str, known: Mapping[str, int]) -> int:
    if text not in known:
        raise ValueError(f"“{text}” is not one of {', '.join(known)}")
    return known[text]


def _addresses(text: str) -> tuple[Bits | Between, Family]:
    first, dash, last = text.partition("-")
    if dash:
        ends = Address.parse(first), Address.parse(last)
        if ends[0].family is not ends[1].family or ends[0].value > ends[1].value:
            raise ValueError(f"“{text}” is no range of addresses")
        return Between(ends[0].value, ends[1].value), ends[0].family
    host, slash, length = text.partition("/")
    address = Address.parse(host)
    family = address.family
    size = parse_integer(length, family.bits) if slash else family.bits
    mask = family.all_ones ^ (family.all_ones >> size)
    if address.value & ~mask:
        raise ValueError(f"“{text}” has bits set behind its prefix")
    return Bits(address.value, mask), family


def _number(field: str, text: str) -> Bits | Between:
    value, slash, mask = text.partition("/")
    if slash:
        number, bits = (_masked(field, one) for one in (value, mask))
        if number & ~bits:
            raise ValueError(f"“{text}” has bits set that its mask leaves out")
        return Bits(number, bits)
    first, dash, last = text.partition("-")
    if dash and first.isdecimal() and last.isdecimal():
        ends = parse_value(field, first), parse_value(field, last)
        if ends[0] > ends[1]:
            raise ValueError(f"“{text}” is no range: it ends before it begins")
        return Between(*ends)
    return Bits(parse_value(field, text))


def _masked(field: str, text: str) -> int:
    """A value beside a mask, or the mask: of flags by their names, or as a number."""
    return parse_integer(text) if text.startswith("0x") else parse_value(field, text)
