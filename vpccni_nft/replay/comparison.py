"""Two rulesets compared with each other in the kernel, from texts to a result."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

import attrs

from ..core.span import Source
from ..core.values import Family
from ..text.iptables_save import rule_line
from .contents import Contents
from .difference import Difference, explain
from .differential import Tally
from .interrupts import held, masked
from .machine import lacking
from .one_packet import conversation_of, node_for, not_brought_about
from .side import ReplayError
from .testbed import ReplaySettings, Testbed
from .topology import Topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..iptables.ast import Rule
    from ..simulate.packet_text import PacketText
    from .conversation import Conversation

#: Packets where nothing is said of them, and mismatches after which a replay ends.
PACKETS, MOST = 20_000, 10


@attrs.frozen
class RuleOfDump:
    """A rule of the dump before."""

    text: str  #: as iptables-save writes it
    file: str
    line: int  #: from 1


@attrs.frozen
class Brought:
    """One packet, and the conversation that was to bring it to its hook."""

    conversation: str
    missing: tuple[str, ...]  #: what of the packet was not so, in words


@attrs.frozen(kw_only=True)
class Result:
    """What a replay has shown."""

    differences: tuple[Difference, ...]
    #: Conversations, packets put in on either side, conversations repeated and left undecided.
    tally: Tally
    hit: tuple[RuleOfDump, ...]  #: of the dump before, those that packets have fitted
    missed: tuple[RuleOfDump, ...]  #: those that a hook leads to, and that no packet has fitted
    seconds: float  #: for the conversations, without making the nodes
    stopped: bool  #: whether it ended early, as there were enough mismatches
    brought: Brought | None = None  #: where one packet was replayed

    @property
    def equal(self) -> bool | None:
        """Whether the sides treat packets the same; None where what was tried does not show it."""
        if self.differences:
            return False
        undecided = self.tally.undecided >= self.tally.conversations
        short = self.brought is not None and bool(self.brought.missing)
        return None if undecided or short or not self.tally.packets else True

    @property
    def alike(self) -> bool | None:
        """The old name of ``equal``."""
        warnings.warn("use Result.equal", DeprecationWarning, stacklevel=2)
        return self.equal


def compare(  # noqa: PLR0913 - each is an option of the command
    before: Iterable[Source | str],
    after: Iterable[Source | str],
    *,
    packets: int = PACKETS,
    ipset_save: Source | None = None,
    settings: ReplaySettings | None = None,
    family: Family | None = None,
    packet: Callable[[Family], PacketText] | PacketText | None = None,
    most: int = MOST,
    progress: Callable[[Tally], None] | None = None,
) -> Result:
    """Replay conversations through two rulesets in namespaces of their own; needs root.

    ``before`` and ``after`` are dumps of iptables-save and scripts for nft, any mixture of them.
    About ``packets`` packets are put in on either side; the replay ends early after ``most``
    mismatches. ``settings`` has the seed and the programs that take dumps; ``ipset_save`` the sets.
    ``family`` is that of dumps which do not show it. With ``packet`` that packet alone is replayed.
    ``progress`` is called again and again with what has been tried so far.

    Signals that end a program are held back while namespaces are made and removed. Raises Refused
    where a dump cannot be read, and ReplayError where the machine lacks something or the kernel
    does not accept a ruleset.
    """
    bench = Bench.of(before, after, ipset_save, family, settings or ReplaySettings())
    return bench.run(packet, packets=packets, most=most, progress=progress)


@attrs.frozen
class Bench:
    """Two sides that this machine can play."""

    sides: tuple[Contents, Contents]
    settings: ReplaySettings
    family: Family  #: of packets whose addresses do not show it

    @classmethod
    def of(
        cls,
        before: Iterable[Source | str],
        after: Iterable[Source | str],
        ipset_save: Source | None = None,
        family: Family | None = None,
        settings: ReplaySettings | None = None,
    ) -> Bench:
        """Read two sides. Raises Refused, and ReplayError where the machine lacks something."""
        settings = settings or ReplaySettings()
        one, other = (
            Contents.of(tuple(_sources(texts)), family, ipset_save) for texts in (before, after)
        )
        if reasons := lacking((one, other), settings):
            raise ReplayError("\n".join(reasons))
        return cls((one, other), settings, family or _family_of((one, other)))

    def run(
        self,
        packet: Callable[[Family], PacketText] | PacketText | None = None,
        *,
        packets: int = PACKETS,
        most: int = MOST,
        progress: Callable[[Tally], None] | None = None,
    ) -> Result:
        """Replay conversations, or a packet alone. Raises ReplayError."""
        if callable(packet):
            packet = packet(self.family)
        settings, node = self.settings, None
        if packet:
            # With the beginnings of hooks it is known what the packet was like there.
            settings = attrs.evolve(settings, begin=True)
            node = Topology.of([side.rules for side in self.sides if side.rules.tables])
            node = node_for(packet.packet, node)
        with held() as mask, Testbed(*self.sides, settings, node) as arena, masked(mask):
            return _Replay(arena, packets, packet, most, progress).run()


@attrs.frozen
class _Replay:
    """The conversations, once the nodes are there."""

    arena: Testbed
    packets: int
    packet: PacketText | None
    most: int
    progress: Callable[[Tally], None] | None

    def run(self) -> Result:
        duel = self.arena.duel
        brought, conversations = None, self._conversations()
        if self.packet:
            one = conversation_of(self.packet.packet, self.arena.node)
            brought, conversations = self._bring(self.packet, one), iter([one])
        begun = time.monotonic()
        mismatches = []
        for mismatch in duel.fight(conversations):
            mismatches.append(mismatch)
            if len(mismatches) == self.most:
                break
        seconds = time.monotonic() - begun
        # The counters of rules move when differences are looked into.
        hits = self.arena.hits()
        return Result(
            differences=tuple(explain(mismatch, self.arena) for mismatch in mismatches),
            tally=duel.tally,
            hit=tuple(_rule(*one) for one in hits.hit),
            missed=tuple(_rule(*one) for one in hits.missed),
            seconds=seconds,
            stopped=len(mismatches) == self.most,
            brought=brought,
        )

    def _conversations(self) -> Iterator[Conversation]:
        for conversation in self.arena.conversations(self.packets):
            if self.progress:
                self.progress(self.arena.duel.tally)
            yield conversation

    def _bring(self, read: PacketText, conversation: Conversation) -> Brought:
        side = self.arena.duel.before
        side.begin([conversation], connections=False)
        (seen,), _ = side.end()
        missing = not_brought_about(read, self.arena.node, seen)
        return Brought(str(conversation), tuple(missing))


def _sources(texts: Iterable[Source | str]) -> Iterator[Source]:
    for text in texts:
        yield text if isinstance(text, Source) else Source.of(text)


def _family_of(sides: Iterable[Contents]) -> Family:
    """IPv4 where anything is of it."""
    families = {table.family for side in sides for table in side.rules.tables}
    families |= {
        family
        for side in sides
        for one in side.scripts
        for table in one.tables
        for family in table.families
    }
    return Family.IP6 if families == {Family.IP6} else Family.IP


def _rule(chain: str, rule: Rule) -> RuleOfDump:
    assert rule.span
    return RuleOfDump(rule_line(chain, rule), rule.span.source.name, rule.span.line)
