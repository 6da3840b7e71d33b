"""What a kernel remembers of packets: what the stateful matches of iptables have seen so far.

The model leaves the answers of such matches to the world, and says what uses them. Here is the
world that has these uses for its memory, so that a sequence of packets has one outcome.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import attrs

from vpccni_nft.model.concrete import Question
from vpccni_nft.model.oracle import Bound, KeptSet, OracleKind
from vpccni_nft.model.packet import Event

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@attrs.define
class Bucket:
    """Tokens that come back with time (xt_limit.c, xt_hashlimit.c), or bytes that do not."""

    bound: Bound
    left: float
    since: float

    @classmethod
    def full(cls, bound: Bound, now: float) -> Bucket:
        """All that may come at once."""
        return cls(bound, bound.burst if bound.per else bound.amount, now)

    def take(self, length: int, now: float) -> bool:
        """Whether there is enough for a packet, which then is taken."""
        if not self.bound.per:  # xt_quota.c: too large a packet takes all that is left
            found = self.left >= length
            self.left = self.left - length if found else 0
            return found
        self.left += (now - self.since) * self.bound.amount / SECONDS[self.bound.per]
        self.left, self.since = min(self.left, self.bound.burst), now
        if self.left < 1:
            return False
        self.left -= 1
        return True


def _counts(event: Event) -> bool:
    """Whether it adds a connection to a list of them."""
    return event.kind == "spend" and event.details[1:] == ("connections",)


@attrs.define
class Memory:
    """What there is in counters, buckets, recent lists and ipsets."""

    #: How many words the keys of tables of hashlimit have.
    key_words: dict[str, int]
    ttl_lists: frozenset[str]  #: the recent lists that keep the TTL
    now: float = 0.0
    length: int = 0  #: of the packet that is on its way
    #: That of the packet; it says whether it is ``confirmed``.
    connection: Any = None
    #: Whether something has happened of which it is not seen what.
    is_lost: bool = False
    _counts: dict[Hashable, int] = attrs.Factory(lambda: defaultdict(int))
    _buckets: dict[Hashable, Bucket] = attrs.Factory(dict)
    #: By list and address: when it was seen, and with which TTL.
    _seen: dict[str, dict[int, list[tuple[float, int]]]] = attrs.Factory(lambda: defaultdict(dict))
    #: By place and key: the connections that were counted, and when.
    _counted: dict[tuple[Hashable, tuple[int, ...]], list[tuple[float, Any]]] = attrs.Factory(
        lambda: defaultdict(list)
    )
    #: By set and key: until when it stays.
    _sets: dict[str, dict[tuple[int, ...], float]] = attrs.Factory(lambda: defaultdict(dict))

    def answer(self, question: Question) -> int | None:
        """What is remembered; None where nothing is."""
        oracle, arguments = question
        thing: Any = oracle.object
        match oracle.kind, oracle.parameters:
            case OracleKind.COUNTER, (int(every),):
                return (self._counts[thing] + sum(arguments)) % every
            case OracleKind.WITHIN, (Bound() as bound,):
                return self._takes((thing,), bound, uses=sum(arguments))
            case OracleKind.WITHIN_OF_SET, (Bound() as bound,):
                words = self.key_words[thing.name]
                before, key = arguments[:-words], arguments[-words:]
                return self._takes((thing, *key), bound, uses=sum(before))
            case OracleKind.MEMBER, parameters if thing.name.startswith("recent-"):
                (address,) = arguments
                listed: Any = parameters[0] if parameters else thing.timeout
                return int(self._times(thing, address, listed or 0) > 0)
            case OracleKind.MEMBER, _:
                return int(self._sets[thing.name].get(arguments, -1.0) > self.now)
            case OracleKind.RECENT_SEEN, (str(wanted), int(age)):
                words = 1 + (thing.name in self.ttl_lists)
                if len(arguments) > words:
                    return None  # the list was changed on the way
                ttl = arguments[1] if "with this TTL" in wanted else None
                return int(self._times(thing, arguments[0], age, ttl) >= int(wanted.split()[0]))
            case OracleKind.RECENT_LISTED, _ if len(arguments) == 1:
                return int(arguments[0] in self._seen[thing.name])
        return None

    def _takes(self, thing: tuple[Hashable, ...], bound: Bound, uses: int) -> int:
        known = self._buckets.get(thing)
        bucket = attrs.evolve(known) if known else Bucket.full(bound, self.now)
        return int([bucket.take(self.length, self.now) for _ in range(uses + 1)][-1])

    def _times(self, thing: KeptSet, address: int, age: float, ttl: int | None = None) -> int:
        """How often it was seen; none where its TTL was another one (recent_entry_lookup)."""
        seen = self._seen[thing.name].get(address, [])
        if ttl is not None and (not seen or seen[-1][1] != ttl):
            return 0
        return sum(not age or self.now - when <= age for when, _ in seen)

    def counts(self, place: Hashable) -> tuple[int, ...]:
        """How many connections may be counted at a place, whatever the key is."""
        keys = [(where, key) for where, key in self._counted if where == place]
        return tuple(sorted({1}.union(*(self._number(*one) for one in keys))))

    def agrees(self, answers: Mapping[Question, int], events: Iterable[Event]) -> bool:
        """Whether as many connections were answered as are counted for the packet's own key."""
        spent = {event.details[0]: event.arguments for event in events if _counts(event)}
        return all(
            number in self._number(oracle.object, spent[oracle.object])
            for (oracle, _), number in answers.items()
            if oracle.kind is OracleKind.CONNECTIONS and oracle.object in spent
        )

    def _number(self, place: Hashable, key: tuple[int, ...]) -> range:
        """All that a list may count with the packet's own connection (nf_conncount.c).

        Connections that did not come through are forgotten when the kernel comes to it, and some
        kernels add none that is confirmed.
        """
        listed = self._counted.get((place, key), [])
        others = [(when, one) for when, one in listed if one is not self.connection]
        stay = sum(one.confirmed for _, one in others)
        fresh = sum(when == self.now and not one.confirmed for when, one in others)
        late = self.connection.confirmed and len(others) == len(listed)
        return range(stay + (not late), stay + fresh + 2)

    def learn(self, ways: Iterable[tuple[Event, ...]]) -> None:
        """What has happened to a packet; where it may be one of several things, all is lost."""
        known = [*dict.fromkeys(ways)]
        if len(known) != 1:
            self.is_lost = True
            return
        for event in known[0]:
            self._note(event)

    def _note(self, event: Event) -> None:
        thing: Any = event.details[0] if event.details else None
        match event.kind, event.details:
            case "spend", _ if _counts(event):
                listed = self._counted[thing, event.arguments]
                if all(one is not self.connection for _, one in listed):
                    listed.append((self.now, self.connection))
            case "turn", (_, int()):
                self._counts[thing] += 1
            case "spend", (_, *_, Bound() as bound):
                key = (thing, *event.arguments)
                bucket = self._buckets.setdefault(key, Bucket.full(bound, self.now))
                bucket.take(self.length, self.now)
            case (("update" | "delete"), _) if thing.name.startswith("recent-"):
                address, ttl = event.arguments[0], event.arguments[1:] or (0,)
                if event.kind == "delete":
                    self._seen[thing.name].pop(address, None)
                else:
                    self._seen[thing.name].setdefault(address, []).append((self.now, ttl[0]))
            case "reap", (_, *ages):
                self._reap(thing, ages[0] if ages else thing.timeout)
            case (("add" | "update"), (_, *lasting)):
                key, found = event.arguments, self._sets[thing.name]
                if event.kind == "update" or found.get(key, -1.0) <= self.now:
                    seconds: Any = lasting[0] if lasting else float("inf")
                    found[key] = self.now + seconds
            case "delete", _:
                self._sets[thing.name].pop(event.arguments, None)

    def _reap(self, thing: KeptSet, age: Any) -> None:
        """The address that was not seen for the longest time, where it is too old."""
        seen = self._seen[thing.name]
        oldest = min(seen, key=lambda address: seen[address][-1][0], default=None)
        if oldest is not None and self.now - seen[oldest][-1][0] > age:
            del seen[oldest]
