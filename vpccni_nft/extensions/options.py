"""The options that stand behind a match or a target in a rule, as they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from ..core.diagnostics import BAD_OPTION, BAD_VALUE, HOST_NAME, Problem
from .shared.words import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.diagnostics import Code
    from ..core.span import Line, Span
    from ..core.values import Family

T = TypeVar("T")


@attrs.frozen
class GivenOption:
    """``[!] NAME VALUE...``, each by its number among the words of the line."""

    name: int
    values: tuple[int, ...]
    first: int
    last: int
    negated: bool
    foreign: bool  #: whether it stands behind a match or target that does not have it


@attrs.define
class Evidence:
    """Which families addresses belong to, and where they stand, but for those of the table's."""

    family: Family | None = None  #: the table's; None: not known before its end
    families: list[tuple[Family, Span]] = attrs.Factory(list)

    def add(self, family: Family, line: Line, place: int) -> None:
        """Take the address at this place into account."""
        if family is not self.family:
            self.families.append((family, line.span(place, place)))


@attrs.define
class GivenOptions:
    """What stands behind one ``-m NAME`` or ``-j NAME``."""

    owner: str
    given: tuple[GivenOption, ...]
    line: Line
    first: int  #: the number of the first word in the line, and of the last one
    last: int
    evidence: Evidence

    @property
    def span(self) -> Span:
        """The whole match or target."""
        return self.line.span(self.first, self.last)

    def name(self, option: GivenOption) -> str:
        """The word that an option is written with."""
        return self.line.words[option.name]

    def words(self) -> tuple[str, ...]:
        """All options as they are written, for a match that makes nothing of them."""
        return tuple(
            word
            for option in self.given
            for word in (
                "!" * option.negated,
                self.name(option),
                *(unquote(self.line.words[place]) for place in option.values),
            )
            if word
        )

    def place(self, name: str) -> int | None:
        """The number of an option's value among the words of the line, or None."""
        return next((given.values[0] for given in self.given if self.name(given) == name), None)

    def problem(self, given: GivenOption, message: str) -> Problem:
        """What is wrong with an option."""
        return Problem(BAD_OPTION, message, span=self.line.span(given.first, given.last))

    def has(self, name: str) -> bool:
        """Whether an option is there."""
        return any(self.name(given) == name for given in self.given)


def convert_word(line: Line, place: int, convert: Callable[[str], T]) -> T:
    """Read a value without its quotes; its ValueError becomes a problem at the word's place."""
    try:
        return convert(unquote(line.words[place]))
    except ValueError as error:
        raise Problem(
            _code_for(str(error)), str(error), span=line.span(place, place), hint=_hint(error)
        ) from None


def _code_for(message: str) -> Code:
    return HOST_NAME if message.endswith("is not an address") else BAD_VALUE


def _hint(error: ValueError) -> str:
    if _code_for(str(error)) is HOST_NAME:
        return "names are never looked up: write the address that the kernel holds"
    return ""
