"""What ``ip -j`` prints on a node with pods, two network interfaces and routing rules."""

from __future__ import annotations

from typing import Any

ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1"}]},
    {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "10.0.12.34"}]},
    {"ifname": "eth1", "addr_info": []},
    {"ifname": "eni1", "addr_info": []},
]
ROUTES: list[dict[str, Any]] = [
    {"dst": "default", "dev": "eth1", "table": "2", "flags": []},
    {"type": "throw", "dst": "10.7.0.0/16", "table": "2", "flags": []},
    {"dst": "default", "gateway": "10.0.0.1", "dev": "eth0", "flags": []},
    {"dst": "10.0.0.0/20", "dev": "eth0", "scope": "link", "flags": []},
    {"dst": "10.0.13.21", "dev": "eni1", "scope": "link", "flags": []},
    {"type": "blackhole", "dst": "10.8.0.0/16", "flags": []},
    {"dst": "10.9.0.0/16", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}], "flags": []},
    {"dst": "10.10.0.0/16", "dev": "eth0", "flags": ["dead", "linkdown"]},
    {"type": "local", "dst": "10.0.12.34", "dev": "eth0", "table": "local", "flags": []},
    {"type": "broadcast", "dst": "10.0.15.255", "dev": "eth0", "table": "local", "flags": []},
    {"type": "local", "dst": "127.0.0.0/8", "dev": "lo", "table": "local", "flags": []},
]
RULES: list[dict[str, Any]] = [
    {"priority": 0, "src": "all", "table": "local"},
    {"priority": 512, "src": "all", "dst": "10.0.13.21", "table": "main"},
    {"priority": 1024, "src": "all", "fwmark": "0x80", "fwmask": "0x80", "table": "main"},
    {"priority": 1536, "src": "10.0.13.0", "srclen": 24, "table": "2"},
    {"priority": 2000, "not": None, "src": "all", "dst": "10.0.0.0", "dstlen": 8,
     "action": "prohibit"},
    {"priority": 2001, "src": "all", "ipproto": "udp", "dport_start": 53, "dport_end": 54,
     "table": "2"},
    {"priority": 32766, "src": "all", "table": "main"},
    {"priority": 32767, "src": "all", "table": "default"},
]  # fmt: skip
