"""Read what ``ipset save`` prints: a line for each set, and one for each element."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import attrs

from ..core.diagnostics import IPSET_SYNTAX, Diagnostic
from ..core.span import Source, Span
from ..core.values import Family, MaskedMark, Network, mask_of_length, parse_integer
from ..ipset.ast import Entry, InterfacePart, IpSet, MacPart, MarkPart, Part, PortPart, SetPart
from ..iptables.protocols import ICMP, ICMPV6, TCP, parse_protocol

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: The types that there are, with the family that they have where none is said.
TYPES: dict[str, Family | None] = {
    **dict.fromkeys(
        """
        bitmap:ip bitmap:ip,mac hash:ip hash:net hash:ip,port hash:net,port hash:ip,port,ip
        hash:ip,port,net hash:net,net hash:net,port,net hash:ip,mac hash:ip,mark hash:net,iface
        """.split(),
        Family.IP,
    ),
    "bitmap:port": None, "hash:mac": None, "list:set": None,
}  # fmt: skip

#: Options of ``create`` that say nothing of what is in the set, or how many values follow.
_TUNING = {"hashsize": 1, "bucketsize": 1, "initval": 1, "probes": 1, "resize": 1, "size": 1,
           "comment": 0, "skbinfo": 0, "-exist": 0}  # fmt: skip

#: IPSET_MAXNAMELEN, without the zero at the end.
NAME_LENGTH = 31

#: ICMP messages as ipset prints them (measured on ipset 7.17).
_ICMP = {
    "echo-reply": (0, 0), "network-unreachable": (3, 0), "host-unreachable": (3, 1),
    "protocol-unreachable": (3, 2), "port-unreachable": (3, 3), "fragmentation-needed": (3, 4),
    "source-route-failed": (3, 5), "network-unknown": (3, 6), "host-unknown": (3, 7),
    "network-prohibited": (3, 9), "host-prohibited": (3, 10), "TOS-network-unreachable": (3, 11),
    "TOS-host-unreachable": (3, 12), "communication-prohibited": (3, 13),
    "host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15), "source-quench": (4, 0),
    "network-redirect": (5, 0), "host-redirect": (5, 1), "TOS-network-redirect": (5, 2),
    "TOS-host-redirect": (5, 3), "echo-request": (8, 0), "router-advertisement": (9, 0),
    "router-solicitation": (10, 0), "ttl-zero-during-transit": (11, 0),
    "ttl-zero-during-reassembly": (11, 1), "ip-header-bad": (12, 0),
    "required-option-missing": (12, 1), "timestamp-request": (13, 0), "timestamp-reply": (14, 0),
    "address-mask-request": (17, 0), "address-mask-reply": (18, 0),
}  # fmt: skip
_ICMPV6 = {
    "no-route": (1, 0), "communication-prohibited": (1, 1), "address-unreachable": (1, 3),
    "port-unreachable": (1, 4), "packet-too-big": (2, 0), "ttl-zero-during-transit": (3, 0),
    "ttl-zero-during-reassembly": (3, 1), "bad-header": (4, 0), "unknown-header-type": (4, 1),
    "unknown-option": (4, 2), "echo-request": (128, 0), "echo-reply": (129, 0),
    "router-solicitation": (133, 0), "router-advertisement": (134, 0),
    "neighbour-solicitation": (135, 0), "neighbour-advertisement": (136, 0), "redirect": (137, 0),
}  # fmt: skip
MESSAGES = {ICMP: _ICMP, ICMPV6: _ICMPV6}

_WORD = re.compile(r'"[^"]*"(?!\S)|[^\s"]+(?!\S)')


def parse_ipsets(source: Source) -> tuple[tuple[IpSet, ...], list[Diagnostic]]:
    """Read all sets of a text, and every problem that it has."""
    reader = _Reader(source)
    for number, line in enumerate(source.lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            reader.read(number, line)
    return reader.finish()


class _Bad(Exception):  # noqa: N818 - a problem of one line
    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, end


@attrs.define
class _Words:
    """The words of a line, taken one after another."""

    line: str
    found: list[tuple[str, int]]  #: each with its place
    position: int = 0

    @classmethod
    def of(cls, line: str) -> _Words:
        found: list[tuple[str, int]] = []
        place = 0
        while place < len(line):
            if line[place].isspace():
                place += 1
                continue
            match = _WORD.match(line, place)
            if not match:
                raise _Bad("the quotes here do not close, or stand in a word", place, len(line))
            found.append((match[0], place))
            place = match.end()
        return cls(line, found)

    @property
    def left(self) -> bool:
        return self.position < len(self.found)

    def take(self, what: str) -> str:
        if not self.left:
            raise _Bad(f"{what} is missing", len(self.line), len(self.line) + 1)
        self.position += 1
        return self.found[self.position - 1][0]

    def value(self, what: str, convert: Callable[[str], T]) -> T:
        """The next word, read; what is wrong with it is reported at its place."""
        word = self.take(what)
        try:
            return convert(word)
        except ValueError as error:
            raise self.bad(str(error)) from None

    def bad(self, message: str) -> _Bad:
        """A problem with the word that was taken last."""
        word, start = self.found[self.position - 1]
        return _Bad(message, start, start + len(word))


@attrs.define
class _Reader:
    source: Source
    diagnostics: list[Diagnostic] = attrs.Factory(list)
    sets: dict[str, IpSet] = attrs.Factory(dict)
    entries: dict[str, list[Entry]] = attrs.Factory(dict)

    def read(self, number: int, line: str) -> None:
        """Take one line."""
        try:
            words = _Words.of(line)
            span = Span(self.source, number, 1, len(line) + 1)
            command = words.take("a command")
            if command == "create":
                self._create(words, span)
            elif command == "add":
                self._add(words, span)
            elif command != "COMMIT":
                raise words.bad(f"“{command[:40]}” is neither create nor add")
        except _Bad as bad:
            place = Span(self.source, number, bad.start + 1, bad.end + 1)
            hint = "give the output of ipset save"
            self.diagnostics.append(Diagnostic(IPSET_SYNTAX, bad.message, place, hint))

    def finish(self) -> tuple[tuple[IpSet, ...], list[Diagnostic]]:
        """The sets with their elements."""
        sets = tuple(
            attrs.evolve(one, entries=tuple(self.entries[name])) for name, one in self.sets.items()
        )
        return sets, self.diagnostics

    def _create(self, words: _Words, span: Span) -> None:
        name = words.value("the set's name", _name)
        if name in self.sets:
            raise words.bad(f"the set {name} is given twice")
        type_ = words.take("the set's type")
        if type_ not in TYPES:
            raise words.bad(f"“{type_[:40]}” is not a known type of sets")
        made = IpSet(name=name, type=type_, family=TYPES[type_], span=span)
        while words.left:
            made = _create_option(made, words)
        self.sets[name] = made
        self.entries[name] = []

    def _add(self, words: _Words, span: Span) -> None:
        name = words.value("the set's name", _name)
        made = self.sets.get(name)
        if made is None:
            raise words.bad(f"the set {name} is not created before this line")
        parts = words.value("an element", lambda text: _parts(made, text))
        # What has no timeout of its own has the set's.
        entry = Entry(parts=parts, timeout=made.timeout, span=span)
        while words.left:
            entry = _add_option(entry, words)
        self.entries[name].append(entry)


def _name(text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > NAME_LENGTH:
        raise ValueError(f"a set's name has at most {NAME_LENGTH} characters")
    return text


def _create_option(made: IpSet, words: _Words) -> IpSet:
    option = words.take("an option")
    if option in _TUNING:
        for _ in range(_TUNING[option]):
            words.take("a value")
        return made
    match option:
        case "family":
            return attrs.evolve(made, family=words.value("a family", _family))
        case "timeout":
            return attrs.evolve(made, timeout=words.value("seconds", parse_integer))
        case "maxelem":
            return attrs.evolve(made, most=words.value("a number", parse_integer))
        case "markmask":
            return attrs.evolve(made, mark_mask=words.value("a mask", parse_integer))
        case "counters":
            return attrs.evolve(made, counts=True)
        case "forceadd":
            return attrs.evolve(made, evicts=True)
        case "netmask" | "bitmask":
            family = made.family or Family.IP
            return attrs.evolve(made, mask=words.value("a mask", lambda text: _mask(family, text)))
        case "range":
            return attrs.evolve(made, bounds=words.value("a range", _bounds))
    raise words.bad(f"“{option[:40]}” is not a known option of create")


def _add_option(entry: Entry, words: _Words) -> Entry:
    option = words.take("an option")
    match option:
        case "timeout":
            return attrs.evolve(entry, timeout=words.value("seconds", parse_integer))
        case "packets":
            packets = words.value("a number", _count)
            return attrs.evolve(entry, counter=(packets, entry.counter[1]))
        case "bytes":
            octets = words.value("a number", _count)
            return attrs.evolve(entry, counter=(entry.counter[0], octets))
        case "comment":
            text = words.take("a comment")
            return attrs.evolve(entry, comment=text.strip('"'))
        case "nomatch":
            return attrs.evolve(entry, nomatch=True)
        case "wildcard":
            parts = tuple(
                attrs.evolve(part, wildcard=True) if isinstance(part, InterfacePart) else part
                for part in entry.parts
            )
            return attrs.evolve(entry, parts=parts)
        case "skbmark":
            return attrs.evolve(entry, mark=words.value("a mark", MaskedMark.parse))
        case "skbprio":
            return attrs.evolve(entry, priority=words.value("a class", _class))
        case "skbqueue":
            return attrs.evolve(entry, queue=words.value("a number", parse_integer))
    raise words.bad(f"“{option[:40]}” is not a known option of add")


def _count(text: str) -> int:
    return parse_integer(text, 2**64 - 1)


def _family(text: str) -> Family:
    families = {"inet": Family.IP, "inet6": Family.IP6}
    if text not in families:
        raise ValueError(f"“{text}” is neither inet nor inet6")
    return families[text]


def _mask(family: Family, text: str) -> int:
    if re.fullmatch("[0-9]{1,3}", text, re.ASCII):
        return mask_of_length(family, int(text))
    return Network.parse(text).address


def _bounds(text: str) -> tuple[int, int]:
    """``0-1023`` or ``10.0.0.0-10.0.0.255``."""
    first, dash, last = text.partition("-")
    low, high = (
        parse_integer(end, 0xFFFF) if end.isdigit() else Network.parse(end).address
        for end in (first, last if dash else first)
    )
    return low, high


def _class(text: str) -> int:
    """``1:10``: major and minor number of a class, in hexadecimal."""
    if not re.fullmatch("[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}", text, re.ASCII):
        raise ValueError(f"“{text}” is not a class such as 1:10")
    major, minor = text.split(":")
    return int(major or "0", 16) << 16 | int(minor or "0", 16)


# --- elements -----------------------------------------------------------------------------------


def _parts(made: IpSet, text: str) -> tuple[Part, ...]:
    """The parts of an element; of ``bitmap:ip,mac`` the second one may be missing."""
    values = text.split(",", len(made.kinds) - 1)
    if len(values) != len(made.kinds) and made.type != "bitmap:ip,mac":
        raise ValueError(f"an element of a {made.type} has {len(made.kinds)} parts")
    return tuple(_part(made, kind, value) for kind, value in zip(made.kinds, values, strict=False))


def _part(made: IpSet, kind: str, text: str) -> Part:
    match kind:
        case "ip" | "net":
            return _network(made.family or Family.IP, kind, text)
        case "port":
            return _port(text)
        case "mac":
            if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text, re.ASCII):
                raise ValueError(f"“{text}” is not a hardware address")
            return MacPart(int(text.replace(":", ""), 16))
        case "mark":
            return MarkPart(parse_integer(text))
        case "iface":
            name = text.removeprefix("physdev:")
            if not 0 < len(name.encode("utf-8", "surrogateescape")) <= 15:
                raise ValueError("an interface's name has 1 to 15 characters")
            return InterfacePart(name, bridged=name != text)
        case _:
            return SetPart(_name(text))


def _network(family: Family, kind: str, text: str) -> Network:
    if kind == "ip" and "/" in text:
        raise ValueError("an element of this type is one address")
    network = Network.parse(text)
    if network.family is not family:
        raise ValueError(f"“{text}” is not an {family.title} address")
    if network.length is None:
        raise ValueError("the mask of a network has no gaps")
    return network


def _port(text: str) -> PortPart:
    """``tcp:80``, ``icmp:echo-request``, ``gre:0``, or ``80``: of TCP, or of a set of ports."""
    name, colon, value = text.rpartition(":")
    protocol = parse_protocol(name) if colon else TCP
    if protocol not in MESSAGES:
        return PortPart(protocol, parse_integer(value, 0xFFFF))
    if value in MESSAGES[protocol]:
        type_, code = MESSAGES[protocol][value]
    else:
        first, _, second = value.partition("/")
        type_, code = parse_integer(first, 0xFF), parse_integer(second or "0", 0xFF)
    return PortPart(protocol, type_ << 8 | code)
