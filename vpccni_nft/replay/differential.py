"""Two sides, the same conversations, and whatever they differ in.

Where rules draw at random, the two kernels draw differently. So a difference is not a mismatch yet:
the conversation is repeated until both sides have shown the same set of outcomes. What remains is
repeated alone, made as small as it gets, and reported. For conversations with several outcomes, how
often each of them occurs is compared too.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import attrs

from ..core.values import PortRange
from ..simulate.constants import values_in
from .conversation import Conversation, Way

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ..iptables.ast import Ruleset
    from .conversation import Seen
    from .netlink import Connection
    from .side import ReplaySide
    from .wire import Headers

#: Conversations that share a connection table.
BATCH = 200

#: Repetitions at most, until both sides have shown the same outcomes: together, and alone where
#: that has raised a suspicion.
_TOGETHER, _ALONE = 25, 400
#: How often one side shows what the other never does, for a mismatch: by chance once in a million.
_ONE_SIDED = 20
#: The same where the conversation is tried alone afterwards.
_SUSPICIOUS = 5

#: Repetitions for comparing how often each outcome occurs, and the least probability of a result
#: that is taken for chance.
_SAMPLES = 400
_CHANCE = 1e-9

#: The bits of a connection's status that rules decide: there was a reply, source NAT, target NAT.
_STATUS = 2 | 16 | 32

Outcomes = Counter["Seen"]
Table = Counter["Connection"]


@attrs.frozen
class Mismatch:
    """A conversation that the two sides treat differently."""

    conversation: Conversation
    kind: str  #: ``outcomes``, ``frequencies`` or ``connections``
    before: Outcomes
    after: Outcomes
    connections: tuple[tuple[Connection, ...], tuple[Connection, ...]] = ((), ())


@attrs.frozen(eq=False)
class _Open:
    """A conversation that has differed, and what has been seen of it so far."""

    conversation: Conversation
    before: Outcomes
    after: Outcomes


@attrs.define
class Tally:
    """How much has been tried."""

    conversations: int = 0
    packets: int = 0  #: put in, on either side
    repeated: int = 0  #: conversations that had to be held more than once
    #: Of these, the ones of which each side has shown something rare that the other one has not,
    #: and those that differed among others, but not alone.
    undecided: int = 0


@attrs.define
class DifferentialRun:
    """Two nodes with their rulesets loaded."""

    before: ReplaySide
    after: ReplaySide
    #: Ports around which a choice of NAT is another one: see ``ports_of``.
    edges: list[int]
    #: Ports that rules send connections to.
    single: frozenset[int]
    #: Whether the sides share something, as the kernel's log, and must take turns.
    in_turns: bool = False
    tally: Tally = attrs.Factory(Tally)
    #: Conversations of which several outcomes have been seen.
    several: list[Conversation] = attrs.Factory(list)

    def fight(self, conversations: Iterable[Conversation]) -> Iterator[Mismatch]:
        """Hold conversations on both sides; what differs for good is given."""
        source = iter(conversations)
        open_: list[_Open] = []
        while batch := list(islice(source, BATCH)):
            yield from self._fight(batch, open_)
            if len(open_) >= BATCH:
                yield from self._settle(open_)
        yield from self._settle(open_)

    def _settle(self, open_: list[_Open]) -> Iterator[Mismatch]:
        """Repeat what has differed, until nothing does any more."""
        for _ in range(_TOGETHER):
            if not open_:
                return
            yield from self._repeat(open_)
        self.tally.undecided += len(open_)
        open_.clear()

    def _fight(self, batch: list[Conversation], open_: list[_Open]) -> Iterator[Mismatch]:
        before, after, tables = self._hold(batch, connections=True)
        self._count(batch, before)
        differing = [
            _Open(conversation, Counter([one]), Counter([other]))
            for conversation, one, other in zip(batch, before, after, strict=True)
            if one != other
        ]
        if not differing and tables[0] != tables[1]:
            yield from self._find_connections(batch)
        self.tally.repeated += len(differing)
        self.several += (one.conversation for one in differing)
        open_ += differing

    def _repeat(self, open_: list[_Open]) -> Iterator[Mismatch]:
        """Hold once more what has differed; keep what differs still."""
        before, after, _ = self._hold([one.conversation for one in open_])
        for one, seen, seen_after in zip(open_, before, after, strict=True):
            one.before[seen] += 1
            one.after[seen_after] += 1
        suspicious = [one for one in open_ if _one_sided(one.before, one.after) >= _SUSPICIOUS]
        open_[:] = [
            one for one in open_ if one not in suspicious and one.before.keys() != one.after.keys()
        ]
        for one in suspicious:
            yield from self._confirm(one.conversation)

    def _confirm(self, conversation: Conversation) -> Iterator[Mismatch]:
        """Repeat alone what seems to differ; what others had caused is none."""
        found = self._alone(conversation)
        if not found:
            self.tally.undecided += 1
            return
        small = self._minimise(conversation)
        yield self._alone(small) or found

    def _alone(self, conversation: Conversation) -> Mismatch | None:
        one: Outcomes = Counter()
        other: Outcomes = Counter()
        for number in range(_ALONE):
            self._stir(conversation, number)
            (before,), (after,), _ = self._hold([conversation])
            one[before] += 1
            other[after] += 1
            if _one_sided(one, other) >= _ONE_SIDED:
                return Mismatch(conversation, "outcomes", one, other)
            if one.keys() == other.keys():
                return None
        return None

    def _stir(self, conversation: Conversation, number: int) -> None:
        """Send its first packet alone, to none of the sides, to one and to the other in turn.

        Rules that choose every so many packets would else choose the same one each time.
        """
        side = (None, self.before, self.after)[number % 3]
        if side:
            first = attrs.evolve(conversation, moves=conversation.moves[:1])
            side.begin([first], connections=False)
            side.end()

    def _minimise(self, conversation: Conversation) -> Conversation:
        """Leave out moves and what is not needed, while the sides differ."""
        for number in reversed(range(1, len(conversation.moves))):
            moves = conversation.moves[:number] + conversation.moves[number + 1 :]
            fewer = attrs.evolve(conversation, moves=moves)
            conversation = fewer if self._alone(fewer) else conversation
        for plain in (
            attrs.evolve(conversation, tos=0, ttl=64, mss=0),
            attrs.evolve(conversation, mark=0),
            attrs.evolve(conversation, user=0, group=0),
        ):
            if plain != conversation and self._alone(plain):
                conversation = plain
        return conversation

    def frequencies(self, conversations: Iterable[Conversation]) -> Iterator[Mismatch]:
        """Compare how often each outcome occurs; for conversations that have several."""
        batch = list(conversations)
        counts: list[tuple[Outcomes, Outcomes]] = [(Counter(), Counter()) for _ in batch]
        for _ in range(_SAMPLES):
            before, after, _ = self._hold(batch)
            for (one, other), seen, seen_after in zip(counts, before, after, strict=True):
                one[seen] += 1
                other[seen_after] += 1
        for conversation, (one, other) in zip(batch, counts, strict=True):
            if chance(one, other) < _CHANCE:
                yield Mismatch(conversation, "frequencies", one, other)

    def _find_connections(self, batch: list[Conversation]) -> Iterator[Mismatch]:
        """The conversations whose connections differ though nothing else does."""
        _, _, tables = self._hold(batch, connections=True)
        if tables[0] == tables[1]:
            return
        if len(batch) == 1:
            both = (tuple(sorted(tables[0])), tuple(sorted(tables[1])))
            yield Mismatch(batch[0], "connections", Counter(), Counter(), both)
            return
        half = len(batch) // 2
        yield from self._find_connections(batch[:half])
        yield from self._find_connections(batch[half:])

    def _hold(
        self, batch: list[Conversation], *, connections: bool = False
    ) -> tuple[list[Seen], list[Seen], tuple[Table, Table]]:
        """Hold conversations once on both sides, and forget them."""
        self.before.begin(batch, connections=connections)
        first = self.before.end() if self.in_turns else None
        self.after.begin(batch, connections=connections)
        before, before_table = first or self.before.end()
        after, after_table = self.after.end()
        tables = _table(before_table), _table(after_table)
        for number, conversation in enumerate(batch):
            if before[number] != after[number]:
                known = _ports(conversation) | self.single
                before[number] = self._without_choices(before[number], known)
                after[number] = self._without_choices(after[number], known)
        return before, after, tables

    def _without_choices(self, seen: Seen, known: Collection[int]) -> Seen:
        """With a class instead of each port that NAT has chosen."""

        def plain(headers: Headers | None) -> Headers | None:
            if headers is None:
                return None
            return headers._replace(
                sport=port(headers.sport), dport=port(headers.dport), quoted=plain(headers.quoted)
            )

        def port(number: int) -> int:
            return number if number in known else -1 - bisect.bisect(self.edges, number)

        return tuple(
            tuple(event._replace(headers=plain(event.headers)) for event in events)
            for events in seen
        )

    def _count(self, batch: Sequence[Conversation], seen: Sequence[Seen]) -> None:
        self.tally.conversations += len(batch)
        for conversation, one in zip(batch, seen, strict=True):
            for move, events in zip(conversation.moves, one, strict=True):
                if move.way is not Way.MARK and not (events and events[0].kind == "nothing"):
                    self.tally.packets += 1 + move.fragmented


def ports_of(rulesets: Iterable[Ruleset]) -> tuple[list[int], frozenset[int]]:
    """The bounds of port ranges that NAT rules choose from, and their single ports.

    Where a rule gives no range, the kernel keeps to the side of 512 and 1024 on which the port was
    (nf_nat_core.c, nf_nat_l4proto_unique_tuple).
    """
    edges, single = {512, 1024}, set()
    for ruleset in rulesets:
        for table in ruleset.tables:
            for value in values_in(tuple(rule.target for c in table.chains for rule in c.rules)):
                if isinstance(value, PortRange) and value.first == value.last:
                    single.add(value.first)
                elif isinstance(value, PortRange):
                    edges |= {value.first, value.last + 1}
    return sorted(edges), frozenset(single)


def _table(connections: list[Connection]) -> Table:
    """The connections, by what rules decide of them."""
    return Counter(one._replace(status=one.status & _STATUS) for one in connections)


def _ports(conversation: Conversation) -> set[int]:
    shifts = {move.shift for move in conversation.moves}
    return {conversation.dport, *(conversation.sport + shift & 0xFFFF for shift in shifts)}


def _one_sided(one: Outcomes, other: Outcomes) -> int:
    """How often a side has shown the outcome that the other one lacks most."""
    only = [one[outcome] for outcome in one.keys() - other.keys()]
    only += [other[outcome] for outcome in other.keys() - one.keys()]
    return max(only, default=0)


def chance(one: Outcomes, other: Outcomes) -> float:
    """How probable it is that two such counts are of the same distribution.

    Pearson's test of homogeneity; the tail of the distribution by Wilson and Hilferty (1931).
    """
    total = one.total() + other.total()
    statistic, kinds = 0.0, 0
    for outcome in one.keys() | other.keys():
        both = one[outcome] + other[outcome]
        kinds += 1
        for counts in (one, other):
            expected = both * counts.total() / total
            statistic += (counts[outcome] - expected) ** 2 / expected
    freedom = kinds - 1
    if not freedom:
        return 1.0
    root = (statistic / freedom) ** (1 / 3)
    spread = 2 / (9 * freedom)
    return math.erfc((root - (1 - spread)) / math.sqrt(2 * spread)) / 2
