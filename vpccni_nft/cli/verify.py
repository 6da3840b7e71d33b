"""Prove that two sides treat every packet alike, or show packets that they do not."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .. import nft
from ..core.diagnostics import Refused
from ..core.render import as_dict, printable, render
from ..lowering import TranslateOptions
from ..proof.answers import Different, Equivalent, Unknown
from ..proof.report import dict_of_packet
from ..proof.side import Side
from ..proof.verify import ProofSettings, verify
from ..simulate.packet_text import KEY_OF, field_text
from ..simulate.report import lines_of, value_text
from ..simulate.world import answer_sentence
from .files import one_standard_input, read_sources, write_output
from .report import paint, show
from .steps import dict_of_outcome, dict_of_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.values import Family
    from ..proof.answers import Answer
    from ..proof.counterexample import Counterexample
    from ..translation import Translation

EQUIVALENT, DIFFERENT, UNREADABLE, UNKNOWN = 0, 1, 2, 3

#: The most reasons for an answer that is none.
SHOWN = 20


def verify_files(
    before: tuple[str, ...],
    after: tuple[str, ...],
    settings: ProofSettings,
    *,
    ipset_save: str | None,
    family: Family | None,
    as_json: bool,
) -> int:
    """Verify files, and write the answer; what is given back is the exit code."""
    one_standard_input(*before, *after, ipset_save)
    sets = read_sources((ipset_save,))[0] if ipset_save else None
    options = TranslateOptions(family=family, ipset_save=sets)
    try:
        one, other = (Side.of(read_sources(files), options) for files in (before, after))
    except Refused as refused:
        show(refused.diagnostics, notes=False)
        return UNREADABLE
    answer = prove(one, other, settings)
    if as_json:
        write_output(json.dumps(dict_of(answer), indent=2) + "\n", "-")
    else:
        for line in lines_of_answer(answer, ", ".join(before), ", ".join(after)):
            click.echo(line)
    return exit_code(answer)


def prove(before: Side, after: Side, settings: ProofSettings) -> Answer:
    """Verify, with a sign of life on a terminal."""
    with progress_of_proof() as progress:
        return verify(before, after, settings, progress)


def prove_translation(translation: Translation, seconds: float, *, counters: bool) -> None:
    """Go on where a translation means what was translated; otherwise say why not, and exit."""
    settings = ProofSettings(seconds=seconds, counters=counters, allow=translation.allowed)
    script = nft.parse(translation.script(), "the translation")
    answer = prove(Side((translation.dump,)), Side((script,)), settings)
    for line in lines_of_answer(answer, "the input", "the translation"):
        click.echo(line, err=True)
    if not isinstance(answer, Equivalent):
        sys.exit(exit_code(answer))


def exit_code(answer: Answer) -> int:
    """What the command ends with."""
    match answer:
        case Equivalent():
            return EQUIVALENT
        case Different():
            return DIFFERENT
        case Unknown():
            return UNKNOWN


# --- text ---------------------------------------------------------------------------------------


def lines_of_answer(answer: Answer, before: str, after: str) -> Iterator[str]:
    """The answer for a reader; the sides by what they are called."""
    match answer:
        case Equivalent(hooks, assumptions):
            places = ", ".join(f"{family.title} {hook}" for family, hook in hooks) or "no hook"
            yield f"{paint('equivalent:', 'alike')} every packet, at {places}"
            yield from (f"  assumed: {assumption}" for assumption in assumptions)
        case Different(found):
            count = f"{len(found)} packets, each for other rules" if len(found) > 1 else "1 packet"
            yield f"{paint('different:', 'different')} {count}"
            for one in found:
                yield from _lines_of_packet(one, before, after)
        case Unknown(reasons):
            yield f"{paint('unknown:', 'unknown')} no difference is found, and no proof either"
            yield from (render(reason, paint) for reason in reasons[:SHOWN])
            if len(reasons) > SHOWN:
                yield f"... and {len(reasons) - SHOWN} more reasons"


def _lines_of_packet(found: Counterexample, before: str, after: str) -> Iterator[str]:
    family = found.family
    yield ""
    yield f"packet: {found.plain.text}"
    for field, value in found.plain.untold.items():
        yield f"  and {field} is {field_text(field, value, family)}"
    for question, answer in found.answers.items():
        yield f"  and the node answers {printable(answer_sentence(family, question, answer))}"
    for name, (one, other) in found.differences.items():
        mine = paint(value_text(name, one, family), "before")
        theirs = paint(value_text(name, other, family), "after")
        yield f"  {KEY_OF.get(name, name)}: {mine} / {theirs}"
    for name, walked in ((before, found.before), (after, found.after)):
        yield f"{printable(name)}:"
        yield from map(printable, lines_of(walked))


# --- JSON ---------------------------------------------------------------------------------------


def dict_of(answer: Answer) -> dict[str, Any]:
    """The answer for a program; the keys are stable."""
    found: dict[str, Any] = {
        "answer": type(answer).__name__.lower(),
        "hooks": [],
        "assumptions": [],
        "packets": [],
        "reasons": [],
    }
    match answer:
        case Equivalent(hooks, assumptions):
            found["hooks"] = [f"{family.value} {hook}" for family, hook in hooks]
            found["assumptions"] = list(assumptions)
        case Different(counterexamples):
            found["packets"] = list(map(_dict_of_packet, counterexamples))
        case Unknown(reasons):
            found["reasons"] = list(map(as_dict, reasons))
    return found


def _dict_of_packet(found: Counterexample) -> dict[str, Any]:
    return {
        **dict_of_packet(found),
        "before": _dict_of_trace(found.before),
        "after": _dict_of_trace(found.after),
    }


def _dict_of_trace(walked: Any) -> dict[str, Any]:
    steps = [dict_of_step(step, walked.packet.family) for step in walked.steps]
    return {"steps": steps, "outcome": dict_of_outcome(walked)}


@contextmanager
def progress_of_proof() -> Iterator[Callable[[str], None]]:
    """Somebody to tell what is being looked at: a terminal, or nobody."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("proving") as status:
        yield lambda what: status.update(f"proving {what}")
