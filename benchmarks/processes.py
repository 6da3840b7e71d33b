"""Programs that are measured: seconds by the clock, and megabytes at the peak."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.eks_node import eks_node

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

#: The forms that are measured, and how ``translate`` is asked for each.
LEVELS = {"-O0": ("-O0",), "-O": ("-O",)}

INCUMBENT = "iptables-restore-translate"

#: How often everything is measured; the middle one counts.
RUNS = 3

#: The exit code of what took too long.
KILLED = -9

_LAUNCHER = Path(__file__).with_name("launcher.py")

#: Bytecode and the grammar's tables are kept, as those of a package that is installed.
_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


class Cost(NamedTuple):
    """What a run of a program took, or the middle of several."""

    seconds: float
    processor: float  #: the seconds of it in which a processor ran the program
    megabytes: float
    code: int  #: the exit code


def cost(
    command: Sequence[str | Path],
    output: str | Path = os.devnull,
    *,
    limit: int = 600,
    codes: Container[int] = (0,),
) -> Cost:
    """One run, of at most so many seconds; it must end with one of these exit codes."""
    arguments = [str(limit), str(output), *map(str, command)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", _LAUNCHER, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=_ENVIRONMENT,
    )
    seconds, processor, kilobytes, code = done.stdout.split()
    if int(code) not in codes:
        sys.exit(f"{' '.join(arguments[2:])} gave {code}: {done.stderr}")
    return Cost(float(seconds), float(processor), int(kilobytes) / 1024, int(code))


def middle(costs: Sequence[Cost]) -> Cost:
    """The middle time, and the largest peak."""
    seconds = statistics.median(one.seconds for one in costs)
    processor = statistics.median(one.processor for one in costs)
    return Cost(seconds, processor, max(one.megabytes for one in costs), costs[-1].code)


def ours(*arguments: str | Path) -> list[str | Path]:
    """A command of this checkout, in the Python that runs this."""
    return [sys.executable, "-m", "vpccni_nft", *arguments]


def find(name: str) -> str | None:
    """Where a program is, also where only root looks for it."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def write_node(folder: Path, services: int, *, as_made: bool = False) -> tuple[Path, int]:
    """The dump of a node, and the number of its rules."""
    text = eks_node(services, as_made=as_made)
    dump = folder / f"node-{services}.save"
    dump.write_text(text)
    return dump, text.count("\n-A ")
