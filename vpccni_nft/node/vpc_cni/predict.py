"""What another release of the CNI would write on a node, in place of its connmark rules.

Its other rules, for source NAT and for the primary ENI, are in iptables in all releases, and stay.
"""

from __future__ import annotations

import enum
from pathlib import PurePath
from typing import TYPE_CHECKING

import attrs

from ...core.span import Source
from ...core.values import Family
from ...text.nft_reader import load
from ...text.saved_from import SavedFrom, saved_from
from ..detection import ALL_SLOTS, BackEnd
from ..kube_proxy.on_node import Parts, parse_restore_file
from ..kube_proxy.predict import NotGiven
from ..snapshot import DUMPS
from .connmark import CHAIN, TABLE, as_restore_file, as_table
from .read import has_table, is_connmark, is_restore, read_iptables, read_table, refused

if TYPE_CHECKING:
    from ... import iptables
    from ...proof.side import Side

_KNOWN = {BackEnd.NFT: SavedFrom.NFT, BackEnd.LEGACY: SavedFrom.LEGACY}


class Release(enum.Enum):
    """A release of the CNI, by the form of its connmark rules."""

    V1_22 = "1.22"  #: in iptables: from v1.16.1 on
    V1_23 = "1.23"  #: in a table of its own, where iptables is iptables-nft


@attrs.frozen
class CniChange:
    """A node with the rules of another release, and what that rests on."""

    after: Side
    script: str  #: what the CNI would write, for ``nft -f`` or for iptables-restore
    assumptions: tuple[str, ...]  #: sentences


def predicted(side: Side, to: Release, back_end: SavedFrom = SavedFrom.UNKNOWN) -> CniChange:
    """The node with the CNI of a release. ``back_end`` is that of iptables on it, where known.

    Raises Refused (M303) where the CNI's rules are not understood, or are of that release already,
    and NotGiven where nothing shows the back end.
    """
    parts = Parts.of(side)
    if to is Release.V1_22:
        return _back_to_iptables(side, parts)
    if has_table(parts.native):
        raise refused(f"the CNI has its table {TABLE} already")
    rules = read_iptables(parts.dump)
    if back_end is SavedFrom.UNKNOWN:
        back_end = _back_end(parts.dump)
    if back_end is SavedFrom.UNKNOWN:
        raise NotGiven("nothing shows which back end of iptables the node has", "--iptables")
    if back_end is SavedFrom.LEGACY:
        kept = "the CNI keeps its connmark rules in iptables-legacy, which kubelet uses, too"
        return CniChange(side, as_restore_file(rules) if rules else "", (kept,))
    script = as_table(rules) if rules else ""
    tables = load([Source.of(script, "<vpc-cni>")]).ruleset.tables
    native = attrs.evolve(parts.native, tables=(*parts.native.tables, *tables))
    dump = _without_connmark(parts.dump)
    external = "the CNI's chain is empty: it is configured with external SNAT"
    return CniChange(Parts(dump, native).on(side), script, () if rules else (external,))


def _back_to_iptables(side: Side, parts: Parts) -> CniChange:
    if any(is_connmark(chain.name) for table in parts.dump.tables for chain in table.chains):
        raise refused("the CNI has its connmark rules in iptables already")
    script = as_restore_file(read_table(parts.native))
    dump = _with_rules_behind(parts.dump, parse_restore_file(script, Family.IP))
    tables = tuple(table for table in parts.native.tables if table.name != TABLE)
    after = Parts(dump, attrs.evolve(parts.native, tables=tables)).on(side)
    deleted = f"the table {TABLE} is deleted by hand: releases before v1.23 do not know it"
    return CniChange(after, script, (deleted,))


def _back_end(dump: iptables.Ruleset) -> SavedFrom:
    """The back end that has the CNI's chain, by the name of its dump or by what stands in it."""
    for table in dump.tables:
        for chain in table.chains:
            if table.family is Family.IP and chain.name == CHAIN and chain.span:
                source = chain.span.source
                kind = DUMPS.get(PurePath(source.name).name)
                known = _KNOWN.get(ALL_SLOTS[kind.slot].back_end) if kind and kind.slot else None
                return known or saved_from([source])
    return SavedFrom.UNKNOWN


def _without_connmark(dump: iptables.Ruleset) -> iptables.Ruleset:
    """The dump without the CNI's chains, the one rule that leads there, and the restore."""
    return attrs.evolve(dump, tables=tuple(map(_without, dump.tables)))


def _without(table: iptables.Table) -> iptables.Table:
    if (table.family, table.name) != (Family.IP, "nat"):
        return table
    kept = [chain for chain in table.chains if not is_connmark(chain.name)]
    return attrs.evolve(
        table,
        chains=tuple(
            attrs.evolve(chain, rules=tuple(rule for rule in chain.rules if not _is_own(rule)))
            if chain.name == "PREROUTING"
            else chain
            for chain in kept
        ),
    )


def _is_own(rule: iptables.Rule) -> bool:
    return is_restore(rule) or is_connmark(getattr(rule.target, "chain", ""))


def _with_rules_behind(dump: iptables.Ruleset, written: iptables.Ruleset) -> iptables.Ruleset:
    """A dump with the rules of a nat table appended, as the CNI does."""
    (nat,) = written.tables
    tables = {(table.family, table.name): table for table in dump.tables}
    there = tables.get((nat.family, nat.name))
    chains = {chain.name: chain for chain in there.chains} if there else {}
    for chain in nat.chains:
        before = chains.get(chain.name)
        rules = (*before.rules, *chain.rules) if before else chain.rules
        chains[chain.name] = attrs.evolve(before or chain, rules=rules)
    tables[nat.family, nat.name] = attrs.evolve(there or nat, chains=tuple(chains.values()))
    return attrs.evolve(dump, tables=tuple(tables.values()))
