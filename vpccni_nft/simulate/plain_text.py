"""Make the text of a packet plain: no word that does not matter, and values that a reader knows.

What is tried is always a text as ``explain`` takes it, so that what is shown is what was tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from .packet_text import (
    EVERY_KEY,
    FURTHER_KEYS,
    KEYS,
    BadPacketText,
    packet_words,
    parse_packet,
    place_word,
)
from .simplify import Plain
from .world import Answers, world_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from .likely import Likely
    from .sample import Packet

#: As many texts are tried for one packet.
_MOST_TRIALS = 600

#: Words whose values are bits, or names with commas that each stand for one.
_OF_BITS = {"mark", "ctmark"}
_OF_NAMES = {"ctstatus", "flags"}

#: What a connection is found by, which is as the packet has it, all of it or nothing.
_TUPLES = ("packet_type", *(key for key in FURTHER_KEYS if key.startswith("ct_")))

#: What is left out first where either of two words will do: what a reader knows least.
_UNUSUAL = (*FURTHER_KEYS, "length", "ctmark", "ctstatus", "ctdir", "ctstate", "mark")

Words = dict[str, str]


def plain_text(
    packet: Packet, interesting: Callable[[Packet], bool], likely: Likely
) -> Plain | None:
    """A packet as a plain text, of which ``interesting`` holds; None where no text has all of it.

    ``interesting`` is asked of packets that were read from a text.
    """
    search = _Search(packet, interesting)
    words = _words_of(packet)
    if not search.holds(words):
        return None
    words = next(filter(search.holds, _of_its_type(words, packet.family)), words)
    starts = (*_without_nat(words), *(_less(words, group) for group in (FURTHER_KEYS, _TUPLES)))
    words = next(filter(search.holds, starts), words)
    words = search.without(words, sorted(words, key=_unusual))
    words = search.with_fewer_bits(words)
    words = search.likelier(words, likely)
    words = search.without(words, sorted(words, key=_unusual))
    return search.plain(words)


def _words_of(packet: Packet) -> Words:
    """All that is known of a packet, by the keys of its text; of two draws the first."""
    said = [*packet_words(packet, packet.fields)]
    if isinstance(packet.answers, Answers):
        world = [*world_words(packet.family, packet.fields, packet.answers).values()]
        # Of what is in a set, all is or nothing: where some is, the text says so.
        said += sorted(world, key=lambda word: word.endswith("=no"))
        if packet.fields["saddr"] == packet.fields["daddr"]:  # what is said of one is of both
            said += [word.replace("fib-daddr", "fib-saddr") for word in world]
    words: Words = {}
    for word in said:
        key, _, value = word.partition("=")
        words.setdefault(key, value)
    return words


def _without_nat(words: Words) -> Iterator[Words]:
    """The packet as one of a connection that NAT leaves alone.

    With the ends that it has ahead of NAT or behind it, in the first packet of its connection, in a
    later one, or in an answer.
    """
    plain = _less(words, (*_TUPLES, "ctdir", "ctstatus"))
    for fewer, way, other in (("ctstate", *_FORTH), ("", *_FORTH), ("", *_BACK)):
        direction = {"ctdir": "reply"} if (way, other) == _BACK else {}
        for of, ends in ((way, _STRAIGHT), (other, _TURNED)):
            there = {end: f"ct_{of}_{named}" for end, named in ends.items()}
            now = {end: words[key] for end, key in there.items() if {end, key} <= words.keys()}
            yield _less({**plain, **now, **direction}, (fewer,))


_FORTH, _BACK = ("original", "reply"), ("reply", "original")
_STRAIGHT = {end: end for end in ("saddr", "daddr", "sport", "dport")}
_TURNED = {"saddr": "daddr", "daddr": "saddr", "sport": "dport", "dport": "sport"}


#: Addresses whose type shows.
_OF_TYPE = {
    "multicast": {Family.IP: "224.0.0.1", Family.IP6: "ff02::1"},
    "broadcast": {Family.IP: "255.255.255.255"},
}


def _of_its_type(words: Words, family: Family) -> Iterator[Words]:
    """With an address that is of its type by itself, rather than a word for that."""
    for end in ("saddr", "daddr"):
        address = _OF_TYPE.get(words.get(f"fib-{end}", ""), {}).get(family)
        if address:
            ends = {key: address for key, one in words.items() if one == words[end]}
            yield _less({**words, **ends}, (f"fib-{end}",))


def _less(words: Words, keys: Collection[str]) -> Words:
    return {key: value for key, value in words.items() if key not in keys}


def _unusual(key: str) -> tuple[int, int]:
    if key in _UNUSUAL:
        return 0, _UNUSUAL.index(key)
    return (2, list(KEYS).index(key)) if key in KEYS else (1, 0)


@attrs.define
class _Search:
    packet: Packet
    interesting: Callable[[Packet], bool]
    trials: int = 0

    def read(self, words: Words) -> Packet:
        """The packet of a text, looked at as the one that is made plain. Raises BadPacketText."""
        text = " ".join((place_word(self.packet), *(f"{key}={one}" for key, one in words.items())))
        read = parse_packet(text, self.packet.family).packet
        return read.seen_as(self.packet)

    def holds(self, words: Words) -> bool:
        """Whether a text says enough; not any more where too many were tried."""
        self.trials += 1
        if self.trials > _MOST_TRIALS:
            return False
        try:
            packet = self.read(words)
        except BadPacketText:
            return False
        return packet.family is self.packet.family and self.interesting(packet)

    def plain(self, words: Words) -> Plain:
        """The packet of a text."""
        packet = self.read(words)
        given = {EVERY_KEY[key]: packet.fields[EVERY_KEY[key]] for key in words if key in EVERY_KEY}
        world = tuple(f"{key}={one}" for key, one in words.items() if key not in EVERY_KEY)
        return Plain(packet, given, world)

    def without_all(self, words: Words, keys: Collection[str]) -> Words:
        """Without all of these words, if that will do."""
        fewer = _less(words, keys)
        return fewer if len(fewer) < len(words) and self.holds(fewer) else words

    def without(self, words: Words, keys: list[str]) -> Words:
        """Without all of these words, or else with those of either half that matter."""
        fewer = self.without_all(words, keys)
        if len(keys) < 2 or fewer is not words:
            return fewer
        middle = len(keys) // 2
        return self.without(self.without(words, keys[:middle]), keys[middle:])

    def with_fewer_bits(self, words: Words) -> Words:
        """Without the bits, and the names of flags, that do not matter."""
        for key in words:
            for fewer in _fewer(key, words[key]):
                trial = {**words, key: fewer(words[key])}
                if trial != words and self.holds(trial):
                    words = trial
        return words

    def likelier(self, words: Words, likely: Likely) -> Words:
        """With values that a reader knows. What has one value in several words keeps one."""
        for key in tuple(words):
            here = words[key]
            taken = {one for one in words.values() if one != here}
            values = sorted(likely.instead_of(key, here), key=taken.__contains__)
            for value in values:
                together = {
                    other: value if one == here and _kind(other) == _kind(key) else one
                    for other, one in words.items()
                }
                alone = {**words, key: value}
                for trial in (alone, together):
                    if self.holds(trial):
                        words = trial
                        break
                else:
                    continue
                break
        return words


def _kind(key: str) -> str:
    """What two words have in common that can have one value."""
    return "address" if key == "primary" or key.endswith("addr") else key.rpartition("_")[2]


def _fewer(key: str, value: str) -> Iterator[Callable[[str], str]]:
    """What takes one bit, or one name, from a value."""
    if key in _OF_BITS:
        number = int(value, 0)
        for place in reversed(range(number.bit_length())):
            yield lambda text, bit=1 << place: f"{int(text, 0) & ~bit:#x}"  # type: ignore[misc]
    elif key in _OF_NAMES:
        for name in value.split(","):
            yield lambda text, name=name: (  # type: ignore[misc]
                ",".join(one for one in text.split(",") if one != name) or "none"
            )
