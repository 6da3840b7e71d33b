"""Time and memory of the comparison of kube-proxy's two modes on one node, with the CNI's rules.

``vpccni-nft verify`` runs once in a process of its own. What is known to differ is accepted
(``--accept kube-proxy-modes``); which base chains of one priority run first is given.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import kube_proxy
from benchmarks.processes import KILLED, cost, ours
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Cell

#: Seconds that a comparison may take; of a generation that took longer no larger node is compared.
_LIMIT = 180

#: What of one priority runs first: kube-proxy's rules, as in the dump.
ORDER = "\n".join(
    f"{first}\n{second}"
    for first, second in (
        ("kube-proxy nat-prerouting", "nat PREROUTING"),
        ("kube-proxy nat-output", "nat OUTPUT"),
        ("kube-proxy nat-postrouting", "nat POSTROUTING"),
        ("filter INPUT", "kube-proxy filter-input"),
        ("filter FORWARD", "kube-proxy filter-forward"),
        ("filter OUTPUT", "kube-proxy filter-output"),
    )
)

_ANSWERS = {0: "equivalent", 1: "different", 3: "unknown", KILLED: f"takes over {_LIMIT} s"}


def tables(services: Sequence[int]) -> Iterator[Table]:
    """One table of all sizes and generations."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for generation in kube_proxy.GENERATIONS:
            for number in services:
                rows.append(_row(Path(folder), number, generation))
                if rows[-1]["answer"] == _ANSWERS[KILLED]:
                    break
    yield Table("kube-proxy's two modes on one node", rows)


def _row(folder: Path, number: int, generation: str) -> dict[str, Cell]:
    """One size of node."""
    every = kube_proxy.services(number)
    iptables = kube_proxy.iptables_mode(every)
    texts = {
        "before.save": iptables,
        **dict(
            zip(
                ("after.save", "after.nft"),
                kube_proxy.nftables_mode(every, generation),
                strict=True,
            )
        ),
        "order": ORDER,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    command = ours("verify", "--order", folder / "order", "--accept", "kube-proxy-modes")
    command += ["--before", folder / "before.save"]
    for name in ("after.save", "after.nft"):
        command += ["--after", folder / name]
    took = cost(command, limit=_LIMIT, codes=_ANSWERS)
    return {
        "generation": generation,
        "Services": number,
        "rules": iptables.count("\n-A "),
        "answer": _ANSWERS[took.code],
        "time (s)": took.seconds,
        "peak (MB)": took.megabytes,
    }


PROGRAM = Program("modes", __doc__, tables, (100, 1000, 5000), (3,))

if __name__ == "__main__":
    PROGRAM.main()
