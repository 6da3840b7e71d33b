"""The whole way: text in, ruleset and script out."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .core.caching import caching
from .core.diagnostics import (
    ELEMENT_COUNTERS,
    UNKNOWN_MATCH,
    UNKNOWN_OPTION,
    UNKNOWN_TARGET,
    Diagnostic,
    Problem,
    Refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from . import iptables, nft
    from .core.diagnostics import Code
    from .core.span import Source
    from .lowering import TranslateOptions

#: Parsing reports these; lowering finds them again in the rules.
UNREAD = (UNKNOWN_MATCH, UNKNOWN_TARGET, UNKNOWN_OPTION)

#: Of fewer lines all nodes are made: to learn the forms of repeats takes longer.
FEWEST_LINES = 1000

_NO_NUMBERS = Diagnostic(
    ELEMENT_COUNTERS,
    "nft does not read counters of elements from JSON, and starts them from zero",
    hint="write a script for nft -f, or use --counters zero or -O0",
)


def _has_numbers(set_: nft.Set) -> bool:
    """Whether an element goes on from the count of a rule."""
    return bool(set_.origins) and any(
        getattr(part, "counter", None)
        for element in set_.elements
        for part in (element, getattr(element, "key", None))
    )


@attrs.frozen
class Translation:
    """What came of a translation."""

    diagnostics: tuple[Diagnostic, ...]  #: every problem, in the order of the input
    _dump: iptables.Ruleset = attrs.field(repr=False)
    _ruleset: nft.Ruleset = attrs.field(repr=False)
    #: The ruleset before it was optimized.
    _faithful: nft.Ruleset | None = attrs.field(default=None, repr=False)
    #: The same with the nodes of all rules, where some have but a text here.
    _with_nodes: _WithNodes | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def refused(self) -> bool:
        """Whether something in the input has no translation."""
        return any(found.refuses for found in self.diagnostics)

    @property
    def allowed(self) -> frozenset[Code]:
        """The approximations in it that the caller allowed."""
        return frozenset(found.code for found in self.diagnostics if found.allowed)

    def to_dict(self) -> dict[str, Any]:
        """What was found, for JSON, as ``check --json`` prints it (``docs/schemas/check.json``)."""
        return {
            "refused": self.refused,
            "diagnostics": [one.to_dict() for one in self.diagnostics],
        }

    @property
    def _whole(self) -> Translation:
        return self._with_nodes.get() if self._with_nodes else self

    @property
    def dump(self) -> iptables.Ruleset:
        """What was translated."""
        return self._whole._dump

    @property
    def ruleset(self) -> nft.Ruleset:
        """The nft objects. Raises Refused rather than give a part of the rules."""
        if self.refused:
            raise Refused(self.diagnostics)
        return self._whole._ruleset

    @property
    def incomplete(self) -> nft.Ruleset:
        """The nft objects of the rules that are not refused: to be looked at, never to be loaded.

        Where nothing is refused, this is ``ruleset``.
        """
        return self._whole._ruleset

    def source_map(self) -> list[dict[str, object]]:
        r"""Each line of the input that stands for a rule, with its places. Raises Refused.

        A place is a rule of a chain or an element of a set or map, by its number from 0 on. A line
        that the optimizer dropped has none.

        >>> text = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
        >>> from vpccni_nft import translate
        >>> translate(text).source_map()[0]["places"]
        [{'family': 'ip', 'table': 'vpccni-raw', 'chain': 'OUTPUT', 'rule': 0}]
        """
        from .nft.origins import places_of, spans_of

        found: dict[tuple[int, int], dict[str, object]] = {}
        ruleset = self.ruleset
        for span in spans_of(self._faithful or ruleset):
            entry = {"file": span.source.name, "line": span.line, "places": []}
            found.setdefault((id(span.source), span.line), entry)
        for span, place in places_of(ruleset):
            found[id(span.source), span.line]["places"].append(place)  # type: ignore[attr-defined]
        return list(found.values())

    def script(self, format: Literal["nft", "json"] = "nft") -> str:  # noqa: A002 - as the option
        """The text for ``nft -f`` or, with ``json``, for ``nft -j -f``. Raises Refused.

        Raises ValueError for another format.
        """
        return "".join(self.pieces(format))

    def pieces(
        self,
        format: Literal["nft", "json"] = "nft",  # noqa: A002 - as the option
    ) -> Iterator[str]:
        """The same text bit by bit, for whoever writes a large one to a file. Raises Refused."""
        from .text.nft_script import pieces

        if format not in {"nft", "json"}:
            raise ValueError(f"format is one of nft, json, not {format!r}")
        if format == "json":
            from .text.nft_json import commands

            # Without an optimizer, elements come from ipsets: see docs/limits.md.
            if any(_has_numbers(set_) for table in self.ruleset.tables for set_ in table.sets):
                raise Refused((_NO_NUMBERS,))
            try:
                return iter((json.dumps(commands(self.ruleset)), "\n"))
            except Problem as problem:
                raise Refused((problem.at(None),)) from None
        if self.refused:
            raise Refused(self.diagnostics)
        return pieces(self._ruleset, _header())

    def read_back(self, name: str) -> nft.Ruleset:
        """What ``nft.parse`` makes of the script: the ruleset, each rule with its line there.

        ``name`` is what messages call the script. Raises Refused.
        """
        from .text.nft_script import located

        return located(self.ruleset, name, _header())


def _header() -> str:
    from .core.version import __version__

    return f"Written by vpccni-nft {__version__}."


def translate_sources(
    sources: Sequence[Source], options: TranslateOptions, *, nodes: bool = False
) -> Translation:
    """Translate several texts as one ruleset; ``nodes`` says that its objects will be asked for."""
    from . import iptables
    from .lowering.repeats import NodesNeeded

    lines = sum(len(source.lines) for source in sources)
    plain = not nodes and not options.optimize and not options.ipset_save
    if plain and caching() and lines >= FEWEST_LINES:
        with suppress(NodesNeeded):
            found = _translate(sources, options, repeats=True)
            if not found.refused:
                with_nodes = _WithNodes(sources, options)
                return attrs.evolve(found, dump=iptables.Ruleset(), with_nodes=with_nodes)
    return _optimized(_translate(sources, options, repeats=False), options)


class _WithNodes:
    """The translation of a text with all nodes, made when it is first asked for."""

    def __init__(self, sources: Sequence[Source], options: TranslateOptions) -> None:
        self._sources, self._options = sources, options
        self._made: Translation | None = None

    def get(self) -> Translation:
        if self._made is None:
            self._made = _translate(self._sources, self._options, repeats=False)
        return self._made


def _translate(
    sources: Sequence[Source], options: TranslateOptions, *, repeats: bool
) -> Translation:
    """The translation before it is optimized; with ``repeats``, of some rules the text alone."""
    from .lowering.ruleset import lower
    from .text.sources import parse_sources

    dump, diagnostics = parse_sources(sources, options.family, options.ipset_save, repeats=repeats)
    ruleset, more = lower(dump, options)
    reported = (*diagnostics, *(found for found in more if found.code not in UNREAD))
    every = (*sources, options.ipset_save) if options.ipset_save else sources
    return Translation(tuple(in_order(reported, every)), dump, ruleset)


def _optimized(translation: Translation, options: TranslateOptions) -> Translation:
    """With sets and maps in place of long rows of rules, where these are wanted."""
    if not options.optimize or translation.refused:
        return translation
    from .optimizer import optimize

    faithful = translation.ruleset
    return attrs.evolve(translation, ruleset=optimize(faithful), faithful=faithful)


def translate_ruleset(dump: iptables.Ruleset, options: TranslateOptions) -> Translation:
    """Translate what a program has made or changed; no text of it is needed."""
    from .lowering.ruleset import lower
    from .text.ipset_save import parse_ipsets

    problems: Sequence[Diagnostic] = ()
    if options.ipset_save is not None:
        ipsets, problems = parse_ipsets(options.ipset_save)
        dump = attrs.evolve(dump, ipsets=ipsets)
    ruleset, more = lower(dump, options)
    translation = Translation((*problems, *more), dump, ruleset)
    return _optimized(translation, options)


def in_order(diagnostics: Iterable[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    """By file, then by line; what has no place comes first."""
    place = {id(source): index for index, source in enumerate(sources)}

    def key(found: Diagnostic) -> tuple[int, int, int]:
        span = found.span
        return (place[id(span.source)], span.line, span.start) if span else (-1, 0, 0)

    return sorted(diagnostics, key=key)
