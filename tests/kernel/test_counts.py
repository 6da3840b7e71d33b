"""A list of recent that counts, beside the rate that it becomes: which packets of a source pass."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

import vpccni_nft

from ..support.namespaces import Namespace
from ..support.twins import Inside, enter

pytestmark = pytest.mark.kernel

#: Three packets in two seconds.
DUMP = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p udp -m recent --set --name X --mask 255.255.255.255 --rsource
-A INPUT -m recent --{} --seconds 2 --hitcount 3 --name X --mask 255.255.255.255 --rsource -j DROP
COMMIT
"""

#: When a source sends, in seconds; what of it passes by the list, and by the rate.
COURSES = {
    "at once, and again after a pause": (
        [0, 0.05, 0.1, 0.15, 2.9, 2.95, 3], "++..++.", "++..++."
    ),
    "so seldom that the list never counts three": ([0, 1.2, 2.4, 3.6], "++++", "++++"),
    "spread over the time: caught later, and at the fifth at the latest": (
        [0, 0.7, 1.4, 1.5, 1.6], "++...", "+++.."
    ),
}  # fmt: skip


def passing(times: Sequence[float], found: Path) -> None:
    """Send packets to the node itself, and write down which arrive."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        receiving.bind(("127.0.0.1", 5000))
        receiving.settimeout(0.02)
        start, marks = time.monotonic(), ""
        for at in times:
            time.sleep(max(0, start + at - time.monotonic()))
            sending.sendto(b"x", ("127.0.0.1", 5000))
            try:
                receiving.recv(10)
                marks += "+"
            except TimeoutError:
                marks += "."
        found.write_text(marks)


@pytest.mark.parametrize("operation", ["rcheck", "update"])
@pytest.mark.parametrize("course", COURSES)
def test_what_passes_is_what_the_page_of_the_code_says(
    course: str, operation: str, tmp_path: Path
) -> None:
    times, *expected = COURSES[course]
    dump = DUMP.format(operation)
    translation = vpccni_nft.translate(dump, allow=("T101", "T120"))
    with Namespace() as old, Namespace() as new:
        enter(old.name, ["iptables-legacy-restore"], dump)
        new.load(translation.script())
        running = []
        for one in (old, new):
            enter(one.name, ["ip", "link", "set", "lo", "up"])
            log = tmp_path / one.name
            running.append((Inside(one.name, partial(passing, times, log), log), log))
        found = []
        for process, log in running:
            assert process.wait() == 0, log.read_text()
            found.append(log.read_text())
    assert found == expected
