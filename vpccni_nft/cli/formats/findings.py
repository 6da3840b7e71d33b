"""What a command found, by what it looked at: a file, a hook, a node."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

from ...core.diagnostics import CATALOGUE, COPY_IS_STALE
from ...core.render import printable
from ...fleet.report import DIFFERENT, EQUIVALENT, REFUSED, SHOWN
from ...proof.acceptance import Occurs
from ...proof.answers import Different, Equivalent, HookStatus
from ...proof.report import hook_answers
from ..render.classes import ends_text, name_of, place_of, sentence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ...core.exit_codes import ExitCode
    from ...core.span import Source
    from ...fleet.report import Report
    from ...proof.acceptance import AcceptedClass
    from ...proof.answers import Answer, HookAnswer
    from ...proof.classes import DifferenceClass
    from ...translation import Translation

#: The codes by their names, for their titles and pages.
CODES = {code.name: code for code in CATALOGUE}

#: What a remark is called that has no code.
TITLES = {
    "equivalent": "the node's translation is proved",
    "accepted": "a difference that is accepted",
    "different": "two sides treat packets differently",
    "undecided": "it is not decided whether two sides treat packets the same",
    "refused": "something on the node has no exact translation",
    "unknown": "neither a proof nor a difference was found",
    "failed": "the examination of the node did not end",
    "unreadable": "the node's files cannot be read",
    "ignored": "a file is of no node",
}


class Level(enum.Enum):
    """How much it weighs."""

    ERROR = "error"  #: the command refuses, or shows a difference
    WARNING = "warning"  #: something is not known
    NOTE = "note"  #: it changes no packet, or is accepted


class Standing(enum.Enum):
    """What came of a subject."""

    PASSED = "passed"
    FAILED = "failed"  #: refused, or different
    UNKNOWN = "unknown"  #: nothing is known, so it has not passed


@attrs.frozen
class Remark:
    """Something to show at its place."""

    rule: str  #: a code, or one of ``TITLES``
    what: str  #: what it is counted with
    level: Level
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    end_column: int | None = None
    accepted: str | None = None  #: why it is accepted, where the caller accepts it


@attrs.frozen
class Subject:
    """One thing that was looked at."""

    name: str
    standing: Standing
    remarks: tuple[Remark, ...] = ()


@attrs.frozen
class Findings:
    """All that a command found."""

    command: str
    exit_code: ExitCode
    subjects: tuple[Subject, ...]

    @property
    def all(self) -> Iterator[Remark]:
        """The remarks of all subjects."""
        for subject in self.subjects:
            yield from subject.remarks


def _remark_of(found: Mapping[str, Any], file: str | None) -> Remark:
    """A diagnostic, as ``Diagnostic.to_dict`` has it."""
    level = Level.WARNING if found["kind"] == "unknown" else Level.NOTE
    return Remark(
        found["code"],
        CODES[found["code"]].title,
        Level.ERROR if found["refuses"] else level,
        found["message"],
        found["hint"],
        file,
        found["line"],
        found["column"],
        found["end_column"],
    )


# --- check ----------------------------------------------------------------------------------------


def of_translation(
    command: str, translation: Translation, sources: Sequence[Source], code: ExitCode
) -> Findings:
    """A subject for each file, and one for what is about no file or about another one."""
    by_file: dict[str | None, list[Remark]] = {one.name: [] for one in sources}
    for one in translation.diagnostics:
        found = one.to_dict()
        by_file.setdefault(one.file, []).append(_remark_of(found, found["file"]))
    subjects = (
        Subject(printable(name or "the whole input"), _standing_of(remarks), tuple(remarks))
        for name, remarks in by_file.items()
    )
    return Findings(command, code, tuple(subjects))


def _standing_of(remarks: Iterable[Remark]) -> Standing:
    failed = any(one.level is Level.ERROR for one in remarks)
    return Standing.FAILED if failed else Standing.PASSED


# --- verify ---------------------------------------------------------------------------------------

_STANDINGS = {
    HookStatus.EQUAL: Standing.PASSED,
    HookStatus.ACCEPTED: Standing.PASSED,
    HookStatus.DIFFERENT: Standing.FAILED,
    HookStatus.UNDECIDED: Standing.UNKNOWN,
}


def of_answer(
    answer: Answer, sides: Sequence[Sequence[str]], stale: Iterable[str], code: ExitCode
) -> Findings:
    """A subject for each hook or path, each class of differences, and what is said of all."""
    classes = answer.classes if isinstance(answer, Different) else ()
    unknown = () if isinstance(answer, Equivalent) else answer.reasons
    subjects = [
        *(_subject_of_hook(one, answer) for one in answer.paths or hook_answers(answer)),
        *(
            Subject(
                f"class {number}: {place_of(one)}",
                Standing.FAILED,
                (_remark_of_class(one, sides),),
            )
            for number, one in enumerate(classes, 1)
        ),
        *(
            Subject(f"accepted: {name_of(one)}", Standing.PASSED, (_accepted(one),))
            for one in answer.accepted
            if one.occurs in {Occurs.YES, Occurs.UNKNOWN}
        ),
    ]
    title = COPY_IS_STALE.title
    if old := [Remark(COPY_IS_STALE.name, title, Level.ERROR, printable(one)) for one in stale]:
        subjects.append(Subject("the plan", Standing.FAILED, tuple(old)))
    said = {remark for subject in subjects for remark in subject.remarks}
    reasons = [_remark_of(one.to_dict(), one.file) for one in unknown]
    if others := [one for one in reasons if one not in said]:
        subjects.append(Subject("the proof", Standing.UNKNOWN, tuple(others)))
    if not subjects:
        subjects.append(Subject("every packet", Standing.PASSED))  # no rule that could differ
    return Findings("verify", code, tuple(subjects))


def _subject_of_hook(hook: HookAnswer, answer: Answer) -> Subject:
    """A hook that is made up for by the rest of each path is no failure of an equal whole."""
    standing = Standing.PASSED if isinstance(answer, Equivalent) else _STANDINGS[hook.status]
    remarks = tuple(_remark_of(one.to_dict(), one.file) for one in hook.reasons)
    return Subject(f"{hook.family.title} {hook.hook}", standing, remarks)


def _remark_of_class(found: DifferenceClass, sides: Sequence[Sequence[str]]) -> Remark:
    """A class, at the last rule that decides; on the side of after, where it has one."""
    file = line = None
    for names, steps in zip(reversed(sides), reversed(found.example.deciding), strict=False):
        lines = [step.line for step in steps if step.line]
        if lines and len(names) == 1:
            file, line = printable(names[0]), lines[-1]
            break
    hint = f"a packet of them: {printable(found.example.plain.text)}"
    what = f"{place_of(found)}, {ends_text(found)}"
    return Remark("different", what, Level.ERROR, sentence_of(found), hint, file, line)


def _accepted(found: AcceptedClass) -> Remark:
    said = found.acceptance
    example = f": {found.example.plain.text}" if found.example else ""
    return Remark(
        said.code if said.code in CODES else "accepted",
        f"accepted: {name_of(found)}",
        Level.NOTE,
        printable(f"{said.name}{example}"),
        accepted=printable(said.why) or "accepted by the caller",
    )


# --- fleet ----------------------------------------------------------------------------------------


def of_fleet(reports: Iterable[Report], ignored: Iterable[str], code: ExitCode) -> Findings:
    """A subject for each node; files of no node have one together."""
    subjects = [_subject_of_node(one) for one in reports]
    others = [
        Remark("ignored", TITLES["ignored"], Level.NOTE, TITLES["ignored"], file=printable(file))
        for file in ignored
    ]
    if others:
        subjects.append(Subject("ignored files", Standing.PASSED, tuple(others)))
    return Findings("fleet", code, tuple(subjects))


def _subject_of_node(report: Report) -> Subject:
    name, answer, files = report["node"], report["answer"], report["files"]
    level = Level.ERROR if answer in {REFUSED, DIFFERENT} else Level.WARNING
    about = next(iter(files.values()), None)
    title = TITLES.get(answer, "")
    remarks = [
        Remark(answer, title, level, f"{name}: {one}", file=about) for one in report["reasons"]
    ]
    for what, dump in report["dumps"].items():
        remarks += (
            Remark(
                DIFFERENT,
                TITLES[DIFFERENT],
                Level.ERROR,
                f"{name}: {what} and its translation treat a packet differently: {one['packet']}",
                file=files.get(what),
            )
            for one in dump["packets"]
        )
    for one in report["diagnostics"]:
        file = files.get(one["file"], one["file"])
        remarks.append(_remark_of({**one, "message": f"{name}: {one['message']}"}, file))
    if (more := sum(report["codes"].values()) - SHOWN) > 0:
        remarks.append(Remark(answer, title, Level.NOTE, f"{name}: {more} more are not listed"))
    if answer == EQUIVALENT:
        return Subject(name, Standing.PASSED, tuple(remarks))
    if not any(one.level is not Level.NOTE for one in remarks):
        remarks.append(Remark(answer, title, level, f"{name}: {answer}", file=about))
    standing = Standing.FAILED if level is Level.ERROR else Standing.UNKNOWN
    return Subject(name, standing, tuple(remarks))
