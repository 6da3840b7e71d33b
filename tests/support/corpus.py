"""The dumps that ship with the tests, and which approximations each needs."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "corpus"

#: Dumps of nodes: all of these have a translation.
NODES = sorted([*FOLDER.glob("vpccni/*.save"), *FOLDER.glob("node/*.save")])

#: Dumps of other tools and odd forms: each has one, or is refused for a true reason.
GENERAL = sorted(FOLDER.glob("general/*.save"))

#: General dumps that have no translation, and the codes that refuse them.
REFUSED = {
    "nft-extra-base-chain": {"P009"},
    "nft-native-ct-rule": {"P009"},
    "odd-forms-legacy": {"T001", "T105", "T109", "T110", "T114", "T116", "T119"},
    "tool-ferm-legacy": {"T116"},
    "tool-shorewall-legacy": {"T001", "T109", "T116", "T120"},
    "tool-ufw-legacy": {"T120"},
}

#: Every dump that says all that the node holds, and so can be read.
READABLE = [path for path in (*NODES, *GENERAL) if "P009" not in REFUSED.get(path.stem, ())]

#: Every dump that has a translation, once its approximations are allowed.
TRANSLATED = [path for path in READABLE if path.stem not in REFUSED]

#: Nodes without a rule of the CNI.
WITHOUT_CNI = {
    *("ecs-agent-host", "eks-1.28-ipv6-cluster-ip6tables", "eks-mixed-legacy-half"),
    *("portmap-binary-1.1.1-legacy", "portmap-binary-1.1.1-nft", "v1.1-externalsnat"),
}
NODES_WITHOUT_CNI = [path for path in NODES if path.stem in WITHOUT_CNI]
NODES_WITH_CNI = [path for path in NODES if path.stem not in WITHOUT_CNI]

#: Nodes whose sets are known.
WITH_SETS = [path for path in NODES if path.with_suffix(".ipset").exists()]

#: What a dump's rules need to be allowed, by what they hold.
NEEDS = {
    "T101": "-m recent",
    "T102": "-m physdev",
    "T103": "-m set",
    "T104": "-m rpfilter",
    "T117": "conntrack zone for SGP strict mode",
}


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def ipsets_of(path: Path) -> str | None:
    """What ``ipset save`` printed on the node, where its rules name sets."""
    sets = path.with_suffix(".ipset")
    return sets.read_text() if sets.exists() else None


def allowances(dump: str) -> list[str]:
    """The codes that a dump needs."""
    needed = [code for code, words in NEEDS.items() if words in dump]
    if "ip6tables-save" in dump and "-m addrtype" in dump:
        needed.append("T106")
    return needed


def without_times(text: str) -> str:
    """A dump without what differs from one save to the next."""
    return re.sub(r"( on [A-Z][a-z]{2} [A-Z][a-z]{2} .*)$", "", text, flags=re.MULTILINE)
