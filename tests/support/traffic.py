"""Real sockets that talk while a node is moved; run in namespaces, as a server and as a pod.

The server answers each message with the address that it came from. So the pod sees what the node's
rules made of it: an address that is not the one that is meant tells that a rule was missing, or
that another one was there.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import Counter

#: Seconds until an answer counts as lost: no packet of this network takes longer.
PATIENCE = 10

#: Seconds between the messages of a flow: the flows together send one every two milliseconds.
PAUSE = 0.006

OUTSIDE = ("203.0.113.1", 5000)
SERVICE = ("172.20.41.5", 80)
NODE, POD = "10.0.12.34", "10.0.2.1"


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve() -> None:
    for port in (5000, 8080):
        listener = socket.create_server(("", port), backlog=1000)
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("", 5000))
    tell("ready")
    while True:
        message, peer = datagrams.recvfrom(1000)
        datagrams.sendto(message + b" " + peer[0].encode(), peer)


def _accept(listener: socket.socket) -> None:
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=_echo, args=(connection, peer[0]), daemon=True).start()


def _echo(connection: socket.socket, peer: str) -> None:
    with connection, connection.makefile("rwb") as file:
        for line in file:
            file.write(line.rstrip() + b" " + peer.encode() + b"\n")
            file.flush()


class Pod:
    """Flows of a pod, until it is told to stop; what they saw."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def long_lived(self) -> None:
        with (
            socket.create_connection(OUTSIDE, PATIENCE) as connection,
            connection.makefile("rwb") as file,
        ):
            while not self.stop.is_set():
                file.write(b"tcp\n")
                file.flush()
                self.answered("long-lived TCP", file.readline().decode(), NODE)
                time.sleep(PAUSE)

    def datagrams(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
            flow.settimeout(PATIENCE)
            flow.connect(OUTSIDE)
            while not self.stop.is_set():
                flow.send(b"udp")
                self.answered("UDP", flow.recv(1000).decode(), NODE)
                time.sleep(PAUSE)

    def new(self, title: str, place: tuple[str, int], address: str) -> None:
        while not self.stop.is_set():
            with (
                socket.create_connection(place, PATIENCE) as connection,
                connection.makefile("rwb") as file,
            ):
                file.write(b"new\n")
                file.flush()
                self.answered(title, file.readline().decode(), address)
            time.sleep(PAUSE)

    def answered(self, title: str, answer: str, address: str) -> None:
        self.seen[title] += 1
        if answer.split()[1:] != [address]:
            self.wrong.append(f"{title}: {answer!r}")

    def run(self, *, services: bool) -> None:
        flows = [
            (self.long_lived, ()),
            (self.datagrams, ()),
            (self.new, ("new TCP", OUTSIDE, NODE)),
        ]
        if services:
            flows.append((self.new, ("Service", SERVICE, POD)))
        threads = [threading.Thread(target=self._guarded, args=flow) for flow in flows]
        for thread in threads:
            thread.start()
        tell("ready")
        sys.stdin.read()
        self.stop.set()
        for thread in threads:
            thread.join()
        tell(json.dumps({"seen": self.seen, "wrong": self.wrong[:10]}))

    def _guarded(self, flow: object, arguments: tuple[object, ...]) -> None:
        try:
            flow(*arguments)  # type: ignore[operator]
        except OSError as error:
            self.wrong.append(f"{flow}: {error}")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        Pod().run(services=sys.argv[1] == "services")
