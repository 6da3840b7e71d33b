"""srh: the segment routing header of IPv6, and the segments in it.

Kernel: net/ipv6/netfilter/ip6t_srh.c, srh_mt6 and srh1_mt6. A header with more segments left than
it has segments does not match. nft cannot compare the two fields: where neither is given, both are
looked up among the pairs that are in order. The tag is compared in the byte order of the CPU, which
is little-endian on all machines of EC2. nft has words for the first two segments only.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Address, Family, Negatable, Network
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind, extension_header, header_field
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Form, Option, OptionTable
from ..placement import Placement
from ..shared.compare import NEVER, compare_network, equality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

#: The type of the routing header (IPV6_SRCRT_TYPE_4).
SEGMENT_ROUTING = 4

LARGEST_BYTE, LARGEST_TAG = 0xFF, 0xFFFF

#: nft's signs for the options' last word, and for what they say after a ``!``.
SIGNS = {"equal": ("==", "!="), "above": (">", "<="), "below": ("<", ">=")}


@attrs.frozen(kw_only=True)
class Bounds:
    """What a number of one byte is compared with, in one or several ways.

    The kernel keeps one number for all three.
    """

    equal: Negatable[int] | None = None
    above: Negatable[int] | None = None
    below: Negatable[int] | None = None

    def __attrs_post_init__(self) -> None:
        if len({test.value for test in (self.equal, self.above, self.below) if test}) > 1:
            raise ValueError("the kernel keeps one number for all of -eq, -gt and -lt")

    @property
    def only(self) -> int | None:
        """The one number that it may be, where that is said."""
        return self.equal.value if self.equal and not self.equal.negated else None


@attrs.frozen(kw_only=True)
class Srh(Match):
    """``-m srh`` with any of its options, or with none."""

    next_header: Negatable[int] | None = None
    length: Bounds = Bounds()
    segments_left: Bounds = Bounds()
    last_entry: Bounds = Bounds()
    tag: Negatable[int] | None = None
    previous: Negatable[Network] | None = None  #: the segment that the packet comes from
    next: Negatable[Network] | None = None  #: the one that it goes to
    last: Negatable[Network] | None = None  #: the one where it ends


# --- meaning ------------------------------------------------------------------------------------


def meaning(node: Srh, view: View) -> Test:
    """There is such a header, it is in order, and its fields are as asked."""
    algebra = view.state.algebra
    kind, left, entry = (
        view.ask(field, width=8)
        for field in (
            header_field("rt", "type"),
            header_field("rt", "seg-left"),
            header_field("srh", "last-entry"),
        )
    )
    fits = [
        view.says(extension_header("rt")),
        algebra.equal(kind, algebra.const(SEGMENT_ROUTING, 8)),
        algebra.ule(left, entry),
        _is(view, view.ask(header_field("rt", "nexthdr"), width=8), node.next_header, 8),
        *_within(view, view.ask(header_field("rt", "hdrlength"), width=8), node.length),
        *_within(view, left, node.segments_left),
        *_within(view, entry, node.last_entry),
        *_segments_fit(view, node, left, entry),
    ]
    if tag := node.tag:
        swapped = Negatable(int.from_bytes(tag.value.to_bytes(2, "little"), "big"), tag.negated)
        fits.append(_is(view, view.ask(header_field("srh", "tag"), width=16), swapped, 16))
    return Test(algebra.all(*fits))


def _is(view: View, word: Word, test: Negatable[int] | None, width: int) -> Bool:
    algebra = view.state.algebra
    if not test:
        return algebra.true
    same = algebra.equal(word, algebra.const(test.value, width))
    return view.negate(same, negated=test.negated)


def _within(view: View, word: Word, bounds: Bounds) -> Iterator[Bool]:
    algebra = view.state.algebra
    yield _is(view, word, bounds.equal, 8)
    if above := bounds.above:
        larger = algebra.not_(algebra.ule(word, algebra.const(above.value, 8)))
        yield view.negate(larger, negated=above.negated)
    if below := bounds.below:
        smaller = algebra.not_(algebra.ule(algebra.const(below.value, 8), word))
        yield view.negate(smaller, negated=below.negated)


def _segments_fit(view: View, node: Srh, left: Word, entry: Word) -> Iterator[Bool]:
    """The list begins with the last segment; the next one stands before those that are behind."""
    algebra = view.state.algebra
    first, second = (view.ask(header_field("srh", f"sid[{place}]"), width=128) for place in (1, 2))

    def left_is(number: int) -> Bool:
        return algebra.equal(left, algebra.const(number, 8))

    if node.previous:
        other = view.ask(Oracle(OracleKind.PREVIOUS_SEGMENT), left, width=128)
        previous = algebra.ite(left_is(0), second, other)
        yield algebra.not_(algebra.equal(left, entry))
        yield _segment_fits(view, previous, node.previous)
    if node.next:
        other = view.ask(Oracle(OracleKind.NEXT_SEGMENT), left, width=128)
        following = algebra.ite(left_is(1), first, algebra.ite(left_is(2), second, other))
        yield algebra.not_(left_is(0))
        yield _segment_fits(view, following, node.next)
    if node.last:
        yield _segment_fits(view, first, node.last)


def _segment_fits(view: View, segment: Word, test: Negatable[Network]) -> Bool:
    algebra = view.state.algebra
    masked = algebra.bvand(segment, algebra.const(test.value.mask, 128))
    same = algebra.equal(masked, algebra.const(test.value.address, 128))
    return view.negate(same, negated=test.negated)


# --- nft ----------------------------------------------------------------------------------------


def lower(node: Srh, context: Context) -> tuple[s.Match, ...]:
    """The same comparisons, and that the two fields are in order."""
    fields = [_compare("rt", "type", "==", SEGMENT_ROUTING), *_in_order(node)]
    if node.next_header:
        sign = equality(negated=node.next_header.negated)
        number = x.Protocol(node.next_header.value)
        fields.append(s.Match(x.ExtensionHeader("rt", "nexthdr"), sign, number))
    fields += _lower_bounds("rt", "hdrlength", node.length)
    fields += _lower_bounds("rt", "seg-left", node.segments_left)
    fields += _lower_bounds("srh", "last-entry", node.last_entry)
    if node.tag:
        on_the_wire = node.tag.value >> 8 | (node.tag.value & 0xFF) << 8
        sign = equality(negated=node.tag.negated)
        fields.append(_compare("srh", "tag", sign, on_the_wire))
    return (*fields, *_lower_segments(node, context))


def _compare(header: str, field: str, sign: str, number: int) -> s.Match:
    return s.Match(x.ExtensionHeader(header, field), sign, x.Number(number))


def _in_order(node: Srh) -> tuple[s.Match, ...]:
    """No more segments are left than the last entry says."""
    left, entry = node.segments_left.only, node.last_entry.only
    if left is not None:
        return (_compare("srh", "last-entry", ">=", left),) if left else ()
    if entry is not None:
        return (_compare("rt", "seg-left", "<=", entry),) if entry < LARGEST_BYTE else ()
    largest = max(_fitting(node.last_entry), default=-1)
    pairs = tuple(
        x.Concat((x.Number(left), _numbers(left, largest)))
        for left in _fitting(node.segments_left)
        if left <= largest
    )
    fields = (x.ExtensionHeader("rt", "seg-left"), x.ExtensionHeader("srh", "last-entry"))
    return (s.Match(x.Concat(fields), "==", x.AnonymousSet(pairs)),) if pairs else (NEVER,)


def _numbers(first: int, last: int) -> x.Expression:
    return x.Number(first) if first == last else x.Range(x.Number(first), x.Number(last))


def _lower_bounds(header: str, field: str, bounds: Bounds) -> Iterator[s.Match]:
    for relation, signs in SIGNS.items():
        test: Negatable[int] | None = getattr(bounds, relation)
        if test:
            yield _compare(header, field, signs[test.negated], test.value)


def _lower_segments(node: Srh, context: Context) -> Iterator[s.Match]:
    left = node.segments_left.only
    if node.previous:
        if left != 0:
            raise context.refuse("nft reads the previous segment of a packet that is there only")
        yield _compare("srh", "last-entry", "!=", 0)
        yield from _compare_segment(2, node.previous)
    if node.next:
        if left == 0:
            yield NEVER
            return
        if left not in {1, 2}:
            raise context.refuse("nft reads the first two segments of a list only")
        yield from _compare_segment(left, node.next)
    if node.last:
        yield from _compare_segment(1, node.last)


def _compare_segment(place: int, test: Negatable[Network]) -> tuple[s.Match, ...]:
    field = x.ExtensionHeader("srh", f"sid[{place}]")
    if test.value.length == Family.IP6.bits:
        return compare_network(field, test)
    # nft lists a prefix of whole bytes as something that it cannot read; under a mask it does not.
    # A segment must be there even where none of its bits count.
    mask = x.Host(Address(Family.IP6, test.value.mask))
    wanted = x.Host(Address(Family.IP6, test.value.address))
    return (s.Match(x.Binary("&", field, mask), equality(negated=test.negated), wanted),)


# --- which packets ------------------------------------------------------------------------------


def _bounds(number: int) -> k.ValueKind:
    """The kernel has one number for all of them."""
    test = k.maybe_negated(number)
    return k.Build(Bounds, equal=test, above=test, below=test)


_SMALL = k.Integers(0, 3) | k.BYTE
_BOUNDS = k.OneOf(Bounds(), _SMALL.then(_bounds))
_ONLY = _SMALL.map(lambda number: Bounds(equal=Negatable(number)))
_SEGMENT = k.maybe_negated(
    k.OneOf(
        k.NETWORK.of(Family.IP6).filter(lambda network: network.length is not None),
        Network(Family.IP6, 0, 0),
    )
)
_NODE = k.Build(
    Srh,
    next_header=k.maybe_negated(k.Among((4, 6, 41))),
    length=_BOUNDS,
    segments_left=_ONLY,
    last_entry=_BOUNDS,
    tag=k.maybe_negated(k.Integers(0, LARGEST_TAG)),
    last=_SEGMENT,
)
_FREE = k.Build(Srh, length=_BOUNDS, segments_left=_BOUNDS, last_entry=_BOUNDS)
_FIRST = Bounds(equal=Negatable(1))
_DRAW = k.OneOf(
    _NODE,
    _FREE,
    _NODE.map(lambda one: attrs.evolve(one, segments_left=one.last_entry, last_entry=_FIRST)),
    k.Build(Srh, segments_left=_ONLY, previous=_SEGMENT, next=_SEGMENT),
)


def aim(node: Srh, draft: Draft) -> None:
    """A header in order whose fields fit."""
    draft.answer(extension_header("rt"), 1)
    draft.answer(header_field("rt", "type"), SEGMENT_ROUTING)
    draft.answer_fit(header_field("rt", "nexthdr"), node.next_header, 8)
    lengths = _fitting(node.length)
    draft.answer(header_field("rt", "hdrlength"), draft.random.choice(lengths or [0]))
    entry = _fitting(node.last_entry)
    left = [
        number
        for number in _fitting(node.segments_left)
        if entry and number <= entry[-1] and not (node.next and number == 0)
    ]
    chosen = draft.random.choice(left) if left else 0
    larger = [number for number in entry if number >= chosen + bool(node.previous)]
    draft.answer(header_field("rt", "seg-left"), chosen)
    draft.answer(header_field("srh", "last-entry"), draft.random.choice(larger or [0]))
    if node.tag:
        swapped = int.from_bytes(node.tag.value.to_bytes(2, "little"), "big")
        draft.answer(header_field("srh", "tag"), swapped ^ node.tag.negated)
    _aim_segments(node, chosen, draft)


def _fitting(bounds: Bounds) -> list[int]:
    """The numbers that are within bounds."""
    tests = (
        (bounds.equal, operator.eq),
        (bounds.above, operator.gt),
        (bounds.below, operator.lt),
    )
    return [
        number
        for number in range(256)
        if all(not test or fits(number, test.value) is not test.negated for test, fits in tests)
    ]


def _aim_segments(node: Srh, left: int, draft: Draft) -> None:
    """The segment before, the next and the last one, wherever they stand in the list."""
    first, second = (header_field("srh", f"sid[{place}]") for place in (1, 2))
    following = {1: first, 2: second}.get(left, Oracle(OracleKind.NEXT_SEGMENT))
    before = second if left == 0 else Oracle(OracleKind.PREVIOUS_SEGMENT)
    for oracle, test in ((following, node.next), (before, node.previous), (first, node.last)):
        if test:
            beside = (test.value.mask & -test.value.mask) * test.negated
            arguments = () if oracle in (first, second) else (left,)
            draft.answer(oracle, test.value.address ^ beside, *arguments)


def _bound_options(name: str, field: str) -> Iterator[Option]:
    for sign, relation in (("eq", "equal"), ("gt", "above"), ("lt", "below")):
        yield Option(
            f"--srh-{name}-{sign}", number(LARGEST_BYTE), f"{field}.{relation}", negatable=True
        )


#: A segment, with its length even where it is one address.
_SEGMENT_FORM = Form("ADDRESS[/MASK]", Network.parse)

EXTENSION = Extension(
    name="srh",
    node=Srh,
    options=OptionTable.of(
        Option("--srh-next-hdr", number(LARGEST_BYTE), "next_header", negatable=True),
        *_bound_options("hdr-len", "length"),
        *_bound_options("segs-left", "segments_left"),
        *_bound_options("last-entry", "last_entry"),
        Option("--srh-tag", number(LARGEST_TAG), "tag", negatable=True),
        Option("--srh-psid", _SEGMENT_FORM, "previous", negatable=True),
        Option("--srh-nsid", _SEGMENT_FORM, "next", negatable=True),
        Option("--srh-lsid", _SEGMENT_FORM, "last", negatable=True),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP6),
    draw=_DRAW,
    aim=aim,
    nft="rt type 4, rt seg-left . srh last-entry, rt seg-left, srh last-entry, srh tag, srh sid[1]",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
