"""An interpreter beside the kernel: at each hook, what was seen is what the model says.

The probes at a hook's beginning tell what the model starts from, those at its end what it must
answer. What a packet does not show is known from the packets before it: the tuples of its
connection, and its mark. Random draws are not shown: one of the ways that they can go must lead to
what was seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from errno import EHOSTUNREACH, EINVAL, ENETUNREACH
from typing import TYPE_CHECKING

import attrs

from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import SOURCE_HOOKS, outcome, run_hook
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import FIELDS, STATE_BITS, STATUS_BITS, interface_word
from vpccni_nft.replay.conversation import Way, text_of
from vpccni_nft.replay.wire import RST, WITH_PORTS
from vpccni_nft.simulate.packet_text import field_text

from .host_facts import Host, Traffic

if TYPE_CHECKING:
    from vpccni_nft.model.concrete import Question
    from vpccni_nft.model.hook import Outcome
    from vpccni_nft.model.packet import Event, Verdict
    from vpccni_nft.replay.conversation import Conversation, KernelEvent, Seen
    from vpccni_nft.replay.topology import Topology
    from vpccni_nft.replay.wire import Headers
    from vpccni_nft.simulate.sample import Chains

    from .memory import Memory

#: Ways that random draws can go, at most; a hook with more is not checked.
_MOST_WAYS = 5000

#: What a fragment that is not the first one has where the ports would be: payload.
_PAYLOAD = int.from_bytes(b"x" * 4, "big")

_ALL_ONES = (1 << 31) - 1

#: The messages by which a packet is refused: type and code, by family and nft's word for them.
_REFUSALS = {
    "icmp net-unreachable": (3, 0), "icmp host-unreachable": (3, 1),
    "icmp prot-unreachable": (3, 2), "icmp port-unreachable": (3, 3),
    "icmp net-prohibited": (3, 9), "icmp host-prohibited": (3, 10),
    "icmp admin-prohibited": (3, 13), "icmpv6 no-route": (1, 0),
    "icmpv6 admin-prohibited": (1, 1), "icmpv6 addr-unreachable": (1, 3),
    "icmpv6 port-unreachable": (1, 4), "icmpv6 policy-fail": (1, 5),
    "icmpv6 reject-route": (1, 6),
}  # fmt: skip


#: The hooks where conntrack and then NAT of destinations run.
TRACKS = {"prerouting", "output"}

#: How the kernel says that it has no route.
_NO_ROUTE = {os.strerror(number) for number in (ENETUNREACH, EHOSTUNREACH, EINVAL)}


class NotSeen(Exception):  # noqa: N818 - no mistake of anyone
    """A rule asks for something that neither probes nor the node tell."""


@attrs.frozen
class Divergence:
    """A place where a model and a kernel part."""

    conversation: Conversation
    move: int
    begin: KernelEvent  #: what the model started from
    what: str  #: what differs


@attrs.define
class Connection:
    """What is known of a connection from its packets."""

    original: tuple[int, int, int, int]  #: both addresses, both ports
    translated: tuple[int, int, int, int]  #: the same after NAT, as far as it has come
    #: The marks that it may have: several where it is not seen which way a draw has gone.
    marks: set[int] = attrs.Factory(lambda: {0})
    confirmed: bool = False  #: whether a packet of it has come through
    bound: set[str] = attrs.Factory(set)  #: the ends that NAT has decided about, by ``s`` and ``d``
    answered: bool = False
    traffic: Traffic = attrs.Factory(Traffic)
    device: str = ""  #: by which its first packets left

    def is_(self, ends: tuple[int, int, int, int], *, reply: bool) -> bool:
        """Whether a packet looks as one side of the node knows the connection."""
        source, target, sport, dport = self.translated if reply else self.original
        return ends == ((target, source, dport, sport) if reply else self.original)

    def has(self, ends: tuple[int, int, int, int], *, reply: bool) -> bool:
        """Whether a packet belongs to it, wherever it is on its way."""
        source, target, sport, dport = ends
        if reply:
            source, target, sport, dport = target, source, dport, sport
        known = zip(self.original, self.translated, strict=True)
        return all(
            value in both for value, both in zip((source, target, sport, dport), known, strict=True)
        )


@attrs.define
class Checker:
    """Holds what was seen on one side against a model of its ruleset."""

    node: Topology
    chains: Mapping[Family, Chains]
    #: What the kernel remembers of packets, where it is followed.
    memory: Memory | None = None
    cpu: int = 0  #: the processor that all packets are on, where that is known
    hooks: int = 0  #: packets at hooks that were checked
    skipped: int = 0  #: those with too many ways, and those of which something is not seen

    def walk(self, conversation: Conversation, number: int, connections: list[Connection]) -> Walk:
        """One move's packets on their way."""
        return Walk(self, conversation, number, connections)

    def check(self, conversation: Conversation, seen: Seen) -> Iterator[Divergence]:
        """Go through a conversation; it must have been seen with the probes of ``begin``."""
        connections: list[Connection] = []
        for number, (move, events) in enumerate(zip(conversation.moves, seen, strict=True)):
            if move.way is Way.MARK:
                for connection in connections if events[0].kind == "marked" else ():
                    if connection.original == _ends(conversation):
                        connection.marks = {move.mark}
                continue
            before = self.skipped
            yield from self.walk(conversation, number, connections).check(events)
            if self.skipped > before or (self.memory and self.memory.is_lost):
                return  # what the packets after it depend on is not known
            # What has not come through went with its packet.
            connections[:] = [one for one in connections if one.confirmed]


@attrs.define
class Walk:
    """One move's packets on their way through the hooks."""

    checker: Checker
    conversation: Conversation
    number: int
    connections: list[Connection]  #: the one that was used last is the last
    #: Whether the kernel had nowhere to send a packet that NAT had changed.
    unroutable: bool = False
    came_in: bool = False  #: whether a packet has come in, which the kernel may answer

    def check(self, events: tuple[KernelEvent, ...]) -> Iterator[Divergence]:
        """Check each hook that a packet has begun."""
        self.unroutable = any(event.place in _NO_ROUTE for event in events)
        for index, event in enumerate(events):
            # What the kernel answers by itself is of no program's socket.
            self.came_in = self.came_in or event.place in {"prerouting", "input", "forward"}
            if event.kind == "begin" and event.headers:
                before = self.checker.skipped
                track, end, made = _rest(events, index)
                yield from self._check_hook(event, track, end, made)
                if self.checker.skipped > before:
                    return  # nor is it known what the hooks behind it start from

    def _check_hook(
        self,
        begin: KernelEvent,
        track: KernelEvent | None,
        end: KernelEvent | None,
        made: KernelEvent | None,
    ) -> Iterator[Divergence]:
        assert begin.headers
        state = (track or begin).state
        connection = self.connection(begin, state)
        if connection and track:
            connection.traffic.count(begin, state)
        fields = self.fields(begin, state, connection)
        family = begin.headers.family
        wrong, marks = "", set[int]()
        fitting: list[tuple[Event, ...]] = []
        if self.checker.memory:
            self.checker.memory.length = begin.headers.length
            self.checker.memory.connection = connection
        unroutable = begin.place == "output" and self.unroutable
        for ways, found in enumerate(self._outcomes(family, begin, end, fields, connection)):
            if ways >= _MOST_WAYS or found is None:
                self.checker.skipped += 1
                return
            differs = difference(end, made, found, family)
            if differs and end is None and found.verdict.kind == "accept":
                # Not the rules: two connections look alike, there is no route any more, or a
                # masqueraded connection would leave by another device than before.
                moved = connection and connection.device not in {"", begin.oif}
                lost = len(self.connections) > 1 or unroutable or moved
                # Nor does the kernel answer all errors about what it has sent to itself.
                differs = "" if lost or begin.headers.quoted else differs
            wrong = differs or wrong
            if not differs:
                marks.add(found.fields["ct_mark"])
                fitting.append(found.events)
        self.checker.hooks += 1
        if marks:
            self.learn(end, marks, connection)
            if self.checker.memory:
                self.checker.memory.learn(fitting)
        else:
            yield Divergence(self.conversation, self.number, begin, wrong)

    def _outcomes(
        self,
        family: Family,
        begin: KernelEvent,
        end: KernelEvent | None,
        fields: Mapping[str, int],
        connection: Connection | None,
    ) -> Iterator[Outcome | None]:
        """What can happen, for each way that draws can go; None where that is not known."""
        chains = self.checker.chains[family]
        move = self.conversation.moves[self.number]
        own, traffic = bool(fields["has_socket"]), connection.traffic if connection else None
        host = Host(self.conversation, move, begin, own, traffic)
        for mark in sorted(connection.marks) if connection else (0,):
            world = World(self.checker.node, family, begin, end, host, self.checker.memory)
            while True:
                algebra = Concrete(answers=world)
                known = {**fields, "ct_mark": mark}
                try:
                    found = outcome(run_hook(algebra, family, begin.place, chains, known))
                except NotSeen:
                    yield None
                else:
                    memory = self.checker.memory
                    if not memory or memory.agrees(algebra.asked, found.events):
                        yield found
                if not world.turn():
                    break

    def connection(self, begin: KernelEvent, state: str) -> Connection | None:
        """The connection of a packet; None where there is none."""
        headers = begin.headers
        assert headers
        if state in {"invalid", "untracked", "?"}:
            return None
        # An error belongs to the connection of what it quotes, which went the other way.
        about = headers.quoted if state.startswith("related") else None
        ends = _tuple(about or headers)
        reply = state.endswith("<") is (about is None)
        # Before NAT a packet looks as one end knows the connection; behind it, or when it comes
        # back to the node by lo, it may look any way.
        early = begin.place in TRACKS and begin.iif != "lo" and about is None
        newest = self.connections[::-1]
        exact = [known for known in newest if known.is_(ends, reply=reply)]
        alike = [] if early else [known for known in newest if known.has(ends, reply=reply)]
        for known in (*exact, *alike):
            self.connections.remove(known)
            if state == "new>" and known.answered:
                break  # the kernel has forgotten it: it would have left by another device
            self.connections.append(known)
            return known
        self.connections.append(Connection(ends, ends))
        return self.connections[-1]

    def fields(
        self, begin: KernelEvent, state: str, connection: Connection | None
    ) -> dict[str, int]:
        headers = begin.headers
        assert headers
        fields = dict.fromkeys(FIELDS, 0)
        source, target, sport, dport = _tuple(headers)
        fields |= {
            "iif": interface_word(begin.iif),
            "oif": interface_word(begin.oif),
            "saddr": source,
            "daddr": target,
            "protocol": headers.protocol,
            "sport": sport,
            "dport": dport,
            "tcp_flags": headers.flags,
            "icmp_type": headers.kind,
            "icmp_code": headers.code,
            "fragment": headers.offset,
            "fragmented": int(headers.fragmented),
            "length": headers.length,
            "mark": begin.mark,
            "cpu": self.checker.cpu,
            "ct_state": STATE_BITS[state.rstrip("<>")] if state != "?" else STATE_BITS["invalid"],
            "ct_protocol": self.conversation.protocol,
        }
        sends_error = self.conversation.moves[self.number].way in {Way.ERROR_BACK, Way.ERROR_FORTH}
        made = self.came_in or (headers.quoted is not None and not sends_error)
        own = begin.place in {"output", "postrouting"} and not begin.iif and not made
        mac = 0x06 << 40 | int.from_bytes(begin.mark.to_bytes(4, "big"), "big")
        fields |= {
            "tos": headers.tos,
            "ttl": headers.ttl,
            "mss": headers.mss,
            "has_mss": int(bool(headers.mss)),
            "has_socket": int(own),
            "uid": self.conversation.user if own else 0,
            "gid": self.conversation.group if own else 0,
            "mac_source": mac if begin.iif not in {"", "lo"} else 0,
        }
        if connection:
            fields |= _connection_fields(connection, state)
        return fields

    @staticmethod
    def learn(end: KernelEvent | None, marks: set[int], connection: Connection | None) -> None:
        """Keep what the next hook and the next packet depend on."""
        if connection is None:
            return
        connection.marks = marks
        if end is None:
            return
        assert end.headers
        if end.place in SOURCE_HOOKS | TRACKS:
            connection.bound.add("s" if end.place in SOURCE_HOOKS else "d")
        if end.state == "new>" and not connection.confirmed:
            source, target, sport, dport = connection.translated
            now = _tuple(end.headers)
            if end.place in SOURCE_HOOKS:
                source, sport = now[0], now[2]
            else:
                target, dport = now[1], now[3]
            connection.translated = (source, target, sport, dport)
        if end.place in SOURCE_HOOKS and not end.state.startswith("related"):
            connection.confirmed = True
            if end.state.endswith(">") and not connection.device:
                connection.device = end.oif
            connection.answered |= end.state.endswith("<")


def _rest(
    events: tuple[KernelEvent, ...], index: int
) -> tuple[KernelEvent | None, KernelEvent | None, KernelEvent | None]:
    """Of a hook that begins: after conntrack, at its end, and the packet made in between.

    Packets that rules make on the way go through hooks of their own in between.
    """
    hook = events[index].place
    depth: list[str] = []
    track = made = None
    for event in events[index + 1 :]:
        if event.kind == "begin":
            own = event.place == "output" or (made and event.place == "postrouting")
            if not depth and not own:
                return track, None, made
            made = made or event
            depth.append(event.place)
        elif event.kind == "track" and not depth and event.place == hook:
            track = event
        elif event.kind == "hook":
            if event.place == hook and hook not in depth:
                return track, event, made
            while depth and depth.pop() != event.place:
                pass
    return track, None, made


def _tuple(headers: Headers) -> tuple[int, int, int, int]:
    source, target = (int.from_bytes(end, "big") for end in (headers.source, headers.target))
    # An error has no ports of its own.
    ports = (headers.sport, headers.dport) if headers.protocol in WITH_PORTS else (0, 0)
    return source, target, *ports


def _ends(conversation: Conversation) -> tuple[int, int, int, int]:
    """The tuple of its first packet."""
    return conversation.source, conversation.target, conversation.sport, conversation.dport


def _connection_fields(connection: Connection, state: str) -> dict[str, int]:
    reply = state.endswith("<")
    original, translated = connection.original, connection.translated
    # What the answers are to have: the ends as they are after NAT, the other way round.
    answer = (translated[1], translated[0], translated[3], translated[2])
    fields = {"ct_reply": int(reply)}
    for way, ends in (("original", original), ("reply", answer)):
        names = ("saddr", "daddr", "sport", "dport")
        fields |= {f"ct_{way}_{name}": value for name, value in zip(names, ends, strict=True)}
    moved_source = (original[0], original[2]) != (translated[0], translated[2])
    moved_target = (original[1], original[3]) != (translated[1], translated[3])
    status = {
        "snat": moved_source,
        "dnat": moved_target,
        "confirmed": connection.confirmed,
        # An error is no answer.
        "seen-reply": connection.answered or (reply and not state.startswith("related")),
    }
    fields["ct_status"] = sum(STATUS_BITS[name] for name, holds in status.items() if holds)
    fields |= {f"{end}nat_done": int(end in connection.bound) for end in "sd"}
    return fields


#: What NAT chooses, and what is answered yes or no.
_CHOSEN = {
    OracleKind.PRIMARY_ADDRESS, OracleKind.CHOSEN_ADDRESS, OracleKind.CHOSEN_PORT,
    OracleKind.FREE_PORT,
}  # fmt: skip
_YES_OR_NO = {
    OracleKind.MEMBER, OracleKind.MEMBER_AFTER, OracleKind.WITHIN, OracleKind.WITHIN_OF_SET,
    OracleKind.ROUTE_BACK, OracleKind.ROUTE_BACK_TO_ITSELF, OracleKind.RECENT_SEEN,
    OracleKind.QUEUE_DROPS, OracleKind.TRANSPARENT_SOCKET,
}  # fmt: skip


#: Headers whose fields the model asks for wherever it reads bits that stand there.
_OTHERS = {"dccp": 33, "esp": 50, "ah": 51, "comp": 108}


@attrs.define(eq=False)
class World(Mapping["Question", int]):
    """What the kernel could have answered: facts of the node; draws go all ways in turn."""

    node: Topology
    family: Family
    begin: KernelEvent
    end: KernelEvent | None
    host: Host
    memory: Memory | None = None
    #: The draws of this way: how many answers there are, and which one is given.
    draws: dict[Question, list[int]] = attrs.Factory(dict)
    order: list[Question] = attrs.Factory(list)

    def __getitem__(self, question: Question) -> int:
        oracle, arguments = question
        headers = self.end.headers if self.end else None
        known = self.memory.answer(question) if self.memory else None
        for answer in (self.host.answer, self._byte):
            known = answer(*question) if known is None else known
        if known is not None:
            return known
        if ways := self.host.ways(oracle):
            return ways[self._draw(question, len(ways))]
        match oracle.kind, oracle.parameters:
            case OracleKind.FIB_TYPE, _:
                address, device, *_ = arguments
                return self.node.kind(self.family, address, _name(device))
            case kind, _ if kind in _CHOSEN:
                return self._chosen(oracle, arguments, headers)
            case OracleKind.CONNECTIONS, _ if self.memory:
                counts = self.memory.counts(oracle.object)
                return counts[self._draw(question, len(counts))]
            case ((OracleKind.RANDOM | OracleKind.CONNECTIONS), _):
                return (0, _ALL_ONES)[self._draw(question, 2)]
            case OracleKind.ELEMENT_STAYS, _:
                return 1  # those that are drawn stay for an hour
            case ((OracleKind.NUMBER_BELOW | OracleKind.COUNTER), (int(number),)):
                return self._draw(question, number)
            case kind, _ if kind in _YES_OR_NO:
                return self._draw(question, 2)
        raise NotSeen(str(oracle))

    def __iter__(self) -> Iterator[Question]:
        return iter(self.draws)

    def __len__(self) -> int:
        return len(self.draws)

    def _byte(self, oracle: Oracle, _: object) -> int | None:
        """What stands in the packet where the model has no field."""
        match oracle.kind:
            case OracleKind.HEADER_FIELD:
                return self._header_field(str(oracle))
            case OracleKind.FRAGMENT_BYTE:
                return _PAYLOAD >> 16
            case OracleKind.TRANSPORT_BYTE if self._has_ports and oracle.object in range(4):
                return 0  # whatever it is: the packet's ports stand there
            case OracleKind.TRANSPORT_LENGTH if self._has_ports:
                return 8  # what every such packet has here
        return None

    def _header_field(self, name: str) -> int | None:
        """What of the packet that comes to the hook is seen, though it is no field of the model."""
        headers = self.begin.headers
        assert headers
        match name:
            case "ip id" | "ip6 flowlabel":
                return headers.tag
            case "ip reserved":
                return 0
            case _ if _OTHERS.get(name.split(maxsplit=1)[0], headers.protocol) != headers.protocol:
                return 0  # the packet has no such header
            case "ip hdrlength":
                return 5 + len(headers.options) // 4
            case "ip more-fragments" | "frag more-fragments" if headers.fragmented:
                return int(not headers.offset)  # of two
            case _:
                return None

    @property
    def _has_ports(self) -> bool:
        headers = self.begin.headers
        return headers is not None and headers.protocol in WITH_PORTS

    def _draw(self, question: Question, answers: int) -> int:
        if answers > _MOST_WAYS:
            raise NotSeen(str(question))
        if question not in self.draws:
            self.draws[question] = [answers, 0]
            self.order.append(question)
        return self.draws[question][1]

    def _chosen(self, oracle: Oracle, arguments: tuple[int, ...], headers: Headers | None) -> int:
        """What NAT has chosen, which the end shows; without one, any address of the device."""
        if headers is None or self.end is None:
            name = _name(arguments[0])
            held = self.node.own[self.family].items()
            return next((address for address, device in held if device == name), 0)
        source, target, sport, dport = _tuple(headers)
        is_source = self.end.place in SOURCE_HOOKS
        if oracle.kind in {OracleKind.CHOSEN_PORT, OracleKind.FREE_PORT}:
            return sport if is_source else dport
        return source if is_source else target

    def turn(self) -> bool:
        """Let the last draw that can go another way go it; False where all have gone all ways."""
        while self.order:
            entry = self.draws[self.order[-1]]
            if entry[1] + 1 < entry[0]:
                entry[1] += 1
                return True
            del self.draws[self.order.pop()]
        return False


def _name(word: int) -> str:
    return word.to_bytes(16, "big").rstrip(b"\0").decode("utf-8", "surrogateescape")


def difference(
    end: KernelEvent | None, made: KernelEvent | None, found: Outcome, family: Family
) -> str:
    """What of an outcome is not what was seen; empty where all is."""
    kind = found.verdict.kind
    if (kind == "accept") != (end is not None):
        passed = "it passed" if end else "it did not pass"
        return f"the model says {kind} {found.verdict.reason}, but {passed}"
    if end is None:
        return _wrong_refusal(found.verdict, made)
    assert end.headers
    expected = {"mark": end.mark}
    if end.place in SOURCE_HOOKS and end.state not in {"?", "invalid", "untracked"}:
        expected["ct_mark"] = end.ct_mark
    if end.state != "?":
        expected["ct_state"] = STATE_BITS[end.state.rstrip("<>")]
    if end.headers.quoted is None:
        source, target, sport, dport = _tuple(end.headers)
        expected |= {"saddr": source, "daddr": target}
        if not _chooses_port(end, found):
            expected |= {"sport": sport, "dport": dport}
    if end.place == "postrouting" and end.mark != found.fields["mark"]:
        return f"mark: {found.fields['mark']:#x} in the model, {end.mark:#x} in the kernel"
    for name in ("tos", "ttl"):
        if name in found.fields:
            expected[name] = getattr(end.headers, name)
    for name, value in expected.items():
        if found.fields[name] != value:
            model, kernel = (field_text(name, one, family) for one in (found.fields[name], value))
            return f"{name}: {model} in the model, {kernel} in the kernel"
    return ""


def _chooses_port(end: KernelEvent, found: Outcome) -> bool:
    """Whether the kernel may have taken another port: where a rule leaves it the choice.

    And where there is no rule, too: two connections may not look alike from outside.
    """
    first = end.place in SOURCE_HOOKS and end.state == "new>"
    return first or any(binding.changes_source or binding.ports for binding in found.bindings)


def _wrong_refusal(verdict: Verdict, made: KernelEvent | None) -> str:
    """Whether another message was sent than the verdict asks for.

    That none was sent says nothing: the kernel does not answer everything.
    """
    if made is None or made.headers is None:
        return ""
    headers = made.headers
    if not headers.quoted and not headers.flags & RST:
        return ""  # not a refusal: the next fragment, or an answer
    if verdict.kind != "reject":
        return f"the model says drop, but the kernel sent {text_of(headers)}"
    if verdict.reason == "tcp reset":
        right = bool(headers.flags & RST)
    else:
        right = (headers.kind, headers.code) == _REFUSALS.get(verdict.reason)
    return (
        "" if right else f"the model says {verdict.reason}, but the kernel sent {text_of(headers)}"
    )
