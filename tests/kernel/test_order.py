"""What a proof takes the kernel to do with base chains, shown by counters."""

from __future__ import annotations

import re

import pytest

from ..support.namespaces import Namespace

pytestmark = pytest.mark.kernel

#: Two base chains of one priority: the second one to run sees the mark of the first one.
TIED = """table ip a {
	chain c {
		type filter hook output priority 5; policy accept;
		meta mark 0x2 counter comment "b first"
		meta mark set 0x1
	}
}
table ip b {
	chain c {
		type filter hook output priority 5; policy accept;
		meta mark 0x1 counter comment "a first"
		meta mark set 0x2
	}
}
"""

#: Only nat chains, and no statement that binds anything.
UNTRACKED = """table ip n {
	chain c {
		type nat hook output priority -100; policy accept;
		counter comment "nat"
	}
	chain d {
		type filter hook output priority 0; policy accept;
		counter comment "filter"
	}
}
"""


def counted(namespace: Namespace) -> dict[str, int]:
    """Packets that rules have counted, by their comments."""
    pattern = r'counter packets (\d+) bytes \d+ comment "([^"]+)"'
    return {name: int(count) for count, name in re.findall(pattern, namespace.list_ruleset())}


def send(namespace: Namespace) -> None:
    namespace.run("ip", "link", "set", "lo", "up")
    namespace.run("ip", "addr", "replace", "192.0.2.1/32", "dev", "lo")
    script = (
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        ".sendto(b'x', ('192.0.2.1', 9))"
    )
    namespace.run("python3", "-c", script)


@pytest.mark.parametrize("apart", [False, True])
def test_of_one_priority_what_was_registered_last_runs_first(*, apart: bool) -> None:
    with Namespace() as namespace:
        first, last = TIED.split("table ip b")
        for script in (first, f"table ip b{last}") if apart else (TIED,):
            namespace.load(script)
        send(namespace)
        found = counted(namespace)
    assert found["b first"] > 0
    assert found["a first"] == 0


@pytest.mark.parametrize("tracked", [False, True])
def test_nat_chains_run_only_where_connections_are_tracked(*, tracked: bool) -> None:
    with Namespace() as namespace:
        namespace.load(UNTRACKED.replace("counter comment \"filter\"",
                       f"{'ct state new ' * tracked}counter comment \"filter\""))  # fmt: skip
        send(namespace)
        found = counted(namespace)
    assert found["filter"] > 0
    assert (found["nat"] > 0) == tracked
