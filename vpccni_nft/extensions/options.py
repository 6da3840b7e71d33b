"""The options of one match or target, as a room's ``build`` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from ..core.diagnostics import BAD_OPTION, BAD_VALUE, HOST_NAME, Problem
from ..core.values import Negatable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.diagnostics import Code
    from ..core.span import Span
    from ..core.values import Family

T = TypeVar("T")


@attrs.frozen
class Word:
    """A value, without its quotes."""

    text: str
    span: Span | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Option:
    """An option with its values; ``negated`` where a ``!`` stands before it."""

    name: str
    words: tuple[Word, ...] = ()
    negated: bool = False
    span: Span | None = attrs.field(default=None, eq=False, repr=False)


@attrs.define
class Evidence:
    """Which families a rule's addresses belong to, and where they stand."""

    families: list[tuple[Family, Span | None]] = attrs.Factory(list)


@attrs.define
class Options:
    """What stands behind one ``-m NAME`` or ``-j NAME``; every question names an option."""

    owner: str
    given: tuple[Option, ...]
    span: Span | None = None
    evidence: Evidence = attrs.Factory(Evidence)

    def words(self) -> tuple[str, ...]:
        """All options as they are written, for a room that makes nothing of them."""
        return tuple(
            word
            for option in self.given
            for word in ("!" * option.negated, option.name, *(one.text for one in option.words))
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
        return self._convert(option.words[0], convert)

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
        return Negatable(self._convert(option.words[0], convert), option.negated)

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
        first, second = option.words
        span = first.span.to(second.span) if first.span and second.span else None
        try:
            return Negatable(convert(first.text, second.text), option.negated)
        except ValueError as error:
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
        for option in self.given:
            if option.name == name:
                if found:
                    raise Problem(BAD_OPTION, f"{name} stands here twice", span=option.span)
                found = option
        return found

    def _refuse_negation(self, option: Option) -> None:
        if option.negated:
            raise Problem(BAD_OPTION, f"{option.name} cannot be negated", span=option.span)

    def _convert(self, word: Word, convert: Callable[[str], T]) -> T:
        value = convert_word(word, convert)
        family = getattr(value, "family", None)
        if family is not None:
            self.evidence.families.append((family, word.span))
        return value


def convert_word(word: Word, convert: Callable[[str], T]) -> T:
    """Read a value; its ValueError becomes a problem at the word's place."""
    try:
        return convert(word.text)
    except ValueError as error:
        raise Problem(
            _code_for(str(error)), str(error), span=word.span, hint=_hint(error)
        ) from None


def _code_for(message: str) -> Code:
    return HOST_NAME if message.endswith("is not an address") else BAD_VALUE


def _hint(error: ValueError) -> str:
    if _code_for(str(error)) is HOST_NAME:
        return "names are never looked up: write the address that the kernel holds"
    return ""
