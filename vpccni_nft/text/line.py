"""From the words of a line to the nodes of iptables, one part of a rule at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from ..core.diagnostics import (
    BAD_OPTION,
    BAD_VALUE,
    UNKNOWN_MATCH,
    UNKNOWN_OPTION,
    UNKNOWN_TARGET,
    Diagnostic,
    Problem,
)
from ..core.values import Negatable, Network, parse_integer
from ..extensions import MATCHES, TARGETS
from ..extensions.options import Evidence, GivenOption, GivenOptions, convert_word
from ..extensions.shared.words import unquote
from ..iptables import ast
from ..iptables.protocols import parse_protocol

if TYPE_CHECKING:
    from ..core.diagnostics import Code
    from ..core.span import Line, Span
    from ..extensions import Registry
    from ..extensions.extension import Extension
    from .shapes import Part

#: Builds the node of a part of a line.
Builder = Callable[["NodeBuilder", "Part", "Line"], Any]

#: JSON's readers take no larger number; no counter of a kernel comes near.
LARGEST_COUNT = 2**63 - 1


@attrs.frozen
class NodeBuilder:
    """Builds what the parts of one table's rules say; its problems go to ``diagnostics``."""

    diagnostics: list[Diagnostic]
    evidence: Evidence

    def match(self, part: Part, line: Line) -> ast.Match:
        """``-m NAME`` with its options."""
        match: ast.Match = self._extension(part, line, MATCHES, UNKNOWN_MATCH)
        return match

    def target(self, part: Part, line: Line) -> ast.Target:
        """``-j NAME`` with its options."""
        target: ast.Target = self._extension(part, line, TARGETS, UNKNOWN_TARGET)
        return target

    def jump(self, part: Part, line: Line) -> ast.Jump:
        """``-j CHAIN``."""
        return ast.Jump(unquote(line.words[part.words[0]]))

    def goto(self, part: Part, line: Line) -> ast.Goto:
        """``-g CHAIN``."""
        return ast.Goto(self.name(part, line))

    def name(self, part: Part, line: Line) -> str:
        """A word as it is."""
        return unquote(line.words[part.words[0]])

    def counters(self, part: Part, line: Line) -> ast.Counters:
        """``[packets:bytes]``, or ``-c packets bytes``."""
        return read_counters(line, *part.words)

    def address(self, part: Part, line: Line) -> Negatable[Network]:
        """``-s NETWORK`` or ``-d NETWORK``."""
        option = part.options[0]
        place = option.values[0]
        network = convert_word(line, place, Network.parse)
        self.evidence.add(network.family, line, place)
        return Negatable(network, option.negated)

    def interface(self, part: Part, line: Line) -> Negatable[ast.Interface]:
        """``-i NAME`` or ``-o NAME``."""
        option = part.options[0]
        return Negatable(convert_word(line, option.values[0], _parse_interface), option.negated)

    def protocol(self, part: Part, line: Line) -> Negatable[int] | None:
        """``-p PROTOCOL``; None for all of them: iptables tests nothing and prints nothing."""
        option = part.options[0]
        number = convert_word(line, option.values[0], parse_protocol)
        if number:
            return Negatable(number, option.negated)
        if option.negated:
            span = _span(part, line)
            raise Problem(BAD_VALUE, "no packet is of no protocol", span=span)
        return None

    def fragment(self, part: Part, _line: Line) -> Negatable[bool]:
        """``-f``."""
        return Negatable(value=True, negated=part.options[0].negated)

    def stray(self, part: Part, line: Line) -> ast.UnknownMatch:
        """An option that belongs to no match: without it the rule would be another one."""
        name = line.words[part.options[0].name]
        self.diagnostics.append(
            Diagnostic(
                UNKNOWN_OPTION,
                f"{name} belongs to no match",
                _span(part, line),
                "iptables-save prints the match before its options, as in -m tcp --dport 80",
            )
        )
        return ast.UnknownMatch(name, tuple(line.words[part.first : part.last + 1]))

    def repeated(self, part: Part, line: Line) -> NoReturn:
        """An option of the base specification that the rule has already."""
        name = line.words[part.options[0].name]
        raise Problem(BAD_OPTION, f"{name} is given twice", span=_span(part, line))

    def second_target(self, part: Part, line: Line) -> NoReturn:
        """What a rule does that does something already."""
        raise Problem(BAD_OPTION, "a rule has one target", span=_span(part, line))

    def _extension(self, part: Part, line: Line, registry: Registry, code: Code) -> Any:
        """Give the options to the extension's room; keep the words where there is no room."""
        place = part.words[0]
        owner = line.words[place]
        name = unquote(owner)
        extension = registry.find(name)
        if not extension:
            problem = Problem(
                code,
                f"{name} is not known",
                span=line.span(place, place),
                hint="vpccni-nft extensions lists the matches and targets that are",
            )
            return self.unknown(part, line, problem)
        for option in part.options:
            if option.foreign:
                return self.unknown(part, line, _foreign(owner, option, line))
        return _builder(extension, owner)(self, part, line)

    def unknown(
        self, part: Part, line: Line, problem: Problem
    ) -> ast.UnknownMatch | ast.UnknownTarget:
        """The words of a match or target that has a problem."""
        self.diagnostics.append(problem.at(_span(part, line)))
        first = part.words[0]
        kind = ast.UnknownMatch if part.kind == "match" else ast.UnknownTarget
        return kind(line.words[first], tuple(line.words[first + 1 : part.last + 1]))


#: What builds the node of a part of each kind. Raises Problem where it says nothing that a rule
#: can have; a match or target with a problem is kept as unknown.
BUILDERS: dict[str, Builder] = {
    "match": NodeBuilder.match,
    "target": NodeBuilder.target,
    "jump": NodeBuilder.jump,
    "goto": NodeBuilder.goto,
    "counters": NodeBuilder.counters,
    "source": NodeBuilder.address,
    "destination": NodeBuilder.address,
    "in_interface": NodeBuilder.interface,
    "out_interface": NodeBuilder.interface,
    "protocol": NodeBuilder.protocol,
    "protocol_name": NodeBuilder.name,
    "fragment": NodeBuilder.fragment,
    "stray": NodeBuilder.stray,
    "repeated": NodeBuilder.repeated,
    "second_target": NodeBuilder.second_target,
}


def builder_of(part: Part, owner: str) -> Builder:
    """What builds the nodes of a part of this shape, whose match or target has this name."""
    registry = MATCHES if part.kind == "match" else TARGETS
    extension = registry.find(owner)
    if extension is None or any(option.foreign for option in part.options):
        return BUILDERS[part.kind]
    return _builder(extension, owner)


def _builder(extension: Extension[Any], owner: str) -> Builder:
    make = extension.build

    def build(builder: NodeBuilder, part: Part, line: Line) -> Any:
        evidence = builder.evidence
        try:
            return make(GivenOptions(owner, part.options, line, part.first, part.last, evidence))
        except Problem as problem:
            return builder.unknown(part, line, problem)

    return build


def _foreign(owner: str, option: GivenOption, line: Line) -> Problem:
    return Problem(
        UNKNOWN_OPTION,
        f"{owner} has no option {line.words[option.name]} here",
        span=line.span(option.first, option.last),
    )


def _span(part: Part, line: Line) -> Span:
    return line.span(part.first, part.last)


def read_counters(line: Line, *places: int) -> ast.Counters:
    """Read the word ``[packets:bytes]`` at this place, or the two numbers at these."""
    if len(places) == 1:
        return convert_word(line, places[0], _parse_bracketed)
    return ast.Counters(*(convert_word(line, place, _parse_count) for place in places))


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
