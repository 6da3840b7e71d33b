"""How long Python takes to import the package, and the command to start.

The middle of some runs, each in a process of its own. ``python`` alone is in all of the others.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.processes import cost, middle, ours
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.tables import Cell

_RUNS = 9


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table; nodes have no part in it."""
    assert not services
    commands: dict[str, Sequence[str | Path]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import vpccni_nft'": [sys.executable, "-c", "import vpccni_nft"],
        "vpccni-nft --version": ours("--version"),
        "vpccni-nft translate --help": ours("translate", "--help"),
    }
    rounds = [{name: cost(command) for name, command in commands.items()} for _ in range(_RUNS)]
    rows: list[dict[str, Cell]] = []
    for name in commands:
        seconds, megabytes, _ = middle([one[name] for one in rounds])
        rows.append({"command": name, "time (ms)": seconds * 1000, "peak (MB)": megabytes})
    alone = rows[0]["time (ms)"]
    assert isinstance(alone, float)
    for row in rows:
        assert isinstance(row["time (ms)"], float)
        row["more than python (ms)"] = row["time (ms)"] - alone
    yield Table("Start", rows)


PROGRAM = Program("startup", __doc__, tables, (), ())

if __name__ == "__main__":
    PROGRAM.main()
