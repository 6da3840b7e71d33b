"""A hook: all its base chains, in the order in which the kernel calls them.

Chains of both languages stand side by side here, as they do on a node.
"""

from __future__ import annotations

import enum
import math
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Protocol

import attrs

from ..core.values import Family
from .headers import WITH_PORTS
from .oracle import Oracle, OracleKind
from .packet import (
    ACCEPT,
    ANEW,
    CONNTRACK_PRIORITY,
    DROP,
    OF_CONNECTION,
    PACKET_TYPES,
    STATE_BITS,
    STATUS_BITS,
    Binding,
    Event,
    NoMeaning,
    State,
    Verdict,
    interface_word,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .algebra import Algebra, Bool, Word
    from .lookup import Indices, RuleIndex

#: Where the kernel's NAT core runs. Nat chains run inside it, whatever their own priorities, which
#: only order them among themselves (nf_nat_core.c; measured on Linux 6.18).
NAT_PRIORITIES = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}

#: The protocol of messages about other packets.
ICMP = {Family.IP: 1, Family.IP6: 58}

_TCP, _RESET = 6, 4

#: What routing can see of a packet, with what ``ip rule`` can (fib_rules.c, fib4_rule_match).
ROUTED_BY = (
    "daddr", "saddr", "mark", "tos", "protocol", "sport", "dport", "iif", "packet_type",
)  # fmt: skip

#: What routing answers; anything else is that there is no route.
BY_DEVICE, TO_THE_NODE = 0, 1
#: Types of packets that their sender may hear, too.
_TO_MANY = (PACKET_TYPES["broadcast"], PACKET_TYPES["multicast"])

#: The most jumps that are followed one below the other, as Python's stack is not without end. nft
#: takes 16, and agents' own chains are less deep.
DEEPEST = 64

#: Hooks that bind a connection's source; the other two with nat chains bind its destination.
SOURCE_HOOKS = {"input", "postrouting"}


class Act(enum.Enum):
    """What the kernel does at a hook itself, between base chains."""

    CONNTRACK = "conntrack"
    NAT = "nat"


def acts_at(hook: str) -> dict[Act, int]:
    """What the kernel does at a hook, in its order, and at which priority."""
    acts = {Act.CONNTRACK: CONNTRACK_PRIORITY} if hook in {"prerouting", "output"} else {}
    return acts | ({Act.NAT: NAT_PRIORITIES[hook]} if hook in NAT_PRIORITIES else {})


class Program(Protocol):
    """The chains of a table, as something that packets go through."""

    @property
    def table(self) -> str:
        """The table's name."""

    @property
    def other(self) -> str:
        """The name of the table that it is compared with, where that is another one."""

    @property
    def names(self) -> Mapping[str, str]:
        """Its chains by name, and what a dump of iptables may call them."""

    @property
    def indices(self) -> Indices:
        """By which its rules and elements are found."""

    def rules(self, chain: str) -> Sequence[object]:
        """The rules of a chain."""

    def rule(self, chain: str, number: int, state: State, live: Bool) -> tuple[Bool, Bool]:
        """Go through a rule; the answer is where the next one is reached, and where it returns."""


def run(program: Program, chain: str, state: State, where: Bool) -> Bool:
    """Go through a chain; the answer is where it comes back to its caller."""
    index = program.indices.rules.get((state.family, chain))
    if index:
        return _run_matching(program, chain, index, state, where)
    live, back = run_rules(program, chain, range(len(program.rules(chain))), state, where)
    return state.algebra.any(live, back)


def _run_matching(
    program: Program, chain: str, index: RuleIndex, state: State, where: Bool
) -> Bool:
    """The same without the rules that the packet cannot match, which do nothing.

    Where a rule has changed what the rules are found by, they are looked for again.
    """
    algebra, live, back = state.algebra, where, state.algebra.false
    words = index.words(state.fields)
    numbers = index.behind(-1, words, algebra)
    while (number := next(numbers, None)) is not None and not algebra.impossible(live):
        live, returned = program.rule(chain, number, state, live)
        back = algebra.any(back, returned)
        if (now := index.words(state.fields)) != words:
            words, numbers = now, index.behind(number, now, algebra)
    return algebra.any(live, back)


def run_rules(
    program: Program, chain: str, numbers: Iterable[int], state: State, where: Bool
) -> tuple[Bool, Bool]:
    """Go through some rules of a chain; the answer is as that of a single rule."""
    live, back = where, state.algebra.false
    for number in numbers:
        if state.algebra.impossible(live):
            break
        live, returned = program.rule(chain, number, state, live)
        back = state.algebra.any(back, returned)
    return live, back


def call(program: Program, chain: str, state: State, where: Bool) -> Bool:
    """Go where a rule leads to, unless what comes of it is known; the answer as of a run.

    Raises NoMeaning where the chain is not there or leads back to itself: no kernel takes such
    rules; and where more chains lead to it than are followed.
    """
    if chain not in program.names:
        raise NoMeaning(f"the table {program.table} has no chain {chain}")
    if state.calls:
        returned = state.calls(program, chain, state, where)
        if returned is not None:
            return returned
    here = (program, chain)
    if here in state.way:
        raise NoMeaning(f"the chain {chain} leads back to itself")
    if len(state.way) >= DEEPEST:
        raise NoMeaning(f"more than {DEEPEST} jumps lead to the chain {chain}: it is not followed")
    state.way.append(here)
    back = run(program, chain, state, where)
    state.way.pop()
    return back


@attrs.frozen
class BaseChain:
    """A chain that the kernel calls."""

    hook: str
    priority: int
    type: str  #: ``filter``, ``nat`` or ``route``
    policy_drops: bool
    program: Program
    name: str
    #: Where it runs among all of its priority. What the kernel does there itself, conntrack or NAT,
    #: has the turn 0.
    turn: int = attrs.field(default=1, kw_only=True)

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Where it runs among the others of its hook: nat chains run inside the NAT core."""
        if self.type == "nat":
            return NAT_PRIORITIES[self.hook], 0, self.priority, self.turn
        return self.priority, self.turn, 0, 0

    def run(self, state: State, where: Bool) -> Bool:
        """Go through its rules where a condition holds; the answer is where no rule decided."""
        return run(self.program, self.name, state, where)


@attrs.frozen
class Route:
    """Where the kernel's routing sends a packet: a function of all that it can see."""

    to_the_node: Bool
    is_missing: Bool  #: no route, or one that lets nothing through
    device: Word
    realm: Word
    seen: Mapping[str, Word]  #: what that is a function of

    @classmethod
    def of(cls, state: State) -> Route:
        """Look for the route of a packet as it is now."""
        algebra, seen = state.algebra, {name: state.fields[name] for name in ROUTED_BY}
        if unseen := state.internal | state.unrouted:
            bits = width("mark", state.family)
            others = algebra.const(~unseen & (1 << bits) - 1, bits)
            seen["mark"] = algebra.bvand(seen["mark"], others)

        def ask(kind: OracleKind, bits: int) -> Word:
            return algebra.ask(Oracle(kind), tuple(seen.values()), bits)

        way = ask(OracleKind.ROUTE, 2)
        by_device, to_the_node = (algebra.const(one, 2) for one in (BY_DEVICE, TO_THE_NODE))
        local = algebra.equal(way, to_the_node)
        return cls(
            local,
            algebra.not_(algebra.any(local, algebra.equal(way, by_device))),
            ask(OracleKind.ROUTE_DEVICE, width("oif", state.family)),
            ask(OracleKind.ROUTE_REALM, width("realm", state.family)),
            seen,
        )


@attrs.frozen
class Outcome:
    """What happened to a packet at a hook."""

    verdict: Verdict
    bindings: tuple[Binding, ...]
    fields: Mapping[str, int]
    events: tuple[Event, ...]
    routed: Mapping[str, int] = attrs.Factory(dict)  #: on a path, what routing saw of it


def run_hook(
    algebra: Algebra,
    family: Family,
    hook: str,
    chains: Iterable[BaseChain],
    fields: Mapping[str, Word],
    watch: Callable[[object, Bool, Bool], None] | None = None,
    calls: Callable[[Program, str, State, Bool], Bool | None] | None = None,
) -> State:
    """Send a packet through the base chains of a hook.

    ``fields`` holds what conntrack finds; chains that run before conntrack do not see it, but for
    packets that have their connection already. Of equal priority the chains' turns tell the order,
    and then the order in which they are given: the kernel promises none.
    """
    state = State.start(algebra, family, hook, fields)
    state.watch, state.calls = watch, calls
    go_through(state, hook, chains)
    return state


def go_through(
    state: State,
    hook: str,
    chains: Iterable[BaseChain],
    behind_nat: Callable[[Mapping[str, Word]], None] | None = None,
) -> None:
    """Send a packet that has come to a hook through its base chains.

    ``behind_nat`` is called behind the nat chains, with the fields as they were ahead of NAT.
    """
    acts, found = acts_at(hook), dict(state.fields)
    here = sorted((chain for chain in chains if chain.hook == hook), key=attrgetter("place"))
    happens: list[tuple[tuple[float, ...], Callable[[], None]]] = []
    if Act.CONNTRACK in acts and here and here[0].place < (CONNTRACK_PRIORITY, 0):
        algebra, seen = state.algebra, has_connection_already(state)
        none = state.word("ct_state", STATE_BITS["invalid"])
        state.fields["ct_state"] = algebra.ite(seen, found["ct_state"], none)
        track = partial(_track, state, found, state.fields["ct_state"], seen)
        happens.append(((CONNTRACK_PRIORITY, 0), track))
    if Act.NAT in acts:
        ahead: dict[str, Word] = {}
        happens.append(((acts[Act.NAT], 0), partial(_translate, state, ahead)))
        if behind_nat:
            happens.append(((acts[Act.NAT], 0, math.inf), partial(behind_nat, ahead)))
    happens += [(chain.place, partial(run_chain, state, chain)) for chain in here]
    binds_source = [chain for chain in here if chain.type == "nat" and hook in SOURCE_HOOKS]
    if binds_source and here[-1].type != "nat":
        # Ahead of what comes at the end of NAT: a path shows what is behind it.
        port = _SourcePort(state, found)
        happens.append(((acts[Act.NAT], 0, math.inf), port.may_be_another))
        happens.append(((math.inf,), port.is_as_bound))
    for _, happen in sorted(happens, key=itemgetter(0)):
        happen()


@attrs.define
class _SourcePort:
    """The source port behind NAT, as chains see it that run behind it.

    Where a rule binds the source, NAT gives the packet another port if its own is taken, also where
    the rule names none (nf_nat_core.c, get_unique_tuple). Which one is the world's: chains behind
    NAT may see it. The binding itself says all that is to be compared, so it is forgotten again.
    """

    state: State
    found: Mapping[str, Word]
    bound: Word | None = None
    seen: Word | None = None

    def may_be_another(self) -> None:
        """NAT has bound the source."""
        state, algebra = self.state, self.state.algebra
        free = algebra.ask(Oracle(OracleKind.FREE_PORT), state.connection, 16)
        newly = algebra.all(
            state.is_("snat_done", 1),
            algebra.equal(self.found["snat_done"], state.word("snat_done", 0)),
            algebra.any(*(state.is_("protocol", one) for one in WITH_PORTS)),
        )
        self.bound = state.fields["sport"]
        self.seen = state.fields["sport"] = algebra.ite(newly, free, self.bound)

    def is_as_bound(self) -> None:
        """The hook is over."""
        if self.bound is not None and self.state.fields["sport"] is self.seen:
            self.state.fields["sport"] = self.bound


def outcome(state: State) -> Outcome:
    """What happened to a packet of plain numbers."""
    verdicts = [verdict for when, verdict in state.verdicts if when]
    return Outcome(
        verdicts[0] if verdicts else ACCEPT,
        tuple(binding for when, binding in state.bindings if when),
        state.fields,
        tuple(event for when, event in state.events if when),
        state.routed,
    )


def has_connection_already(state: State) -> Bool:
    """Whether a packet has its connection before conntrack looks for one.

    What the node sends to itself keeps at prerouting what it got at output: by ``lo``, and what it
    sends to a group or to all, where it hears that itself by the device that it was sent by
    (ip_output.c, ip_mc_output; measured on Linux 6.18). At output, what REJECT
    makes, a reset or an ICMP error, is made with the connection that it is about (nf_ct_attach;
    measured on Linux 6.18), what SYNPROXY answers with the connection that it answers
    (nf_synproxy_core.c), and a copy of TEE and dup is made untracked (nf_dup_ipv4.c); errors that
    the kernel makes itself get theirs from conntrack.
    """
    algebra = state.algebra
    if state.hook == "prerouting":
        by_loopback = state.is_("iif", interface_word("lo"))
        to_many = algebra.any(*map(partial(state.is_, "packet_type"), _TO_MANY))
        if algebra.impossible(to_many):
            return by_loopback
        heard = algebra.ask(Oracle(OracleKind.IS_LOOPED_BACK), (), 1)
        returns = algebra.all(to_many, algebra.equal(heard, algebra.const(1, 1)))
        return algebra.any(by_loopback, returns)
    tcp = state.is_("protocol", _TCP)
    reset = algebra.all(tcp, state.has_bits("tcp_flags", _RESET))
    error = algebra.any(state.is_("protocol", ICMP[state.family]), reset)
    attached = algebra.ask(Oracle(OracleKind.CONNECTION_IS_ATTACHED), (), 1)
    return algebra.all(
        algebra.equal(attached, algebra.const(1, 1)),
        algebra.any(
            algebra.all(state.has_bits("ct_state", STATE_BITS["related"]), error),
            algebra.all(state.has_bits("ct_state", STATE_BITS["established"]), tcp),
            state.has_bits("ct_state", STATE_BITS["untracked"]),
        ),
    )


def _track(state: State, found: Mapping[str, Word], before: Word, seen: Bool) -> None:
    """Conntrack finds the packet's connection, unless a rule keeps it out.

    Whatever a rule did to the mark before was done to a template, unless the packet was ``seen``:
    had its connection already. ``before`` is the state where no rule keeps the packet out.
    """
    algebra = state.algebra
    had_template = state.is_("ct_template", 1)
    # A template has served its purpose; what was read of it is the connection's again.
    state.fields["ct_template"] = state.word("ct_template", 0)
    state.fields |= {name: found[name] for name in OF_CONNECTION if name != "ct_mark"}
    tracked = algebra.not_(state.is_("ct_state", STATE_BITS["untracked"]))
    looked_up = algebra.any(had_template, algebra.all(algebra.not_(seen), tracked))
    state.assign(looked_up, "ct_mark", found["ct_mark"])
    if state.fields["ct_state"] is before:
        state.fields["ct_state"] = found["ct_state"]
    else:
        state.assign(algebra.any(seen, tracked), "ct_state", found["ct_state"])


def _translate(state: State, ahead: dict[str, Word]) -> None:
    """The NAT core rewrites what belongs to a connection that is bound already.

    ``ahead`` gets the fields as they are before.

    Where destinations are bound, packets of the original direction get the bound destination, and
    answers the source that was there before; the other way round where sources are. Kernel:
    nf_nat_core.c, nf_nat_packet.
    """
    ahead |= state.fields
    algebra = state.algebra
    end, other = ("s", "d") if state.hook in SOURCE_HOOKS else ("d", "s")
    # What is rejected is answered as it is then; what is dropped can be whatever it is.
    answered = algebra.any(*(when for when, one in state.verdicts if one.kind == "reject"))
    later = algebra.all(algebra.not_(answered), state.has_entry, algebra.not_(_may_bind(state)))
    for reply, tuple_, bound in ((0, "reply", f"{end}nat"), (1, "original", f"{other}nat")):
        when = algebra.all(
            later,
            state.is_("ct_reply", reply),
            state.has_bits("ct_status", STATUS_BITS[bound]),
        )
        for part in ("addr", "port"):
            state.assign(when, f"{end}{part}", state.fields[f"ct_{tuple_}_{other}{part}"])
        state.translated(when)


def run_chain(state: State, chain: BaseChain) -> None:
    """Send what is not decided yet through a base chain."""
    algebra = state.algebra
    before = dict(state.fields)
    where = algebra.all(state.live, _may_bind(state)) if chain.type == "nat" else state.live
    undecided = chain.run(state, where)
    if chain.policy_drops:
        state.set_verdict(algebra.all(state.live, undecided), DROP)
    if chain.type == "route":
        route_anew(state, algebra.all(state.live, _changed(state, before)))


def route_anew(state: State, when: Bool) -> None:
    """Look for the route of a locally made packet again; without one it is dropped.

    At a single hook that shows what the packet is then. On a path the device shows it by which it
    leaves. Kernel: ip_route_me_harder, ip6_route_me_harder.
    """
    if not state.on_path:
        state.emit(when, Event("reroute"))
        return
    algebra, route = state.algebra, Route.of(state)
    state.leaves_by = algebra.ite(when, route.device, state.leaves_by)
    seen = {**route.seen, "ct_mark": state.fields["ct_mark"], ANEW: algebra.const(1, 1)}
    for field, value in seen.items():
        state.routed[field] = algebra.ite(when, value, state.routed[field])
    state.assign(when, "realm", route.realm)
    state.use(when, Event("reroute", (), tuple(route.seen.values())))
    state.set_verdict(algebra.all(when, route.is_missing), DROP)


def _may_bind(state: State) -> Bool:
    """Nat chains see the first packet of a connection that is not bound yet.

    An ICMP message about a connection is none of its own. Kernel: nf_nat_core.c, nf_nat_inet_fn;
    nf_nat_proto.c, nf_nat_ipv4_fn and nf_nat_ipv6_fn.
    """
    algebra = state.algebra
    done = "snat_done" if state.hook in SOURCE_HOOKS else "dnat_done"
    about_another = algebra.all(
        state.has_bits("ct_state", STATE_BITS["related"]),
        state.is_("protocol", ICMP[state.family]),
    )
    first = state.has_bits("ct_state", STATE_BITS["new"] | STATE_BITS["related"])
    return algebra.all(first, algebra.not_(about_another), state.is_(done, 0))


def _changed(state: State, before: Mapping[str, Word]) -> Bool:
    """Whether a locally made packet has to be routed anew (iptable_mangle.c, nft_chain_route.c)."""
    algebra = state.algebra
    fields = ("mark", "saddr", "daddr", "tos", *(("ttl",) if state.family is Family.IP6 else ()))
    return algebra.not_(
        algebra.all(*(algebra.equal(before[field], state.fields[field]) for field in fields))
    )
