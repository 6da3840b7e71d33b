"""What is known of a node: texts by what they are, without what differs from one save to the next.

Two nodes with the same texts have the same rules, and so the same answer. Lines keep their numbers,
so that a message names the line of the file.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from .detection import ALL_SLOTS

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class DumpKind:
    """What a dump is known to be before it is read."""

    slot: str | None  #: its name in ``detection.ALL_SLOTS``; None where the family is not known
    family: Family | None


#: The dumps that a node can have, by the names of their files.
DUMPS: dict[str, DumpKind] = {
    **{
        slot.program.removesuffix("-save") + ".save": DumpKind(name, Family(slot.family))
        for name, slot in ALL_SLOTS.items()
    },
    "rules.save": DumpKind(None, None),
}

#: A dump of which nothing is known.
RULES = "rules.save"

#: What ``nft list ruleset``, ``ipset save`` and ``iptables --version`` print.
NFT, IPSETS, VERSION = "nft.txt", "ipset.save", "iptables-version"

#: The list of what a record has, and how each program ended.
MANIFEST = "record.txt"

#: What a record has beside the rules: where packets go, and in which order chains run.
FACTS = (
    MANIFEST, "hooks.txt", "nft-version", "ipset-version", "kernel.txt", "sysctl.txt",
    "addresses.json", "routes.json", "routes6.json", "policies.json", "policies6.json",
)  # fmt: skip


@attrs.frozen
class Snapshot:
    """A node's texts."""

    name: str
    texts: Mapping[str, str]  #: by the names of ``DUMPS``, ``NFT``, ``IPSETS`` and ``VERSION``
    files: Mapping[str, str]  #: the file that each text is from
    problem: str = ""  #: why it cannot be examined
    #: What else is known of the node, by the names of ``FACTS``; its rules do not depend on it.
    facts: Mapping[str, str] = attrs.Factory(dict)

    @property
    def key(self) -> str:
        """The same for nodes with the same rules."""
        texts = json.dumps(sorted(self.texts.items()))
        return hashlib.sha256(texts.encode()).hexdigest()
