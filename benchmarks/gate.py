"""Time and memory of a group of nodes that changes kube-proxy's mode.

``vpccni-nft switch gate`` predicts the change of every node in a folder. Each node has an address
of its own and endpoints of its own moment, and rules of the VPC CNI and, behind them, of
kube-proxy. Nodes of one shape have as many Services, with as many endpoints.
"""

from __future__ import annotations

import tempfile
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import kube_proxy
from benchmarks.processes import cost, ours
from benchmarks.tables import Program, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Cell

SHAPES = 5

#: What of one priority runs first.
ORDER = (
    "nat PREROUTING, kube-proxy nat-prerouting, nat POSTROUTING, kube-proxy nat-postrouting,"
    " nat OUTPUT, kube-proxy nat-output"
)


def tables(nodes: Sequence[int]) -> Iterator[Table]:
    """One table of all sizes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [_row(Path(folder), number) for number in nodes]
    yield Table("A group of nodes that changes its mode", rows)


def write_nodes(folder: Path, number: int) -> None:
    """So many nodes of as many shapes as there are."""
    folder.mkdir()
    for index in range(number):
        services = _services(index % SHAPES + 1, moment=index // SHAPES)
        text = _kube_proxy_last(kube_proxy.iptables_mode(services))
        address = str(IPv4Address("192.168.8.0") + index)
        (folder / f"node-{index}.save").write_text(text.replace(kube_proxy.NODE, address))


def _kube_proxy_last(text: str) -> str:
    """A dump with kube-proxy's jumps last in the table nat, as its table in nftables mode runs."""
    head, nat = text.split("*nat\n")
    lines = nat.splitlines(keepends=True)
    for hook in ("PREROUTING", "OUTPUT", "POSTROUTING"):
        places = [place for place, line in enumerate(lines) if line.startswith(f"-A {hook} ")]
        moved = sorted((lines[place] for place in places), key=lambda line: "-j KUBE-" in line)
        for place, line in zip(places, moved, strict=True):
            lines[place] = line
    return f"{head}*nat\n{''.join(lines)}"


def _services(number: int, moment: int) -> list[kube_proxy.Service]:
    """Services without ports of the node, with the endpoints of a moment."""
    first = IPv4Address("10.64.0.1") + moment * 64
    return [
        kube_proxy.Service(
            f"shop/service-{index}",
            str(IPv4Address("172.30.1.0") + index),
            [str(first + index * 4 + pod) for pod in range(index % 3 + 1)],
            port_name="http",
        )
        for index in range(number)
    ]


def _row(folder: Path, number: int) -> dict[str, Cell]:
    """One size of a group."""
    place = folder / str(number)
    write_nodes(place, number)
    took = cost(
        ours(
            *("switch", "gate", place, "--kube-proxy", "nftables", "--order", ORDER),
            *("--service-cidr", "172.30.0.0/16", "--accept", "kube-proxy-modes"),
        ),
        limit=3000,
    )
    return {
        "nodes": number,
        "shapes": min(number, SHAPES),
        "time (s)": took.seconds,
        "peak (MB)": took.megabytes,
    }


PROGRAM = Program("gate", __doc__, tables, (5, 1000), (5,))

if __name__ == "__main__":
    PROGRAM.main()
