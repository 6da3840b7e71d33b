"""Make a packet plain: every field that does not matter gets its default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..model.oracle import OracleKind
from ..model.packet import FIELDS, interface_word
from .packet_text import KEY_OF, complete, default_world, packet_words, place_word
from .world import Answers, interface_name, world_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..model.concrete import Question
    from .sample import Packet
    from .world import World


@attrs.frozen
class Plain:
    """A packet without what does not matter."""

    packet: Packet
    given: dict[str, int]  #: the fields that are not as a packet text would have them by default
    #: Words of what the world answers, of a packet that was read from its text.
    said: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What ``explain --packet`` takes; what it has no key for is not in it."""
        words = self.said or dict.fromkeys(self._world.values())
        return " ".join((place_word(self.packet), *packet_words(self.packet, self.given), *words))

    @property
    def hidden(self) -> dict[str, int]:
        """The fields that matter and that the text has no key for."""
        return {field: value for field, value in self.given.items() if field not in KEY_OF}

    @property
    def answers(self) -> Mapping[Question, int]:
        """What the world must answer for it, besides what is usual."""
        return self.packet.answers.given if isinstance(self.packet.answers, Answers) else {}

    @property
    def hidden_answers(self) -> dict[Question, int]:
        """The answers that the text has no key for."""
        return {key: value for key, value in self.answers.items() if key not in self._world}

    @property
    def _world(self) -> dict[Question, str]:
        """The words that the text has for what the world answers."""
        packet = self.packet
        if not isinstance(packet.answers, Answers):
            return {}
        found = world_words(packet.family, packet.fields, packet.answers)
        words: dict[str, str] = {}  # a text has each key once: of two draws it tells the first
        for word in found.values():
            words.setdefault(word.partition("=")[0], word)
        return {question: word for question, word in found.items() if word in words.values()}


def simplify(packet: Packet, interesting: Callable[[Packet], bool]) -> Plain:
    """Reset field after field, and what the world answers, while the packet stays interesting."""
    family, hook = packet.family, packet.hook
    plain_world = interesting(_in_plain_world(packet))

    def with_fields(fields: dict[str, int]) -> Packet:
        changed = attrs.evolve(packet, fields=fields)
        return _in_plain_world(changed) if plain_world else _in_its_world(changed, packet)

    given, fields = dict(packet.fields), dict(packet.fields)
    # What a connection is found by is as the packet has it, all of it or nothing.
    fewer = {name: value for name, value in given.items() if name not in _OF_CONNECTION}
    trial = complete(family, hook, fewer)
    if trial == fields or interesting(with_fields(trial)):
        given, fields = fewer, trial
    # Twice: what a field's default is can depend on others.
    for field in (*FIELDS, *FIELDS):
        fewer = {name: value for name, value in given.items() if name != field}
        trial = complete(family, hook, fewer)
        if field in given and (trial == fields or interesting(with_fields(trial))):
            given, fields = fewer, trial
    for field in _BITS:
        for bit in _bits_of(given.get(field, 0)):
            fewer = {**given, field: given[field] & ~bit}
            trial = complete(family, hook, fewer)
            if interesting(with_fields(trial)):
                given, fields = fewer, trial
    for field in _INTERFACES:
        for name in _shorter(given.get(field, 0)):
            other = {**given, field: name}
            trial = complete(family, hook, other)
            if interesting(with_fields(trial)):
                given, fields = other, trial
                break
    return Plain(_with_fewer_answers(with_fields(fields), interesting), given)


#: Fields whose bits each mean something.
_BITS = ("mark", "ct_mark", "ct_status", "tcp_flags")

#: The fields that a connection is found by.
_OF_CONNECTION = {name for name in FIELDS if name.startswith(("ct_original_", "ct_reply_"))}

#: What answers are about, but for none.
_ASKED = ("saddr", "daddr", "iif", "oif")


#: Fields that hold the name of an interface.
_INTERFACES = ("iif", "oif")


def _shorter(word: int) -> Iterator[int]:
    """Names that begin as an interface's does and end with a number, the shortest one first."""
    name = interface_name(word)
    for length in range(1, len(name) - 1):
        yield interface_word(f"{name[:length]}1")


def _bits_of(number: int) -> Iterator[int]:
    return (1 << place for place in reversed(range(number.bit_length())) if number >> place & 1)


def _in_plain_world(packet: Packet) -> Packet:
    return attrs.evolve(packet, answers=_usual(packet))


def _in_its_world(packet: Packet, before: Packet) -> Packet:
    """With the answers that were given about the packet as it was before."""
    if not isinstance(packet.answers, Answers):
        return packet
    # Two fields that had one value may have two now.
    others: dict[int, dict[int, None]] = {}
    for field in _ASKED:
        others.setdefault(before.fields[field], {})[packet.fields[field]] = None
    fields = before.fields, packet.fields
    answers = packet.answers.about(others, fields, _usual(packet))
    return attrs.evolve(packet, answers=answers)


def _usual(packet: Packet) -> World:
    return default_world(packet.family, packet.hook, packet.fields)


def _with_fewer_answers(packet: Packet, interesting: Callable[[Packet], bool]) -> Packet:
    questions = tuple(packet.answers) if isinstance(packet.answers, Answers) else ()
    return _without_any(packet, questions, interesting)


def _without_any(
    packet: Packet, questions: tuple[Question, ...], interesting: Callable[[Packet], bool]
) -> Packet:
    """Without all of these answers, or else with those of either half that matter.

    Of the answers about addresses that had one value there can be thousands, and few matter.
    """
    if not questions:
        return packet
    assert isinstance(packet.answers, Answers)
    trial = attrs.evolve(packet, answers=packet.answers.without(questions))
    if interesting(trial):
        return trial
    if len(questions) == 1:
        device = questions[0][0].kind is OracleKind.ROUTE_DEVICE
        return _by_plain_device(packet, questions[0], interesting) if device else packet
    middle = len(questions) // 2
    for half in (questions[:middle], questions[middle:]):
        packet = _without_any(packet, half, interesting)
    return packet


def _by_plain_device(
    packet: Packet, question: Question, interesting: Callable[[Packet], bool]
) -> Packet:
    """With another name of a device that routing answers, if any will do."""
    assert isinstance(packet.answers, Answers)
    given = packet.answers.given
    for name in (interface_word("eth1"), *_shorter(given[question])):
        answers = attrs.evolve(packet.answers, given={**given, question: name})
        if interesting(trial := attrs.evolve(packet, answers=answers)):
            return trial
    return packet
