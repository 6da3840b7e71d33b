"""Tables as pictures: a line for each ruleset or program, both axes logarithmic."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from benchmarks.tables import Table


@attrs.frozen
class Plot:
    """What of a table is drawn."""

    file: str
    title: str
    table: int  #: which of the program's tables
    lines: str  #: the column whose values are the lines
    x: str
    y: str


PLOTS = {
    "translate": (
        Plot("translate.svg", "Time of a translation", 0, "program", "rules", "time (s)"),
    ),
    "load": (
        Plot("load.svg", "Load into the kernel", 0, "ruleset", "rules", "load (s)"),
        Plot("both.svg", "Translation and load", 0, "ruleset", "rules", "both (s)"),
    ),
    "packets": (
        Plot(
            "packets.svg",
            "First packet of a connection (µs), forwarded to the last Service",
            0,
            "ruleset",
            "Services",
            "TCP, last",
        ),
    ),
    "proof": (Plot("proof.svg", "Proof", 0, "translation", "rules", "time (s)"),),
}


def draw(plot: Plot, table: Table) -> str:
    """The picture as SVG, the same for the same figures."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    with mpl.rc_context({"svg.hashsalt": plot.file, "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        for name in dict.fromkeys(str(row[plot.lines]) for row in table.rows):
            rows = [row for row in table.rows if row[plot.lines] == name]
            points = [
                (x, y)
                for x, y in ((row[plot.x], row[plot.y]) for row in rows)
                if isinstance(x, int | float) and isinstance(y, int | float)
            ]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axes.set(xscale="log", yscale="log", title=plot.title, xlabel=plot.x, ylabel=plot.y)
        axes.grid(visible=True, alpha=0.3)
        if axes.lines:
            axes.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return text.getvalue()
