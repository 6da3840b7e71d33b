"""Aim at matches that read packet headers: fields of the packet, and what the world says of them.

As in ``aim``, an aim is a guess. Where it errs a packet goes another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..extensions.matches.ah import Ah
from ..extensions.matches.dccp import TYPES, Dccp
from ..extensions.matches.dscp import Dscp
from ..extensions.matches.ecn import Ecn
from ..extensions.matches.esp import Esp
from ..extensions.matches.frag import Frag
from ..extensions.matches.hop_limit import Hl, Ttl
from ..extensions.matches.ipcomp import IpComp
from ..extensions.matches.ipv6header import HEADERS, Ipv6Header
from ..extensions.matches.length import Length
from ..extensions.matches.mh import Mh
from ..extensions.matches.option_headers import Dst, Hbh
from ..extensions.matches.rt import Rt
from ..extensions.matches.srh import Bounds, Srh
from ..extensions.matches.tcp import Tcp
from ..extensions.matches.tcpmss import TcpMss
from ..extensions.matches.tos import Tos
from ..extensions.matches.u32 import U32, Comparison
from ..extensions.shared.number_ranges import NumberRange
from ..model.headers import NETWORK, TRANSPORT, set_bits
from ..model.oracle import Oracle, OracleKind, extension_header, header_field
from ..model.packet import TCP_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from ..core.values import Family, Negatable
    from ..iptables import ast
    from ..model.concrete import Question

#: A packet has at least a header.
SHORTEST = 20

#: nft's words for the extension headers that it looks for.
_ASKED = {"hop-by-hop": "hbh", "ipv6-opts": "dst", "ipv6-route": "rt"}


def tested_fields(match: ast.Match) -> Iterator[tuple[str, object]]:
    """The fields of a packet that a match tests, with what has their values."""
    match match:
        case Length(test):
            first, last = test.value.first, test.value.last
            yield ("length", NumberRange(max(first, SHORTEST + 1), max(last, SHORTEST + 1)))
        case TcpMss(test):
            yield ("mss", test.value)
        case Ttl(test) | Hl(test):
            yield ("ttl", NumberRange(test.number.value, test.number.value))
        case Dscp(test):
            yield ("tos", NumberRange(test.value << 2, test.value << 2 | 3))
        case Tos(test):
            yield ("tos", NumberRange(test.value.value, test.value.value))
        case Ecn():
            yield ("tos", NumberRange(0, 3))
            yield ("tcp_flags", NumberRange(TCP_FLAGS["ecn"], TCP_FLAGS["cwr"]))


@attrs.frozen
class HeaderFit:
    """A packet that is made to fit."""

    family: Family
    fields: dict[str, int]
    answers: dict[Question, int]
    random: Random

    def match(self, match: ast.Match) -> None:
        """Make it fit one match."""
        match match:
            case Length(test):
                self.fields["length"] = max(self._inside(test, 16), SHORTEST)
            case TcpMss(test):
                self.fields.update(has_mss=1, mss=self._inside(test, 16))
            case Ttl(test) | Hl(test):
                beside = {"eq": 0, "lt": -1, "gt": 1}[test.relation] + test.number.negated
                self.fields["ttl"] = test.number.value + beside & 0xFF
            case Dscp(test):
                self._tos(test.value << 2, 0xFC, negated=test.negated)
            case Tos(test):
                self._tos(test.value.value, test.value.mask, negated=test.negated)
            case Ecn():
                self._ecn(match)
            case Tcp(option=option) if option:
                self._say(
                    Oracle(OracleKind.HAS_TCP_OPTION, parameters=(option.value,)),
                    not option.negated,
                )
            case U32(tests):
                for comparison in tests.value:
                    self._bits(comparison)
            case _:
                self._header(match)

    def _header(self, match: ast.Match) -> None:
        match match:
            case Ah():
                self.fields["protocol"] = 51
                self._number(header_field("ah", "spi"), match.spi, 32)
                self._length(header_field("ah", "hdrlength"), match.length, 4, 2)
                self._answer(header_field("ah", "reserved"), 0)
            case Esp(spi):
                self._number(header_field("esp", "spi"), spi, 32)
            case IpComp(spi):
                self._number(header_field("comp", "cpi"), spi, 16)
            case Dccp(types=types) if types:
                others = [name for name in TYPES if name not in types.value]
                names = others if types.negated and others else types.value
                self._answer(header_field("dccp", "type"), TYPES.index(self.random.choice(names)))
            case Frag():
                self._fragment(match)
            case Hbh(length=length) | Dst(length=length):
                name = "hbh" if isinstance(match, Hbh) else "dst"
                self._say(extension_header(name), True)
                self._length(header_field(name, "hdrlength"), length, 8, 1)
            case Mh(type=numbers):
                self._answer(header_field("mh", "nexthdr"), 59)
                self._number(header_field("mh", "type"), numbers, 8)
            case Rt():
                self._routing(match)
            case Srh():
                self._segments(match)
            case Ipv6Header(headers=headers):
                self._headers(headers.value, there=not (match.soft and headers.negated))

    def _fragment(self, node: Frag) -> None:
        self.fields["fragmented"] = 1
        if node.first:
            self.fields["fragment"] = 0
        self._number(header_field("frag", "id"), node.id, 32)
        self._answer(header_field("frag", "reserved"), 0)
        self._answer(header_field("frag", "reserved2"), 0)
        self._answer(header_field("frag", "more-fragments"), int(node.more))

    def _routing(self, node: Rt) -> None:
        self._say(extension_header("rt"), True)
        if node.type:
            self._answer(header_field("rt", "type"), node.type.value + node.type.negated & 0xFF)
        self._number(header_field("rt", "seg-left"), node.segments_left, 8)
        self._length(header_field("rt", "hdrlength"), node.length, 8, 1)
        for name in ("last-entry", "flags", "tag"):
            self._answer(header_field("srh", name), 0)
        if node.addresses:
            self._answer(header_field("rt", "hdrlength"), 2 * len(node.addresses))
        for place, address in enumerate(node.addresses, 1):
            self._answer(header_field("srh", f"sid[{place}]"), address.value)

    def _segments(self, node: Srh) -> None:
        self._say(extension_header("rt"), True)
        self._answer(header_field("rt", "type"), 4)
        if node.next_header:
            self._answer(
                header_field("rt", "nexthdr"), node.next_header.value ^ node.next_header.negated
            )
        for name, bounds in (
            (header_field("rt", "hdrlength"), node.length),
            (header_field("srh", "last-entry"), node.last_entry),
            (header_field("rt", "seg-left"), node.segments_left),
        ):
            self._answer(name, self._within(bounds))
        if node.tag:
            swapped = int.from_bytes(node.tag.value.to_bytes(2, "little"), "big")
            self._answer(header_field("srh", "tag"), swapped ^ node.tag.negated)
        following = node.next if node.segments_left.only == 1 else None
        for place, test in ((1, node.last or following), (2, node.previous or node.next)):
            if test:
                beside = (test.value.mask & -test.value.mask) * test.negated
                self._answer(header_field("srh", f"sid[{place}]"), test.value.address ^ beside)

    def _within(self, bounds: Bounds) -> int:
        if test := bounds.equal:
            return test.value ^ test.negated
        if test := bounds.above:
            return min(test.value + (not test.negated), 0xFF)
        if test := bounds.below:
            return max(test.value - (not test.negated), 0)
        return self.random.choice((1, 5))

    def _headers(self, names: tuple[str, ...], *, there: bool) -> None:
        for name, word in _ASKED.items():
            self._say(extension_header(word), (name in names) is there)
        self.fields["fragmented"] = int(("ipv6-frag" in names) is there)
        ends = [HEADERS[name] for name in ("ah", "esp", "ipv6-nonxt") if name in names]
        if ends and there:
            self.fields["protocol"] = self.random.choice(ends)

    def _ecn(self, node: Ecn) -> None:
        if node.ip:
            self._tos(node.ip.value, 3, negated=node.ip.negated)
        for flag, test in (("ecn", node.ece), ("cwr", node.cwr)):
            if test:
                self.fields["tcp_flags"] &= ~TCP_FLAGS[flag]
                self.fields["tcp_flags"] |= 0 if test.negated else TCP_FLAGS[flag]

    def _tos(self, value: int, mask: int, *, negated: bool) -> None:
        self.fields["tos"] = self.fields["tos"] & ~mask | value & mask
        if negated:
            self.fields["tos"] ^= mask & -mask

    def _bits(self, test: Comparison) -> None:
        """Numbers that fit as they are, and as they are where they are shifted back."""
        first, last = self.random.choice(test.ranges)
        number, kind, first = self.random.choice((first, last)), NETWORK, 8 * test.offset
        for step in test.steps:
            if step.operator == "@":
                kind, first = TRANSPORT, 8 * step.number
        shifted = sum(
            {">>": 1, "<<": -1}.get(step.operator, 0) * step.number for step in test.steps
        )
        if any(step.operator == "@" for step in test.steps):
            shifted -= 22  # from the length of the header
        number = number << shifted if shifted >= 0 else number >> -shifted
        set_bits(self.family, self.fields, self.answers, kind, first, 32, number & 0xFFFFFFFF)

    def _inside(self, test: Negatable[NumberRange], bits: int) -> int:
        first, last = test.value.first, test.value.last
        choices = (first - 1, last + 1) if test.negated else (first, last)
        return self.random.choice(choices) & (1 << bits) - 1

    def _number(self, oracle: Oracle, test: Negatable[NumberRange] | None, bits: int) -> None:
        if test:
            self._answer(oracle, self._inside(test, bits))

    def _length(self, oracle: Oracle, test: Negatable[int] | None, unit: int, without: int) -> None:
        if test:
            self._answer(oracle, test.value // unit - without + test.negated & 0xFF)

    def _say(self, oracle: Oracle, answer: bool) -> None:
        self._answer(oracle, int(answer))

    def _answer(self, oracle: Oracle, answer: int) -> None:
        self.answers[oracle, ()] = answer
