"""What becomes of UDP whose checksum is not finished when rules see it, with a rule and without."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..support.namespaces import Namespace
from ..support.twins import Inside

pytestmark = pytest.mark.kernel

_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17
_RECEIVER, _PORT = "10.2.0.2", 5000

CLEARED = """\
table ip t {
	chain c {
		type filter hook postrouting priority -150;
		udp dport 5000 udp checksum set 0
	}
}
"""

Path3 = tuple[Namespace, Namespace, Namespace]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path3]:
    """A sender, a router whose outer device leaves checksums to the kernel, and a receiver."""
    with ExitStack() as stack:
        sender, router, receiver = (stack.enter_context(Namespace()) for _ in range(3))
        for network, end, device in ((1, sender, "inner"), (2, receiver, "outer")):
            veth = ("type", "veth", "peer", "name", "eth0", "netns", end.name)
            router.run("ip", "link", "add", device, *veth)
            for namespace, name, host in ((router, device, 1), (end, "eth0", 2)):
                address = f"10.{network}.0.{host}/24"
                namespace.run("ip", "address", "add", address, "dev", name)
                namespace.run("ip", "link", "set", name, "up")
            end.run("ip", "route", "add", "default", "via", f"10.{network}.0.1")
        router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        inside(router, leave_checksums_to_the_kernel, tmp_path_factory.mktemp("path"))
        yield sender, router, receiver


def inside(namespace: Namespace, work: Callable[[], object], folder: Path) -> None:
    assert Inside(namespace.name, work, folder / "log").wait() == 0, (folder / "log").read_text()


def leave_checksums_to_the_kernel() -> None:
    """What ``ethtool -K outer tx off`` does."""
    wanted = ctypes.create_string_buffer(struct.pack("II", _ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sQ16x", b"outer", ctypes.addressof(wanted))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)


def send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"hello", (_RECEIVER, _PORT))


def receive(ready: Path) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving:
        receiving.bind((_RECEIVER, _PORT))
        receiving.settimeout(1)
        ready.touch()
        try:
            return receiving.recv(100) == b"hello"
        except TimeoutError:
            return False


@pytest.mark.parametrize(("script", "arrives"), [("", True), (CLEARED, False)])
def test_a_checksum_that_is_cleared_before_it_is_finished_loses_the_packet(
    script: str, arrives: bool, path: Path3, tmp_path: Path
) -> None:
    """So the translation of CHECKSUM leaves it alone."""
    sender, router, receiver = path
    router.load(script)
    ready = tmp_path / "ready"
    receiving = Inside(receiver.name, lambda: receive(ready), tmp_path / "receiver")
    for _ in range(200):
        if ready.exists():
            break
        time.sleep(0.02)
    inside(sender, send, tmp_path)
    assert (receiving.wait() == 0) is arrives, (tmp_path / "receiver").read_text()
