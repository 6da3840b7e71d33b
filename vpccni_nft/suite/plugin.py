"""The options of the suite, for pytest. It loads with every pytest, so it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: Packets for each chain, where nothing is said.
PACKETS = 25


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options; their names are such that no other plugin has them."""
    group = parser.getgroup("vpccni-nft", "vpccni-nft: tests of a node's own iptables dump")
    group.addoption(
        "--vpccni-iptables-save",
        action="append",
        metavar="FILE",
        help="the output of iptables-save; may be given several times",
    )
    group.addoption(
        "--vpccni-allow",
        action="append",
        metavar="CODE",
        help="allow this approximation, as translate does; may be given several times",
    )
    group.addoption(
        "--vpccni-packets",
        type=int,
        default=PACKETS,
        metavar="N",
        help=f"packets for each chain (default: {PACKETS})",
    )
