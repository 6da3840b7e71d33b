"""How long a ruleset takes into the kernel, and translation and loading together.

Every load goes into a fresh network namespace, from a file, with the ``ip netns exec`` before it;
``nothing`` is an empty script for nft. Rulesets take turns; the middle of three loads counts.

What iptables-restore-translate writes does not load: nft wants a transport protocol in rules that
change a port. These rules get one, and nothing else is mended: what else is wrong in the output
stays wrong (``python -m benchmarks.incumbent`` shows what that is). Mending is not in the times.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from benchmarks.namespace import Namespace, restorer
from benchmarks.processes import INCUMBENT, LEVELS, RUNS, cost, find, middle, ours, write_node
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Cost
    from benchmarks.tables import Cell

#: Seconds for the kernel to free what the namespaces of a turn held, which it does on its own time.
_PAUSE = 1.0

_DNAT = re.compile(r"^(add rule ip nat (\S+)) (counter dnat to )", re.MULTILINE)
_PROTOCOL = re.compile(r"^-A (\S+) -p (\w+) .*-j DNAT", re.MULTILINE)


@attrs.frozen
class _Way:
    """A way for a dump into the kernel."""

    load: Sequence[str | Path]
    translate: Sequence[str | Path] = ()
    output: str | Path = os.devnull  #: what a translation prints goes there


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table of all sizes."""
    rows: list[dict[str, Cell]] = []
    mended: list[str] = []
    for number in services:
        with tempfile.TemporaryDirectory() as folder:
            dump, rules = write_node(Path(folder), number)
            ways = _ways(Path(folder), dump)
            translations = {name: _translate(way) for name, way in ways.items()}
            if way := ways.get(INCUMBENT):
                count = _mend(dump, Path(way.output), Path(way.load[-1]))
                mended.append(f"{count:,} of {rules:,}")
            loads = _load(ways)
            rows += [_row(name, number, rules, translations[name], loads[name]) for name in ways]
    note = f"Rules of {INCUMBENT} that were mended: {', '.join(mended)}." if mended else ""
    yield Table("Seconds into the kernel", rows, note)


def _ways(folder: Path, dump: Path) -> dict[str, _Way]:
    """All that this machine has."""
    nothing = folder / "nothing.nft"
    nothing.touch()
    ways = {"nothing": _Way(("nft", "-f", nothing))}
    for backend in ("legacy", "nft"):
        if command := restorer(backend, dump):
            ways[f"iptables-{backend}-restore"] = _Way(command)
    if incumbent := find(INCUMBENT):
        mended, output = folder / "mended.nft", folder / "incumbent.nft"
        ways[INCUMBENT] = _Way(("nft", "-f", mended), (incumbent, "-f", dump), output)
    for level, options in LEVELS.items():
        script = folder / f"{level}.nft"
        command = ours("translate", *options, dump, "-o", script)
        ways[f"vpccni-nft {level}"] = _Way(("nft", "-f", script), command)
    return ways


def _translate(way: _Way) -> Cost | None:
    if not way.translate:
        return None
    return middle([cost(way.translate, way.output) for _ in range(RUNS)])


def _mend(dump: Path, output: Path, mended: Path) -> int:
    """Make the output of iptables-restore-translate load; how many rules were mended."""
    protocols = dict(_PROTOCOL.findall(dump.read_text()))
    text, count = _DNAT.subn(
        lambda rule: f"{rule[1]} meta l4proto {protocols[rule[2]]} {rule[3]}", output.read_text()
    )
    mended.write_text(text)
    return count


def _load(ways: dict[str, _Way]) -> dict[str, Cost]:
    """Load everything, in turns."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(RUNS):
        with ExitStack() as stack:
            for name, way in ways.items():
                namespace = stack.enter_context(Namespace())
                costs[name].append(cost(namespace.inside(*way.load)))
        time.sleep(_PAUSE)
    return {name: middle(found) for name, found in costs.items()}


def _row(
    name: str, services: int, rules: int, translation: Cost | None, load: Cost
) -> dict[str, Cell]:
    return {
        "ruleset": name,
        "Services": services,
        "rules": rules,
        "translate (s)": translation.seconds if translation else None,
        "load (s)": load.seconds,
        "both (s)": load.seconds + (translation.seconds if translation else 0.0),
        "peak of the load (MB)": load.megabytes,
    }


PROGRAM = Program("load", __doc__, tables, (100, 1000, 5000, 10000), (20, 100))

if __name__ == "__main__":
    PROGRAM.main()
