"""kube-proxy as it is on a node: its mode, its Services, and the same rules for other Services."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from ... import iptables, nft
from ...core.diagnostics import OTHER_PROXY_RULES, Diagnostic, Refused
from ...core.span import Source
from ...core.values import Family
from ...text.nft_reader import load
from ...text.sources import parse_sources
from .read_iptables import is_kube_proxys, read_iptables
from .read_nftables import TABLE, read_nftables
from .write_iptables import as_restore_file
from .write_nftables import write_nftables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...iptables.ast import Table
    from ...proof.side import Side
    from .services import KubeProxy
    from .write_nftables import TableForm


class Mode(enum.Enum):
    """What kube-proxy writes."""

    IPTABLES = "iptables"
    NFTABLES = "nftables"


@attrs.frozen
class Parts:
    """What is on a node, by languages."""

    dump: iptables.Ruleset
    native: nft.Ruleset

    @classmethod
    def of(cls, side: Side) -> Parts:
        """A side has one ruleset of each language at most."""
        dumps = (one for one in side.rulesets if isinstance(one, iptables.Ruleset))
        native = (one for one in side.rulesets if isinstance(one, nft.Ruleset))
        return cls(next(dumps, iptables.Ruleset()), next(native, nft.Ruleset()))

    def on(self, side: Side) -> Side:
        """A side with these in place of its own."""
        return attrs.evolve(side, rulesets=(self.dump, self.native))

    def families(self, mode: Mode) -> list[Family]:
        """The families that kube-proxy has rules for in a mode."""
        if mode is Mode.NFTABLES:
            found = {table.family for table in self.native.tables if table.name == TABLE}
        else:
            found = {
                table.family
                for table in self.dump.tables
                for chain in table.chains
                if chain.rules and is_kube_proxys(chain.name)
            }
        return [family for family in Family if family in found]

    @property
    def mode(self) -> Mode:
        """The mode that kube-proxy is in. Raises Refused where there is none, or there are two."""
        modes = [mode for mode in Mode if self.families(mode)]
        if not modes:
            raise refused("there are no rules of kube-proxy in iptables or nftables mode")
        if len(modes) > 1:
            raise refused("there are rules of kube-proxy in both of its modes")
        return modes[0]


@attrs.frozen
class OnNode:
    """kube-proxy on a node."""

    mode: Mode
    proxies: Mapping[Family, KubeProxy]
    form: TableForm | None = None  #: in nftables mode: the oldest release that writes so

    @classmethod
    def of(cls, side: Side) -> OnNode:
        """Read it. Raises Refused (M301)."""
        parts = Parts.of(side)
        mode = parts.mode
        families = parts.families(mode)
        if mode is Mode.IPTABLES:
            return cls(mode, {family: read_iptables(parts.dump, family) for family in families})
        read = {family: read_nftables(parts.native, family) for family in families}
        forms = [form for _, form in read.values()]
        proxies = {family: proxy for family, (proxy, _) in read.items()}
        return cls(mode, proxies, max(forms, key=lambda form: form.value))

    @property
    def count(self) -> int:
        """How many ports of Services there are, in all families."""
        return sum(len(proxy.services) for proxy in self.proxies.values())

    def with_others(self, side: Side, proxies: Mapping[Family, KubeProxy]) -> Side:
        """The side if kube-proxy knew these Services, in the mode and form that it is in.

        What leads to its chains stays where it is.
        """
        parts = Parts.of(side)
        if self.mode is Mode.NFTABLES:
            assert self.form
            scripts = [write_nftables(proxy, self.form) for proxy in proxies.values()]
            loaded = load([Source.of(one, "<kube-proxy>") for one in scripts])
            others = (table for table in parts.native.tables if table.name != TABLE)
            tables = (*others, *loaded.ruleset.tables)
            native = attrs.evolve(parts.native, tables=tables)
            return Parts(parts.dump, native).on(side)
        dump = parts.dump
        for family, proxy in proxies.items():
            written = parse_restore_file(as_restore_file(proxy), family).tables
            by_name = {table.name: table for table in written}
            changed = tuple(
                _with_chains_of(table, by_name[table.name])
                if table.family is family and table.name in by_name
                else table
                for table in dump.tables
            )
            dump = attrs.evolve(dump, tables=changed)
        return Parts(dump, parts.native).on(side)


def _with_chains_of(table: Table, written: Table) -> Table:
    """A table with kube-proxy's chains as they are written, and its built-in ones as they are."""
    others = (chain for chain in table.chains if not is_kube_proxys(chain.name))
    own = (chain for chain in written.chains if is_kube_proxys(chain.name))
    return attrs.evolve(table, chains=(*others, *own))


def parse_restore_file(text: str, family: Family) -> iptables.Ruleset:
    """What kube-proxy would write in iptables mode, read. Raises Refused."""
    ruleset, problems = parse_sources((Source.of(text, "<kube-proxy>"),), family)
    if any(problem.refuses for problem in problems):
        raise Refused(problems)
    return ruleset


def refused(message: str) -> Refused:
    """That kube-proxy's rules are not understood, without a place."""
    return Refused([Diagnostic(OTHER_PROXY_RULES, message)])
