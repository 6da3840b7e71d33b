"""Lower the base specification of a rule: addresses, interfaces, protocol, fragments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.diagnostics import NO_NFT_FORM, Problem
from ..core.values import Family
from ..extensions.shared.compare import always_or_never, compare_network, equality
from ..extensions.shared.fragments import OFFSET_BITS
from ..nft import expressions as x
from ..nft import statements as s
from ..nft.expressions import NETWORK_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.values import Negatable, Network
    from ..extensions.context import Context
    from ..iptables.ast import Interface

SOURCE = {family: x.Payload(header, "saddr") for family, header in NETWORK_HEADER.items()}
DESTINATION = {family: x.Payload(header, "daddr") for family, header in NETWORK_HEADER.items()}

#: Headers that ip6tables looks behind for the protocol of a packet, which they never are
#: (ip6_packet_match; net/ipv6/exthdrs_core.c, ipv6_find_hdr).
EXTENSION_HEADERS = frozenset({0, 43, 44, 51, 60})

#: Bytes of an interface's name; nft counts a backslash before a star as one of them.
LONGEST_NAME = 15

#: Names that libnftables does not take for strings in JSON (measured on nft 1.0.6).
JSON_WORDS = frozenset("ah comp dccp esp icmp icmpv6 redirect sctp tcp udp udplite".split())


def _compare_source(test: Negatable[Network], context: Context) -> tuple[s.Match, ...]:
    return compare_network(SOURCE[context.family], test)


def _compare_destination(test: Negatable[Network], context: Context) -> tuple[s.Match, ...]:
    return compare_network(DESTINATION[context.family], test)


def _compare_in_interface(test: Negatable[Interface], _context: Context) -> tuple[s.Match, ...]:
    return _compare_interface("iifname", test)


def _compare_out_interface(test: Negatable[Interface], _context: Context) -> tuple[s.Match, ...]:
    return _compare_interface("oifname", test)


def _compare_protocol(test: Negatable[int], context: Context) -> tuple[s.Match, ...]:
    if context.family is Family.IP6 and test.value in EXTENSION_HEADERS:
        return always_or_never(holds=test.negated)
    sign = equality(negated=test.negated)
    return (s.Match(x.Meta("l4proto"), sign, x.Protocol(test.value)),)


def _compare_interface(key: str, test: Negatable[Interface]) -> tuple[s.Match, ...]:
    if test.value.is_any:
        return always_or_never(holds=not test.negated)
    name = test.value.name
    if not name.isprintable() or '"' in name or "\\" in name:
        raise Problem(NO_NFT_FORM, f"nft cannot write the interface name {name!r}")
    if name.startswith("@") or (name in JSON_WORDS and not test.value.wildcard):
        raise Problem(NO_NFT_FORM, f"libnftables reads the interface name {name} as a keyword")
    if name.endswith("*") and len(name.encode()) == LONGEST_NAME and not test.value.wildcard:
        raise Problem(NO_NFT_FORM, "nft has no room to escape the star at the end of this name")
    interface = x.Interface(name, test.value.wildcard)
    return (s.Match(x.Meta(key), equality(negated=test.negated), interface),)


def _compare_fragment(test: Negatable[bool], context: Context) -> tuple[s.Match, ...]:
    if context.family is Family.IP6:
        raise Problem(NO_NFT_FORM, "ip6tables has no -f")
    offset = x.Binary("&", x.Payload("ip", "frag-off"), x.Hex(OFFSET_BITS))
    return (s.Match(offset, equality(negated=not test.negated), x.Number(0)),)


#: The tests of ip_packet_match (ip_tables.c), for each field of a rule, in the order in which
#: iptables-save prints them.
FIELDS: dict[str, Callable[[Any, Context], tuple[s.Match, ...]]] = {
    "source": _compare_source,
    "destination": _compare_destination,
    "in_interface": _compare_in_interface,
    "out_interface": _compare_out_interface,
    "protocol": _compare_protocol,
    "fragment": _compare_fragment,
}
