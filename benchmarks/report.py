"""Run all benchmarks, and write docs/benchmarks.md with their tables and pictures.

Needs root, nft, iptables and matplotlib (``pip install '.[bench]'``).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import gate, load, modes, packets, proof, stages, startup, targets, translate
from benchmarks.plots import PLOTS, draw
from vpccni_nft import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Program, Table

PROGRAMS = (
    translate.PROGRAM, stages.PROGRAM, load.PROGRAM, packets.PROGRAM, proof.PROGRAM,
    modes.PROGRAM, startup.PROGRAM, gate.PROGRAM,
)  # fmt: skip

_DOCS = Path(__file__).resolve().parent.parent / "docs"

_HEAD = """\
# Benchmarks

This page is written by `make bench`: `python -m benchmarks.report`. Every figure is of that one
run; each table can be printed alone by the command over it. The nodes are made by
`benchmarks/eks_node.py`. [Targets](#targets) and [what they cost](#what-the-targets-cost) are at
the end.
"""

#: What stands from here on is written by hand, and stays.
_BY_HAND = "## What the targets cost\n"


def main() -> None:
    """Measure, then write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small nodes only")
    parser.add_argument("--docs", type=Path, default=_DOCS, help="the folder to write to")
    arguments = parser.parse_args()
    run = {}
    for program in PROGRAMS:
        print(f"{program.name} ...", file=sys.stderr, flush=True)
        run[program.name] = program.run(quick=arguments.quick)
    write(run, arguments.docs, quick=arguments.quick)


def write(run: dict[str, list[Table]], docs: Path, *, quick: bool) -> None:
    """The page and the pictures of it."""
    pictures = docs / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    parts = [_HEAD, *_machine()]
    for program in PROGRAMS:
        parts += _section(program, run[program.name], quick=quick)
        for plot in PLOTS.get(program.name, ()):
            table = run[program.name][plot.table]
            if any(row[plot.y] is not None for row in table.rows):
                (pictures / plot.file).write_text(draw(plot, table))
                parts.append(f"![{plot.title}](benchmarks/{plot.file})\n")
    parts.append(f"#{targets.table(run).markdown().removeprefix('##')}\n")
    page = docs / "benchmarks.md"
    _, heading, by_hand = (page.read_text() if page.exists() else "").partition(_BY_HAND)
    page.write_text("\n".join((*parts, heading + by_hand)))


def _section(program: Program, tables: Sequence[Table], *, quick: bool) -> Iterator[str]:
    yield f"## {program.name}\n"
    yield f"```sh\npython -m benchmarks.{program.name}{' --quick' * quick}\n```\n"
    # Two backticks are how docstrings quote.
    yield f"{(program.about or '').strip().replace('``', '`')}\n"
    for table in tables:
        yield f"{table.markdown()}\n"


def _machine() -> Iterator[str]:
    """What all of it ran on, and when."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    gigabytes = round(int(memory[1]) / (1 << 20)) if memory else "?"
    name = processor[1] if processor else platform.machine()
    yield f"- {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, vpccni-nft {__version__}"
    yield f"- {os.cpu_count()} processors ({name}), {gigabytes} GB"
    yield f"- Linux {platform.release()}, Python {platform.python_version()}"
    yield f"- {_says('nft', '--version')}, {_says('iptables', '--version')}\n"


def _says(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
