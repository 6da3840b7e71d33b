"""From the words of one line to the nodes of iptables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ..core.diagnostics import (
    BAD_OPTION,
    BAD_VALUE,
    UNKNOWN_MATCH,
    UNKNOWN_OPTION,
    UNKNOWN_TARGET,
    Problem,
)
from ..core.span import Places
from ..core.values import Negatable, Network, parse_integer
from ..extensions import MATCHES, TARGETS
from ..extensions.options import Evidence, Option, Options, Word, convert_word
from ..extensions.shared.words import unquote
from ..iptables import ast
from ..iptables.protocols import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.diagnostics import Code, Diagnostic
    from ..core.span import Span
    from ..extensions.extension import Extension
    from .shapes import Line, OptionShape, Part, Shape

T = TypeVar("T")

#: JSON's readers take no larger number; no counter of a kernel comes near.
LARGEST_COUNT = 2**63 - 1

#: Kinds of parts that say what a rule does.
TARGET_KINDS = frozenset({"target", "jump", "goto"})


@attrs.define
class LineBuilder:
    """Builds what one line says; problems go to ``diagnostics`` and building goes on."""

    line: Line
    diagnostics: list[Diagnostic]
    evidence: Evidence = attrs.Factory(Evidence)

    def rule(self, shape: Shape) -> tuple[str, ast.Rule]:
        """The name of the chain that an ``-A`` line names, and its rule."""
        bracketed, chain = shape.words
        assert chain is not None
        whole = self.line.whole
        rule = _Draft()
        if bracketed is not None:
            rule.counters = self.bracketed_counters(bracketed)
        for part in shape.parts:
            try:
                self._add(rule, part)
            except Problem as problem:
                self.diagnostics.append(problem.at(whole))
        return unquote(self.line.words[chain]), rule.finish(whole)

    def counters(self, packets: int, numbers: int) -> ast.Counters:
        """Read the words for the numbers of packets and of bytes."""
        words = (Word(self.line.words[place], self._span(place)) for place in (packets, numbers))
        return ast.Counters(*(convert_word(word, _parse_count) for word in words))

    def bracketed_counters(self, place: int) -> ast.Counters:
        """Read ``[packets:bytes]``."""
        return convert_word(Word(self.line.words[place], self._span(place)), _parse_bracketed)

    def node(self, part: Part) -> Any:
        """What one part of a rule says; None for the protocol that is all protocols."""
        match part.kind:
            case "match":
                return self._extension(part, MATCHES, ast.UnknownMatch, UNKNOWN_MATCH)
            case "target":
                return self._extension(part, TARGETS, ast.UnknownTarget, UNKNOWN_TARGET)
            case "jump":
                return ast.Jump(unquote(self.line.words[part.words[0]]))
            case "goto":
                return ast.Goto(unquote(self.line.words[part.words[0]]))
            case "counters":
                return self.counters(*part.words)
            case "bracketed":
                return self.bracketed_counters(*part.words)
            case _:
                return self._base(part.kind, self.option(part.options[0]))

    def _add(self, rule: _Draft, part: Part) -> None:
        """Give a part to its rule."""
        if part.kind == "match":
            rule.matches.append(self.node(part))
            rule.places.append(self._place(part))
        elif part.kind in TARGET_KINDS:
            if rule.target:
                raise Problem(BAD_OPTION, "a rule has one target", span=self._part_span(part))
            rule.target = self.node(part)
            rule.target_place = self._place(part)
        elif part.kind == "stray":
            option = self.option(part.options[0])
            raise Problem(
                UNKNOWN_OPTION,
                f"{option.name} belongs to no match",
                span=option.span,
                hint="iptables-save prints the match before its options, as in -m tcp --dport 80",
            )
        elif part.kind == "counters":
            rule.counters = self.node(part)
        else:
            self._add_base(rule, part)

    def _add_base(self, rule: _Draft, part: Part) -> None:
        """One option of the base specification; the part's kind is a field of the rule."""
        if part.kind in rule.base:
            option = self.option(part.options[0])
            raise Problem(BAD_OPTION, f"{option.name} stands here twice", span=option.span)
        value = self.node(part)
        if part.kind == "protocol":
            rule.protocol_name = self._word(part.options[0].values[0]).text
        if value is not None:
            rule.base[part.kind] = value

    def _base(self, kind: str, option: Option) -> Negatable[Any] | None:
        value: object = True
        if kind in {"source", "destination"}:
            value = convert_word(option.words[0], Network.parse)
            self.evidence.families.append((value.family, option.words[0].span))
        elif kind in {"in_interface", "out_interface"}:
            value = convert_word(option.words[0], _parse_interface)
        elif kind == "protocol":
            value = convert_word(option.words[0], parse_protocol)
            if value == 0:  # "all": iptables tests nothing and prints nothing
                if option.negated:
                    raise Problem(BAD_VALUE, "no packet is of no protocol", span=option.span)
                return None
        return Negatable(value, option.negated)

    def _extension(
        self,
        part: Part,
        registry: Mapping[str, Extension[Any]],
        unknown: type[T],
        code: Code,
    ) -> T:
        """Give the options to the extension's room; keep the words where there is no room."""
        name = part.words[0]
        word = self.line.words[name]
        options = tuple(map(self.option, part.options))
        span = self._part_span(part)
        extension = registry.get(unquote(word))
        try:
            if not extension:
                raise Problem(
                    code,
                    f"{unquote(word)} is not known",
                    span=self._span(name),
                    hint="vpccni-nft extensions lists the matches and targets that are",
                )
            _refuse_foreign_options(word, part.options, options)
            given = Options(word, options, span, self.evidence)
            return extension.build(given)  # type: ignore[no-any-return]
        except Problem as problem:
            self.diagnostics.append(problem.at(span))
            words = tuple(self.line.words[name + 1 : part.last + 1])
            return unknown(word, words)  # type: ignore[call-arg]

    def option(self, shape: OptionShape) -> Option:
        """An option with its words."""
        return Option(
            self.line.words[shape.name],
            tuple(map(self._word, shape.values)),
            shape.negated,
            self.line.span(shape.first, shape.last),
        )

    def _word(self, place: int) -> Word:
        return Word(unquote(self.line.words[place]), self._span(place))

    def _span(self, place: int) -> Span | None:
        return self.line.span(place, place)

    def _part_span(self, part: Part) -> Span | None:
        return self.line.span(part.first, part.last)

    def _place(self, part: Part) -> tuple[int, int]:
        """The columns of a part."""
        span = self._part_span(part)
        assert span
        return span.start, span.end


@attrs.define
class _Draft:
    """A rule while its line is read."""

    base: dict[str, Negatable[Any]] = attrs.Factory(dict)
    matches: list[ast.Match] = attrs.Factory(list)
    places: list[tuple[int, int]] = attrs.Factory(list)
    target: ast.Target | None = None
    target_place: tuple[int, int] | None = None
    counters: ast.Counters | None = None
    protocol_name: str = ""

    def finish(self, span: Span) -> ast.Rule:
        return ast.Rule(
            **self.base,
            matches=tuple(self.matches),
            target=self.target,
            counters=self.counters,
            span=span,
            places=Places(tuple(self.places), self.target_place),
            protocol_name=self.protocol_name,
        )


def _parse_bracketed(text: str) -> ast.Counters:
    return ast.Counters(*map(_parse_count, text.strip("[]").split(":")))


def _parse_count(text: str) -> int:
    """A decimal number, whatever it begins with."""
    return parse_integer(text.lstrip("0") or "0", LARGEST_COUNT)


def _parse_interface(text: str) -> ast.Interface:
    """Interface names have at most 15 bytes (IFNAMSIZ); a plus at the end is a wildcard."""
    if not text or len(text.encode("utf-8", "surrogateescape")) > 15:
        raise ValueError("an interface's name has 1 to 15 characters")
    wildcard = text.endswith("+")
    return ast.Interface(text[:-1] if wildcard else text, wildcard)


def _refuse_foreign_options(
    owner: str, shapes: Sequence[OptionShape], options: Sequence[Option]
) -> None:
    for shape, option in zip(shapes, options, strict=True):
        if shape.foreign:
            raise Problem(
                UNKNOWN_OPTION, f"{owner} has no option {option.name} here", span=option.span
            )
