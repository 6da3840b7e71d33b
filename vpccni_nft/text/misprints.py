"""Lines of iptables-nft-save that are not what the rule is.

A program that does not understand the rules of another release of itself leaves parts of them out;
release 1.8.8 prints an address or a port that the rule does not have where it compares a mark.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .saved_from import SavedFrom, release_of, said_by

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The release whose nf_tables programs print sources and ports that rules do not have.
MISPRINTING = (1, 8, 8)

#: Lines that no agent can have asked for: a word that is in the line, how it looks, and what is
#: wrong. A mark may stand before the comment or behind it.
_IMPOSSIBLE: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("[unsupported", re.compile(r"\[unsupported revision\]"), "the target's options are missing"),
    ("-j DNAT", re.compile(r"(--to-destination .*){2}"), "the target has its option twice"),
    (
        "-j DNAT",
        re.compile(r"-j DNAT --to-destination (?:-|\Z| )"),
        "the address of the target is missing",
    ),
    (
        "dropping marked",
        re.compile(r'(?!.*--mark)-A KUBE-.*dropping marked packets".* -j DROP\Z'),
        "kubelet drops packets with a mark here, and the mark is missing",
    ),
    (
        "CNI-HOSTPORT-MASQ",
        re.compile(r"-A CNI-HOSTPORT-MASQ(?!.*--mark).* -j MASQUERADE"),
        "portmap asks for a mark here, and the mark is missing",
    ),
)

#: Chains whose rules are looked at in a dump of any release.
CHAINS = frozenset({"KUBE-FIREWALL", "KUBE-MARK-DROP", "CNI-HOSTPORT-MASQ"})

_PLACE = re.compile(r" (?:-[sd]|--[sd]ports?|--ports) ")

HINT = "save with the iptables version that wrote the rules: that of the agent's container"
_DOUBT = (
    "iptables-nft-save 1.8.8 prints an address or a port that the rule does not have, where it"
    " compares a mark as this one does"
)
NEWER = "save with iptables 1.8.9 or later"


def misprint_of(line: str) -> str:
    """What is wrong with a rule's line, whatever release printed it; nothing where nothing is.

    >>> misprint_of("-A CNI-HOSTPORT-MASQ -j MASQUERADE")
    'portmap asks for a mark here, and the mark is missing'
    """
    for word, pattern, what in _IMPOSSIBLE:
        if word in line and pattern.search(line):
            return what
    return ""


def is_misprinting(generated: str) -> bool:
    """Whether the program of a remark is one that misprints rules with a mark."""
    return said_by(generated) is SavedFrom.NFT and release_of(generated) == MISPRINTING


def is_doubtful(line: str) -> bool:
    """Whether such a program may have printed an address or a port that the rule does not have.

    >>> is_doubtful("-A FORWARD -s 10.0.0.0/8 -m mark --mark 0x1 -j ACCEPT")
    True
    >>> is_doubtful("-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT")
    False
    """
    return "-m mark " in line and bool(_PLACE.search(line))


def problems_of(line: str, *, misprinting: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule's line, and what to do."""
    if what := misprint_of(line):
        yield f"no agent writes this rule: {what}", HINT
    elif misprinting and is_doubtful(line):
        yield _DOUBT, NEWER
