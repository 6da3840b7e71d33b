"""Time and memory of the proof that a dump and its translation mean the same.

``vpccni-nft verify`` runs in a process of its own; the middle of three runs counts. What takes
longer than the limit is ended, and not run again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import KILLED, LEVELS, RUNS, cost, middle, ours, write_node
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Cost
    from benchmarks.tables import Cell

#: Seconds that a proof may take.
_LIMIT = 120

#: What the exit codes of ``verify`` mean; where there is no such command, it is wrong usage.
_ANSWERS = {
    0: "equivalent",
    1: "different",
    2: "not run",
    3: "unknown",
    KILLED: f"takes over {_LIMIT} s",
}


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table of all sizes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for number in services for row in _rows(Path(folder), number)]
    yield Table("Proof that a dump and its translation mean the same", rows)


def _rows(folder: Path, services: int) -> Iterator[dict[str, Cell]]:
    """One size of node."""
    dump, rules = write_node(folder, services)
    for level, options in LEVELS.items():
        script = folder / f"{level}.nft"
        cost(ours("translate", *options, dump, "-o", script))
        costs = _prove(dump, script)
        seconds, _, megabytes, code = middle(costs)
        ran = _ANSWERS[code] != "not run"
        yield {
            "translation": level,
            "Services": services,
            "rules": rules,
            "answer": _ANSWERS[code],
            "time (s)": seconds if ran else None,
            "peak (MB)": megabytes if ran else None,
        }


def _prove(dump: Path, script: Path) -> list[Cost]:
    command = ours("verify", "--before", dump, "--after", script)
    costs: list[Cost] = []
    while len(costs) < RUNS:
        costs.append(cost(command, limit=_LIMIT, codes=_ANSWERS))
        if costs[-1].code == KILLED:
            break
    return costs


PROGRAM = Program("proof", __doc__, tables, (0, 24, 100, 1000, 5000), (5, 20))

if __name__ == "__main__":
    PROGRAM.main()
