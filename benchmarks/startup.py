"""How long Python takes to import the package, and the command to start, in time of the processor.

The middle of some runs, each in a process of its own. ``python`` alone is in all of the others. The
node has 200 rules; the tables of the grammar are there, as in a package that is installed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import cost, middle, ours, write_node
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Cell

_RUNS = 9

#: A node of so many Services has 200 rules.
_SERVICES = 15


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table; nodes have no part in it."""
    assert not services
    with tempfile.TemporaryDirectory() as folder:
        dump, _ = write_node(Path(folder), _SERVICES)
        yield Table("Start", _rows(dump))


def _rows(dump: Path) -> list[dict[str, Cell]]:
    commands: dict[str, Sequence[str | Path]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import vpccni_nft'": [sys.executable, "-c", "import vpccni_nft"],
        "vpccni-nft --version": ours("--version"),
        "vpccni-nft --help": ours("--help"),
        "vpccni-nft translate --help": ours("translate", "--help"),
        "vpccni-nft translate": ours("translate", dump),
    }
    rounds = [{name: cost(command) for name, command in commands.items()} for _ in range(_RUNS)]
    rows: list[dict[str, Cell]] = []
    for name in commands:
        _, processor, megabytes, _ = middle([one[name] for one in rounds])
        rows.append({"command": name, "time (ms)": processor * 1000, "peak (MB)": megabytes})
    alone = rows[0]["time (ms)"]
    assert isinstance(alone, float)
    for row in rows:
        assert isinstance(row["time (ms)"], float)
        row["more than python (ms)"] = row["time (ms)"] - alone
    return rows


PROGRAM = Program("startup", __doc__, tables, (), ())

if __name__ == "__main__":
    PROGRAM.main()
