"""addrtype: what kind of address the routing table takes the source or destination for.

Kernel: net/netfilter/xt_addrtype.c, addrtype_mt_v1. For IPv4 it asks the same function as nft's
``fib ... type`` (net/ipv4/netfilter/nft_fib_ipv4.c); they differ only on an interface of a VRF.

For IPv6 the match goes its own way (match_type6): several types are neither all wanted nor any of
them. LOCAL alone is the same in nft (net/ipv6/netfilter/nft_fib_ipv6.c), but for a link-local
address of an interface other than the packet's, and for the first address of a prefix that is
routed to the node as a whole: these nft does not take for local. With an interface as the limit
both look at its own addresses only, and agree (measured packet by packet on Linux 6.18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import IPV6_LOCAL, NO_NFT_FORM
from ...core.values import Address, Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...model.packet import ADDRESS_TYPES
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import AnyOf, Extension
from ..forms import list_of
from ..option_table import Option, OptionTable, at_least_one, at_most_one
from ..placement import ANYWHERE, COMES_BY, LEAVES_BY, Placement
from ..shared.compare import always_or_never, equality

if TYPE_CHECKING:
    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: The types that nft has words for: the same, in small letters.
SHARED = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE",
    "PROHIBIT",
)  # fmt: skip
#: All types, in the order in which iptables prints them.
TYPES = (*SHARED, "THROW", "NAT", "XRESOLVE")

_UNSPECIFIED, _MULTICAST = x.Host(Address.parse("::")), x.Prefix(Address.parse("ff00::"), 8)
_MAPPED = x.Prefix(Address.parse("::ffff:0.0.0.0"), 96)

#: What IPv6 addresses of a type look like: nft's sign, and what they are compared with.
_IPV6_LOOKS: dict[str, tuple[str, x.Expression]] = {
    "UNSPEC": ("==", _UNSPECIFIED),
    "UNICAST": ("!=", x.AnonymousSet((_UNSPECIFIED, _MULTICAST, _MAPPED))),
    "MULTICAST": ("==", _MULTICAST),
}

Names = tuple[str, ...]


@attrs.frozen(kw_only=True)
class AddrType(Match):
    """``-m addrtype`` with types for the source, the destination, or both."""

    source: Negatable[Names] | None = None
    destination: Negatable[Names] | None = None
    limit_in: bool = False  #: LOCAL means an address of the interface that the packet came through
    limit_out: bool = False  #: LOCAL means an address of the interface that it leaves through


def meaning(node: AddrType, view: View) -> Test:
    """Each address that is named is of one of the types; for IPv6 as match_type6 has it."""
    fits = _has_type6 if view.state.family is Family.IP6 else _has_type
    return Test(
        view.state.algebra.all(
            *(
                view.negate(fits(field, test.value, _limit(node, view), view), negated=test.negated)
                for field, test in (("saddr", node.source), ("daddr", node.destination))
                if test
            )
        )
    )


def _limit(node: AddrType, view: View) -> Word:
    """The interface whose addresses alone are local; no name where all of them are."""
    if node.limit_in:
        return view.state.fields["iif"]
    return view.state.fields["oif"] if node.limit_out else view.state.word("oif", 0)


def _has_type(field: str, names: Names, interface: Word, view: View) -> Bool:
    """Whether the routing table takes the address for one of these (match_type)."""
    algebra = view.state.algebra
    state = view.state
    asked = (state.fields[field], interface, *state.typed_by(state.word("mark", 0)))
    found = view.ask(Oracle(OracleKind.FIB_TYPE), *asked, width=8)
    return algebra.any(
        *(algebra.equal(found, algebra.const(ADDRESS_TYPES[name.lower()], 8)) for name in names)
    )


def _has_type6(field: str, names: Names, interface: Word, view: View) -> Bool:
    """Whether the address looks like all of these, and is routed like one of those (match_type6).

    What an address looks like, ipv6_addr_type says: unicast is all but ``::``, ``ff00::/8`` and
    ``::ffff:0:0/96``. No other type is looked up in a route, and the kernel takes no others.
    """
    state, algebra = view.state, view.state.algebra
    unspecified = state.is_(field, 0)
    multicast = state.is_(field, 0xFF << 120, 0xFF << 120)
    mapped = state.is_(field, 0xFFFF << 32, state.family.all_ones ^ 0xFFFFFFFF)
    looks = {
        "UNSPEC": unspecified,
        "UNICAST": algebra.not_(algebra.any(unspecified, multicast, mapped)),
        "MULTICAST": multicast,
    }
    routes = tuple(
        _has_type(field, (name,), interface, view)
        if name == "LOCAL"
        else view.says(Oracle(OracleKind.ROUTE_TYPE, name.lower()), state.fields[field], interface)
        for name in names
        if name in ("LOCAL", "ANYCAST", "UNREACHABLE")
    )
    routed = algebra.any(*routes) if routes else algebra.true
    return algebra.all(*(looks[name] for name in names if name in looks), routed)


def lower(node: AddrType, context: Context) -> tuple[Piece, ...]:
    """Ask for the type of each address that the match names."""
    limit = ("iif",) * node.limit_in + ("oif",) * node.limit_out
    compare = _compare6 if context.family is Family.IP6 else _compare
    return tuple(
        piece
        for field, test in (("saddr", node.source), ("daddr", node.destination))
        if test
        for piece in compare(x.Fib((field, *limit), "type"), test, context)
    )


def _compare(fib: x.Fib, test: Negatable[Names], _context: Context) -> tuple[Piece, ...]:
    literals = tuple(map(_literal, test.value))
    right = literals[0] if len(literals) == 1 else x.AnonymousSet(literals)
    return (s.Match(fib, equality(negated=test.negated), right),)


def _literal(name: str) -> x.Expression:
    """A type, which nft has a word for or takes by its number."""
    return x.Symbol(name.lower()) if name in SHARED else x.Number(ADDRESS_TYPES[name.lower()])


def _compare6(fib: x.Fib, test: Negatable[Names], context: Context) -> tuple[Piece, ...]:
    """All that the address looks like, and whether it is local."""
    field, *limited = fib.flags
    looks = tuple(_IPV6_LOOKS[name] for name in test.value if name in _IPV6_LOOKS)
    if unknown := [name for name in test.value if name not in {*_IPV6_LOOKS, "LOCAL"}]:
        raise context.refuse(
            f"for IPv6 nft does not know the type {unknown[0].lower()} as addrtype"
        )
    if len(looks) > 1:
        return always_or_never(holds=test.negated)  # no address looks like two of these
    tests = tuple(s.Match(x.Payload("ip6", field), sign, right) for sign, right in looks)
    if "LOCAL" in test.value:
        if not limited:
            context.approximate(
                IPV6_LOCAL,
                "nft does not treat as local a link-local address of an interface other than"
                " the packet's, or the first address of a prefix that is routed to the node as a"
                " whole",
            )
        tests = (*tests, s.Match(fib, "==", x.Symbol("local")))
    if not test.negated:
        return tests
    others = tuple(
        (*tests[:number], attrs.evolve(one, operator="!=" if one.operator == "==" else "=="))
        for number, one in enumerate(tests)
    )
    return others[0] if len(others) == 1 else (AnyOf(others),)


# --- where, and which packets -------------------------------------------------------------------


def _needs(node: AddrType, _family: Family) -> Placement:
    """addrtype_mt_checkentry_v1."""
    if node.limit_in:
        return Placement(hooks=COMES_BY, subject="addrtype with --limit-iface-in")
    if node.limit_out:
        return Placement(hooks=LEAVES_BY, subject="addrtype with --limit-iface-out")
    return ANYWHERE


_TYPES = k.OneOf(k.Some(TYPES), k.Some(SHARED), ("LOCAL",))
_DRAW = k.Build(
    AddrType,
    source=k.maybe_negated(_TYPES),
    destination=k.maybe_negated(_TYPES),
    limit_in=k.FLAG,
    limit_out=k.FLAG,
).filter(
    lambda node: bool(node.source or node.destination) and not (node.limit_in and node.limit_out)
)


def aim(node: AddrType, draft: Draft) -> None:
    """Let the routing table take each address for a type that fits."""
    fields = draft.fields
    interface = fields["iif"] if node.limit_in else fields["oif"] if node.limit_out else 0
    aim_one = _aim_type6 if draft.family is Family.IP6 else _aim_type
    for field, test in (("saddr", node.source), ("daddr", node.destination)):
        if test:
            aim_one(field, test, interface, draft)


def _aim_type(field: str, test: Negatable[Names], interface: int, draft: Draft) -> None:
    fitting = [name for name in TYPES if (name in test.value) is not test.negated]
    # Where none fits, one that the kernel does not have: the interpreter takes it.
    number = ADDRESS_TYPES[draft.random.choice(fitting).lower()] if fitting else len(ADDRESS_TYPES)
    draft.answer(OracleKind.FIB_TYPE, number, draft.fields[field], interface)


def _aim_type6(field: str, test: Negatable[Names], interface: int, draft: Draft) -> None:
    """An address that looks right; where it must not look so, one that does not."""
    looks = [name for name in test.value if name in _LOOKING]
    if looks:
        others = [name for name in _LOOKING if name not in looks]
        name = draft.random.choice(others if test.negated and others else looks)
        draft.fit_bits(field, *_LOOKING[name])
    address = draft.fields[field]
    is_routed = not test.negated
    type_ = ADDRESS_TYPES["local" if is_routed else "unicast"]
    draft.answer(OracleKind.FIB_TYPE, type_, address, interface, *draft.routed_by, 0)
    for name in ("anycast", "unreachable"):
        draft.answer(Oracle(OracleKind.ROUTE_TYPE, name), is_routed, address, interface)


#: Bits of an address that looks so, and their mask.
_LOOKING = {
    "UNSPEC": (0, Family.IP6.all_ones),
    "UNICAST": (0x2001 << 112, 0xFFFF << 112),
    "MULTICAST": (0xFF << 120, 0xFF << 120),
}


EXTENSION = Extension(
    name="addrtype",
    node=AddrType,
    options=OptionTable.of(
        Option("--src-type", list_of(TYPES), "source", negatable=True),
        Option("--dst-type", list_of(TYPES), "destination", negatable=True),
        Option("--limit-iface-in", field="limit_in"),
        Option("--limit-iface-out", field="limit_out"),
        at_least_one("--src-type", "--dst-type"),
        at_most_one("--limit-iface-in", "--limit-iface-out"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    needs=_needs,
    draw=_DRAW,
    aim=aim,
    nft="fib saddr|daddr [. iif|oif] type TYPE",
    codes=(IPV6_LOCAL, NO_NFT_FORM),
)
