"""Make a packet plain: every field that does not matter gets its default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..semantics.packet import FIELDS
from .packet_text import KEY_OF, complete, default_world, packet_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .sample import Packet


@attrs.frozen
class Plain:
    """A packet without what does not matter."""

    packet: Packet
    given: dict[str, int]  #: the fields that are not as a packet text would have them by default

    @property
    def text(self) -> str:
        """What ``explain --packet`` takes; fields that it has no key for are not in it."""
        return " ".join((f"hook={self.packet.hook}", *packet_words(self.packet, self.given)))

    @property
    def untold(self) -> dict[str, int]:
        """The fields that matter and that the text has no key for."""
        return {field: value for field, value in self.given.items() if field not in KEY_OF}


def simplify(packet: Packet, interesting: Callable[[Packet], bool]) -> Plain:
    """Reset field after field, and what the world answers, while the packet stays interesting."""
    family, hook = packet.family, packet.hook
    plain_world = interesting(_in_plain_world(packet))

    def with_fields(fields: dict[str, int]) -> Packet:
        changed = attrs.evolve(packet, fields=fields)
        return _in_plain_world(changed) if plain_world else changed

    given, fields = dict(packet.fields), dict(packet.fields)
    # Twice: what a field's default is can depend on others.
    for field in (*FIELDS, *FIELDS):
        fewer = {name: value for name, value in given.items() if name != field}
        trial = complete(family, hook, fewer)
        if field in given and (trial == fields or interesting(with_fields(trial))):
            given, fields = fewer, trial
    for field in _BITS & given.keys():
        for bit in _bits_of(given[field]):
            fewer = {**given, field: given[field] & ~bit}
            trial = complete(family, hook, fewer)
            if interesting(with_fields(trial)):
                given, fields = fewer, trial
    return Plain(with_fields(fields), given)


#: Fields whose bits each mean something.
_BITS = {"mark", "ct_mark", "ct_status", "tcp_flags"}


def _bits_of(number: int) -> Iterator[int]:
    return (1 << place for place in reversed(range(number.bit_length())) if number >> place & 1)


def _in_plain_world(packet: Packet) -> Packet:
    world = default_world(packet.family, packet.hook, packet.fields)
    return attrs.evolve(packet, answers=world)
