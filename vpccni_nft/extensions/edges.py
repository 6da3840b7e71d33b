"""What the records of extensions say of packets without making any; ``aiming.py`` has the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.values import Family

if TYPE_CHECKING:
    from ..core.values import Negatable
    from .aiming import Draft

#: A packet has at least a header: the bytes of the shortest one.
SHORTEST = {Family.IP: 20, Family.IP6: 40}


def any_packet(_node: object, _draft: Draft) -> None:
    """The aim of what fits every packet."""


def around(*numbers: Negatable[int] | int | None) -> tuple[int, ...]:
    """Some numbers, each with its neighbours."""
    plain = (one if isinstance(one, int) or one is None else one.value for one in numbers)
    return tuple(number + beside for number in plain if number is not None for beside in (0, -1, 1))
