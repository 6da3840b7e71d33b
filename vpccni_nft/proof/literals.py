"""Conditions on packets as text: ``saddr=10.0.0.0/8 proto=tcp dport!=22,80``.

A condition is a conjunction of literals, each an atom of the algebra of terms or its negation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family
from ..model.hook import BY_DEVICE, TO_THE_NODE
from ..model.oracle import OracleKind
from ..model.packet import (
    ADDRESS_TYPES,
    ADDRESSES,
    FIELDS,
    NAME_BYTES,
    STATE_BITS,
    STATUS_BITS,
    TCP_FLAGS,
    width,
)
from ..simulate.packet_text import BOUND, KEY_OF, field_text
from ..simulate.world import interface_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ..model.oracle import Oracle
    from .term import Term

#: Fields whose values are sets of named bits.
_FLAGS: Mapping[str, Mapping[str, int]] = {
    "ct_state": STATE_BITS, "ct_status": STATUS_BITS, "tcp_flags": TCP_FLAGS,
}  # fmt: skip

_INTERFACES = {"iif", "oif"}

#: What routing answers, as the paths of packet texts.
_WAYS = {BY_DEVICE: "forward", TO_THE_NODE: "input"}

#: Fields of which a row of values is a range.
_NUMBERS = {"sport", "dport", "length", "ttl", "icmp_type", "icmp_code", "mss", "uid", "gid", "cpu"}
_TYPES = {number: name for name, number in ADDRESS_TYPES.items()}


@attrs.frozen
class Literal:
    """One thing that is said of a packet."""

    key: str  #: a key of packet texts, or what the node is asked
    value: str  #: a value, a prefix, a range, or a value under a mask
    negated: bool = False

    @property
    def sign(self) -> str:
        """What stands between the two."""
        return "!=" if self.negated else "="

    def __str__(self) -> str:
        return f"{self.key}{self.sign}{self.value}"


#: Which of the two sides puts a question to routing, where the other one puts another.
Sides = Mapping["Term", str]

_BOTH: Sides = {}


def literals_of(terms: Iterable[Term], family: Family, sides: Sides = _BOTH) -> tuple[Literal, ...]:
    """A conjunction, in the order of the keys of packet texts; bounds of a field are one range.

    ``sides`` names the side of a route that is not that of both.
    """
    found: dict[Literal, None] = {}
    states = set(STATE_BITS.values())
    bounds: dict[str, tuple[int, int]] = {}
    for term in terms:
        negated = term.kind == "not"
        atom = term.terms[0] if negated else term
        if (ends := _ends(atom, family, negated=negated)) and (field := _field(atom.parts[0])):
            first, last = bounds.get(field, (0, (1 << width(field, family)) - 1))
            bounds[field] = max(first, ends[0]), min(last, ends[1])
        elif atom.kind == "bits" and _field(atom.parts[0]) == "ct_state":
            _, mask, value = atom.parts
            states = {one for one in states if (one & mask == value) is not negated}
        else:
            found[_literal(atom, family, sides, negated=negated)] = None
    for field, (first, last) in bounds.items():
        values = dict.fromkeys(field_text(field, end, family) for end in (first, last))
        found[Literal(KEY_OF.get(field, field), "-".join(values))] = None
    if states != set(STATE_BITS.values()):
        found[_state(states)] = None
    order = [KEY_OF.get(field, field) for field in (*KEY_OF, *FIELDS)]
    return tuple(
        sorted(
            found,
            key=lambda one: (
                order.index(one.key) if one.key in order else len(order),
                one.negated,
                one.key,
            ),
        )
    )


def _ends(atom: Term, family: Family, *, negated: bool) -> tuple[int, int] | None:
    """The first and the last value that a comparison of a number lets be."""
    if atom.kind not in {"up to", "bits"} or not (field := _field(atom.parts[0])):
        return None
    everything = (1 << width(field, family)) - 1
    if atom.kind == "up to":
        first, last = 0, atom.parts[1]
    else:
        _, mask, first = atom.parts
        step = mask & -mask
        if field not in _NUMBERS or step == 1 or mask != everything + 1 - step:
            return None
        last = first + step - 1
    if not negated:
        return first, last
    if first and last < everything:
        return None
    return (0, first - 1) if first else (last + 1, everything)


def _state(states: Collection[int]) -> Literal:
    """One of some states; a packet has one."""
    inside = [name for name, bit in STATE_BITS.items() if bit in states]
    outside = [name for name in STATE_BITS if name not in inside]
    if len(outside) < len(inside):
        return Literal("ctstate", ",".join(outside), negated=True)
    return Literal("ctstate", ",".join(inside))


def text_of(literals: Iterable[Literal]) -> str:
    """A conjunction as text: what a key must not be is one list."""
    words: dict[tuple[str, bool], list[str]] = {}
    for one in literals:
        joins = one.negated and one.key != KEY_OF["tcp_flags"]  # whose values have commas
        place = (one.key, True) if joins else (f"{one.key}{one.sign}{one.value}", False)
        words.setdefault(place, []).append(one.value)
    return " ".join(
        f"{key}!={','.join(values)}" if negated else key for (key, negated), values in words.items()
    )


def texts_of(conditions: Sequence[tuple[Literal, ...]]) -> tuple[str, ...]:
    """Conjunctions as text, those that differ in one value of one key as one with a list."""
    groups: dict[tuple[object, ...], list[tuple[Literal, ...]]] = {}
    for one in conditions:
        groups.setdefault(tuple((part.key, part.negated) for part in one), []).append(one)
    found: list[str] = []
    for group in groups.values():
        differing = [
            place for place, parts in enumerate(zip(*group, strict=True)) if len(set(parts)) > 1
        ]
        if len(differing) == 1 and _lists(group[0][differing[0]]):
            (place,) = differing
            values = dict.fromkeys(one[place].value for one in sorted(group, key=_by_value))
            joined = attrs.evolve(group[0][place], value=",".join(values))
            found.append(text_of((*group[0][:place], joined, *group[0][place + 1 :])))
        else:
            found.extend(map(text_of, group))
    return tuple(found)


def _lists(literal: Literal) -> bool:
    """Whether several values of it can be one list: flags have commas of their own."""
    return not literal.negated and literal.key != KEY_OF["tcp_flags"]


def _by_value(condition: tuple[Literal, ...]) -> list[tuple[int, str]]:
    """Numbers in their order, whatever their digits."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for one in condition
        for part in re.split(r"(\d+)", one.value)
    ]


def _field(word: Term) -> str | None:
    """The field that a word is."""
    return str(word.parts[0]) if word.kind == "variable" else None


def _literal(atom: Term, family: Family, sides: Sides, *, negated: bool) -> Literal:
    match atom.kind, atom.parts:
        case "bits", (word, int(mask), int(value)):
            field = _field(word)
            if field and field in BOUND.values():
                return Literal(KEY_OF[field], "yes" if bool(value) is not negated else "no")
            if field:
                value_ = _masked(field, mask, value, family)
                return Literal(KEY_OF.get(field, field), value_, negated)
            if word.kind == "ask":
                return _answer(word, mask, value, sides.get(word, ""), negated=negated)
            full = mask == (1 << word.width) - 1
            return Literal(_word(word), f"{value:#x}" + ("" if full else f"/{mask:#x}"), negated)
        case "up to", (word, int(limit)):
            last = (1 << word.width) - 1
            ends = f"{limit + 1}-{last}" if negated else f"0-{limit}"
            return Literal(_word(word), ends)
        case "in", (group, *words):
            names = [str(_field(word) or _word(word)) for word in words]
            values = sorted(group.by_key)
            said = (
                ".".join(
                    _masked(name, (1 << word.width) - 1, value, family)
                    if _field(word)
                    else f"{value:#x}"
                    for name, word, value in zip(names, words, key, strict=True)
                )
                for key in values
            )
            return Literal(".".join(KEY_OF.get(one, one) for one in names), ",".join(said), negated)
        case (("equal" | "ule"), (one, other)):
            key = _word(one) if atom.kind == "equal" else f"{_word(one)} up to {_word(other)}"
            value_ = _word(other) if atom.kind == "equal" else "yes"
            return Literal(key, value_, negated)
    return Literal(_word(atom), "yes", negated)


def _masked(field: str, mask: int, value: int, family: Family) -> str:
    """Some bits of a field."""
    bits = width(field, family)
    everything = (1 << bits) - 1
    if field == "ct_status":
        names = {bit: name for name, bit in STATUS_BITS.items()}
        if value == mask and mask in names:
            return names[mask]
    elif mask == everything:
        return field_text(field, value, family)
    step = mask & -mask
    if mask == everything + 1 - step:  # the first bits, so a row of values
        length = bits - step.bit_length() + 1
        if field in ADDRESSES:
            return f"{Address(family, value)}/{length}"
        if field in _INTERFACES and length % 8 == 0:
            return f"{interface_name(value)}*"
        if field in _NUMBERS:
            return "-".join(field_text(field, end, family) for end in (value, value + step - 1))
    if field in _INTERFACES and not mask & (mask >> 8) and mask == 0xFF << 8 * (NAME_BYTES - 1):
        return "none" if not value else f"{value:#x}/{mask:#x}"
    if field in _FLAGS and not mask & ~sum(_FLAGS[field].values()):
        names_ = _FLAGS[field]
        return "/".join(
            ",".join(name for name, bit in names_.items() if bits_ & bit) or "none"
            for bits_ in (value, mask)
        )
    return f"{value:#x}/{mask:#x}"


def _answer(word: Term, mask: int, value: int, side: str, *, negated: bool) -> Literal:
    """What the node answers, to one side where it is asked otherwise by the other one."""
    oracle: Oracle = word.parts[0]
    full = mask == (1 << word.width) - 1
    said = str(value) if full else f"{value:#x}/{mask:#x}"
    if word.width == 1:
        said, negated = "yes" if bool(value) is not negated else "no", False
    match oracle.kind:
        case OracleKind.ROUTE if full and value in _WAYS:
            return Literal(f"path{side}", _WAYS[value], negated)
        case OracleKind.ROUTE_DEVICE:
            return Literal(f"oif{side}", _masked("oif", mask, value, Family.IP), negated)
        case OracleKind.FIB_TYPE if full and (field := _field(word.terms[0])):
            on = word.terms[1]
            where = "" if on.kind == "const" and not on.parts[0] else f" on {_word(on)}"
            return Literal(f"fib-{field}{where}", _TYPES.get(value, said), negated)
        case OracleKind.MEMBER:
            return Literal(f"in:{oracle.object}", said, negated)
    return Literal(_word(word), said, negated)


def _word(word: Term) -> str:
    """A word of the packet, or what became of one."""
    if field := _field(word):
        return KEY_OF.get(field, field)
    if word.kind == "const":
        return f"{word.parts[0]:#x}"
    if word.kind == "ask":
        about = ",".join(map(_word, word.terms))
        return f"{word.parts[0]} of {about}" if about else str(word.parts[0])
    if word.kind == "concat":
        return " . ".join(map(_word, word.terms))
    if word.kind == "masked":
        inner, free, flipped = word.parts
        turned = f"^{flipped:#x}" if flipped else ""
        return f"{_word(inner)}/{free:#x}{turned}"
    if word.kind == "extract":
        low = word.parts[1]
        return f"bits {low}-{low + word.width - 1} of {_word(word.terms[0])}"
    if word.kind == "result":
        return str(word.parts[0])
    names = dict.fromkeys(_fields_in(word))
    return f"what becomes of {','.join(names)}" if names else word.kind


def _fields_in(word: Term) -> Iterator[str]:
    seen: set[Term] = set()
    waiting = [word]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if field := _field(one):
            yield KEY_OF.get(field, field)
        waiting.extend(one.terms)
