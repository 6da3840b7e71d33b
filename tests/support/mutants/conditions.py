"""Mistakes in what a packet is compared with: addresses, ports, negations, chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from vpccni_nft.core.values import Address, mask_of_length
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s

from .base import (
    MARK,
    literals,
    steps,
    turned,
)


def _prefix(address: Address, length: int) -> x.Expression:
    value = address.value & mask_of_length(address.family, length)
    return x.Prefix(Address(address.family, value), length)


@literals("a prefix is one bit longer")
def _(_left: Any, right: Any) -> Any:
    match right:
        case x.Prefix(address, length) if length < address.family.bits:
            return _prefix(address, length + 1)
    return NotImplemented


@literals("a prefix is one bit shorter")
def _(_left: Any, right: Any) -> Any:
    match right:
        case x.Prefix(address, length) if length > 1:
            return _prefix(address, length - 1)
    return NotImplemented


@literals("a single address becomes two")
def _(_left: Any, right: Any) -> Any:
    match right:
        case x.Host(address):
            return _prefix(address, address.family.bits - 1)
    return NotImplemented


def _ports_moved(low: int, high: int) -> Callable[[Any, Any], Any]:
    def change(left: Any, right: Any) -> Any:
        match left, right:
            case x.Payload(_, "sport" | "dport"), x.Range(x.Number(first), x.Number(last)):
                ends = max(0, first + low), min(0xFFFF, last + high)
                return x.Range(*map(x.Number, ends)) if ends[0] <= ends[1] else right
        return NotImplemented

    return change


literals("a range of ports begins one too low")(_ports_moved(-1, 0))
literals("a range of ports begins one too high")(_ports_moved(+1, 0))
literals("a range of ports ends one too low")(_ports_moved(0, -1))
literals("a range of ports ends one too high")(_ports_moved(0, +1))


@literals("a port is one too high")
def _(left: Any, right: Any) -> Any:
    match left, right:
        case x.Payload(_, "sport" | "dport"), x.Number(port) if port < 0xFFFF:
            return x.Number(port + 1)
    return NotImplemented


@steps("the last of several ports is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Payload() as left, sign, x.AnonymousSet((*some, _))) if some:
            return s.Match(left, sign, x.AnonymousSet(tuple(some)))
    return NotImplemented


HEADERS = (x.Payload("ip", "saddr"), x.Payload("ip", "daddr"),
           x.Payload("ip6", "saddr"), x.Payload("ip6", "daddr"))  # fmt: skip

turned("the negation of an address is lost", "!=", "==", *HEADERS)
turned("the negation of an interface is lost", "!=", "==", x.Meta("iifname"), x.Meta("oifname"))
turned("the negation of a mark is lost", "!=", "==", MARK)
turned("the negation of an address type is lost", "!=", "==", x.Fib)
turned("an address type is negated", "==", "!=", x.Fib)
turned("the negation of a protocol is lost", "!=", "==", x.Meta("l4proto"))
turned("the negation of a list of states is lost", "!", "in", x.Ct("state"))
turned("a list of states is negated", "in", "!", x.Ct("state"))
turned("a list of states must all be there", "in", "==", x.Ct("state"))
turned("the negation of a list of statuses is lost", "!", "in", x.Ct("status"))
turned("random numbers that are too high are taken", "<", ">=", x.Meta)
turned("the negation of a chance is lost", ">=", "<", x.Meta)


def _swapped(name: str, one: str, other: str) -> None:
    names = {one: other, other: one}

    @steps(name)
    def in_step(step: Any) -> Any:
        match step:
            case s.Match(x.Payload(protocol, field), _, _) if field in names:
                return attrs.evolve(step, left=x.Payload(protocol, names[field]))
            case s.Match(x.Meta(key), _, _) if key in names:
                return attrs.evolve(step, left=x.Meta(names[key]))
            case s.Match(x.Ct(key, direction), _, _) if direction in names:
                return attrs.evolve(step, left=x.Ct(key, names[direction]))
            case s.UpdateSet(_, _, x.Payload(protocol, field)) if field in names:
                return attrs.evolve(step, key=x.Payload(protocol, names[field]))
        return NotImplemented


_swapped("source and destination address are swapped", "saddr", "daddr")
_swapped("source and destination port are swapped", "sport", "dport")
_swapped("the interfaces that it came by and leaves by are swapped", "iifname", "oifname")
_swapped("the directions of a connection are swapped", "original", "reply")


@literals("a wildcard of interfaces is taken for a name")
def _(_left: Any, right: Any) -> Any:
    return attrs.evolve(right, wildcard=False) if isinstance(right, x.Interface) else NotImplemented


@literals("an interface's name is taken for a wildcard")
def _(_left: Any, right: Any) -> Any:
    return attrs.evolve(right, wildcard=True) if isinstance(right, x.Interface) else NotImplemented


@steps("the interface of an address type is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Fib((end, "iif" | "oif"), "type"), _, _):
            return attrs.evolve(step, left=x.Fib((end,), "type"))
    return NotImplemented


@steps("the code of an ICMP message is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Payload("icmp" | "icmpv6", "code"), _, _):
            return None
    return NotImplemented


@steps("all flags of TCP are compared, not those of the mask")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Binary("&", x.Payload("tcp", "flags") as left, _), _, _):
            return attrs.evolve(step, left=left)
    return NotImplemented


# --- chance and tracking ------------------------------------------------------------------------


@steps("half as many packets are chosen by chance")
def _(step: Any) -> Any:
    match step:
        case s.Match(left, "<" | ">=" as sign, x.Number(threshold)):
            return s.Match(left, sign, x.Number(threshold // 2))
    return NotImplemented


@steps("the next packet of a round is chosen")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Numgen(modulus) as left, sign, x.Number(place)):
            return s.Match(left, sign, x.Number((place + 1) % modulus))
    return NotImplemented


@steps("packets are tracked all the same")
def _(step: Any) -> Any:
    return None if isinstance(step, s.Notrack) else NotImplemented


@steps("the number of a zone is wrong")
def _(step: Any) -> Any:
    match step:
        case s.Assign(x.Ct("zone") as key, x.Number(zone)):
            return s.Assign(key, x.Number(zone ^ 1))
    return NotImplemented


@steps("the direction of a zone is lost")
def _(step: Any) -> Any:
    match step:
        case s.Assign(x.Ct("zone"), value):
            return s.Assign(x.Ct("zone"), value)
    return NotImplemented


@steps("packets that are not tracked get a zone")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Ct("state"), "!", x.Flags(("untracked",))):
            return None
    return NotImplemented
