"""What a replay needs of the machine, checked before anything is begun."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..core.isolated import PROGRAMS, path_of
from ..core.values import Family

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .contents import Contents
    from .testbed import ReplaySettings

_PREFIX = {Family.IP: "iptables", Family.IP6: "ip6tables"}

#: Where a program makes network devices of its own.
_TUN = "/dev/net/tun"


def lacking(sides: Sequence[Contents], settings: ReplaySettings) -> list[str]:
    """Why these rulesets cannot be replayed here, as far as that can be known beforehand."""
    if os.geteuid() != 0:
        return ["network namespaces need root: run this with sudo, or in a privileged container"]
    found = [
        f"{program} is missing from {PROGRAMS}"
        for program in dict.fromkeys(_programs(sides, settings))
        if not path_of(program)
    ]
    if not os.access(_TUN, os.R_OK | os.W_OK):
        found.append(f"{_TUN} cannot be opened: load the kernel module tun (modprobe tun)")
    return found


def _programs(sides: Sequence[Contents], settings: ReplaySettings) -> Iterator[str]:
    yield from ("ip", "nft")
    for side in sides:
        for table in side.rules.tables:
            stem = f"{_PREFIX[table.family]}-{settings.backend.value}"
            yield from (f"{stem}-restore", f"{stem}-save")
            if side.ipsets:
                yield "ipset"
