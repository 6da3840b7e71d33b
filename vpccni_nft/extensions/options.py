"""The options of one match or target, as a room's ``build`` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from ..core.diagnostics import BAD_OPTION, BAD_VALUE, HOST_NAME, Problem
from ..core.values import Negatable
from .shared.words import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.diagnostics import Code
    from ..core.span import Line, Span
    from ..core.values import Family

T = TypeVar("T")


@attrs.frozen
class Option:
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
class Options:
    """What stands behind one ``-m NAME`` or ``-j NAME``; every question names an option."""

    owner: str
    given: tuple[Option, ...]
    line: Line
    first: int  #: the number of the first word in the line, and of the last one
    last: int
    evidence: Evidence

    @property
    def span(self) -> Span:
        """The whole match or target."""
        return self.line.span(self.first, self.last)

    def name(self, option: Option) -> str:
        """The word that an option is written with."""
        return self.line.words[option.name]

    def words(self) -> tuple[str, ...]:
        """All options as they are written, for a room that makes nothing of them."""
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

    def flag(self, name: str) -> bool:
        """Whether an option without a value is there."""
        option = self._find(name)
        if option:
            self._refuse_negation(option)
        return option is not None

    def value(self, name: str, convert: Callable[[str], T]) -> T | None:
        """The value of an option that cannot be negated, or None."""
        option = self._find(name)
        if not option:
            return None
        self._refuse_negation(option)
        return self._convert(option, convert)

    def required(self, name: str, convert: Callable[[str], T]) -> T:
        """The value of an option that must be there."""
        found = self.value(name, convert)
        if found is None:
            raise Problem(BAD_OPTION, f"{self.owner} needs {name}", span=self.span)
        return found

    def negatable(self, name: str, convert: Callable[[str], T]) -> Negatable[T] | None:
        """The value of an option that may have a ``!`` before it, or None."""
        option = self._find(name)
        if not option:
            return None
        return Negatable(self._convert(option, convert), option.negated)

    def required_negatable(self, name: str, convert: Callable[[str], T]) -> Negatable[T]:
        """The value of an option that must be there and may have a ``!`` before it."""
        found = self.negatable(name, convert)
        if found is None:
            raise Problem(BAD_OPTION, f"{self.owner} needs {name}", span=self.span)
        return found

    def negatable_flag(self, name: str) -> Negatable[bool] | None:
        """An option without a value that may have a ``!`` before it, or None."""
        option = self._find(name)
        return Negatable(value=True, negated=option.negated) if option else None

    def pair(self, name: str, convert: Callable[[str, str], T]) -> Negatable[T] | None:
        """The value of an option with two words that may have a ``!`` before it, or None."""
        option = self._find(name)
        if not option:
            return None
        first, second = option.values
        words = self.line.words
        try:
            return Negatable(convert(unquote(words[first]), unquote(words[second])), option.negated)
        except ValueError as error:
            span = self.line.span(first, second)
            raise Problem(BAD_VALUE, str(error), span=span) from None

    def exclusive(self, *names: str) -> str:
        """The one of these options that is there."""
        present = [name for name in names if self._find(name)]
        if len(present) != 1:
            raise Problem(
                BAD_OPTION, f"{self.owner} needs one of {', '.join(names)}", span=self.span
            )
        return present[0]

    def _find(self, name: str) -> Option | None:
        found = None
        words = self.line.words
        for option in self.given:
            if words[option.name] == name:
                if found:
                    raise self._problem(option, f"{name} stands here twice")
                found = option
        return found

    def _refuse_negation(self, option: Option) -> None:
        if option.negated:
            raise self._problem(option, f"{self.name(option)} cannot be negated")

    def _problem(self, option: Option, message: str) -> Problem:
        return Problem(BAD_OPTION, message, span=self.line.span(option.first, option.last))

    def _convert(self, option: Option, convert: Callable[[str], T]) -> T:
        place = option.values[0]
        value = convert_word(self.line, place, convert)
        family = getattr(value, "family", None)
        if family is not None:
            self.evidence.add(family, self.line, place)
        return value


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
