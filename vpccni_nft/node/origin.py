"""Where a record of a node is from: which host, when, and which versions were there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from .snapshot import MANIFEST, VERSION

if TYPE_CHECKING:
    from .snapshot import Snapshot

_HEAD = re.compile(r"^(?P<key>host|taken): (?P<value>.*)$", re.MULTILINE)


@attrs.frozen(kw_only=True)
class RecordOrigin:
    """What a record says of itself; empty where it does not, or where it is none."""

    host: str = ""
    taken: str = ""  #: in UTC, as ISO 8601 has it
    kernel: str = ""
    nft: str = ""
    iptables: str = ""

    @classmethod
    def of(cls, node: Snapshot) -> RecordOrigin:
        """Read it; a file of rules alone says nothing."""
        head = dict(_HEAD.findall(node.facts.get(MANIFEST, "").partition("\n\n")[0]))
        return cls(
            host=head.get("host", "").strip(),
            taken=head.get("taken", "").strip(),
            kernel=node.facts.get("kernel.txt", "").strip(),
            nft=node.facts.get("nft-version", "").strip(),
            iptables=node.texts.get(VERSION, "").strip(),
        )

    def __str__(self) -> str:
        """As a line for a reader."""
        versions = (self.kernel, self.nft, self.iptables)
        found = (self.host or "host not known", self.taken or "time not known", *versions)
        return ", ".join(one for one in found if one)
