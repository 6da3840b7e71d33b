"""What the command's exit code means; one place for all commands."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """As the help of every command lists them."""

    DONE = 0  #: done, or equivalent
    REFUSED = 1  #: something has no exact translation, or two sides differ
    USAGE = 2  #: wrong usage, input that cannot be read, or output that cannot be written
    UNKNOWN = 3  #: no proof and no difference
    INTERNAL = 70  #: a fault of this program, which asks for a report
    INTERRUPTED = 130  #: ended by the user


#: ``ExitCode`` in the words of the help.
MEANINGS = {
    ExitCode.DONE: "done, or equivalent",
    ExitCode.REFUSED: "refused: something has no exact translation; or different",
    ExitCode.USAGE: "wrong usage, unreadable input, or output that cannot be written",
    ExitCode.UNKNOWN: "unknown: neither a proof nor a difference",
    ExitCode.INTERNAL: "an internal error: please report it",
    ExitCode.INTERRUPTED: "interrupted",
}
