"""The answer of a proof, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.exit_codes import ExitCode
from ...core.render import folded, printable, render
from ...proof.acceptance import Occurs
from ...proof.acceptance_file import acceptance_text
from ...proof.answers import Different, Equivalent, HookAnswer, HookStatus, Unknown
from ...simulate.packet_text import KEY_OF, field_text
from ...simulate.report import lines_of, value_text
from ...simulate.world import answer_sentence
from .classes import table_of_accepted, table_of_classes
from .diagnostics import paint
from .screen import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...core.diagnostics import Diagnostic
    from ...proof.answers import Answer
    from ...proof.classes import DifferenceClass
    from ...proof.counterexample import Counterexample
    from ...replay.examples import KernelAnswer

#: The most reasons for an answer that is none.
SHOWN = 20


def code_of_answer(answer: Answer) -> ExitCode:
    """What a command ends with that has this answer."""
    match answer:
        case Equivalent():
            return ExitCode.DONE
        case Different():
            return ExitCode.REFUSED
        case Unknown():
            return ExitCode.UNKNOWN


def lines_of_answer(
    answer: Answer,
    before: str,
    after: str,
    explained: int | None = None,
    kernel: Sequence[KernelAnswer] | None = None,
) -> Iterator[str]:
    """The answer for a reader; the sides by what they are called.

    Of several classes there is a table, or the one of the number ``explained`` in full. ``kernel``
    is what the kernel says of the packet of each class.
    """
    match answer:
        case Equivalent(hooks, assumptions, accepted, unequal):
            places = ", ".join(f"{family.title} {hook}" for family, hook in hooks) or "no hook"
            count = sum(one.occurs in {Occurs.YES, Occurs.UNKNOWN} for one in accepted)
            if count:
                said = f"equivalent, but for {_classes(count, 'accepted')}"
                yield paint(said, "equal")
                yield f"  compared: {places}"
                yield ""
            else:
                whole = " on its whole path" if unequal else ""
                yield f"{paint('equivalent:', 'equal')} every packet{whole}, at {places}"
            for family, hook in unequal:
                yield (
                    f"  {family.title} {hook} by itself is not shown to be equal: the rest of each"
                    " path makes up for it"
                )
            yield from table_of_accepted(accepted)
            yield from _lines_assumed(assumptions)
        case Different(_, hooks, reasons, classes, accepted, paths, assumptions):
            whole = "" if reasons else ", and no other packet differs"
            but = ", but for what is accepted" if whole and accepted else ""
            count_ = _classes(len(classes), "")
            yield f"{paint('different:', 'different')} {count_}{whole}{but}"
            yield ""
            if explained:
                yield from lines_of_class(classes[explained - 1], before, after)
            elif len(classes) == 1:
                yield from lines_of_class(classes[0], before, after)
            else:
                yield from table_of_classes(classes)
                yield ""
                yield "--explain N shows class N in full: its packet, and its way through the rules"
            if kernel:
                yield ""
                yield from lines_of_kernel(kernel)
            yield ""
            yield from table_of_accepted(accepted)
            yield from map(_line_of_hook, (*hooks, *paths))
            yield from _lines_assumed(assumptions)
            yield from _lines_of_reasons(reasons)
        case Unknown(reasons, hooks, accepted, paths):
            yield f"{paint('unknown:', 'unknown')} no difference was found, and no proof either"
            yield from _lines_of_reasons(reasons)
            yield from table_of_accepted(accepted)
            if any(hook.status is not HookStatus.UNDECIDED for hook in hooks):
                yield from map(_line_of_hook, (*hooks, *paths))


def lines_of_kernel(kernel: Sequence[KernelAnswer]) -> Iterator[str]:
    """What the kernel says of the packet of each class; like answers are one line."""
    found: dict[KernelAnswer, list[str]] = {}
    for number, one in enumerate(kernel, 1):
        found.setdefault(one, []).append(str(number))
    for answer, numbers in found.items():
        word = "classes" if len(numbers) > 1 else "class"
        why = f": {printable('; '.join(answer.why))}" if answer.why else ""
        yield f"in the kernel, {word} {', '.join(numbers)}: {answer.says.value}{why}"


def _classes(count: int, kind: str) -> str:
    """So many classes of packets."""
    word = f"{kind} " if kind else ""
    return f"{count} {word}classes of packets" if count != 1 else f"1 {word}class of packets"


def _line_of_hook(hook: HookAnswer) -> str:
    colors = {
        HookStatus.EQUAL: "equal",
        HookStatus.ACCEPTED: "equal",
        HookStatus.UNDECIDED: "unknown",
    }
    status = paint(hook.status.value, colors.get(hook.status, "different"))
    codes = ", ".join(sorted({one.code.name for one in hook.reasons}))
    order = f"; {hook.order}" if hook.order else ""
    return f"{hook.family.title} {hook.hook}: {status}{f' ({codes})' if codes else ''}{order}"


def _lines_assumed(assumptions: Iterable[str]) -> Iterator[str]:
    yield from (folded(f"  assumed: {printable(one)}", columns()) for one in assumptions)


def _lines_of_reasons(reasons: tuple[Diagnostic, ...]) -> Iterator[str]:
    yield from (render(reason, paint, columns()) for reason in reasons[:SHOWN])
    if len(reasons) > SHOWN:
        yield f"... and {len(reasons) - SHOWN} more reasons"


def lines_of_class(found: DifferenceClass, before: str, after: str) -> Iterator[str]:
    """A class in full: its packet, what differs, which others are like it, and their way."""
    yield from _lines_of_packet(found.example, found, before, after)
    if text := acceptance_text(found):
        yield ""
        yield "to accept it, with --accept FILE:"
        yield from (f"  {line}".rstrip() for line in map(printable, text.splitlines()))


def _lines_of_condition(found: DifferenceClass) -> Iterator[str]:
    """Which packets are of a class."""
    texts = found.texts
    like = f" (one of {found.count} classes that differ in values alone)" if found.count > 1 else ""
    if found.is_whole and texts in {("",), ()}:
        yield f"  so is every packet here{like}"
        return
    for number, text in enumerate(texts[:SHOWN]):
        start = "or" if number else "so are all with"
        yield f"  {start} {printable(text) or 'anything'}{'' if number else like}"
    if len(texts) > SHOWN:
        yield f"  or of {len(texts) - SHOWN} more conditions, which --json lists"
    if not found.is_whole:
        yield (
            "  or others of these rules, which no short condition describes"
            if texts
            else ("  so are others of these rules, which no short condition describes")
        )


def _lines_of_packet(
    found: Counterexample, class_: DifferenceClass, before: str, after: str
) -> Iterator[str]:
    family = found.family
    yield f"packet: {printable(found.plain.text)}"
    for field, value in found.plain.hidden.items():
        yield f"  and {KEY_OF.get(field, field)} is {field_text(field, value, family)}"
    for question, answer in found.answers.items():
        yield f"  and the node answers {printable(answer_sentence(family, question, answer))}"
    for name, (one, other) in found.differences.items():
        mine = paint(value_text(name, one, family), "before")
        theirs = paint(value_text(name, other, family), "after")
        yield f"  {KEY_OF.get(name, name)}: {mine} / {theirs}"
    yield from _lines_of_condition(class_)
    for name, walked in ((before, found.before), (after, found.after)):
        yield f"{printable(name)}:"
        yield from map(printable, lines_of(walked))
