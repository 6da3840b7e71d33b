"""policy: the IPsec transformations that a packet came through or goes through.

Kernel: net/netfilter/xt_policy.c, policy_mt. Without ``--strict`` some transformation must be as
the one element says; with it there must be as many as elements, each as its element says. nft's
``ipsec`` (nft_xfrm.c) reads one transformation by its number, and of it the SPI and the request,
not the protocol or the mode. iptables takes a tunnel's addresses together with its mode only.

For what came in, kernels put the elements of a strict rule beside the wrong transformations
(``pos = i - sp->len + 1``, mended in 2026), so that only a single one has one meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_OPTION, BAD_PLACE, NO_NFT_FORM, Problem
from ...core.values import Negatable, Network, parse_integer
from ...iptables.ast import Match
from ...iptables.protocols import parse_protocol, protocol_name
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind, route_of
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import AnyOf, Extension, NoneOf
from ..forms import NETWORK, NUMBER, choice
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE, COMES_BY, LEAVES_BY, Placement
from ..shared.compare import equality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import Family
    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece, Statements
    from ..options import GivenOption, GivenOptions

#: Most transformations of a packet (XFRM_MAX_DEPTH), and most elements of a rule.
MOST_TRANSFORMATIONS = 6
MOST_ELEMENTS = 4

MODES = ("transport", "tunnel")

#: Bits of the number of transformations.
_COUNT_BITS = 3

_HOOKS = {"in": COMES_BY, "out": LEAVES_BY}


@attrs.frozen(kw_only=True)
class Element:
    """What one transformation must be; each part may be negated."""

    reqid: Negatable[int] | None = None
    spi: Negatable[int] | None = None
    protocol: Negatable[int] | None = None
    mode: Negatable[str] | None = None
    tunnel_destination: Negatable[Network] | None = None
    tunnel_source: Negatable[Network] | None = None


@attrs.frozen(kw_only=True)
class IpsecPolicy(Match):
    """``-m policy --dir WAY --pol none|ipsec`` with elements."""

    direction: str  #: ``in`` or ``out``
    elements: tuple[Element, ...] = ()  #: none of them: ``--pol none``
    strict: bool = False


def meaning(node: IpsecPolicy, view: View) -> Test:
    """No transformation, some that fits, or as many as elements, each of which fits."""
    algebra = view.state.algebra
    oracle = Oracle(OracleKind.TRANSFORMATIONS, node.direction)
    count = view.ask_since(route_of(node.direction), oracle, width=_COUNT_BITS)

    def has(number: int) -> Bool:
        return algebra.not_(algebra.ule(count, algebra.const(number, _COUNT_BITS)))

    if not node.elements:
        return Test(algebra.not_(has(0)))
    if not node.strict:
        (element,) = node.elements
        return Test(
            algebra.any(
                *(
                    algebra.all(has(number), _element_fits(element, number, node.direction, view))
                    for number in range(MOST_TRANSFORMATIONS)
                )
            )
        )
    as_many = algebra.equal(count, algebra.const(len(node.elements), _COUNT_BITS))
    fits = (
        _element_fits(element, number, node.direction, view)
        for number, element in enumerate(node.elements)
    )
    return Test(algebra.all(as_many, *fits))


def _element_fits(element: Element, number: int, direction: str, view: View) -> Bool:
    """match_xfrm_state."""
    algebra, bits = view.state.algebra, view.state.family.bits

    def asked(what: str, width: int) -> Word:
        oracle = Oracle(OracleKind.TRANSFORMATION, direction, (what, number))
        return view.ask_since(route_of(direction), oracle, width=width)

    mode = None
    if element.mode:
        mode = Negatable[int](MODES.index(element.mode.value), element.mode.negated)
    tests: list[Bool] = []
    for what, test, width in (
        ("reqid", element.reqid, 32),
        ("spi", element.spi, 32),
        ("protocol", element.protocol, 8),
        ("mode", mode, 8),
    ):
        if test:
            found = asked(what, width)
            same = algebra.equal(found, algebra.const(test.value, width))
            tests.append(view.negate(same, negated=test.negated))
    for what, network in (
        ("destination", element.tunnel_destination),
        ("source", element.tunnel_source),
    ):
        if network:
            mask = algebra.const(network.value.mask, bits)
            masked = algebra.bvand(
                asked(what, bits),
                mask,
            )
            inside = algebra.equal(masked, algebra.const(network.value.address, bits))
            tests.append(view.negate(inside, negated=network.negated))
    return algebra.all(*tests)


def lower(node: IpsecPolicy, context: Context) -> tuple[Piece, ...]:
    """Ask whether there is one; go through all that can be; or read so many and no more."""
    there = x.Meta("ipsec") if node.direction == "in" else x.Rt("ipsec")
    if not node.elements:
        return (s.Match(there, "==", x.Symbol("missing")),)
    for element in node.elements:
        _refuse_what_nft_does_not_read(element, context)
    if node.strict:
        return _lower_strict(node, context)
    (element,) = node.elements
    if element == Element():
        return (s.Match(there, "==", x.Symbol("exists")),)
    return (AnyOf(tuple(_alternatives(element, node.direction))),)


def _refuse_what_nft_does_not_read(element: Element, context: Context) -> None:
    if element.protocol:
        raise context.refuse("nft does not read the protocol of an IPsec transformation")
    if element.mode or element.tunnel_source or element.tunnel_destination:
        raise context.refuse("nft does not read the mode of an IPsec transformation")


def _lower_strict(node: IpsecPolicy, context: Context) -> tuple[Piece, ...]:
    if node.direction == "in" and len(node.elements) > 1:
        raise context.refuse(
            "kernels differ in what --strict compares if there are several transformations"
        )
    matches = (
        match
        for number, element in enumerate(node.elements)
        for match in _tests(element, number, node.direction)
    )
    further = s.Match(x.Ipsec(node.direction, "reqid", len(node.elements)), ">=", x.Number(0))
    return (*matches, NoneOf(((further,),)))


def _tests(element: Element, number: int, direction: str) -> tuple[s.Match, ...]:
    """Both parts of an element that nft reads."""
    return tuple(
        s.Match(
            x.Ipsec(direction, key, number), equality(negated=test.negated), x.Number(test.value)
        )
        for key, test in (("reqid", element.reqid), ("spi", element.spi))
        if test
    )


def _alternatives(element: Element, direction: str) -> Iterator[Statements]:
    """The first transformation that fits is this one or that one: no two of these hold together."""
    before: list[Statements] = [()]
    for number in range(MOST_TRANSFORMATIONS):
        tests = _tests(element, number, direction)
        yield from ((*path, *tests) for path in before)
        before = [(*path, *other) for path in before for other in _others(tests)]


def _others(tests: tuple[s.Match, ...]) -> Iterator[Statements]:
    """The ways in which tests of one transformation do not all hold, each without the others."""
    for number, test in enumerate(tests):
        opposite = {"==": "!=", "!=": "=="}[test.operator]
        yield (*tests[:number], attrs.evolve(test, operator=opposite))


# --- where, and which packets -------------------------------------------------------------------


def _needs(node: IpsecPolicy, _family: Family) -> Placement:
    """policy_mt_check."""
    return Placement(hooks=_HOOKS[node.direction], subject=f"policy with --dir {node.direction}")


_READ = {"reqid": k.maybe_negated(k.NUMBER), "spi": k.maybe_negated(k.NUMBER)}
_PROTOCOL = k.maybe_negated(k.Among((50, 51, 108)))
_SOME = k.Build(Element, **_READ)
_ELEMENT = k.OneOf(
    _SOME,
    _SOME,
    k.Build(Element, protocol=_PROTOCOL, mode=k.maybe_negated(k.Among(MODES)), **_READ),
    k.Build(
        Element,
        protocol=_PROTOCOL,
        mode=Negatable("tunnel"),
        tunnel_destination=k.maybe_negated(k.NETWORK),
        tunnel_source=k.maybe_negated(k.NETWORK),
        **_READ,
    ),
)
_DIRECTION = k.Among(("in", "out"))
_DRAW = k.OneOf(
    k.Build(IpsecPolicy, direction=_DIRECTION),
    k.Build(IpsecPolicy, direction=_DIRECTION, elements=k.Several(_ELEMENT, 1, 1)),
    k.Build(
        IpsecPolicy,
        direction=_DIRECTION,
        elements=k.Several(_ELEMENT.filter(lambda one: one != Element()), 1, MOST_ELEMENTS),
        strict=True,
    ),
)


def aim(node: IpsecPolicy, draft: Draft) -> None:
    """As many transformations as elements, or some more where one of them has to fit."""
    count, first = len(node.elements), 0
    if count and not node.strict:
        count = draft.random.randint(1, MOST_TRANSFORMATIONS)
        first = draft.random.randrange(count)
    draft.answer(Oracle(OracleKind.TRANSFORMATIONS, node.direction), count)
    for number, element in enumerate(node.elements, first):
        _aim_element(element, number, node.direction, draft)


def _aim_element(element: Element, number: int, direction: str, draft: Draft) -> None:
    def of_it(what: str) -> Oracle:
        return Oracle(OracleKind.TRANSFORMATION, direction, (what, number))

    draft.answer_fit(of_it("reqid"), element.reqid, 32)
    draft.answer_fit(of_it("spi"), element.spi, 32)
    draft.answer_fit(of_it("protocol"), element.protocol, 8)
    if element.mode:
        draft.answer(of_it("mode"), MODES.index(element.mode.value) ^ element.mode.negated)
    for end, network in (
        ("destination", element.tunnel_destination),
        ("source", element.tunnel_source),
    ):
        if network:
            beside = (network.value.mask & -network.value.mask) * network.negated
            draft.answer(of_it(end), network.value.address ^ beside)


_HEX = Form("NUMBER", parse_integer, hex)

#: The parts that each transformation may have.
_ELEMENT_OPTIONS = OptionTable.of(
    Option("--reqid", NUMBER, "reqid", negatable=True),
    Option("--spi", _HEX, "spi", negatable=True),
    Option("--proto", Form("PROTOCOL", parse_protocol, protocol_name), "protocol", negatable=True),
    Option("--mode", choice(*MODES), "mode", negatable=True),
    Option("--tunnel-dst", NETWORK, "tunnel_destination", negatable=True),
    Option("--tunnel-src", NETWORK, "tunnel_source", negatable=True),
)

_HEAD = OptionTable.of(
    Option("--dir", choice("in", "out"), "direction", required=True),
    Option(
        "--pol",
        choice("none", "ipsec"),
        "policy",
        required=True,
        show=lambda node: "ipsec" if node.elements else "none",
    ),
    Option("--strict", field="strict"),
)
_FIRST = OptionTable.of(*_HEAD.options, *_ELEMENT_OPTIONS.options)


def build(options: GivenOptions) -> IpsecPolicy:
    """Read the options; ``--next`` stands between elements."""
    parts: list[list[GivenOption]] = [[]]
    for option in options.given:
        if options.name(option) == "--next":
            if option.negated:
                raise options.problem(option, "--next cannot be negated")
            parts.append([])
        else:
            parts[-1].append(option)
    first, *others = (attrs.evolve(options, given=tuple(part)) for part in parts)
    element = _FIRST.read(first)
    direction, policy = element.pop("direction"), element.pop("policy")
    strict = element.pop("strict", False)
    elements = (Element(**element), *(_ELEMENT_OPTIONS.build(Element, other) for other in others))
    if policy == "none":
        # iptables passes over elements here.
        return IpsecPolicy(direction=direction)
    if len(elements) > MOST_ELEMENTS or (others and not strict):
        raise Problem(BAD_OPTION, "--next needs --strict", span=options.span)
    return IpsecPolicy(direction=direction, elements=elements, strict=strict)


def save(node: IpsecPolicy) -> Iterator[str]:
    """Write the options in libxt_policy's order."""
    yield from _HEAD.save(node)
    for place, element in enumerate(node.elements):
        if place:
            yield "--next"
        yield from _ELEMENT_OPTIONS.save(element)


EXTENSION = Extension(
    name="policy",
    node=IpsecPolicy,
    options=OptionTable.of(
        *_HEAD.options, *_ELEMENT_OPTIONS.options, Option("--next", repeated=True)
    ),
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=_DRAW,
    aim=aim,
    nft="meta ipsec, rt ipsec; ipsec in|out spnum N reqid, spi",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
