"""The back end of dumps whose program does not say it: iptables 1.8.0 to 1.8.7.

What else is known of the node may show it: a remark that iptables-legacy has tables as well is one
of iptables-nft; and what ``nft list ruleset`` prints has the chains of iptables-nft, and none of
iptables-legacy. Where nothing shows it, it stays unknown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..core.span import Source
from .scan import scan_dump, scan_ruleset
from .snapshot import NFT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .scan import ChainPlace, Scan

_LEGACY_TOO = re.compile(r"^# Warning: ip6?tables-legacy tables present", re.MULTILINE)

#: Dumps of an unknown back end with their families, and their names where it is known.
_UNKNOWN = {"iptables.save": "ip", "ip6tables.save": "ip6"}


def resolved(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts, with dumps by the names of their back ends as far as anything shows them."""
    found = dict(texts)
    ruleset = scan_ruleset(Source.of(texts[NFT])) if NFT in texts else None
    for name, family in _UNKNOWN.items():
        back_end = _back_end(texts[name], family, ruleset) if name in texts else ""
        known = name.replace(".save", f"-{back_end}.save")
        if back_end and known not in texts:
            found[known] = found.pop(name)
    return found


def _back_end(text: str, family: str, ruleset: Scan | None) -> str:
    if _LEGACY_TOO.search(text):
        return "nft"
    if ruleset is None:
        return ""
    dump = scan_dump(Source.of(text), family)
    rules = _rules(dump, family)
    shown = _rules(ruleset, family)
    if rules and not shown:
        return "legacy"
    return "nft" if rules and rules == shown else ""


def _rules(scan: Scan, family: str) -> dict[ChainPlace, int]:
    """The chains of iptables that have rules, with their numbers."""
    return {
        place: seen.rules
        for place, seen in scan.chains.items()
        if place.of_iptables and place.family == family and seen.rules
    }
