"""Names of values that files written by hand have, where iptables-save prints numbers.

Source: what the extensions of iptables 1.8.9 take (libxt_icmp.h, libxt_dscp.c, tos_values.c,
xtoptions.c), tried one by one against the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Types of ICMP, by name; another name of one has the same text.
ICMP_TYPES = {
    "any": "any", "echo-reply": "0", "pong": "0", "destination-unreachable": "3",
    "network-unreachable": "3/0", "host-unreachable": "3/1", "protocol-unreachable": "3/2",
    "port-unreachable": "3/3", "fragmentation-needed": "3/4", "source-route-failed": "3/5",
    "network-unknown": "3/6", "host-unknown": "3/7", "network-prohibited": "3/9",
    "host-prohibited": "3/10", "TOS-network-unreachable": "3/11", "TOS-host-unreachable": "3/12",
    "communication-prohibited": "3/13", "host-precedence-violation": "3/14",
    "precedence-cutoff": "3/15", "source-quench": "4", "redirect": "5", "network-redirect": "5/0",
    "host-redirect": "5/1", "TOS-network-redirect": "5/2", "TOS-host-redirect": "5/3",
    "echo-request": "8", "ping": "8", "router-advertisement": "9", "router-solicitation": "10",
    "time-exceeded": "11", "ttl-exceeded": "11", "ttl-zero-during-transit": "11/0",
    "ttl-zero-during-reassembly": "11/1", "parameter-problem": "12", "ip-header-bad": "12/0",
    "required-option-missing": "12/1", "timestamp-request": "13", "timestamp-reply": "14",
    "address-mask-request": "17", "address-mask-reply": "18",
}  # fmt: skip

#: The same of ICMPv6.
ICMPV6_TYPES = {
    "destination-unreachable": "1", "no-route": "1/0", "communication-prohibited": "1/1",
    "beyond-scope": "1/2", "address-unreachable": "1/3", "port-unreachable": "1/4",
    "failed-policy": "1/5", "reject-route": "1/6", "packet-too-big": "2", "time-exceeded": "3",
    "ttl-exceeded": "3", "ttl-zero-during-transit": "3/0", "ttl-zero-during-reassembly": "3/1",
    "parameter-problem": "4", "bad-header": "4/0", "unknown-header-type": "4/1",
    "unknown-option": "4/2", "echo-request": "128", "ping": "128", "echo-reply": "129",
    "pong": "129", "router-solicitation": "133", "router-advertisement": "134",
    "neighbour-solicitation": "135", "neighbor-solicitation": "135",
    "neighbour-advertisement": "136", "neighbor-advertisement": "136", "redirect": "137",
}  # fmt: skip

#: Levels of syslog.
LOG_LEVELS = {
    "emerg": 0, "panic": 0, "alert": 1, "crit": 2, "error": 3, "warning": 4, "notice": 5,
    "info": 6, "debug": 7,
}  # fmt: skip

#: Classes of DSCP (RFC 2474, 2597 and 3246).
DSCP_CLASSES = {
    "BE": 0x00, "EF": 0x2E,
    **{f"CS{number}": number << 3 for number in range(8)},
    **{f"AF{group}{drop}": group << 3 | drop << 1 for group in (1, 2, 3, 4) for drop in (1, 2, 3)},
}  # fmt: skip

#: Types of service (RFC 1349); they leave the upper two bits of the byte alone.
TOS_NAMES = {
    "Minimize-Delay": 0x10, "Maximize-Throughput": 0x08, "Maximize-Reliability": 0x04,
    "Minimize-Cost": 0x02, "Normal-Service": 0x00,
}  # fmt: skip
TOS_NAMES_MASK = 0x3F


def by_beginning(text: str, names: Mapping[str, str]) -> str:
    """What a name means, or the beginning of one, in any case; any other text as it is.

    >>> by_beginning("ECHO-REQ", ICMP_TYPES), by_beginning("8/0", ICMP_TYPES)
    ('8', '8/0')
    """
    found = {meant for name, meant in names.items() if _begins(name, text)}
    if len(found) > 1:
        raise ValueError(f"“{text}” is the beginning of {_listed(names, text)}")
    return found.pop() if found else text


def _begins(name: str, text: str) -> bool:
    return bool(text) and name.lower().startswith(text.lower())


def _listed(names: Iterable[str], text: str) -> str:
    return " and ".join(name for name in names if _begins(name, text))


def dscp_class(text: str) -> str:
    """A class of DSCP as digits."""
    if text.upper() not in DSCP_CLASSES:
        raise ValueError(f"“{text}” is not a class of DSCP")
    return str(DSCP_CLASSES[text.upper()])


def tos_text(text: str) -> str:
    """A name of a type of service as VALUE/MASK; any other text as it is."""
    found = {name.lower(): value for name, value in TOS_NAMES.items()}.get(text.lower())
    return text if found is None else f"{found}/{TOS_NAMES_MASK}"
