"""Literals of nft: the number that each stands for beside a key, and whether a value is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.values import mask_of_length
from ..model.packet import (
    ADDRESS_TYPES,
    PACKET_TYPES,
    STATE_BITS,
    STATUS_BITS,
    TCP_FLAGS,
    NoMeaning,
    interface_word,
    prefix_mask,
)
from ..nft import expressions as x
from ..nft.datatypes import CT_STATUS, ETHER_TYPE, NF_PROTO
from .nft_shown import shown

if TYPE_CHECKING:
    from ..model.algebra import Algebra, Bool
    from ..model.effects import View
    from .nft_value import Value


#: Words for bits of a connection's status that no packet of the model has a reason for.
RARE_STATUS = ("dying", "seq-adjust", "snat-done", "dnat-done")

#: What the words of a key stand for.
SYMBOLS = {
    **{f"ct state {name}": bit for name, bit in STATE_BITS.items()},
    **{f"ct status {name}": bit for name, bit in STATUS_BITS.items()},
    **{f"tcp flags {name}": bit for name, bit in TCP_FLAGS.items()},
    **{f"fib type {name}": number for name, number in ADDRESS_TYPES.items()},
    **{f"meta nfproto {name}": number for name, number in NF_PROTO.words.items()},
    **{f"ct l3proto {name}": number for name, number in NF_PROTO.words.items()},
    **{f"meta protocol {name}": number for name, number in ETHER_TYPE.words.items()},
    "fib oif missing": 0, "fib oif exists": 1,
    "exthdr missing": 0, "exthdr exists": 1,
    "ct direction original": 0, "ct direction reply": 1,
    "ipsec missing": 0, "ipsec exists": 1,
    **{f"meta pkttype {name}": number for name, number in PACKET_TYPES.items()},
    "meta pkttype unicast": PACKET_TYPES["host"],
    **{f"ct status {name}": CT_STATUS.words[name] for name in RARE_STATUS},
}  # fmt: skip


def equals(value: Value, left: x.Expression, right: x.Expression, view: View) -> Bool:
    """Whether a value is a literal, or inside one."""
    algebra = view.state.algebra
    match right:
        case x.Range(low, high):
            if is_interface(left):
                raise NoMeaning("the numbers of interfaces are in no order that is known")
            return algebra.all(
                is_from(value, constant(low, left), algebra),
                is_up_to(value, constant(high, left), algebra),
            )
        case x.Prefix(address, length):
            mask = mask_of_length(address.family, length)
            return _equals_masked(value, address.value, mask, view)
        case x.Interface(name, True):
            return _equals_masked(value, interface_word(name), prefix_mask(name), view)
        case _:
            return _is(value, constant(right, left), algebra)


def is_exact(right: x.Expression) -> bool:
    """Whether a literal is one value: what ``_equals`` compares all bits with."""
    return not isinstance(right, x.Range | x.Prefix) and not (
        isinstance(right, x.Interface) and right.wildcard
    )


def _is(value: Value, wanted: int, algebra: Algebra) -> Bool:
    """Whether a value is a number; none is one that is wider."""
    if wanted >> value.width:
        return algebra.false
    return algebra.equal(value.word, algebra.const(wanted, value.width))


def _equals_masked(value: Value, wanted: int, mask: int, view: View) -> Bool:
    algebra = view.state.algebra
    masked = algebra.bvand(value.word, algebra.const(mask, value.width))
    return algebra.equal(masked, algebra.const(wanted, value.width))


def constant(literal: x.Expression, left: x.Expression) -> int:
    """A literal's number, by what it is compared with."""
    if isinstance(left, x.Fib) and left.result != "type" and not isinstance(literal, x.Symbol):
        if left.result == "oif" and literal == x.Number(0):
            return 0  # there is none
        raise NoMeaning(f"which interface a route leads to is not modelled: {shown(literal)}")
    match literal:
        case x.Number(value) | x.Hex(value) if is_interface(left):
            return _index(value)
        case x.Number(value) | x.Hex(value):
            return value
        case x.Protocol(number):
            return number
        case x.Host(address):
            return address.value
        case x.Interface(name):
            return interface_word(name)
        case x.Mac(value):
            return value
        case x.String(text):
            return interface_word(text)  # of a device name's length, and padded the same
        case x.Symbol(name):
            return _symbol(left, name)
        case x.Flags(flags):
            return sum(_symbol(left, name) for name in flags)
        case _:
            raise NoMeaning(f"not a constant: {shown(literal)}")


#: The interfaces whose numbers are known: none, and the one that every node has first.
_INDICES = {0: "", 1: "lo"}


def is_interface(expression: x.Expression) -> bool:
    """Whether a key is an interface by number, which the model has by name."""
    return isinstance(expression, x.Meta) and expression.key in {"iif", "oif"}


def _index(number: int) -> int:
    """The interface of a number, as the model knows it: by its name."""
    if number not in _INDICES:
        raise NoMeaning(f"which interface has the number {number} is not known")
    return interface_word(_INDICES[number])


def _symbol(left: x.Expression, name: str) -> int:
    """What a word stands for beside a key."""
    symbol = f"{_key(left)} {name}"
    if symbol not in SYMBOLS:
        raise NoMeaning(f"no meaning for the word {symbol}")
    return SYMBOLS[symbol]


def _key(expression: x.Expression) -> str:
    """The words that a symbol's meaning depends on."""
    match expression:
        case x.Binary(_, inner, _):
            return _key(inner)
        case x.Meta("ipsec") | x.Rt("ipsec"):
            return "ipsec"
        case x.Meta(key):
            return f"meta {key}"
        case x.Ct(key):
            return f"ct {key}"
        case x.Fib(_, result):
            return f"fib {result}"
        case x.Payload(protocol, field):
            return f"{protocol} {field}"
        case x.ExtensionHeader() | x.TcpOption() | x.SctpChunk() | x.IpOption():
            return "exthdr"
        case _:
            raise NoMeaning(f"{shown(expression)} has no symbols")


def is_from(value: Value, low: int, algebra: Algebra) -> Bool:
    """Whether a value is not below a number, which may be larger than any value."""
    if low >> value.width:
        return algebra.false
    return algebra.ule(algebra.const(low, value.width), value.word)


def is_up_to(value: Value, high: int, algebra: Algebra) -> Bool:
    """Whether a value is not beyond a number, which may be larger than any value."""
    if high >> value.width:
        return algebra.true
    return algebra.ule(value.word, algebra.const(high, value.width))
