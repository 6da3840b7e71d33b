"""A plan is tried in the kernel: the whole node before the move, and after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from vpccni_nft.cli.commands import cli

pytestmark = pytest.mark.kernel

#: Rules of two owners in one table, of which one moves; what stays decides some packets.
DUMP = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:ts-forward - [0:0]
-A INPUT -p tcp -m tcp --dport 9 -j REJECT --reject-with icmp-port-unreachable
-A FORWARD -s 192.0.2.0/24 -j DROP
-A FORWARD -i tailscale0 -j ts-forward
-A ts-forward -d 198.51.100.0/24 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE
COMMIT
"""

NATIVE = """\
table ip mine {
	chain input {
		type filter hook input priority 50; policy accept;
		tcp dport 7 drop
	}
}
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
		meta l4proto tcp tcp dport 9 counter packets 0 bytes 0 reject
	}
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
		ip saddr 192.0.2.0/24 counter packets 0 bytes 0 drop
		iifname "tailscale0" counter packets 0 bytes 0 jump ts-forward
	}
	chain ts-forward {
		ip daddr 198.51.100.0/24 counter packets 0 bytes 0 drop
	}
}
"""


@pytest.mark.parametrize("program", ["legacy", "nft"])
def test_a_plan_of_a_part_is_rehearsed_with_the_whole_node(program: str, tmp_path: Path) -> None:
    (tmp_path / "node.save").write_text(DUMP)
    listed = NATIVE if program == "nft" else NATIVE.partition("table ip filter")[0]
    (tmp_path / "node.nft").write_text(listed)
    plan = tmp_path / "plan"
    made = CliRunner().invoke(
        cli,
        ["migrate", "plan", str(plan), f"--iptables-{program}-save", str(tmp_path / "node.save"),
         "--nft", str(tmp_path / "node.nft"), "--owner", "tailscale", "--force-owner", "tailscale"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    tried = CliRunner().invoke(cli, ["migrate", "rehearse", str(plan), "--packets", "600"])
    assert tried.exit_code == 0, tried.output
