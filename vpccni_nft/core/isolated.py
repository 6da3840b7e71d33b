"""Start processes of our own that take nothing from the folder or the environment of the caller.

``python -m`` and ``python -c`` look for modules in the current folder first, and ``PYTHONPATH``
names more: as root, whatever lies there would run. ``python -I`` looks in neither. What the child
may import is where this process has its own modules from.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

#: The folder that this package is in.
_ROOT = str(Path(__file__).resolve().parents[2])

#: The first argument has the folders; the others are for ``main``.
_CODE = "import sys; sys.path[:] = sys.argv.pop(1).split(':'); from {} import main; main()"

#: Where programs of a node are, and nowhere else.
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command(module: str, *arguments: str) -> list[str]:
    """What starts ``main`` of a module in a process of its own."""
    return [sys.executable, "-I", "-c", _CODE.format(module), ":".join(_folders()), *arguments]


def path_of(program: str) -> str | None:
    """Where a program of the node is, whatever ``PATH`` says; None where it is missing."""
    return shutil.which(program, path=PROGRAMS)


def environment() -> dict[str, str]:
    """The caller's environment, with the programs' folders alone in its ``PATH``."""
    return {**os.environ, "PATH": PROGRAMS}


def _folders() -> list[str]:
    """Where modules come from, but for the current folder, unless this package is in it.

    In the order of this process: where another version is installed, the child is of this one.
    """
    here = str(Path.cwd().resolve())
    there = (one for one in sys.path if Path(one).is_absolute() and Path(one).is_dir())
    resolved = [str(Path(one).resolve()) for one in there]
    kept = [one for one in resolved if one != here]
    return list(dict.fromkeys(kept if _ROOT in kept else (_ROOT, *kept)))
