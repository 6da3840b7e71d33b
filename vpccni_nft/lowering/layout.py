"""The mirror layout: iptables' tables and built-in chains as nft tables and base chains.

Hooks and priorities are those of iptables itself (linux/netfilter_ipv4.h, nf_ip_hook_priorities;
the same numbers for IPv6). The tables' names are our own: filter, nat, mangle, raw and security
belong to iptables-nft.
"""

from __future__ import annotations

from ..nft.ast import Hook
from ..nft.names import TABLE_PREFIX

#: A built-in chain's hook.
HOOKS = {
    "PREROUTING": "prerouting",
    "INPUT": "input",
    "FORWARD": "forward",
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}

#: A table's built-in chains with their priorities.
PRIORITIES: dict[str, dict[str, int]] = {
    "raw": dict.fromkeys(("PREROUTING", "OUTPUT"), -300),
    "mangle": dict.fromkeys(HOOKS, -150),
    "nat": {"PREROUTING": -100, "INPUT": 100, "OUTPUT": -100, "POSTROUTING": 100},
    "filter": dict.fromkeys(("INPUT", "FORWARD", "OUTPUT"), 0),
    "security": dict.fromkeys(("INPUT", "FORWARD", "OUTPUT"), 50),
}


def table_name(table: str) -> str:
    """The nft table that takes an iptables table's rules."""
    return f"{TABLE_PREFIX}{table}"


def hook(table: str, chain: str, policy: str) -> Hook:
    """Where the kernel calls a built-in chain."""
    return Hook(_chain_type(table, chain), HOOKS[chain], PRIORITIES[table][chain], policy)


def _chain_type(table: str, chain: str) -> str:
    if table == "nat":
        return "nat"
    # A packet whose mark mangle OUTPUT has changed is routed again (iptable_mangle.c).
    return "route" if (table, chain) == ("mangle", "OUTPUT") else "filter"
