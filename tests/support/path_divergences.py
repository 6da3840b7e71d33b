"""The interpreter of whole paths beside the kernel: from where a packet enters to where it leaves.

What the rules of one hook leave for the next one, what the kernel does between hooks, and what is
left of a packet in the end, are the model's alone: of the kernel only the routes are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import BY_DEVICE, TO_THE_NODE, outcome
from vpccni_nft.model.oracle import OracleKind
from vpccni_nft.model.packet import interface_word
from vpccni_nft.model.path import MADE_HERE, RECEIVED, run_path

from .divergences import Checker, Divergence, NotSeen, Walk, World, difference
from .host_facts import Host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpccni_nft.model.concrete import Question
    from vpccni_nft.model.hook import Outcome
    from vpccni_nft.model.packet import State
    from vpccni_nft.replay.conversation import Conversation, KernelEvent

    from .divergences import Connection

_ENTRIES = {"prerouting": RECEIVED, "output": MADE_HERE}

#: What follows a hook on its path.
_BEHIND = {
    "prerouting": {"input", "forward"},
    "forward": {"postrouting"},
    "output": {"postrouting"},
}
_LAST = {"input", "postrouting"}

#: That there is no route.
_NOWHERE = 2

#: What is put to every packet, and does not matter to rules that are drawn here.
_ANY = {
    OracleKind.ROUTE_REALM,
    OracleKind.SOCKET_FIELD,
    OracleKind.FORWARDED_PRIORITY,
    OracleKind.DEVICE_GROUP,
    OracleKind.WHOLE_LENGTH,
}

#: Ways that draws can go, at most.
_MOST_WAYS = 500


@attrs.define
class PathChecker(Checker):
    """Holds what was seen of whole paths against a model of the rules."""

    def walk(self, conversation: Conversation, number: int, connections: list[Connection]) -> Walk:
        """One move's packets on their way."""
        return _PathWalk(self, conversation, number, connections)


@attrs.frozen
class _Way:
    """What was seen of a packet on its path."""

    begun: Mapping[str, KernelEvent]  #: the hooks that it came to, by name
    ended: Mapping[str, KernelEvent]  #: those of them that it has left
    track: KernelEvent | None
    made: KernelEvent | None  #: what a rule made where the packet has not come to a hook's end

    @classmethod
    def of(cls, events: tuple[KernelEvent, ...]) -> _Way:
        """The way of the packet with which some events begin."""
        first = events[0]
        begun: dict[str, KernelEvent] = {first.place: first}
        ended: dict[str, KernelEvent] = {}
        track, here = None, first.place
        for event in events[1:]:
            if event.kind == "track" and event.place == first.place and not ended:
                track = event
            elif event.kind == "hook" and event.place == here and here not in ended:
                ended[here] = event
            elif event.kind == "begin" and here in ended and event.place in _BEHIND.get(here, ()):
                here = event.place
                begun[here] = event
            elif event.kind == "begin" and here not in ended:
                return cls(begun, ended, track, event)
            elif event.kind == "begin":
                break
        return cls(begun, ended, track, None)

    @property
    def end(self) -> KernelEvent | None:
        """Where it left the path, if it did."""
        return next((event for hook, event in self.ended.items() if hook in _LAST), None)


class _PathWalk(Walk):
    def check(self, events: tuple[KernelEvent, ...]) -> Iterator[Divergence]:
        """Check each path that a packet has begun."""
        for index, event in enumerate(events):
            if event.kind == "begin" and event.headers and event.place in _ENTRIES:
                before = self.checker.skipped
                yield from self._check_path(_Way.of(events[index:]), event)
                if self.checker.skipped > before:
                    return

    def _check_path(self, way: _Way, begin: KernelEvent) -> Iterator[Divergence]:
        assert begin.headers
        state = (way.track or begin).state
        if state == "?" and begin.iif == "lo" and not way.ended:
            self.checker.skipped += 1  # it has a connection, which is not seen ahead of conntrack
            return
        connection = self.connection(begin, state)
        if begin.headers.quoted and len(self.connections) > 1:
            self.checker.skipped += 1  # it is not seen which of them the error is about
            return
        if connection and way.track:
            connection.traffic.count(begin, state)
        fields = self.fields(begin, state, connection)
        wrong, marks = "", set[int]()
        for ways, found in enumerate(self._paths(way, begin, fields, connection)):
            if ways >= _MOST_WAYS or found is None:
                self.checker.skipped += 1
                return
            differs = self._differs(way, begin, found, connection)
            wrong = differs or wrong
            if not differs:
                marks.add(found.fields["ct_mark"])
        self.checker.hooks += 1
        if not marks:
            yield Divergence(self.conversation, self.number, begin, wrong)
            return
        for end in (None, *way.ended.values()):
            self.learn(end, marks, connection)

    def _differs(
        self, way: _Way, begin: KernelEvent, found: Outcome, connection: Connection | None
    ) -> str:
        assert begin.headers
        differs = difference(way.end, way.made, found, begin.headers.family)
        if differs and way.end is None and found.verdict.kind == "accept":
            moved = connection and connection.device not in {"", begin.oif}
            lost = len(self.connections) > 1 or moved or begin.headers.quoted
            return "" if lost else differs
        if not differs and way.end:
            assert way.end.headers
            seen = {
                "oif": interface_word(way.end.oif),
                "ttl": way.end.headers.ttl,
                "tos": way.end.headers.tos,
            }
            for name, value in seen.items():
                if found.fields[name] != value:
                    return f"{name}: {found.fields[name]:#x} in the model, {value:#x} in the kernel"
        return differs

    def _paths(
        self,
        way: _Way,
        begin: KernelEvent,
        fields: Mapping[str, int],
        connection: Connection | None,
    ) -> Iterator[Outcome | None]:
        """What can happen, for each way that draws can go; None where that is not known."""
        assert begin.headers
        family = begin.headers.family
        move = self.conversation.moves[self.number]
        own, traffic = bool(fields["has_socket"]), connection.traffic if connection else None
        host = Host(self.conversation, move, begin, own, traffic)
        for mark in sorted(connection.marks) if connection else (0,):
            world = _PathWorld(self.checker.node, family, begin, None, host, way=way)
            while True:
                try:
                    state = run_path(
                        Concrete(answers=world),
                        family,
                        _ENTRIES[begin.place],
                        self.checker.chains[family],
                        {**fields, "ct_mark": mark},
                        comes_to=world.come_to,
                    )
                    yield outcome(state)
                except NotSeen:
                    yield None
                if not world.turn():
                    break


@attrs.define(eq=False, kw_only=True)
class _PathWorld(World):
    way: _Way

    def come_to(self, _state: State, hook: str) -> None:
        """From now on, what NAT chooses is what was seen at the end of this hook."""
        self.end = self.way.ended.get(hook)

    def __getitem__(self, question: Question) -> int:
        kind, begun = question[0].kind, self.way.begun
        if kind is OracleKind.ROUTE:
            if "input" in begun:
                return TO_THE_NODE
            is_lost = _ENTRIES.keys() & self.way.ended.keys() and len(begun) == 1
            return _NOWHERE if is_lost else BY_DEVICE
        if kind is OracleKind.ROUTE_DEVICE:
            by = begun.get("forward") or begun.get("postrouting")
            return interface_word(by.oif) if by else interface_word("eth0")
        if kind in _ANY:
            return 0
        return super().__getitem__(question)
