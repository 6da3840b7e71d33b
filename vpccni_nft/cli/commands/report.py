"""Write a page to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ...core.diagnostics import APPROXIMATIONS
from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...core.values import Family
from ..command import Command
from ..files import write_output
from ..nodes import read_node, read_rules_of
from ..options import AS_JSON, FAMILY
from ..walking import walking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...core.span import Source


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "the page is written",
        ExitCode.REFUSED: "a line of a node's files cannot be read",
        ExitCode.USAGE: "wrong usage, unreadable input, or jinja2 is missing",
        ExitCode.UNKNOWN: "a packet of --packet reaches a rule that the model does not cover",
    },
    examples=(
        "vpccni-nft report node/ -o report.html",
        "vpccni-nft report node.save --packet 'iif=eni1 daddr=10.100.0.10 dport=53' -o report.html",
        "vpccni-nft verify --before a.save --after b.nft --json | vpccni-nft report - -o a.html",
        "vpccni-nft fleet dumps/ -o nodes.jsonl && vpccni-nft report nodes.jsonl -o fleet.html",
    ),
    notes=(
        "FILE is a node (a file, a folder or an archive), or what verify --json, explain --json or "
        "fleet --output printed. The page loads nothing from elsewhere: it can be sent or archived."
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; default: -.")
@click.option("--title", metavar="TEXT", help="The page's title; default: the names of the files.")
@click.option(
    "--packet",
    "packets",
    multiple=True,
    metavar="KEY=VALUE...",
    help="A packet whose path through the node is drawn, as explain takes it; can be repeated.",
)
@FAMILY
@AS_JSON
def report(
    files: tuple[str, ...],
    output: str,
    title: str | None,
    packets: tuple[str, ...],
    family: str | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Write one page of HTML that shows a node, an answer or a fleet.

    It has the hooks with their base chains, whose rules stand where, each rule beside its
    translation, paths of packets, and classes of differences. With --json the same data is written
    instead of the page.
    """
    from ...report.page import PageContent, html_of
    from ...report.rules import rules_of

    printed, sources, sets = _read(files)
    if packets and not sources:
        raise click.UsageError("--packet needs a node to send it through")
    shown = title or ", ".join(_title(name) for name in files)
    found = PageContent(
        printable(shown),
        answers=tuple(printed.get("answers", ())),
        explanations=tuple(printed.get("explanations", ())),
        fleet=tuple(printed.get("fleet", ())),
    )
    if sources:
        chosen = Family(family) if family else None
        with walking():
            found = attrs.evolve(
                found,
                node=rules_of(sources, chosen, sets),
                detection=_detection(files),
                explanations=(*found.explanations, *_walked(packets, sources, chosen, sets)),
            )
    if as_json:
        write_output(json.dumps(found.to_dict(), indent=2) + "\n", output)
        return ExitCode.DONE
    try:
        page = html_of(found)
    except ImportError:
        raise click.UsageError(
            "jinja2 is missing: install it with pip install 'vpccni-nft[report]'"
        ) from None
    write_output(page, output)
    return ExitCode.DONE


#: What the JSON of other commands is known by, by the field of a report that it is for.
_KEYS = {
    "answers": {"answer", "classes", "packets", "paths"},
    "explanations": {"packet", "given", "sides"},
    "fleet": {"node", "answer", "detection", "codes"},
}


def _title(name: str) -> str:
    return "standard input" if name == "-" else Path(name).resolve().name


def _read(
    files: Sequence[str],
) -> tuple[dict[str, list[Any]], tuple[Source, ...], Source | None]:
    """What other commands printed, by its field; and the rules and the sets of nodes."""
    printed: dict[str, list[Any]] = {}
    rules: list[Source] = []
    sets: Source | None = None
    for name in files:
        sources, more = read_rules_of(name)
        if len(sources) == 1 and sources[0].content.lstrip().startswith("{"):
            for one in _objects(sources[0]):
                if isinstance(one, dict) and one.keys() == {"ignored"}:
                    continue  # a file of no node
                printed.setdefault(_field_of(sources[0], one), []).append(one)
        else:
            rules += sources
            sets = sets or more
    return printed, tuple(rules), sets


def _objects(source: Source) -> list[Any]:
    """The objects of a text of JSON, or of JSON Lines."""
    try:
        return [json.loads(source.content)]
    except ValueError:
        pass
    found = []
    for number, line in enumerate(source.lines, start=1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            place = printable(f"{source.name}:{number}")
            raise click.UsageError(f"{place}: this is no JSON, or it is cut: {error}") from None
    return found


def _field_of(source: Source, one: Any) -> str:
    for field, keys in _KEYS.items():
        if isinstance(one, dict) and keys <= one.keys():
            return field
    raise click.UsageError(
        f"{printable(source.name)}: no page is made of this JSON: give what verify --json, explain "
        "--json or fleet --output printed, or a node"
    )


def _walked(
    packets: Sequence[str], sources: Sequence[Source], family: Family | None, sets: Source | None
) -> Iterator[dict[str, Any]]:
    """The packets' ways through a dump and its translation, or through all that is on a node.

    Raises BadPacketText, Refused, and NoMeaning.
    """
    from ...lowering import TranslateOptions
    from ...model.packet import NoMeaning
    from ...proof.side import Side
    from ...simulate.explain import NamedSide, explain, explain_sides

    if not packets:
        return
    if len(sources) == 1:
        yield from (explain(sources, packet, family, sets).to_dict() for packet in packets)
        return
    allow = frozenset(APPROXIMATIONS.values())
    options = TranslateOptions(allow=allow, family=family, ipset_save=sets)
    side = Side.of(sources, options)
    if side.unknown:
        raise NoMeaning(side.unknown[0].message)
    name = ", ".join(one.name for one in sources)
    named = NamedSide(name, side.rulesets, side.by_table, side.other_names)
    yield from (explain_sides((named,), packet, family).to_dict() for packet in packets)


def _detection(files: Sequence[str]) -> dict[str, Any] | None:
    """Which back ends the agents of a node use, where its files say which program wrote them."""
    from ...node.detection import detect_sources

    if len(files) > 1 or files[0] == "-":
        return None
    node = read_node(files[0])
    if node.others or not (node.dumps or node.nft):
        return None
    return detect_sources(node.dumps, node.nft, node.iptables_version).to_dict()
