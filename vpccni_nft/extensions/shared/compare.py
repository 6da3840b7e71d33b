"""Comparisons that many rooms lower in the same way: values that an iptables option may negate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.values import Address
from ...nft import expressions as x
from ...nft.statements import Match

if TYPE_CHECKING:
    from ...core.values import AddressRange, MaskedMark, Negatable, Network, PortRange

#: A match that no packet passes: every packet has at least its header.
NEVER = Match(x.Meta("length"), "==", x.Number(0))


def equality(*, negated: bool) -> str:
    """nft's sign for "is" and "is not"."""
    return "!=" if negated else "=="


def always_or_never(*, holds: bool) -> tuple[Match, ...]:
    """A condition that does not depend on the packet."""
    return () if holds else (NEVER,)


def compare_network(left: x.Expression, test: Negatable[Network]) -> tuple[Match, ...]:
    """Compare an address with a network, whatever its mask."""
    network, sign = test.value, equality(negated=test.negated)
    address = Address(network.family, network.address)
    length = network.length
    if length == 0:
        return always_or_never(holds=not test.negated)
    if length == network.family.bits:
        return (Match(left, sign, x.Host(address)),)
    if length is not None:
        return (Match(left, sign, x.Prefix(address, length)),)
    mask = x.Host(Address(network.family, network.mask))
    return (Match(x.Binary("&", left, mask), sign, x.Host(address)),)


def address_literal(addresses: AddressRange) -> x.Expression:
    """One address, or the range from first to last."""
    first = x.Host(addresses.first)
    if addresses.last.value == addresses.first.value:
        return first
    return x.Range(first, x.Host(addresses.last))


def compare_ports(
    left: x.Expression, ports: tuple[PortRange, ...], *, negated: bool
) -> tuple[Match, ...]:
    """Compare a port with one range or several.

    A full range is compared too: reading the port fails on a fragment without a header, and there
    iptables does not match either.
    """
    literals = tuple(map(port_literal, ports))
    right = literals[0] if len(literals) == 1 else x.AnonymousSet(literals)
    return (Match(left, equality(negated=negated), right),)


def port_literal(ports: PortRange) -> x.Expression:
    """One port, or the range from first to last."""
    first = x.Number(ports.first)
    return first if ports.last == ports.first else x.Range(first, x.Number(ports.last))


def compare_mark(left: x.Expression, test: Negatable[MaskedMark]) -> tuple[Match, ...]:
    """Compare the masked bits of a mark with a value (xt_mark.c: ``(mark & M) == V``)."""
    mark, sign = test.value, equality(negated=test.negated)
    if mark.value & ~mark.mask:
        return always_or_never(holds=test.negated)
    if mark.mask == 0:
        return always_or_never(holds=not test.negated)
    if mark.mask != 0xFFFFFFFF:
        left = x.Binary("&", left, x.Hex(mark.mask))
    return (Match(left, sign, x.Hex(mark.value)),)
