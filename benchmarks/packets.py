"""What the first packet of a connection costs in the kernel, by the number of Services.

A node stands in a network namespace, with a pod behind a TAP device (``eni1``) and everything else
behind another one (``ens5``). Forwarded packets are written to the pod's device, which returns when
the kernel is done with the packet; locally made ones are sent by a raw socket. Each packet is the
first of a new connection: a UDP datagram or a TCP SYN, with a source port that none had since the
connections were forgotten. It goes to the first Service that KUBE-SERVICES asks for, to the last
one, or to a pod.

Of each ruleset, packets are sent in batches; rulesets take turns at each batch. The figure is the
middle batch's time for one packet, in microseconds, by the clock of the thread: what else runs on
the machine does not count. Nothing is subtracted: the system call and the node's routing are in it,
and ``without rules`` shows how much that is. In ``tracking only`` connections are tracked, and next
to no rule is evaluated. Before each kind of packet is measured, one batch has to show that all
packets leave, that each has a connection, and that only Services change the destination.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import statistics
import struct
import tempfile
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from benchmarks.eks_node import NODE
from benchmarks.namespace import Namespace, restorer
from benchmarks.processes import LEVELS, cost, ours, write_node
from benchmarks.tables import Program, Table
from vpccni_nft.core.values import Family
from vpccni_nft.replay.netlink import ConnectionSocket
from vpccni_nft.replay.wire import Datagram

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.tables import Cell

_TUNSETIFF, _TAP, _NO_PACKET_INFO = 0x400454CA, 0x0002, 0x1000

#: The pod that sends, and the pod that packets to no Service go to.
_POD, _OTHER_POD, _GATEWAY = "10.0.13.40", "10.0.250.7", "10.0.0.1"

#: What stands before a packet from the pod: both hardware addresses, and the type of IPv4.
_IPV4 = b"\x08\x00"
_HEADER = bytes.fromhex("020000000001020000000002") + _IPV4

_FROM_POD, _FROM_NODE = "forwarded", "locally made"
_PROTOCOLS = {"UDP": 17, "TCP": 6}
_SYN = 2

#: Packets in a batch, the fewest and the most batches, and after how long there are enough of them.
_BATCH, _FEWEST, _MOST, _SECONDS = 200, 7, 41, 0.3

#: Chains for NAT, and one rule that makes the kernel track connections.
_TRACKING = """\
table ip tracking {
    chain prerouting { type nat hook prerouting priority -100; ct state invalid drop; }
    chain input { type nat hook input priority 100; }
    chain output { type nat hook output priority -100; }
    chain postrouting { type nat hook postrouting priority 100; }
}
"""

_LINKS = f"""\
link set lo up
link set eni1 address 02:00:00:00:00:01 up
link set ens5 up
address add {NODE}/32 dev ens5
route add {_POD}/32 dev eni1
route add {_GATEWAY}/32 dev ens5
route add default via {_GATEWAY} dev ens5 src {NODE}
neighbor add {_POD} lladdr 02:00:00:00:00:02 dev eni1
neighbor add {_GATEWAY} lladdr 02:00:00:00:00:03 dev ens5
"""

_SETTINGS = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")


def tables(services: Sequence[int]) -> Iterator[Table]:
    """A table of what is forwarded, and one of what the node makes."""
    # One processor: the packet is handled where it is sent.
    processors = os.sched_getaffinity(0)
    found: dict[str, list[dict[str, Cell]]] = {_FROM_POD: [], _FROM_NODE: []}
    for number in services:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            rigs, ends = _rigs(Path(folder), number, stack)
            os.sched_setaffinity(0, {max(processors)})
            for origin in found:
                found[origin] += _rows(origin, number, rigs, ends)
            os.sched_setaffinity(0, processors)
    for origin, rows in found.items():
        yield Table(f"Microseconds for the first packet of a connection, {origin}", rows)


def _rigs(folder: Path, services: int, stack: ExitStack) -> tuple[dict[str, Rig], Ends]:
    """A node for each ruleset, and where the packets go to."""
    dump, _ = write_node(folder, services)
    tracking = folder / "tracking.nft"
    tracking.write_text(_TRACKING)
    loads: dict[str, Sequence[str | Path] | None] = {
        "without rules": [],
        "tracking only": ["nft", "-f", tracking],
        "iptables-legacy": restorer("legacy", dump),
        "iptables-nft": restorer("nft", dump),
    }
    for level, options in LEVELS.items():
        script = folder / f"{level}.nft"
        cost(ours("translate", *options, dump, "-o", script))
        loads[f"vpccni-nft {level}"] = ["nft", "-f", script]
    rigs = {}
    for name, load in loads.items():
        if load is not None:
            rigs[name] = Rig(stack.enter_context(Namespace()), stack)
            if load:
                cost(rigs[name].namespace.inside(*load))
    return rigs, Ends.of(dump.read_text())


@attrs.frozen
class Ends:
    """The first and the last Service of each protocol: address and port."""

    first: dict[int, tuple[int, int]]
    last: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, dump: str) -> Ends:
        """As they are in KUBE-SERVICES."""
        portal = re.compile(
            r"^-A KUBE-SERVICES -d (\S+)/32 -p (udp|tcp) .* --dport (\d+) -j KUBE-SVC", re.MULTILINE
        )
        found = [
            (_PROTOCOLS[protocol.upper()], (_number(address), int(port)))
            for address, protocol, port in portal.findall(dump)
        ]
        return cls(dict(reversed(found)), dict(found))

    def target(self, place: str, protocol: int) -> tuple[int, int]:
        """Where a packet goes to."""
        if place == "none":
            return _number(_OTHER_POD), 80
        return (self.first if place == "first" else self.last)[protocol]


def _number(address: str) -> int:
    return int.from_bytes(socket.inet_aton(address), "big")


def _rows(
    origin: str, services: int, rigs: dict[str, Rig], ends: Ends
) -> Iterator[dict[str, Cell]]:
    """One row for each ruleset, one column for each kind of packet."""
    rows: dict[str, dict[str, Cell]] = {
        name: {"ruleset": name, "Services": services} for name in rigs
    }
    for protocol, place in product(_PROTOCOLS, ("first", "last", "none")):
        kind = _PROTOCOLS[protocol]
        packets = _packets(origin, kind, *ends.target(place, kind))
        for name, seconds in _measure(origin, packets, rigs, hits=place != "none").items():
            rows[name][f"{protocol}, {place}"] = statistics.median(seconds) * 1e6
    yield from rows.values()


def _packets(origin: str, protocol: int, target: int, port: int) -> list[bytes]:
    """A batch: one packet of each of these connections."""
    return [
        Datagram(
            family=Family.IP,
            source=_number(_POD if origin == _FROM_POD else NODE),
            target=target,
            protocol=protocol,
            sport=20000 + number,
            dport=port,
            flags=_SYN if protocol == _PROTOCOLS["TCP"] else 0,
        ).build()
        for number in range(_BATCH)
    ]


def _measure(
    origin: str, packets: Sequence[bytes], rigs: dict[str, Rig], *, hits: bool
) -> dict[str, list[float]]:
    """Seconds for one packet, batch by batch."""
    times: dict[str, list[float]] = {name: [] for name in rigs}
    for name, rig in rigs.items():
        rig.inspect(origin, packets, tracked=name != "without rules", hits=hits and "-" in name)
    for _ in range(_MOST):
        for name, found in times.items():
            if len(found) < _FEWEST or sum(found) * len(packets) < _SECONDS:
                found.append(rigs[name].send(origin, packets) / len(packets))
    return times


class Rig:
    """A node in a namespace, and the ends by which packets come into it and leave it."""

    def __init__(self, namespace: Namespace, stack: ExitStack) -> None:
        self.namespace = namespace
        with namespace.entered():
            self._pod, self._outside = (_open_tap(name, stack) for name in ("eni1", "ens5"))
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._sender = stack.enter_context(raw)
            self._connections = ConnectionSocket()
            stack.enter_context(self._connections.socket)
        namespace.run("sysctl", "-q", "-w", *_SETTINGS)
        namespace.run("ip", "-batch", "-", script=_LINKS)

    def send(self, origin: str, packets: Sequence[bytes]) -> float:
        """Send them all; the seconds of work. Connections are forgotten before."""
        self._connections.flush()
        list(self._left())
        if origin == _FROM_NODE:
            send, there = self._sender.sendto, (_OTHER_POD, 0)
            start = time.thread_time()
            for packet in packets:
                send(packet, there)
            return time.thread_time() - start
        write, device, frames = os.write, self._pod, [_HEADER + packet for packet in packets]
        start = time.thread_time()
        for frame in frames:
            write(device, frame)
        return time.thread_time() - start

    def inspect(self, origin: str, packets: Sequence[bytes], *, tracked: bool, hits: bool) -> None:
        """Send them all, and make sure that each of them does what is to be measured."""
        self.send(origin, packets)
        (target,) = {packet[16:20] for packet in packets}
        left = list(self._left())
        changed = sum(packet[16:20] != target for packet in left)
        found = (len(left), len(self._connections.dump()), changed)
        expected = (len(packets), len(packets) * tracked, len(packets) * hits)
        if found != expected:
            raise RuntimeError(f"packets, connections, DNAT: {found} instead of {expected}")

    def _left(self) -> Iterator[bytes]:
        """The IPv4 packets that have left the node since this was last asked."""
        while True:
            try:
                frame = os.read(self._outside, 2048)
            except BlockingIOError:
                return
            if frame[12:14] == _IPV4:
                yield frame[14:]


def _open_tap(name: str, stack: ExitStack) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    stack.callback(os.close, device)
    request = struct.pack("16sH22x", name.encode(), _TAP | _NO_PACKET_INFO)
    fcntl.ioctl(device, _TUNSETIFF, request)
    return device


PROGRAM = Program("packets", __doc__, tables, (100, 1000, 5000, 10000, 30000), (100, 300))

if __name__ == "__main__":
    PROGRAM.main()
