"""What a caller may choose about a translation."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import APPROXIMATIONS, Code
from ..core.span import IPSET_NAME, Source
from ..core.values import Family, choice_of

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The oldest nft that is supported, as kube-proxy's.
OLDEST_NFT = (1, 0, 1)

_TARGET = re.compile(r"nft=(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)


class CounterMode(enum.Enum):
    """What becomes of the rules' counters."""

    KEEP = "keep"  #: count on from the numbers in the dump
    ZERO = "zero"  #: count from zero
    NONE = "none"  #: do not count


def codes_named(names: Iterable[str]) -> frozenset[Code]:
    """The approximations of these names. Raises ValueError where a name is of none.

    >>> codes_named("T101")
    Traceback (most recent call last):
    TypeError: a list of codes is wanted, such as ["T101"], not the text 'T101'
    """
    if isinstance(names, str):
        raise TypeError(f'a list of codes is wanted, such as ["{names}"], not the text {names!r}')
    names = tuple(names)
    if unknown := set(names).difference(APPROXIMATIONS):
        raise ValueError(f"{min(unknown)} is not one of {', '.join(APPROXIMATIONS)}")
    return frozenset(APPROXIMATIONS[name] for name in names)


def nft_version(target: str) -> tuple[int, ...]:
    """The version in ``nft=VERSION``. Raises ValueError for another form, or one too old."""
    found = _TARGET.fullmatch(target)
    if not found:
        raise ValueError(f"{target!r} is not of the form nft=1.0.6")
    version = tuple(int(part or 0) for part in found.groups())
    if version < OLDEST_NFT:
        raise ValueError("the oldest nft that is supported is 1.0.1")
    return version


@attrs.frozen(kw_only=True)
class TranslateOptions:
    """The choices of one translation.

    Each is a keyword of ``vpccni_nft.translate`` and an option of ``vpccni-nft translate``, of the
    same name; this is what they become, and what the rooms hand on.
    """

    counters: CounterMode = CounterMode.KEEP
    allow: frozenset[Code] = frozenset()  #: approximations that are not refused
    optimize: bool = False  #: whether sets and maps stand in place of long rows of rules
    #: What tables are taken for whose family the text does not say.
    family: Family | None = None
    ipset_save: Source | None = None  #: the sets that the rules name
    #: The oldest nft that must take the script; all that is written so far is as old as the oldest.
    target: tuple[int, ...] = OLDEST_NFT

    @classmethod
    def of(
        cls,
        *,
        counters: str = CounterMode.KEEP.value,
        allow: Iterable[str] = (),
        optimize: bool = False,
        family: Family | str | None = None,
        ipset_save: Source | str | bytes | None = None,
        target: str = "nft=1.0.1",
    ) -> TranslateOptions:
        """From names and texts, as callers have them. Raises ValueError where one is wrong."""
        if isinstance(ipset_save, str | bytes):
            ipset_save = Source.of(ipset_save, IPSET_NAME)
        return cls(
            counters=choice_of(CounterMode, counters, "counters"),
            allow=codes_named(allow),
            optimize=optimize,
            family=None if family is None else choice_of(Family, family, "family"),
            ipset_save=ipset_save,
            target=nft_version(target),
        )
