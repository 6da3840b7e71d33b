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

from ...core.diagnostics import BAD_OPTION, IPV6_LOCAL, NO_NFT_FORM, Problem
from ...core.values import Address, Family, Negatable
from ...iptables.ast import Match
from ...nft import expressions as x
from ...nft import statements as s
from ...semantics.effects import Test
from ...semantics.packet import ADDRESS_TYPES
from ..compare import equality
from ..extension import Extension
from ..states import parse_list
from ..words import flags, negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...semantics.algebra import Bool, Word
    from ...semantics.effects import View
    from ..context import Context
    from ..options import Options

#: The types that nft has words for: the same, in small letters.
SHARED = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE",
    "PROHIBIT",
)  # fmt: skip
#: All types, in the order in which iptables prints them.
TYPES = (*SHARED, "THROW", "NAT", "XRESOLVE")

_IPV6_LITERALS: dict[tuple[str, ...], x.Expression] = {
    ("UNSPEC",): x.Host(Address.parse("::")),
    ("MULTICAST",): x.Prefix(Address.parse("ff00::"), 8),
}

Names = tuple[str, ...]


@attrs.frozen(kw_only=True)
class AddrType(Match):
    """``-m addrtype`` with types for the source, the destination, or both."""

    source: Negatable[Names] | None = None
    destination: Negatable[Names] | None = None
    limit_in: bool = False  #: LOCAL means an address of the interface that the packet came through
    limit_out: bool = False  #: LOCAL means an address of the interface that it leaves through


def build(options: Options) -> AddrType:
    """Read the options."""
    node = AddrType(
        source=options.negatable("--src-type", _parse_types),
        destination=options.negatable("--dst-type", _parse_types),
        limit_in=options.flag("--limit-iface-in"),
        limit_out=options.flag("--limit-iface-out"),
    )
    if not (node.source or node.destination):
        raise Problem(BAD_OPTION, "addrtype needs --src-type or --dst-type", span=options.span)
    if node.limit_in and node.limit_out:
        raise Problem(BAD_OPTION, "addrtype takes one interface as a limit", span=options.span)
    return node


def _parse_types(text: str) -> Names:
    return parse_list(text, TYPES)


def save(node: AddrType) -> Iterator[str]:
    """Write the options."""
    yield from _save_types("--src-type", node.source)
    yield from _save_types("--dst-type", node.destination)
    yield from flags(("--limit-iface-in", node.limit_in), ("--limit-iface-out", node.limit_out))


def _save_types(name: str, test: Negatable[Names] | None) -> Iterator[str]:
    if test:
        yield from negation(test)
        yield from (name, ",".join(test.value))


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
    found = view.ask("fib type", view.state.fields[field], interface, width=8)
    return algebra.any(
        *(algebra.equal(found, algebra.word(ADDRESS_TYPES[name.lower()], 8)) for name in names)
    )


def _has_type6(field: str, names: Names, interface: Word, view: View) -> Bool:
    """Whether the address looks like all of these, and is routed like one of those (match_type6).

    What an address looks like, ipv6_addr_type says: unicast is all but ``::``, ``ff00::/8`` and
    ``::ffff:0:0/96``. No other type is asked of a route, and the kernel takes no others.
    """
    state, algebra = view.state, view.state.algebra
    unspecified = state.is_(field, 0)
    multicast = state.is_(field, 0xFF << 120, 0xFF << 120)
    mapped = state.is_(field, 0xFFFF << 32, state.family.all_ones ^ 0xFFFFFFFF)
    looks = {
        "UNSPEC": unspecified,
        "UNICAST": algebra.no(algebra.any(unspecified, multicast, mapped)),
        "MULTICAST": multicast,
    }
    routes = tuple(
        _has_type(field, (name,), interface, view)
        if name == "LOCAL"
        else view.says(f"route is {name.lower()}", state.fields[field], interface)
        for name in names
        if name in ("LOCAL", "ANYCAST", "UNREACHABLE")
    )
    routed = algebra.any(*routes) if routes else algebra.true
    return algebra.all(*(looks[name] for name in names if name in looks), routed)


def lower(node: AddrType, context: Context) -> tuple[s.Match, ...]:
    """Ask for the type of each address that the match names."""
    limit = ("iif",) * node.limit_in + ("oif",) * node.limit_out
    return tuple(
        _compare(x.Fib((field, *limit), "type"), test, context)
        for field, test in (("saddr", node.source), ("daddr", node.destination))
        if test
    )


def _compare(fib: x.Fib, test: Negatable[Names], context: Context) -> s.Match:
    field, *limited = fib.flags
    sign = equality(negated=test.negated)
    if context.family is Family.IP6 and test.value != ("LOCAL",):
        literal = _IPV6_LITERALS.get(test.value)
        if not literal:
            raise context.refuse("for IPv6 nft sorts addresses into other types than addrtype")
        return s.Match(x.Payload("ip6", field), sign, literal)
    if unknown := [name for name in test.value if name not in SHARED]:
        raise context.refuse(f"nft has no type {unknown[0].lower()}")
    if context.family is Family.IP6 and not limited:
        context.approximate(
            IPV6_LOCAL,
            "nft does not take for local a link-local address of another interface than the"
            " packet's, nor the first address of a prefix that is all routed to the node",
        )
    symbols = tuple(x.Symbol(name.lower()) for name in test.value)
    return s.Match(fib, sign, symbols[0] if len(symbols) == 1 else x.AnonymousSet(symbols))


EXTENSION = Extension(
    name="addrtype",
    node=AddrType,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="fib saddr|daddr [. iif|oif] type TYPE",
    codes=(IPV6_LOCAL, NO_NFT_FORM),
)
