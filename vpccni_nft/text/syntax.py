"""Say what is wrong with a line that the grammar does not take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..core.diagnostics import SYNTAX, Diagnostic
from ..core.span import Source, Span

if TYPE_CHECKING:
    from .trees import UnparsableError

#: How a line begins that was copied from a terminal together with what the command printed.
_PROMPT = re.compile(r"(?:\[.*\]|PS \S*|\S*)[$#%>](?:\s|\Z)")


def explain(error: UnparsableError, source: Source, number: int) -> Diagnostic:
    """A diagnostic at the place where reading stopped."""
    line = source.lines[number - 1]
    start = len(line) + 1 if error.at_end else error.column
    word = line[start - 1 :].split(maxsplit=1)[0] if line[start - 1 :].strip() else ""
    span = Span(source, number, start, start + max(1, len(word)))
    if _quote_is_open(line):
        return Diagnostic(SYNTAX, "a quote is opened here and never closed", span)
    if error.at_end:
        return Diagnostic(SYNTAX, "the line ends where a value is missing", span)
    negated = word == "!" or line[: start - 1].split()[-1:] == ["!"]
    hint = "the “!” stands before the option" if negated else _hint(line)
    return Diagnostic(SYNTAX, f"“{word[:40]}” is not expected here", span, hint)


def _quote_is_open(line: str) -> bool:
    """Whether a quote that a backslash does not escape is left open."""
    return line.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 1


def _hint(line: str) -> str:
    words = line.split()
    if _PROMPT.match(line):
        return "this is a shell's prompt with its command, and no part of a dump: remove the line"
    if words[0].endswith("tables") or words[0] in {"-I", "-D", "-F", "-X", "-t", "sudo"}:
        return "this is a command: give the output of iptables-save instead"
    return ""
