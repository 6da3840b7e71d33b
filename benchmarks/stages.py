"""Where the time of a translation goes.

The stages run one after the other in this process, which has loaded all modules before. The
middle of three runs counts.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import RUNS, write_node
from benchmarks.tables import Program, Table
from vpccni_nft.core.span import Source
from vpccni_nft.lowering import TranslateOptions
from vpccni_nft.lowering.ruleset import lower
from vpccni_nft.optimizer import optimize
from vpccni_nft.text.nft_script import pieces
from vpccni_nft.text.sources import parse_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Cell


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table of all sizes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for number in services for row in _rows(Path(folder), number)]
    yield Table("Stages of a translation", rows)


def _rows(folder: Path, services: int) -> Iterator[dict[str, Cell]]:
    """One size of node; the first run warms the grammar up."""
    dump, rules = write_node(folder, services)
    runs = [dict(_stages(dump)) for _ in range(RUNS + 1)][1:]
    middles = {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
    for stage, seconds in middles.items():
        yield {
            "stage": stage,
            "Services": services,
            "rules": rules,
            "time (s)": seconds,
            "microseconds for a rule": seconds / rules * 1e6,
        }


def _stages(dump: Path) -> Iterator[tuple[str, float]]:
    """Each stage with its seconds; without looking for garbage, as the command does it."""
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    source = Source.of(dump.read_bytes(), str(dump))
    yield "read", -start + (start := time.perf_counter())
    ruleset, _ = parse_sources((source,))
    yield "parse", -start + (start := time.perf_counter())
    lowered, _ = lower(ruleset, TranslateOptions())
    yield "lower", -start + (start := time.perf_counter())
    for _ in pieces(lowered):
        pass
    yield "serialize", -start + (start := time.perf_counter())
    optimize(lowered)
    yield "optimize (-O)", time.perf_counter() - start
    gc.enable()


PROGRAM = Program("stages", __doc__, tables, (1000, 5000), (5,))

if __name__ == "__main__":
    PROGRAM.main()
