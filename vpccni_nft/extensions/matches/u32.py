"""u32: 32 bits of the packet, masked, shifted and compared.

Kernel: net/netfilter/xt_u32.c. Offsets count from the network header. A packet that ends before the
bits does not match, and does after a ``!``. ``@`` moves on by what was read so far: nft can follow
it from the length of the IPv4 header to the transport header, and no further.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import Family, Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.headers import (
    NETWORK,
    TRANSPORT,
    changing,
    network_bits,
    set_bits,
    transport_bits,
)
from ...model.oracle import Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import SHORTEST
from ..extension import Extension, NoneOf
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE
from ..shared.compare import NEVER
from ..shared.number_ranges import LARGEST, NumberRange, range_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: Tests of a match; numbers before the equals sign and ranges after it (XT_U32_MAXSIZE).
MOST_TESTS, MOST_PARTS = 10, 10

#: Bytes behind the start of a header that the kernel reads from for nft (before Linux 6.9).
LAST_OFFSET = 255

_NUMBER = r"0[xX][0-9a-fA-F]+|[0-9]+"
_STEP = re.compile(rf"\s*(&|<<|>>|@)\s*({_NUMBER})")
_LOCATION = re.compile(rf"\s*({_NUMBER})((?:\s*(?:&|<<|>>|@)\s*(?:{_NUMBER}))*)\s*")


#: First and last of some numbers; there are none where the first is larger.
Numbers = tuple[int, int]


@attrs.frozen
class Step:
    """One operation on what was read: ``&``, ``<<`` or ``>>``, or ``@``, which reads elsewhere."""

    operator: str
    number: int

    def __str__(self) -> str:
        return f"{self.operator}{self.number:#x}"


@attrs.frozen
class Comparison:
    """What is read from where, what is done to it, and what it must be."""

    offset: int
    steps: tuple[Step, ...]
    ranges: tuple[Numbers, ...]

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """Read ``OFFSET[STEP...]=RANGE[,RANGE...]``."""
        location, equals, values = text.partition("=")
        match = _LOCATION.fullmatch(location)
        if not match or not equals:
            raise ValueError(f"“{text.strip()}” is not a test of u32")
        steps = tuple(Step(sign, parse_integer(number)) for sign, number in _STEP.findall(match[2]))
        if any(step.operator in {"<<", ">>"} and step.number > 31 for step in steps):
            raise ValueError("a shift by more than 31 bits")
        ranges = tuple(_parse_numbers(value.strip()) for value in values.split(","))
        if len(steps) >= MOST_PARTS or len(ranges) > MOST_PARTS:
            raise ValueError(f"a side of a test has at most {MOST_PARTS} numbers or ranges")
        return cls(parse_integer(match[1]), steps, ranges)

    def __str__(self) -> str:
        ranges = ",".join(
            f"{first:#x}" if first == last else f"{first:#x}:{last:#x}"
            for first, last in self.ranges
        )
        return f"{self.offset:#x}{''.join(map(str, self.steps))}={ranges}"


def _parse_numbers(text: str) -> Numbers:
    first, colon, last = text.partition(":")
    number = parse_integer(first)
    return number, parse_integer(last) if colon else number


Comparisons = tuple[Comparison, ...]

#: The offset of a fragment is in the 32 bits of an IPv4 header from the fourth byte on.
_FRAGMENT_BYTE = 4


@attrs.frozen
class U32(Match):
    """``-m u32 [!] --u32 "TEST[&&TEST...]"``."""

    tests: Negatable[Comparisons]


def _parse_tests(text: str) -> Comparisons:
    found = tuple(map(Comparison.parse, text.split("&&")))
    if len(found) > MOST_TESTS:
        raise ValueError(f"u32 makes at most {MOST_TESTS} tests")
    return found


def meaning(node: U32, view: View) -> Test:
    """Every test finds its bits in the packet, and its number in one of its ranges."""
    fits = view.state.algebra.all(*(_comparison_fits(view, one) for one in node.tests.value))
    return Test(view.negate(fits, negated=node.tests.negated))


def _comparison_fits(view: View, test: Comparison) -> Bool:
    algebra = view.state.algebra
    word, there = network_bits(view.state, 8 * test.offset, 32)
    for index, step in enumerate(test.steps):
        number = algebra.const(step.number, 32)
        match step.operator:
            case "&":
                word = algebra.bvand(word, number)
            case ">>" | "<<" if not step.number:
                continue
            case ">>":
                kept = 32 - step.number
                word = algebra.concat(
                    algebra.const(0, step.number), algebra.extract(word, step.number, kept), kept
                )
            case "<<":
                kept = algebra.extract(word, 0, 32 - step.number)
                word = algebra.concat(kept, algebra.const(0, step.number), step.number)
            case _:
                before = str(attrs.evolve(test, steps=test.steps[:index], ranges=()))
                if view.state.family is Family.IP and before == "0x0>>0x16&0x3c=":
                    word, found = transport_bits(view.state, 8 * step.number, 32)
                else:
                    word, found = _further_on(view, word, number)
                there = algebra.all(there, found)
    inside = algebra.any(
        *(
            algebra.all(
                algebra.ule(algebra.const(first, 32), word),
                algebra.ule(word, algebra.const(last, 32)),
            )
            for first, last in test.ranges
        )
    )
    return algebra.all(there, inside)


def _further_on(view: View, place: Word, number: Word) -> tuple[Word, Bool]:
    """Four bytes at a place that a word of the packet leads to, and whether the packet has them."""
    arguments = (place, number, *changing(view.state))
    return (
        view.ask(Oracle(OracleKind.BITS_FURTHER_ON), *arguments, width=32),
        view.says(Oracle(OracleKind.HAS_BITS_FURTHER_ON), *arguments),
    )


# --- nft ----------------------------------------------------------------------------------------

#: What leads from the first 32 bits to the length of the IPv4 header, in bytes.
_TO_TRANSPORT = (Step(">>", 22), Step("&", 0x3C))


#: The bits of a fragment's offset.
_FRAGMENT_BITS = 0x1FFF


@attrs.frozen
class _Bits:
    """32 bits of the packet under a mask, shifted right; left where the number is negative."""

    base: str
    offset: int
    mask: int = LARGEST
    shift: int = 0

    def step(self, step: Step) -> _Bits:
        """Mask or shift what there is; bits that are shifted out do not come back."""
        if step.operator == "&":
            return attrs.evolve(self, mask=self.mask & self._unshifted(step.number))
        shift = self.shift + (step.number if step.operator == ">>" else -step.number)
        shifted = attrs.evolve(self, shift=shift)
        return attrs.evolve(shifted, mask=self.mask & shifted._unshifted(LARGEST))

    def _unshifted(self, number: int) -> int:
        moved = number << self.shift if self.shift >= 0 else number >> -self.shift
        return moved & LARGEST

    def unshifted(self, ranges: Iterable[Numbers]) -> Iterator[NumberRange]:
        """The ranges of the masked bits that the shift brings into the given ones."""
        for smallest, largest in ranges:
            if self.shift >= 0:
                # What a right shift drops is not in the mask.
                first, last = smallest << self.shift, largest << self.shift
            else:
                first, last = -(-smallest >> -self.shift), largest >> -self.shift
            last = min(last, LARGEST)
            if first <= last and not (first == last and first & ~self.mask):
                yield NumberRange(first, last)


def lower(node: U32, context: Context) -> tuple[Piece, ...]:
    """Compare the bits where they stand; a negated match is one that not all tests pass."""
    whole = context.tracked
    tests: list[s.Match] = []
    for comparison in node.tests.value:
        bits = _locate(comparison, context, whole=whole)
        tests.append(_compare(bits, comparison.ranges))
        whole = whole or _excludes_fragments(bits, comparison)
    return (NoneOf((tuple(tests),)),) if node.tests.negated else tuple(tests)


def _locate(test: Comparison, context: Context, *, whole: bool) -> _Bits:
    """Follow the steps; ``whole`` says that the packet has a transport header."""
    bits = _Bits("nh", test.offset)
    for index, step in enumerate(test.steps):
        if step.operator != "@":
            bits = bits.step(step)
            continue
        is_known = (test.offset, test.steps[:index]) == (0, _TO_TRANSPORT)
        if not is_known or context.family is not Family.IP:
            raise context.refuse(
                "nft follows @ from 0>>22&0x3c to the IPv4 transport header only",
                "it reads no offset from a packet",
            )
        if not whole:
            raise context.refuse(
                "in a later fragment nft may not read where the transport header would be",
                "test for fragments first, with 4&0x1fff=0",
            )
        bits = _Bits("th", step.number)
    if bits.offset > LAST_OFFSET:
        raise context.refuse(f"nft reads bytes up to {LAST_OFFSET} of a header only")
    return bits


def _excludes_fragments(bits: _Bits, test: Comparison) -> bool:
    return (
        (bits.base, bits.offset, bits.shift) == ("nh", _FRAGMENT_BYTE, 0)
        and bits.mask & _FRAGMENT_BITS == _FRAGMENT_BITS
        and all(first == last and not first & _FRAGMENT_BITS for first, last in test.ranges)
    )


def _compare(bits: _Bits, ranges: tuple[Numbers, ...]) -> s.Match:
    field = x.RawPayload(bits.base, 8 * bits.offset, 32)
    merged = _merged(bits.unshifted(ranges))
    if not merged:
        return NEVER
    if merged[0].first == 0 and merged[0].last >= bits.mask:
        # Whatever it is, the packet must have it.
        return s.Match(field, ">=", x.Number(0))
    masked = field if bits.mask == LARGEST else x.Binary("&", field, x.Hex(bits.mask))
    literals = tuple(range_literal(one, x.Hex) for one in merged)
    return s.Match(masked, "==", literals[0] if len(literals) == 1 else x.AnonymousSet(literals))


def _merged(ranges: Iterable[NumberRange]) -> list[NumberRange]:
    """The same numbers in order and without overlaps, which nft's sets do not take."""
    merged: list[NumberRange] = []
    for one in sorted(ranges, key=lambda one: one.first):
        if merged and one.first <= merged[-1].last + 1:
            merged[-1] = NumberRange(merged[-1].first, max(merged[-1].last, one.last))
        else:
            merged.append(one)
    return merged


# --- which packets ------------------------------------------------------------------------------


def _numbers(largest: int) -> k.ValueKind:
    one = k.Integers(0, largest)
    return one.map(lambda number: (number, number)) | k.Build(lambda *ends: ends, one, one)


_ONE_STEP = k.OneOf(
    k.Build(Step, "&", k.Among((0xFF, 0xFFFF, 0xFF0000, 0xF0000000, 0)) | k.Integers(0, k.FULL)),
    k.Build(Step, k.Among(("<<", ">>")), k.Among((1, 8, 16, 24, 31, 0))),
)
_STEPS = k.Several(_ONE_STEP, 0, 3)
_RANGES = k.Several(k.OneOf(_numbers(9), _numbers(0xFFFF), _numbers(k.FULL)), 1, 3)
_OFFSET = k.Among((0, 3, 4, 6, 9, 12, 100)) | k.Integers(0, 300)
_HERE = k.Build(Comparison, _OFFSET, _STEPS, _RANGES)
_OF_TRANSPORT = k.Build(
    lambda offset, steps, ranges: Comparison(
        0, (*_TO_TRANSPORT, Step("@", offset), *steps), ranges
    ),
    k.Integers(0, 20),
    _STEPS,
    _RANGES,
)
_ANYWHERE = k.Build(
    lambda offset, steps, ranges: Comparison(offset, (*steps, Step("@", offset)), ranges),
    _OFFSET,
    _STEPS,
    _RANGES,
)
_TESTS = k.Several(k.OneOf(_HERE, _HERE, _HERE, _OF_TRANSPORT, _ANYWHERE), 1, 3)
#: That a packet is no further fragment, which the transport header needs.
_WHOLE = Comparison(4, (Step("&", 0x1FFF),), ((0, 0),))


def aim(node: U32, draft: Draft) -> None:
    """Bits that every test takes; after a ``!`` bits that the first one does not take."""
    if node.tests.negated:
        _aim_comparison(node.tests.value[0], draft, fits=False)
    else:
        # Twice: on a field that one of them sets, the bytes hang that another has read.
        for test in (*node.tests.value, *node.tests.value):
            _aim_comparison(test, draft, fits=True)


def _aim_comparison(test: Comparison, draft: Draft, *, fits: bool) -> None:
    """Try the packet as it is, bits that the steps make the numbers of, and some others."""
    jumps = [place for place, step in enumerate(test.steps) if step.operator == "@"]
    rest = test.steps[jumps[-1] + 1 :] if jumps else test.steps
    numbers = [number for ends in test.ranges for number in (*ends, sum(ends) // 2)]
    numbers += [draft.random.getrandbits(32) for _ in range(4)] + [0, LARGEST]
    draft.random.shuffle(numbers)
    for bits in (None, *(_gone_back(number, rest) for number in numbers)):
        for kind in (OracleKind.NETWORK_LENGTH, OracleKind.TRANSPORT_LENGTH):
            draft.answer(kind, 0xFFFF)
        _, asked = draft.evaluate(lambda view: _comparison_fits(view, test))
        for question, answer in asked.items():
            is_there = question[0].kind is OracleKind.HAS_BITS_FURTHER_ON
            draft.answers[question] = 1 if is_there else answer
        if bits is not None:
            _place(bits, test, jumps, draft)
            draft.fields["length"] = max(draft.fields["length"], SHORTEST[draft.family])
        holds, asked = draft.evaluate(lambda view: _comparison_fits(view, test))
        draft.answers.update(asked)
        if holds is fits:
            return


def _place(bits: int, test: Comparison, jumps: list[int], draft: Draft) -> None:
    """Give the 32 bits that a test reads last a value."""
    memory = draft.family, draft.fields, draft.answers
    if not jumps:
        set_bits(*memory, NETWORK, 8 * test.offset, 32, bits)
    elif (draft.family, test.offset, test.steps[: jumps[-1]]) == (Family.IP, 0, _TO_TRANSPORT):
        set_bits(*memory, TRANSPORT, 8 * test.steps[jumps[-1]].number, 32, bits)
    else:
        asked = [one for one in draft.answers if one[0].kind is OracleKind.BITS_FURTHER_ON]
        draft.answers[asked[-1]] = bits


def _gone_back(number: int, steps: Iterable[Step]) -> int:
    for step in reversed(tuple(steps)):
        if step.operator == ">>":
            number = number << step.number & LARGEST
        elif step.operator == "<<":
            number >>= step.number
    return number


def _tests_text(tests: Comparisons) -> str:
    return f'"{"&&".join(map(str, tests))}"'


EXTENSION = Extension(
    name="u32",
    node=U32,
    options=OptionTable.of(
        Option(
            "--u32",
            Form("TEST[&&TEST...]", _parse_tests, _tests_text),
            "tests",
            negatable=True,
            required=True,
        )
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(U32, k.negatable(_TESTS | _TESTS.map(lambda some: (_WHOLE, *some)))),
    aim=aim,
    nft="@nh,OFFSET,32 & MASK == VALUE",
    codes=(NO_NFT_FORM,),
)
