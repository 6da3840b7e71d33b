"""Time and memory of a translation, beside iptables-restore-translate on the same file.

Each program runs in a process of its own, from file to file; the middle of three runs counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.eks_node import eks_node

RULES_PER_SERVICE = 10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("services", nargs="*", type=int, default=[100, 1000, 5000])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    table = Table(
        "rules", "vpccni-nft", "rules/s", "peak MB", "iptables-restore-translate", "ratio"
    )
    with tempfile.TemporaryDirectory() as folder:
        for services in arguments.services:
            table.add_row(*row(Path(folder), services, arguments.runs))
    Console().print(table)


def row(folder: Path, services: int, runs: int) -> tuple[str, ...]:
    """One size of node."""
    dump = folder / "node.save"
    dump.write_text(eks_node(services))
    rules = sum(line.startswith("-A") for line in dump.read_text().splitlines())
    ours = [sys.executable, "-m", "vpccni_nft", "translate", str(dump), "-o", str(folder / "ours")]
    seconds, peak = median([measure(ours) for _ in range(runs)])
    cells = [f"{rules:,}", f"{seconds:.2f} s", f"{rules / seconds:,.0f}", f"{peak:.0f}"]
    peer = shutil.which("iptables-restore-translate", path=f"{os.defpath}:/usr/sbin:/sbin")
    if not peer:
        return (*cells, "not installed", "-")
    theirs, _ = median([measure([peer, "-f", str(dump)]) for _ in range(runs)])
    return (*cells, f"{theirs:.2f} s", f"{seconds / theirs:.1f}")


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds, and megabytes at the peak, of one run."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} failed with {process.returncode}")
    return seconds, _megabytes(usage)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / 1024


def median(measured: list[tuple[float, float]]) -> tuple[float, float]:
    """The middle time and the largest peak."""
    times, peaks = zip(*measured, strict=True)
    return statistics.median(times), max(peaks)


if __name__ == "__main__":
    main()
