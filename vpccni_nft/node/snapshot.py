"""What is known of a node: texts by what they are, without what differs from one save to the next.

Two nodes with the same texts have the same rules, and so the same answer. Lines keep their numbers,
so that a message names the line of the file.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import attrs

from ..core.span import Source
from ..core.values import Family
from ..lowering.options import TranslateOptions
from ..text.language import Language, detect_language
from .detection import ALL_SLOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..proof.side import Side
    from .kube_proxy.services import ServicePort


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

    @property
    def sources(self) -> dict[str, Source]:
        """The texts, with the files that they are from."""
        return {
            name: Source.of(text, self.files.get(name, name)) for name, text in self.texts.items()
        }

    @classmethod
    def of(cls, texts: Mapping[str, str], facts: Mapping[str, str] | None = None) -> Snapshot:
        """The node whose programs printed these texts, by the names of ``DUMPS`` and the others.

        Raises ValueError where a name is none of them.
        """
        facts = facts or {}
        for name in (*texts, *facts):
            if name not in {*DUMPS, NFT, IPSETS, VERSION, *FACTS}:
                raise ValueError(f"{name} is not a file of a node")
        return cls("", texts, {}, facts=facts)

    def services(self) -> tuple[ServicePort, ...]:
        """The ports of Services that kube-proxy's rules mean, in either of its modes.

        Raises Refused (M301) where its rules are not understood, or there are none;
        ``kube_proxy.questions`` has an example.
        """
        from .kube_proxy.on_node import OnNode

        proxies = OnNode.of(self.side()).proxies.values()
        return tuple(service for proxy in proxies for service in proxy.services)

    def side(self) -> Side:
        """All its rules, for a proof. Raises Refused."""
        from ..proof.side import Side

        sources = self.sources
        return Side.of(rules_of(sources), TranslateOptions.of(ipset_save=sources.get(IPSETS)))


def rules_of(sources: Mapping[str, Source]) -> tuple[Source, ...]:
    """All rules of a node, by the names of its texts: the dumps, then the nft ruleset.

    A file without rules says that there are none. iptables-nft may say in it that iptables-legacy
    has some: unless these were given, that is for its reader to refuse.
    """
    all_are_given = any("legacy" in name for name in sources if name in DUMPS)
    return tuple(
        one
        for name in (*DUMPS, NFT)
        if (one := sources.get(name)) is not None
        if detect_language(one) is not Language.BLANK
        or (any(map(str.strip, one.lines)) and not all_are_given)
    )
