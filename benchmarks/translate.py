"""Time and memory of a translation, beside iptables-restore-translate on the same file.

Each program runs in a process of its own, from file to file. They take turns; the middle of three
runs counts, and the largest peak. A peak of 9 MB may be less: that much is the process that starts
the programs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import INCUMBENT, LEVELS, RUNS, cost, find, middle, ours, write_node
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Cell


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table of all sizes for each order of chains."""
    for title, as_made in (
        ("Time and memory of a translation", False),
        ("The same, with chains in the order in which kube-proxy makes them", True),
    ):
        with tempfile.TemporaryDirectory() as folder:
            rows = [row for one in services for row in _rows(Path(folder), one, as_made=as_made)]
        yield Table(title, rows)


def _rows(folder: Path, services: int, *, as_made: bool) -> Iterator[dict[str, Cell]]:
    """One size of node."""
    dump, rules = write_node(folder, services, as_made=as_made)
    output = folder / "output.nft"
    commands = {
        f"vpccni-nft {level}": ours("translate", *options, dump, "-o", output)
        for level, options in LEVELS.items()
    }
    if incumbent := find(INCUMBENT):
        commands[INCUMBENT] = [incumbent, "-f", dump]
    rounds = [
        {name: cost(command, output) for name, command in commands.items()} for _ in range(RUNS)
    ]
    middles = {name: middle([one[name] for one in rounds]) for name in commands}
    peer = middles.get(INCUMBENT)
    for name, (seconds, _, megabytes, _) in middles.items():
        yield {
            "program": name,
            "Services": services,
            "rules": rules,
            "time (s)": seconds,
            "rules/s": rules / seconds,
            "peak (MB)": megabytes,
            "times iptables-restore-translate": seconds / peer.seconds if peer else None,
        }


PROGRAM = Program("translate", __doc__, tables, (88, 900, 5000, 10000), (20, 100))

if __name__ == "__main__":
    PROGRAM.main()
