"""What programs of Debian wrote: tests/corpus/writers, and its README."""

from __future__ import annotations

from pathlib import Path

from vpccni_nft.core.diagnostics import APPROXIMATIONS

from .corpus import FOLDER

WRITERS = FOLDER / "writers"
DUMPS = sorted(WRITERS.glob("*.save"))
LISTINGS = sorted(WRITERS.glob("*.nft"))
ALL = tuple(sorted(APPROXIMATIONS))


def name_of(path: Path) -> str:
    return path.name


def writer_of(path: Path) -> str:
    """The name of a fixture without its kind."""
    return path.name.removesuffix(".nft").removesuffix(".save").removesuffix(".v6")


def sets_of(path: Path) -> str | None:
    sets = WRITERS / f"{writer_of(path)}.ipset"
    return sets.read_text() if sets.exists() else None


#: Dumps that have no translation, whatever is allowed, and the codes of the rules that have none.
REFUSED = {
    "arno.save": {"T001": 1},  # a helper ahead of conntrack
    "firewalld-iptables.save": {"T001": 2},  # the same
    "firewalld-iptables.v6.save": {"T001": 1},
    "fwsnort.save": {"T001": 6},  # string
    "netavark-iptables.save": {"T001": 2},  # a range of ports that is shifted
}

#: Dumps whose translation differs in what an approximation says, and the model knows it.
TOLD_APART = {
    "libvirt-iptables.save": "T119",
    "lxc-iptables.save": "T119",
    "ufw.save": "T120",
    "ufw.v6.save": "T120",
}
