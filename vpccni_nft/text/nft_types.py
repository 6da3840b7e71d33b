"""How the words of an nft rule are read: by the data type of the expression before the word.

Names become what the serializer writes, so that a rule is the same object however it is spelt:
ICMP types, DSCP classes and services become numbers, marks hexadecimal, protocols their numbers.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family, parse_integer
from ..iptables.protocols import parse_protocol
from ..nft import datatypes as t
from ..nft import expressions as x

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[str], x.Expression]


@attrs.frozen
class Reading:
    """How a value of a data type is read."""

    type: t.DataType
    read: Read = attrs.field(repr=False)
    quoted: bool = False  #: a value may stand in quotes


# --- readers ------------------------------------------------------------------------------------


def _or_range(read: Read) -> Read:
    """Take LOW-HIGH, too. Names have dashes of their own, so the whole word is tried first."""

    def read_range(text: str) -> x.Expression:
        try:
            return read(text)
        except ValueError:
            low, dash, high = text.partition("-")
            if not dash or not re.match(r"[0-9]", high, re.ASCII):
                raise
            return x.Range(read(low), read(high))

    return read_range


def _address(family: Family, text: str) -> x.Expression:
    first, dash, last = text.partition("-")
    if dash:
        return x.Range(_host(family, first), _host(family, last))
    address, slash, length_text = text.partition("/")
    host = _host(family, address)
    if not slash:
        return host
    length = parse_integer(length_text, family.bits)
    if length == family.bits:
        return host
    shift = family.bits - length
    return x.Prefix(Address(family, host.address.value >> shift << shift), length)


def _host(family: Family, text: str) -> x.Host:
    address = Address.parse(text)
    if address.family is not family:
        raise ValueError(f"“{text}” is not an {family.title} address")
    return x.Host(address)


def _number(type_: t.DataType, text: str) -> x.Expression:
    value = parse_integer(text, type_.largest)
    return x.Hex(value) if text[:2] in {"0x", "0X"} else x.Number(value)


def _hexadecimal(type_: t.DataType, text: str) -> x.Expression:
    return x.Hex(parse_integer(text, type_.largest))


#: Types whose prefixes are addresses or names.
_NO_NUMBERS = (t.IPV4_ADDR, t.IPV6_ADDR, t.ETHER_ADDR, t.IFNAME, t.ROUTE, t.STRING)


def prefix_of_number(text: str, type_: t.DataType) -> tuple[int, int] | None:
    """The value and the mask of ``0x00010000/16``; None where the text has another form.

    nft up to 1.0.9 lists a comparison under a mask of leading ones so.

    >>> prefix_of_number("0x00010000/16", t.MARK)
    (65536, 4294901760)
    """
    found = re.fullmatch(r"(0x[0-9a-f]{1,32}|[0-9]{1,39})/([0-9]{1,3})", text, re.ASCII)
    if not found or type_ in _NO_NUMBERS or type_.is_mask:
        return None
    value, length = int(found[1], 0) if found[1].startswith("0x") else int(found[1]), int(found[2])
    mask = (1 << type_.bits) - 1 ^ (1 << type_.bits >> length) - 1
    if length > type_.bits or value & ~mask:
        raise ValueError(f"“{text}” has bits outside its prefix")
    return value, mask


def _numbered(type_: t.DataType, text: str) -> x.Expression:
    """A word or a number becomes a number."""
    value = type_.words.get(text)
    return x.Number(parse_integer(text, type_.largest) if value is None else value)


def _named_number(type_: t.DataType, text: str) -> x.Expression:
    """A word becomes a number; a number stays as it is written."""
    return x.Number(type_.words[text]) if text in type_.words else _number(type_, text)


def _symbol(type_: t.DataType, text: str) -> x.Expression:
    """A word or its number becomes the word."""
    if text in type_.words:
        return x.Symbol(text)
    value = parse_integer(text)
    for name, number in type_.words.items():
        if number == value:
            return x.Symbol(name)
    raise ValueError(f"nothing has the number {text} here")


def _flag(type_: t.DataType, text: str) -> x.Expression:
    """A word, or a number that becomes the words of its bits where all of them have one."""
    if text in type_.words:
        return x.Flags((text,))
    value = parse_integer(text, type_.largest)
    found = tuple(name for name, bit in type_.words.items() if value & bit)
    if found and value == sum(type_.words[name] for name in found):
        return x.Flags(found)
    return x.Hex(value)


def _address_type(text: str) -> x.Expression:
    """A type of addresses; some have no name in nft."""
    try:
        return _symbol(t.FIB_ADDRTYPE, text)
    except ValueError:
        return x.Number(parse_integer(text))


def interface(text: str) -> x.Interface:
    """An interface's name: a star at its end is a wildcard, unless a backslash stands before it."""
    if not text:
        raise ValueError("an interface's name has at least one character")
    if text.endswith("\\*"):
        return x.Interface(f"{text[:-2]}*")
    if text.endswith("*"):
        return x.Interface(text[:-1], wildcard=True)
    return x.Interface(text)


def _interface_or_number(text: str) -> x.Expression:
    return x.Number(parse_integer(text)) if re.fullmatch("[0-9]+", text) else interface(text)


def _class(text: str) -> x.Hex:
    """A class of traffic control: MAJOR:MINOR, a word for two of them, or the whole number."""
    major, colon, minor = {"none": "0:0", "root": "ffff:ffff"}.get(text, text).partition(":")
    if not colon:
        return x.Hex(parse_integer(text, 0xFFFFFFFF))
    if not re.fullmatch(r"[0-9a-f]{1,4}", major) or not re.fullmatch(r"[0-9a-f]{1,4}", minor):
        raise ValueError(f"“{text}” is not a class")
    return x.Hex(int(major, 16) << 16 | int(minor, 16))


def _classes(text: str) -> x.Expression:
    """A class, or those from one to another."""
    low, dash, high = text.partition("-")
    return x.Range(_class(low), _class(high)) if dash else _class(text)


def _protocol(text: str) -> x.Expression:
    # nft's own word for what others call ipcomp.
    # nft's own words for what others call ipcomp, and for what has no name of its own.
    own = {"comp": 108, "ip": 0}
    return x.Protocol(own[text] if text in own else parse_protocol(text))


def _route(text: str) -> x.Expression:
    return x.Symbol(text) if text in t.ROUTE.words else _interface_or_number(text)


def _service(text: str) -> x.Expression:
    try:
        return _numbered(t.INET_SERVICE, text)
    except ValueError:
        raise ValueError(f"“{text}” is not a port; nft list ruleset prints numbers") from None


def _mac(text: str) -> x.Mac:
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text, re.ASCII):
        raise ValueError(f"“{text}” is not a hardware address")
    return x.Mac(int(text.replace(":", ""), 16))


def _time_or_range(read: Read, text: str) -> x.Expression:
    """Take what stands in two pairs of quotes, LOW..HIGH, and plain numbers LOW-HIGH."""
    low, dots, high = text.partition("..")
    return x.Range(read(low), read(high)) if dots else _or_range(read)(text)


def _hour(text: str) -> x.Number:
    """Seconds of the day; nft lists them in the zone of the reader, which is taken for UTC."""
    if not (found := re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d))?", text, re.ASCII)):
        return x.Number(parse_integer(text, t.HOUR.largest))
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return x.Number((hours * 60 + minutes) * 60 + seconds)


def _moment(text: str) -> x.Number:
    """Seconds of the epoch; nft lists them in the zone of the reader, which is taken for UTC."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text, re.ASCII):
        return x.Number(parse_integer(text, t.TIME.largest))
    return x.Number(int(datetime.fromisoformat(f"{text}+00:00").timestamp()))


def _seconds(text: str) -> x.Number:
    """Whole seconds, as one number or in the units that nft lists."""
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text, re.ASCII)
    if not found or not text:
        return x.Number(parse_integer(text))
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return x.Number(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _string(text: str) -> x.String:
    if text.endswith("*") and not text.endswith("\\*"):
        raise ValueError("prefixes of names are not read here")
    return x.String(f"{text[:-2]}*" if text.endswith("\\*") else text)


# --- by type ------------------------------------------------------------------------------------


def _reading(
    type_: t.DataType,
    read: Callable[[t.DataType, str], x.Expression],
    *,
    ranges: bool = False,
    quoted: bool = False,
) -> Reading:
    one = partial(read, type_)
    return Reading(type_, _or_range(one) if ranges else one, quoted)


_READINGS = (
    Reading(t.IPV4_ADDR, partial(_address, Family.IP)),
    Reading(t.IPV6_ADDR, partial(_address, Family.IP6)),
    Reading(t.ETHER_ADDR, _mac),
    Reading(t.INET_PROTO, _or_range(_protocol)),
    Reading(t.INET_SERVICE, _or_range(_service)),
    Reading(t.CLASSID, _classes),
    Reading(t.IFNAME, interface, quoted=True),
    Reading(t.IFACE_INDEX, _interface_or_number, quoted=True),
    Reading(t.FIB_ADDRTYPE, _address_type),
    Reading(t.ROUTE, _route, quoted=True),
    Reading(t.STRING, _string, quoted=True),
    Reading(t.HOUR, partial(_time_or_range, _hour), quoted=True),
    Reading(t.TIME, partial(_time_or_range, _moment), quoted=True),
    Reading(t.DURATION, _or_range(_seconds)),
    _reading(t.MARK, _hexadecimal, ranges=True),
    _reading(t.DEVGROUP, _named_number, ranges=True, quoted=True),
    _reading(t.REALM, _named_number, ranges=True, quoted=True),
    Reading(t.DAY, partial(_time_or_range, partial(_numbered, t.DAY)), quoted=True),
    _reading(t.CT_LABEL, _numbered, quoted=True),
    *(
        _reading(type_, _numbered, ranges=True)
        for type_ in (t.ICMP_TYPE, t.ICMP_CODE, t.ICMPV6_TYPE, t.ICMPV6_CODE, t.DSCP, t.ECN,
                      t.DCCP_TYPE, t.MH_TYPE, t.MPTCP_SUBTYPE, t.IFACE_TYPE, t.IGMP_TYPE)
    ),
    *(
        _reading(type_, _symbol)
        for type_ in (t.ETHER_TYPE, t.PKT_TYPE, t.NF_PROTO, t.CT_DIR, t.BOOLEAN)
    ),
    *(_reading(type_, _flag) for type_ in (t.CT_STATE, t.CT_STATUS, t.CT_EVENT, t.TCP_FLAG)),
)  # fmt: skip

_BY_NAME: Mapping[str, Reading] = {reading.type.name: reading for reading in _READINGS}


def reading(type_: t.DataType) -> Reading:
    """How values of a type are read; numbers may be decimal or hexadecimal, and stay so."""
    found = _BY_NAME.get(type_.name)
    return found or _reading(type_, _number, ranges=True)


#: The types that a set can be declared with.
DECLARED: Mapping[str, Reading] = {name: reading(type_) for name, type_ in t.DECLARED.items()}

ADDRESS = {Family.IP: reading(t.IPV4_ADDR), Family.IP6: reading(t.IPV6_ADDR)}
INTERFACE = reading(t.IFNAME)
PORT = reading(t.integer(16))
