"""Two sides with a ruleset each, on equal nodes, and a guide to their rules."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import attrs

from .. import iptables
from ..core.span import Source
from ..core.values import Family
from ..extensions.matches.nfacct import Nfacct
from ..simulate.constants import values_in
from ..text.sources import parse_sources
from .differential import DifferentialRun, ports_of
from .guide import Guide
from .interrupts import held
from .kernel_log import logging_in_namespaces
from .side import Backend, ReplayError, ReplaySide
from .topology import Topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..iptables.ast import Rule
    from .contents import Contents
    from .conversation import Conversation

#: Packets that a conversation has on average; for budgets.
PACKETS_EACH = 3

_PROGRAMS = {Family.IP: "iptables", Family.IP6: "ip6tables"}


@attrs.frozen(kw_only=True)
class ReplaySettings:
    """How two rulesets are compared."""

    seed: int = 0
    backend: Backend = Backend.LEGACY  #: what takes dumps
    begin: bool = False  #: whether the beginnings of hooks are seen, too
    kernel_log: bool = False  #: whether what rules write to the kernel's log is compared


@attrs.frozen
class Hit:
    """The rules of a dump, and which of them packets have fitted."""

    hit: tuple[tuple[str, Rule], ...]  #: the chain's name, and the rule
    missed: tuple[tuple[str, Rule], ...]


class Testbed:
    """Two loaded sides; a ``with`` block."""

    __test__ = False  # pytest: this is no class of tests

    def __init__(
        self,
        before: Contents,
        after: Contents,
        settings: ReplaySettings,
        node: Topology | None = None,
    ) -> None:
        self.settings = settings
        self._understand(before, after)
        self.node = node or Topology.of(self.rulesets)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            with held():
                self._enter()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with held():
            self._stack.close()

    def _enter(self) -> None:
        settings = self.settings
        if settings.kernel_log:
            self._stack.enter_context(logging_in_namespaces())
        self.sides = tuple(
            self._stack.enter_context(
                ReplaySide(self.node, backend=settings.backend, kernel_log=settings.kernel_log)
            )
            for _ in range(2)
        )
        self._load()

    def replace(self, before: Contents, after: Contents) -> None:
        """Take other rulesets, on equal nodes; the same ones where that is possible.

        An empty table of iptables-legacy stays for the life of its namespace, and a nat table
        makes the kernel translate, even where it is empty.
        """
        stale = _tables(self.before) - _tables(before) or _tables(self.after) - _tables(after)
        self._understand(before, after)
        if not stale and self._is_unloaded():
            self._load()
        else:
            self._stack.close()
            self._enter()

    def _is_unloaded(self) -> bool:
        """Take the rulesets away; false where a side has had enough."""
        try:
            for side in self.sides:
                side.unload()
        except (ReplayError, OSError):
            return False
        return True

    def _understand(self, before: Contents, after: Contents) -> None:
        self.before, self.after = before, after
        self.rulesets = [side.rules for side in (before, after) if side.rules.tables]

    def _load(self) -> None:
        scripts = (*self.before.scripts, *self.after.scripts)
        self.guide = Guide.of(self.node, self.rulesets, scripts, self.settings.seed)
        for side, contents in zip(self.sides, (self.before, self.after), strict=True):
            self._prepare(side, contents)
            side.load(contents.texts)
        one, other = self.sides
        self.probe(begin=self.settings.begin)
        in_turns = self.settings.kernel_log
        self.duel = DifferentialRun(one, other, *ports_of(self.rulesets), in_turns=in_turns)

    def probe(self, *, begin: bool) -> None:
        """Give the probes their rules; ``begin`` is whether the beginnings of hooks are seen."""
        one, other = self.sides
        # Where one side alone tracks connections, a probe would make the other one do so, too.
        tracked = {family: one.tracked[family] and other.tracked[family] for family in Family}
        for side in self.sides:
            side.probe(tracked, begin=begin)

    def _prepare(self, side: ReplaySide, contents: Contents) -> None:
        """Make what the rules of a dump name, and a dump does not hold."""
        values = [value for table in contents.rules.tables for value in values_in(table)]
        counters = {value.object: None for value in values if isinstance(value, Nfacct)}
        side.ask("add_counters", tuple(counters))
        if contents.ipsets:
            side.restore_ipsets(contents.ipsets)

    def conversations(self, packets: int) -> Iterator[Conversation]:
        """Conversations of about so many packets: half of them at rules not hit by the others."""
        count = max(1, packets // PACKETS_EACH)
        stream = self.guide.stream()
        for _ in range(count - count // 2):
            yield next(stream)
        stream = self.guide.stream(without={id(rule) for _, rule in self.hits().hit})
        for _ in range(count // 2):
            yield next(stream)

    def hits(self) -> Hit:
        """Which rules of the dump before have been hit, of those that a hook leads to."""
        hit: list[tuple[str, Rule]] = []
        missed: list[tuple[str, Rule]] = []
        reachable = self.guide.rules
        listed = {
            (table.family, table.name): table for table in self._listed(self.duel.before).tables
        }
        for table in self.before.rules.tables:
            chains = {chain.name: chain for chain in listed[table.family, table.name].chains}
            for chain in table.chains:
                for rule, counted in zip(chain.rules, chains[chain.name].rules, strict=True):
                    if id(rule) in reachable:
                        was_hit = counted.counters and counted.counters.packets
                        (hit if was_hit else missed).append((chain.name, rule))
        return Hit(tuple(hit), tuple(missed))

    def _listed(self, side: ReplaySide) -> iptables.Ruleset:
        """What iptables-save prints on a side now, with counters."""
        families = sorted({table.family for table in self.before.rules.tables}, key=str)
        sources = [
            Source.of(
                side.run(f"{_PROGRAMS[family]}-{side.backend.value}-save", "-c"), family.value
            )
            for family in families
        ]
        return parse_sources(sources)[0]


def _tables(contents: Contents) -> set[tuple[Family, str]]:
    return {(table.family, table.name) for table in contents.rules.tables}
