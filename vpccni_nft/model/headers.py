"""The bytes of a packet's headers: one memory, of which the named fields are views.

A rule may name a field (``tcp dport``) or read the bits where it stands (``@th,16,16``, ``u32``).
Both see the same packet, also after a rule has written to it. So every read goes through here:
bits that the model has are taken from there, all others are asked of the world byte by byte. Bits
are counted from the beginning of a header; the first one is the highest one of the first byte.

Layouts: RFC 791 and 8200 (network); 9293, 768, 4960, 4340 and 3828 (ports); 792 and 4443 (ICMP);
4302, 4303 and 3173 (IPsec).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from .oracle import OPTIONS_OF_TCP, HeaderField, Oracle, OracleKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .algebra import Bool, Word
    from .concrete import Question
    from .packet import State

#: The first byte of the further fragments' data and of transport headers stands at the same place.
NETWORK, TRANSPORT, FRAGMENT = (
    OracleKind.NETWORK_BYTE,
    OracleKind.TRANSPORT_BYTE,
    OracleKind.FRAGMENT_BYTE,
)

#: Bits of the network header that every packet has.
NETWORK_BITS = {Family.IP: 160, Family.IP6: 320}

#: Bits of the transport header of a packet that is not cut off, by protocol.
TRANSPORT_BITS = {
    1: 64, 6: 160, 17: 64, 33: 96, 50: 64, 51: 96, 58: 32, 108: 32, 132: 96, 136: 64,
}  # fmt: skip

#: Bits of a further fragment that are there: all but the last one hold eight bytes at least.
FRAGMENT_BITS = 64

#: The protocols whose headers begin with two ports.
WITH_PORTS = (6, 17, 33, 132, 136)

#: Fields that a rule may change and on which bytes hang that the model does not have: checksums,
#: options of TCP, the identifier of an echo request that NAT rewrites.
CHANGING = ("tos", "ttl", "saddr", "daddr", "sport", "dport", "tcp_flags", "has_mss", "mss")


@attrs.frozen
class _Part:
    """Some bits of a header that are not asked for byte by byte."""

    first: int
    length: int
    source: str | Oracle | int  #: a field of the packet, what the world is asked, or a constant
    low: int = 0  #: the lowest bit of the field
    less: int = 0  #: how much smaller than the field

    @property
    def end(self) -> int:
        """The first bit behind it."""
        return self.first + self.length

    def word(self, state: State) -> Word:
        """The bits of a packet."""
        algebra = state.algebra
        match self.source:
            case Oracle():
                return algebra.ask(self.source, (), self.length)
            case str() if self.source == _MORE_FRAGMENTS:
                return _more_fragments(state)
            case str():
                word = state.fields[self.source]
                if self.source == "length":  # an option that is added makes it longer
                    word = state.field_since(OPTIONS_OF_TCP, self.source)
                found = algebra.extract(word, self.low, self.length)
                rest = algebra.const(-self.less & (1 << self.length) - 1, self.length)
                return algebra.bvadd(found, rest, self.length) if self.less else found
            case int():
                return algebra.const(self.source, self.length)


def _asked(header: str, field: str, first: int, length: int) -> _Part:
    return _Part(first, length, Oracle(OracleKind.HEADER_FIELD, HeaderField(header, field)))


#: A field that hangs on two of the packet's, and who knows it of a further fragment.
_MORE_FRAGMENTS = "more fragments"
_OF_FURTHER = Oracle(OracleKind.HEADER_FIELD, HeaderField("ip", "more-fragments"))

_NETWORK = {
    Family.IP: (
        _Part(0, 4, 4), _asked("ip", "hdrlength", 4, 4), _Part(8, 8, "tos"),
        _Part(16, 16, "length"), _asked("ip", "id", 32, 16),
        _asked("ip", "reserved", 48, 1), _asked("ip", "dont-fragment", 49, 1),
        _Part(50, 1, _MORE_FRAGMENTS), _Part(51, 13, "fragment"),
        _Part(64, 8, "ttl"), _Part(72, 8, "protocol"),
        _Part(96, 32, "saddr"), _Part(128, 32, "daddr"),
    ),
    Family.IP6: (
        _Part(0, 4, 6), _Part(4, 8, "tos"), _asked("ip6", "flowlabel", 12, 20),
        _Part(32, 16, "length", less=40), _asked("ip6", "nexthdr", 48, 8), _Part(56, 8, "ttl"),
        _Part(64, 128, "saddr"), _Part(192, 128, "daddr"),
    ),
}  # fmt: skip

_PORTS = (_Part(0, 16, "sport"), _Part(16, 16, "dport"))
_MESSAGE = (_Part(0, 8, "icmp_type"), _Part(8, 8, "icmp_code"))

_TRANSPORT: dict[int, tuple[_Part, ...]] = {
    1: _MESSAGE,
    6: (*_PORTS, _Part(104, 8, "tcp_flags")),
    17: _PORTS,
    33: (*_PORTS, _asked("dccp", "type", 67, 4)),
    50: (_asked("esp", "spi", 0, 32),),
    51: (
        _asked("ah", "hdrlength", 8, 8),
        _asked("ah", "reserved", 16, 16),
        _asked("ah", "spi", 32, 32),
    ),
    58: _MESSAGE,
    108: (_asked("comp", "cpi", 16, 16),),
    132: _PORTS,
    136: _PORTS,
}


# --- reading --------------------------------------------------------------------------------------


def network_bits(state: State, first: int, length: int) -> tuple[Word, Bool]:
    """Bits of the network header or of what is behind it, and whether the packet has them."""
    end = first + length
    word = _read(state, NETWORK, _NETWORK[state.family], first, end)
    if end <= NETWORK_BITS[state.family]:
        return word, state.algebra.true
    return word, _goes_on_to(state, OracleKind.NETWORK_LENGTH, end)


def transport_bits(state: State, first: int, length: int) -> tuple[Word, Bool]:
    """Bits of the transport header, and whether the packet has them.

    Of a further fragment they are those that stand there instead (measured on Linux 6.18).
    """
    algebra, end = state.algebra, first + length
    word = _read(state, TRANSPORT, (), first, end)
    for number, parts in _TRANSPORT.items():
        if any(part.first < end and first < part.end for part in parts):
            own = _read(state, TRANSPORT, parts, first, end)
            word = algebra.ite(state.is_("protocol", number), own, word)
    whole = state.is_("fragment", 0)
    asked = _goes_on_to(state, OracleKind.TRANSPORT_LENGTH, end)
    usual = [number for number, bits in TRANSPORT_BITS.items() if end <= bits]
    of_whole = algebra.any(asked, *(state.is_("protocol", number) for number in usual))
    of_fragment = algebra.true if end <= FRAGMENT_BITS else asked
    has = algebra.any(algebra.all(whole, of_whole), algebra.all(algebra.not_(whole), of_fragment))
    return algebra.ite(whole, word, fragment_bits(state, first, length)), has


def fragment_bits(state: State, first: int, length: int) -> Word:
    """Bits of a further fragment, counted from where others have their transport header."""
    return _joined(state, list(_bytes(state, FRAGMENT, first, first + length)))


def transport_field(state: State, protocol: int, field: str, length: int) -> Word:
    """A named field of a transport header, wherever the packet has one; see ``transport_bits``.

    ``field`` is one of the packet's, or one that the world is asked for. Raises KeyError.
    """
    for part in _TRANSPORT[protocol]:
        source = part.source
        if source == field or (isinstance(source, Oracle) and _name(source) == field):
            elsewhere = fragment_bits(state, part.first, length)
            return state.algebra.ite(state.is_("fragment", 0), part.word(state), elsewhere)
    raise KeyError(field)


def changing(state: State) -> tuple[Word, ...]:
    """What bytes hang on that the model does not have, as arguments of a question: last, fields."""
    return (*state.history(OPTIONS_OF_TCP), *(state.fields[name] for name in CHANGING))


def _name(oracle: Oracle) -> str:
    assert isinstance(oracle.object, HeaderField)
    return oracle.object.field


def _more_fragments(state: State) -> Word:
    """A first fragment has others behind it; of a further one only the world knows."""
    of_further = state.algebra.ask(_OF_FURTHER, (), 1)
    return state.algebra.ite(state.is_("fragment", 0), state.fields["fragmented"], of_further)


def _goes_on_to(state: State, kind: OracleKind, end: int) -> Bool:
    """Whether a packet is so long, counted from the beginning of a header."""
    algebra = state.algebra
    return algebra.ule(algebra.const(-(-end // 8), 16), algebra.ask(Oracle(kind), (), 16))


def _read(state: State, kind: OracleKind, parts: Sequence[_Part], first: int, end: int) -> Word:
    """Some bits, put together of parts and of the bytes between them."""
    pieces: list[tuple[Word, int]] = []
    for start, stop, part in _cut(parts, first, end):
        if part is None:
            pieces += _bytes(state, kind, start, stop, changing(state))
        else:
            word = state.algebra.extract(part.word(state), part.end - stop, stop - start)
            pieces.append((word, stop - start))
    return _joined(state, pieces)


def _cut(parts: Sequence[_Part], first: int, end: int) -> Iterator[tuple[int, int, _Part | None]]:
    """The bits from one on, piece by piece: each with the part that has it, if one does."""
    place = first
    for part in parts:
        if part.end <= place or part.first >= end:
            continue
        if part.first > place:
            yield place, part.first, None
        yield max(place, part.first), min(part.end, end), part
        place = min(part.end, end)
    if place < end:
        yield place, end, None


def _bytes(
    state: State, kind: OracleKind, first: int, end: int, arguments: tuple[Word, ...] = ()
) -> Iterator[tuple[Word, int]]:
    """Some bits, cut out of the bytes that have them."""
    for number in range(first // 8, -(-end // 8)):
        byte = state.algebra.ask(Oracle(kind, number), arguments, 8)
        start, stop = max(first, 8 * number), min(end, 8 * number + 8)
        yield state.algebra.extract(byte, 8 * number + 8 - stop, stop - start), stop - start


def _joined(state: State, pieces: Sequence[tuple[Word, int]]) -> Word:
    word, _ = pieces[0]
    for low, length in pieces[1:]:
        word = state.algebra.concat(word, low, length)
    return word


# --- writing, for packets that are made to fit ----------------------------------------------------


def set_bits(
    family: Family,
    fields: dict[str, int],
    answers: dict[Question, int],
    kind: OracleKind,
    first: int,
    length: int,
    value: int,
) -> None:
    """Give a plain packet's bits a value, where they can have it: a constant stays as it is.

    Bits behind the network header and of unknown transport protocols are what the world answers.
    """
    parts = _NETWORK[family] if kind is NETWORK else _TRANSPORT.get(fields["protocol"], ())
    end = first + length
    for start, stop, part in sorted(_cut(parts, first, end), key=lambda cut: cut[2] is None):
        bits = value >> end - stop & (1 << stop - start) - 1
        if part is None:
            _set_bytes(answers, kind, tuple(fields[name] for name in CHANGING), start, stop, bits)
        elif isinstance(part.source, Oracle):
            old = answers.get((part.source, ()), 0)
            answers[part.source, ()] = _placed(old, bits, part.end - stop, stop - start)
        elif isinstance(part.source, str):
            name = part.source
            if name == _MORE_FRAGMENTS:
                name, answers[_OF_FURTHER, ()] = "fragmented", bits
            low = part.low + part.end - stop
            fields[name] = _placed(fields[name], bits, low, stop - start) + part.less
    if kind is not NETWORK:
        answers[Oracle(OracleKind.TRANSPORT_LENGTH), ()] = 0xFFFF
    else:
        answers[Oracle(OracleKind.NETWORK_LENGTH), ()] = 0xFFFF


def _set_bytes(
    answers: dict[Question, int],
    kind: OracleKind,
    arguments: tuple[int, ...],
    first: int,
    end: int,
    value: int,
) -> None:
    for number in range(first // 8, -(-end // 8)):
        start, stop = max(first, 8 * number), min(end, 8 * number + 8)
        question = (Oracle(kind, number), arguments)
        bits = value >> end - stop & (1 << stop - start) - 1
        low = 8 * number + 8 - stop
        answers[question] = _placed(answers.get(question, 0), bits, low, stop - start)


def _placed(word: int, bits: int, low: int, length: int) -> int:
    """A number with some of its bits replaced."""
    return word & ~((1 << length) - 1 << low) | bits << low
