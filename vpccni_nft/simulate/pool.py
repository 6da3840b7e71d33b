"""Packets that hit a ruleset's rules."""

from __future__ import annotations

import functools
from random import Random
from typing import TYPE_CHECKING

import attrs

from ..model.packet import FIELDS, HOOKS, STATE_BITS, STATUS_BITS, width
from .aim import aims_of
from .constants import constants_of
from .sample import Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.values import Family
    from ..iptables.ast import Ruleset
    from ..model.concrete import Question
    from .aim import Aim
    from .constants import Constants

#: Hooks whose packets came by an interface, and those whose packets leave by one.
COMES_BY = {"prerouting", "input", "forward"}
LEAVES_BY = {"forward", "output", "postrouting"}

_STATES = tuple(STATE_BITS.values())
_STATUSES = tuple(STATUS_BITS.values())


def stream(
    ruleset: Ruleset, family: Family, seed: int = 0, *, fragments: bool = False
) -> Iterator[Packet]:
    """Packets without end, the same ones for the same seed; each rule is aimed at in its turn."""
    return Pool.of(ruleset, family, fragments=fragments).stream(seed)


@attrs.frozen(eq=False, slots=False)
class Pool:
    """What the packets for a ruleset are made of."""

    constants: Constants
    family: Family
    aims: tuple[Aim, ...]
    fragments: bool

    @classmethod
    def of(cls, ruleset: Ruleset, family: Family, *, fragments: bool = False) -> Pool:
        """A family's constants, and all of its rules."""
        return cls(
            constants_of(ruleset, family), family, tuple(aims_of(ruleset, family)), fragments
        )

    def stream(self, seed: int) -> Iterator[Packet]:
        """Packets without end; each rule is aimed at in its turn."""
        random = Random(seed)  # noqa: S311 - no secrets
        while True:
            order = list(range(len(self.aims) + 1))
            random.shuffle(order)
            for number in order:
                yield self.packet(number, random.getrandbits(32))

    def packet(self, number: int, seed: int, *, edges: bool = True) -> Packet:
        """A packet that aims at a rule by its number, from 1, or with 0 at none.

        With ``edges`` every other packet is beside an edge of what its rules take.
        """
        random = Random(seed)  # noqa: S311
        aim = self.aims[number - 1] if number else None
        hook = aim.hook if aim else random.choice(HOOKS)
        fields = {field: make(random) for field, make in self._makers}
        if hook not in COMES_BY:
            fields["iif"] = 0
        if hook not in LEAVES_BY:
            fields["oif"] = 0
        if fields["fragment"]:
            fields["fragmented"] = 1
        answers: dict[Question, int] = {}
        if aim:
            aim.fit(fields, answers, random)
            if edges and random.random() < 1 / 2:
                aim.move_to_edge(fields, answers, random)
        return Packet(self.family, hook, fields, answers, random.getrandbits(16))

    @functools.cached_property
    def _makers(self) -> tuple[tuple[str, Callable[[Random], int]], ...]:
        return tuple((field, self._maker(field)) for field in FIELDS)

    def _maker(self, field: str) -> Callable[[Random], int]:
        """How a field's value is chosen: one of the ruleset's own, or any."""
        match field:
            case "ct_state":
                return lambda random: random.choice(_STATES)
            case "ct_status":
                return _some_statuses
            case "fragment" if self.fragments:
                return lambda random: random.choice((0, 0, 0, 185))
            case "fragmented" if self.fragments:
                return lambda random: random.getrandbits(1)
            case "fragment" | "fragmented" | "ct_template" | "ct_zone" | "ct_zone_direction":
                return lambda _random: 0
            case "length":
                return lambda random: random.randint(20, 65535)
        known, bits = self._known(field), width(field, self.family)
        if not known:
            return lambda random: random.getrandbits(bits)
        if field in {"iif", "oif"}:
            return lambda random: random.choice(known)
        return lambda random: (
            random.choice(known) if random.random() < 3 / 4 else random.getrandbits(bits)
        )

    def _known(self, field: str) -> tuple[int, ...]:
        constants = self.constants
        if field.endswith("addr"):
            return tuple(constants.addresses)
        if field.endswith("port"):
            return tuple(constants.ports)
        return tuple(
            {
                "mark": constants.marks,
                "ct_mark": constants.marks,
                "protocol": constants.protocols,
                "ct_protocol": constants.protocols,
                "iif": constants.interfaces,
                "oif": constants.interfaces,
                "icmp_type": constants.message_types,
                "icmp_code": constants.message_codes,
            }.get(field, ())
        )


def _some_statuses(random: Random) -> int:
    chosen = random.getrandbits(len(_STATUSES))
    return sum(bit for place, bit in enumerate(_STATUSES) if chosen >> place & 1)
