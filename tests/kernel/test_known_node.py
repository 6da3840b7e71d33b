"""The kernel routes no packet otherwise than what is known of its routes lets it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from vpccni_nft.core.values import Address, Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import BY_DEVICE, ROUTED_BY, TO_THE_NODE
from vpccni_nft.model.known_node import KnownNode
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import interface_word
from vpccni_nft.node.facts import known_node

from ..support.profiles import SCALE

pytestmark = pytest.mark.kernel

NAME = f"vpccni-facts-{os.getpid()}"
NOWHERE = 2
PACKETS = 120

#: A node with pods, a second network interface, and rules of all kinds that are read.
COMMANDS = """
link set dev lo up
link add eth0 type veth peer name p0
link add eni1 type veth peer name p1
link set dev p0 up
link set dev p1 up
link set dev eth0 up
link set dev eni1 up
address add 10.0.12.34/20 dev eth0
route add default via 10.0.0.1 dev eth0
route add 10.0.13.21 dev eni1
route add blackhole 10.8.0.0/16
route add 10.9.0.0/16 nexthop dev eth0 nexthop dev eni1
route add default dev eni1 table 2
route add throw 10.7.0.0/16 table 2
rule add to 10.0.13.21 lookup main priority 512
rule add fwmark 0x80/0x80 lookup main priority 1024
rule add from 10.0.13.0/24 lookup 2 priority 1536
rule add not to 10.0.0.0/8 prohibit priority 2000
rule add iif eni1 ipproto udp dport 53-54 lookup 2 priority 2001
"""
ADDRESSES = (
    "10.0.12.34", "10.0.13.21", "10.0.13.22", "10.0.15.255", "10.7.0.1", "10.8.0.1", "10.9.0.1",
    "127.0.0.1", "8.8.8.8", "10.1.1.1", "224.0.0.1",
)  # fmt: skip


def ip(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = ["ip", "-netns", NAME, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


@contextmanager
def namespace() -> Iterator[KnownNode]:
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        done = ip("-batch", "-", stdin=COMMANDS)
        assert done.returncode == 0, done.stderr
        for name in ("all", "eth0", "eni1"):
            path = f"/proc/sys/net/ipv4/conf/{name}"
            sets = f"echo 0 > {path}/rp_filter; echo 1 > {path}/forwarding"
            subprocess.run(["ip", "netns", "exec", NAME, "sh", "-c", sets], check=True)
        asked = {
            "addresses.json": ("-d", "address"),
            "routes.json": ("-4", "route", "show", "table", "all"),
            "policies.json": ("-4", "rule"),
        }
        yield known_node({name: ip("-j", *words).stdout for name, words in asked.items()}, "node")
    finally:
        subprocess.run(["ip", "netns", "delete", NAME], check=True)


def kernel_says(daddr: str, saddr: str, iif: str, mark: int, port: int) -> tuple[int, str]:
    """The way and the device of a received packet of UDP."""
    words = ("to", daddr, "from", saddr, "iif", iif, "mark", str(mark))
    done = ip("-j", "route", "get", *words, "ipproto", "udp", "sport", "4000", "dport", str(port))
    if done.returncode:
        return NOWHERE, ""
    (found,) = json.loads(done.stdout)
    if found.get("type") in {"local", "broadcast", "multicast"}:
        return TO_THE_NODE, ""
    return (NOWHERE, "") if "type" in found else (BY_DEVICE, found["dev"])


def test_no_packet_is_routed_otherwise() -> None:
    random = Random(1)  # noqa: S311
    ways = set[tuple[int, str]]()
    world, known = Concrete(), 0
    with namespace() as node:
        assert not node.doubts
        for _ in range(PACKETS * SCALE):
            daddr, saddr = random.sample(ADDRESSES, 2)
            iif, mark = random.choice(("eth0", "eni1")), random.choice((0, 0x80, 0x7F))
            port = random.choice((53, 80))
            way, device = said = kernel_says(daddr, saddr, iif, mark, port)
            fields = {
                "daddr": Address.parse(daddr).value, "saddr": Address.parse(saddr).value,
                "mark": mark, "tos": 0, "protocol": 17, "sport": 4000, "dport": port,
                "iif": interface_word(iif), "packet_type": 0,
            }  # fmt: skip
            seen = tuple(fields[name] for name in ROUTED_BY)

            def allows(kind: OracleKind, answer: int, seen: tuple[int, ...] = seen) -> bool:
                return bool(node.allows(world, Family.IP, Oracle(kind), seen, answer))

            assert allows(OracleKind.ROUTE, way), (daddr, saddr, iif, mark, port, said)
            if way == BY_DEVICE:
                word = interface_word(device)
                assert allows(OracleKind.ROUTE_DEVICE, word), (daddr, saddr, iif, mark, port, said)
            known += not allows(OracleKind.ROUTE, TO_THE_NODE if way == BY_DEVICE else BY_DEVICE)
            ways.add(said)
    # It is no empty promise: most other answers are ruled out.
    assert {(TO_THE_NODE, ""), (NOWHERE, ""), (BY_DEVICE, "eth0"), (BY_DEVICE, "eni1")} <= ways
    assert known > PACKETS * SCALE * 3 // 5
