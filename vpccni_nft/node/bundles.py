"""What teams have of a node: the archives of support tools, and which of their files matter.

- The EKS log collector writes a folder ``networking``: ``iptables-save.txt``,
  ``ip6tables-save.txt``, and ``ipset.txt`` with what ``ipset list`` prints before what ``ipset
  save`` does. Its files ``iptables*.txt`` are listings of ``iptables -L``, which lose parts of
  rules, and are not read.
- sosreport writes a folder ``sos_commands``, each file named by its command.

In either, a file of another name is nothing of a node's rules, whatever is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .snapshot import DUMPS, IPSETS, NFT, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What a file with this name is, without its extension and without ``-save``.
NAMES = {
    **{name.removesuffix(".save"): name for name in DUMPS},
    "nft": NFT, "ruleset": NFT, "nft-ruleset": NFT, "nft-list-ruleset": NFT, "nftables": NFT,
    "nft-a-list-ruleset": NFT,
    "ipset": IPSETS,
    "iptables-version": VERSION, "version": VERSION,
}  # fmt: skip

#: Files of the log collector and of sosreport. A bare ``iptables.txt`` is a listing.
_COLLECTED = {
    **{f"{name}-save": kind for name, kind in NAMES.items() if kind in DUMPS},
    "ipset": IPSETS, "ipset-save": IPSETS,
    "nft": NFT, "nft-ruleset": NFT, "nft-list-ruleset": NFT, "nft-a-list-ruleset": NFT,
    "nftables": NFT, "nftables-ruleset": NFT,
    "iptables-version": VERSION,
}  # fmt: skip

#: The folders that the rules are in.
ROOTS = ("networking", "sos_commands")

#: How deep the folders of a bundle lie below its root.
DEPTH = 5

#: How many parts the names of an archive have whose files lie in one folder.
FLAT = 2

Parts = tuple[str, ...]


def plain_name(name: str) -> str:
    """A file's name as the tables here have it: words with a dash between them."""
    return "-".join(name.lower().replace("_", "-").replace("--", "-").split())


def named(stem: str) -> str | None:
    """What a file is by its name without its extension."""
    return NAMES.get(plain_name(stem).removesuffix("-save"))


def is_bundle(names: Iterable[Parts]) -> bool:
    """Whether files of these names are those of a bundle."""
    return any(_place(parts) for parts in names)


def kind_in_bundle(parts: Parts) -> str | None:
    """What a file of a bundle is; None for one that has nothing of a node's rules."""
    if not _place(parts):
        return None
    return _COLLECTED.get(plain_name(parts[-1].removesuffix(".txt")))


def _place(parts: Parts) -> bool:
    """Whether a file lies in one of the folders that the rules are in."""
    folders = parts[:-1][:DEPTH]
    collector, sos = ROOTS
    return sos in folders or folders[-1:] == (collector,)
