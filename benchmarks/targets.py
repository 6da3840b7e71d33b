"""What is aimed at, beside what one run of all programs has measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks.kube_proxy import GENERATIONS
from benchmarks.processes import INCUMBENT
from benchmarks.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.tables import Cell


_FAITHFUL, _OPTIMIZED = "vpccni-nft -O0", "vpccni-nft -O"
_LEGACY, _TRACKING = "iptables-legacy", "tracking only"


@attrs.frozen
class Target:
    """A figure, and what it has to be at most; None where it was not measured."""

    text: str
    limit: float
    measured: float | None
    failed: bool = False  #: whether nothing was measured because what was run did not end well

    def row(self) -> dict[str, Cell]:
        """The target as a row of the table."""
        met: bool | str = "not measured"
        if self.failed or self.measured is not None:
            met = self.measured is not None and self.measured <= self.limit
        return {
            "target": self.text,
            "at most": self.limit,
            "measured": self.measured,
            "met": met if isinstance(met, str) else ("no", "yes")[met],
        }


def table(run: Mapping[str, Sequence[Table]]) -> Table:
    """All targets; of several figures, the worst counts."""
    found = [
        *_packets(run),
        *_load(run),
        *_translate(run),
        *_proof(run),
        *_modes(run),
        *_start(run),
    ]
    return Table("Targets", [target.row() for target in found])


def _packets(run: Mapping[str, Sequence[Table]]) -> Iterator[Target]:
    tables = run.get("packets", ())
    columns = [(one, column) for one in tables for column in one.rows[0] if ", " in column]
    far = [(one, column) for one, column in columns if not column.endswith("first")]

    def cost(one: Table, column: str, ruleset: str, services: int) -> float | None:
        return one.find(column, {"ruleset": ruleset, "Services": services})

    def above(one: Table, column: str, ruleset: str) -> float | None:
        return _less(cost(one, column, ruleset, 10000), cost(one, column, _TRACKING, 10000))

    yield Target(
        "first packets with -O: 10,000 Services to 100",
        1.2,
        _worst(
            _ratio(cost(*where, _OPTIMIZED, 10000), cost(*where, _OPTIMIZED, 100))
            for where in columns
        ),
    )
    yield Target(
        "first packets to the last Service or none, 10,000 Services: -O to iptables-legacy",
        1 / 25,
        _worst(
            _ratio(cost(*where, _OPTIMIZED, 10000), cost(*where, _LEGACY, 10000)) for where in far
        ),
    )
    yield Target(
        f"the same, without what `{_TRACKING}` costs on both sides",
        1 / 25,
        _worst(_ratio(above(*where, _OPTIMIZED), above(*where, _LEGACY)) for where in far),
    )


def _load(run: Mapping[str, Sequence[Table]]) -> Iterator[Target]:
    tables = run.get("load", ())

    def seconds(ruleset: str, services: int, column: str = "load (s)") -> float | None:
        return _worst(
            one.find(column, {"ruleset": ruleset, "Services": services}) for one in tables
        )

    optimized = seconds(_OPTIMIZED, 10000)
    yield Target(
        "load of 10,000 Services: -O to -O0", 0.75, _ratio(optimized, seconds(_FAITHFUL, 10000))
    )
    yield Target(
        "load of 10,000 Services: -O to iptables-nft-restore",
        1,
        _ratio(optimized, seconds("iptables-nft-restore", 10000)),
    )
    yield Target(
        "translation and load from 11,000 rules up: -O to iptables-restore-translate",
        1,
        _worst(
            _ratio(
                seconds(_OPTIMIZED, services, "both (s)"), seconds(INCUMBENT, services, "both (s)")
            )
            for services in (1000, 5000, 10000)
        ),
    )


def _translate(run: Mapping[str, Sequence[Table]]) -> Iterator[Target]:
    tables = run.get("translate", ())

    def find(program: str, services: int, column: str) -> float | None:
        return _worst(
            one.find(column, {"program": program, "Services": services}) for one in tables
        )

    for program, limit in ((_FAITHFUL, 2.5), (_OPTIMIZED, 4)):
        ratio = find(program, 5000, f"times {INCUMBENT}")
        text = f"translation of 55,000 rules in either order of chains: {program} to {INCUMBENT}"
        yield Target(text, limit, ratio)
        peak = find(program, 10000, "peak (MB)")
        yield Target(f"peak of {program} at 110,000 rules (MB)", 200, peak)


def _proof(run: Mapping[str, Sequence[Table]]) -> Iterator[Target]:
    def find(translation: str, services: int, column: str) -> float | None:
        row: dict[str, Cell] = {
            "translation": translation, "Services": services, "answer": "equivalent",
        }  # fmt: skip
        return _worst(one.find(column, row) for one in run.get("proof", ()))

    yield Target("proof of a node without Services, -O0 (s)", 2, find("-O0", 0, "time (s)"))
    yield Target("proof of a node of 295 rules, -O0 (s)", 10, find("-O0", 24, "time (s)"))
    for translation, limit in (("-O0", 25), ("-O", 40)):
        text = f"proof of 5,000 Services, 55,041 rules, {translation} (s)"
        yield Target(text, limit, find(translation, 5000, "time (s)"))
        yield Target("the same, peak (MB)", 600, find(translation, 5000, "peak (MB)"))


def _modes(run: Mapping[str, Sequence[Table]]) -> Iterator[Target]:
    def find(services: int, column: str) -> float | None:
        rows: list[dict[str, Cell]] = [
            {"generation": generation, "Services": services, "answer": "equivalent"}
            for generation in GENERATIONS
        ]
        return _worst(one.find(column, row) for one in run.get("modes", ()) for row in rows)

    # Beyond what had no answer nothing larger is compared.
    answers = {row.get("answer") for one in run.get("modes", ()) for row in one.rows}
    failed = not answers <= {"equivalent"}
    for services, limit in ((100, 10), (1000, 40), (5000, 180)):
        text = f"kube-proxy's modes with {services:,} Services, whole paths (s)"
        yield Target(text, limit, find(services, "time (s)"), failed)
    yield Target("the same, peak (MB)", 4000, find(5000, "peak (MB)"), failed)


def _start(run: Mapping[str, Sequence[Table]]) -> Iterator[Target]:
    def find(command: str, column: str) -> float | None:
        return _worst(one.find(column, {"command": command}) for one in run.get("startup", ()))

    imported = find("python -c 'import vpccni_nft'", "more than python (ms)")
    yield Target("import of vpccni_nft (ms)", 60, imported)
    for argument in ("--version", "--help"):
        yield Target(f"{argument} (ms)", 80, find(f"vpccni-nft {argument}", "time (ms)"))
    yield Target("translation of 200 rules (ms)", 120, find("vpccni-nft translate", "time (ms)"))


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _worst(figures: Iterable[float | None]) -> float | None:
    """The largest of them; None where any is missing."""
    found = list(figures)
    numbers = [figure for figure in found if figure is not None]
    return max(numbers) if numbers and len(numbers) == len(found) else None
