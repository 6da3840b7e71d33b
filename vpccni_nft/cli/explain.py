"""Explain what becomes of one packet, as text or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import click

from .. import iptables, nft
from ..core.diagnostics import APPROXIMATIONS, NOT_A_DUMP, Refused
from ..core.render import printable
from ..core.values import Family
from ..lowering import TranslateOptions
from ..model.packet import NoMeaning
from ..simulate.packet_text import KEY_OF, BadPacketText, packet_words, parse_packet
from ..simulate.report import lines_of, value_text
from ..simulate.trace import parts, trace
from ..text.language import detect_language
from ..text.sources import parse_sources
from ..translation import translate_sources
from .files import one_standard_input, read_sources
from .report import show
from .steps import dict_of_outcome, dict_of_step

if TYPE_CHECKING:
    from ..core.span import Source
    from ..simulate.packet_text import PacketText
    from ..simulate.trace import Trace

SAME, DIFFERENT, UNREADABLE, UNKNOWN = 0, 1, 2, 3


@attrs.frozen
class ExplainedSide:
    """A ruleset, as it is called in what is written."""

    name: str
    language: str
    ruleset: iptables.Ruleset | nft.Ruleset


def explain_files(
    files: tuple[str, ...], text: str, family: Family | None, *, all_rules: bool, as_json: bool
) -> int:
    """Explain a packet on one or two sides; the answer is the exit code."""
    if len(files) > 2:
        raise click.UsageError("give one FILE, or two that are compared")
    one_standard_input(*files)
    sides, notes = _read_sides(read_sources(files), family)
    read = _read_packet(text, family or _family_of(sides[0]))
    try:
        traces = [trace((side.ruleset,), read.packet) for side in sides]
    except NoMeaning as reason:
        click.echo(f"unknown: {printable(str(reason))}", err=True)
        return UNKNOWN
    counts = len(files) == 1
    found = parts(traces[0].outcome, traces[-1].outcome, counts=counts)
    if as_json:
        report = _report(read, sides, traces, found, notes)
        click.echo(json.dumps(report, indent=2))
    else:
        for line in _text(read, sides, traces, found, notes, all_rules=all_rules):
            click.echo(printable(line))
    return DIFFERENT if found else SAME


def _read_packet(text: str, family: Family) -> PacketText:
    try:
        return parse_packet(text, family)
    except BadPacketText as error:
        raise click.UsageError(printable("; ".join(error.problems))) from None


def _read_sides(
    sources: tuple[Source, ...], family: Family | None
) -> tuple[list[ExplainedSide], list[str]]:
    """The rulesets, and which approximations one of them takes."""
    if len(sources) == 2:
        return [_read_side(source, family) for source in sources], []
    (source,) = sources
    if detect_language(source).is_nft:
        return [_read_side(source, family)], []
    options = TranslateOptions(allow=frozenset(APPROXIMATIONS.values()), family=family)
    translation = translate_sources(sources, options)
    if translation.refused:
        show(translation.diagnostics, notes=False)
        raise SystemExit(_exit_code(translation.diagnostics))
    ruleset, _ = parse_sources(sources, family)
    again = nft.parse(translation.script(), "the translation")
    approximations = sorted(code.name for code in translation.allowed)
    sides = [
        ExplainedSide(source.name, "iptables", ruleset),
        ExplainedSide(f"the translation of {source.name}", "nft", again),
    ]
    return sides, [f"{name}: {APPROXIMATIONS[name].title}" for name in approximations]


def _read_side(source: Source, family: Family | None) -> ExplainedSide:
    if detect_language(source).is_nft:
        try:
            ruleset = nft.parse("\n".join(source.lines) + "\n", source.name)
        except Refused as refused:
            show(refused.diagnostics, notes=False)
            raise SystemExit(UNREADABLE) from None
        return ExplainedSide(source.name, "nft", ruleset)
    dump, diagnostics = parse_sources((source,), family)
    refusing = [found for found in diagnostics if found.refuses]
    if refusing:
        show(refusing, notes=False)
        raise SystemExit(_exit_code(refusing))
    return ExplainedSide(source.name, "iptables", dump)


def _exit_code(diagnostics: Any) -> int:
    unreadable = any(found.code is NOT_A_DUMP for found in diagnostics)
    return UNREADABLE if unreadable else DIFFERENT


def _family_of(side: ExplainedSide) -> Family:
    """IPv4 where there is a table of it."""
    families = [table.family for table in side.ruleset.tables]
    return Family.IP if Family.IP in families or not families else families[0]


# --- text ---------------------------------------------------------------------------------------


def _text(
    read: PacketText,
    sides: list[ExplainedSide],
    traces: list[Trace],
    found: dict[str, tuple[object, object]],
    notes: list[str],
    *,
    all_rules: bool,
) -> list[str]:
    lines = [f"packet: {' '.join(read.words)}", f"defaults: {' '.join(read.defaults)}"]
    lines += [f"approximation {note}" for note in notes]
    for side, walked in zip(sides, traces, strict=True):
        lines += ["", f"{side.name} ({side.language})", *lines_of(walked, all_rules=all_rules)]
    lines.append("")
    lines += [f"the world: {answer}" for answer in read.world.answers()]
    lines += [f"not asked for: {key}" for key in read.world.unasked()]
    if len(sides) == 2:
        lines += _comparison(found, read)
    return lines


def _comparison(found: dict[str, tuple[object, object]], read: PacketText) -> list[str]:
    if not found:
        return ["both sides agree"]
    lines = ["the sides differ:"]
    for name, (before, after) in found.items():
        values = (value_text(name, value, read.packet.family) for value in (before, after))
        lines.append(f"  {KEY_OF.get(name, name)}: {' / '.join(values)}")
    return lines


# --- JSON ---------------------------------------------------------------------------------------


def _report(
    read: PacketText,
    sides: list[ExplainedSide],
    traces: list[Trace],
    found: dict[str, tuple[object, object]],
    notes: list[str],
) -> dict[str, Any]:
    family = read.packet.family
    return {
        "packet": {
            "family": family.value,
            "hook": read.packet.hook,
            **dict(word.split("=", 1) for word in packet_words(read.packet)),
        },
        "given": list(read.words),
        "defaults": list(read.defaults),
        "approximations": notes,
        "sides": [
            {
                "name": printable(side.name),
                "language": side.language,
                "steps": [dict_of_step(step, family) for step in walked.steps],
                "outcome": dict_of_outcome(walked),
            }
            for side, walked in zip(sides, traces, strict=True)
        ],
        "world": read.world.answers(),
        "differences": {
            KEY_OF.get(name, name): [value_text(name, value, family) for value in both]
            for name, both in found.items()
        },
    }
