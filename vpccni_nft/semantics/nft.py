"""What nft rules mean. Kernel: net/netfilter/nf_tables_core.c, nft_do_chain.

A rule is a row of steps; a match that is false, or an expression that has no value, ends it.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import Family, WideFamily
from ..model.effects import View
from ..model.hook import BaseChain, call
from ..model.lookup import Indices
from ..model.oracle import Bound, KeptSet, Oracle, OracleKind, Position
from ..model.packet import (
    CONNTRACK_PRIORITY,
    DROP,
    STATE_BITS,
    TCP_FLAGS,
    Binding,
    Event,
    NoMeaning,
    State,
    Verdict,
    width,
)
from ..nft import ast, names
from ..nft import expressions as x
from ..nft import objects as o
from ..nft import statements as s
from ..nft.inet import implied_family
from ..nft.names import TABLE_PREFIX
from ..nft.words import HookName, ObjectKind
from .nft_comparisons import compare, evaluate_for, is_element, kept_set, pairs
from .nft_host import set_label
from .nft_objects import give, named
from .nft_shown import shown
from .nft_value import Value
from .nft_values import evaluate, evaluate_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..model.algebra import Bool

#: Helper chains are part of the chain whose rule jumps to them, when places are named.
_HELPER = re.compile(r"\.(.+)")

#: The hooks that conntrack runs at.
TRACKED_AT = frozenset({HookName.PREROUTING, HookName.OUTPUT})

#: What a chain of conntrack's zone directions is called, and its number.
ZONE_DIRECTIONS = {"": 0, "original": 1, "reply": 2}

#: The answers that ``icmpx`` stands for (nft_reject.c, nft_reject_icmp_code).
_REASONS: Mapping[Family, Mapping[str, str]] = {
    Family.IP: {
        "no-route": "icmp net-unreachable", "port-unreachable": "icmp port-unreachable",
        "host-unreachable": "icmp host-unreachable", "admin-prohibited": "icmp admin-prohibited",
    },
    Family.IP6: {
        "no-route": "icmpv6 no-route", "port-unreachable": "icmpv6 port-unreachable",
        "host-unreachable": "icmpv6 addr-unreachable",
        "admin-prohibited": "icmpv6 admin-prohibited",
    },
}  # fmt: skip

#: What ends a rule: a verdict, or what NAT is asked for.
_Ending = s.Statement | Binding

#: One step of one rule: chain, rule and step by number.
Step = tuple[str, int, int]


def base_chains(table: ast.Table) -> Iterator[BaseChain]:
    """The chains of a table that the kernel calls."""
    chains = {chain.name: chain for chain in table.chains}
    sets = {set_.name: set_ for set_ in table.sets}
    spelt = {name: names.demangle(name) for name in chains}
    places: dict[Step, Position] = {}
    # Chains whose names are respelt from one are one home: no two places are the same.
    counts: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
    for chain in table.chains:
        if not chain.name.startswith("."):
            home = _Home(table.label.removeprefix(TABLE_PREFIX), spelt[chain.name], counts)
            _name_places(chain, chains, sets, home, places)
    sets |= {name: _opened(sets[name]) for name in _changed_sets(table) if name in sets}
    both = isinstance(table.family, WideFamily)
    tables = dict.fromkeys(sets, table.label) if both else {}
    shared = _shared_sets(table)
    objects = {(one.kind, one.name): one for one in table.objects}
    late = _set_zones_late(chains, sets)
    program = NftProgram(
        table.label, chains, sets, places, spelt, shared, tables, both, objects, late
    )
    for chain in table.chains:
        if (hook := chain.hook) and hook.name is not HookName.INGRESS and not table.is_dormant:
            drops = hook.policy == "drop"
            yield BaseChain(hook.name, hook.priority, hook.type, drops, program, chain.name)


@attrs.frozen
class _Home:
    """A chain that the places of its rules, and of the helper chains behind them, are named for."""

    table: str
    chain: str
    counts: Mapping[str, Iterator[int]]

    def next(self) -> Position:
        """Another place."""
        return Position(self.table, self.chain, next(self.counts[self.chain]))


def _steps(table: ast.Table) -> Iterator[s.Statement]:
    return (step for chain in table.chains for rule in chain.rules for step in rule.statements)


def _changed_sets(table: ast.Table) -> set[str]:
    """The sets that rules change, whatever flags they have."""
    return {step.set for step in _steps(table) if isinstance(step, s.UpdateSet)}


def _shared_sets(table: ast.Table) -> frozenset[str]:
    """The sets that more than one statement names."""
    used = Counter(name for step in _steps(table) for name in s.sets_of(step))
    return frozenset(name for name, count in used.items() if count > 1)


def _set_zones_late(chains: Mapping[str, ast.Chain], sets: Mapping[str, ast.Set]) -> frozenset[str]:
    """The chains that set zones and that a base chain leads to which runs behind conntrack.

    There a packet without a connection gets a template that stays with it.
    """
    zones = {
        name
        for name, chain in chains.items()
        for rule in chain.rules
        for step in rule.statements
        if s.sets_zone(step)
    }
    reached: set[str] = set()
    todo = [name for name, chain in chains.items() if chain.hook and not _is_ahead(chain.hook)]
    while zones and todo:
        name = todo.pop()
        if name in chains and name not in reached:
            reached.add(name)
            steps = (step for rule in chains[name].rules for step in rule.statements)
            todo += (target for step in steps for target in s.targets(step, sets))
    return frozenset(zones & reached)


def _is_ahead(hook: ast.Hook) -> bool:
    """Whether its packets have not been through conntrack yet."""
    return hook.name in TRACKED_AT and hook.priority < CONNTRACK_PRIORITY


def _opened(set_: ast.Set) -> ast.Set:
    """A set that rules change, as one that says so."""
    return attrs.evolve(set_, flags=tuple(dict.fromkeys(("dynamic", *set_.flags))))


def _name_places(
    chain: ast.Chain,
    chains: Mapping[str, ast.Chain],
    sets: Mapping[str, ast.Set],
    home: _Home,
    places: dict[Step, Position],
) -> None:
    """Name the places of random draws and counters as ``semantics.iptables`` does.

    A helper chain's steps count where its rule jumps to it, or where a map leads to it.
    """
    for number, rule in enumerate(chain.rules):
        for index, step in enumerate(rule.statements):
            if (chain.name, number, index) in places:
                continue  # a helper that two rules lead to is one place
            if s.is_stateful(step):
                places[chain.name, number, index] = home.next()
            for target in s.targets(step, sets):
                if _HELPER.fullmatch(target):
                    _name_places(chains[target], chains, sets, home, places)


@attrs.frozen(eq=False)
class NftProgram:
    """A table."""

    table: str  #: as the table's label
    chains: Mapping[str, ast.Chain]
    sets: Mapping[str, ast.Set]
    places: Mapping[Step, Position]
    names: Mapping[str, str]  #: its chains by name, and what a dump of iptables may call them
    shared: frozenset[str]  #: the sets that several statements use
    #: The tables of sets that are not the only ones of their names.
    tables: Mapping[str, str] = attrs.Factory(dict)
    #: Whether packets of both families go through it, which share all that keeps state.
    both: bool = False
    #: What rules name beside sets and counters.
    objects: Mapping[tuple[ObjectKind, str], o.NamedObject] = attrs.Factory(dict)
    #: The chains that set zones, and that packets come to which conntrack has seen.
    late: frozenset[str] = frozenset()
    other: str = ""  #: the table that it is compared with, where that has another name
    indices: Indices = attrs.Factory(Indices)

    @property
    def changed_sets(self) -> Mapping[str, str]:
        """What iptables calls the sets that rules change, by their names."""
        return {
            name: names.demangle(name) for name, one in self.sets.items() if "dynamic" in one.flags
        }

    def _view(self, state: State, place: Position | None, where: Bool) -> View:
        return View(state, place, where, tables=self.tables, named=self.sets, indices=self.indices)

    def rules(self, chain: str) -> tuple[ast.Rule, ...]:
        """The rules of a chain."""
        return self.chains[chain].rules

    def rule(self, chain: str, number: int, state: State, live: Bool) -> tuple[Bool, Bool]:
        """Go through a rule; the answer is where the next one is reached, and where it returns."""
        algebra, rule = state.algebra, self.chains[chain].rules[number]
        fits, verdicts = self._run_steps(chain, number, rule, state, live)
        if state.watch:
            state.watch(rule, live, fits)
        back = algebra.false
        for when, verdict in verdicts:
            if not algebra.impossible(when):
                live, back = self._follow(verdict, state, when, live, back)
        return live, back

    def _follow(
        self, verdict: _Ending, state: State, when: Bool, live: Bool, back: Bool
    ) -> tuple[Bool, Bool]:
        """Where the chain goes on, and where it comes back, after a verdict."""
        algebra = state.algebra
        gone = algebra.all(live, algebra.not_(when))
        match verdict:
            case s.Continue():
                return live, back
            case s.Jump(name):
                return algebra.any(gone, call(self, name, state, when)), back
            case s.Goto(name):
                return gone, algebra.any(back, call(self, name, state, when))
            case s.Return():
                return gone, algebra.any(back, when)
            case _:
                self._decide(self._view(state, None, when), when, verdict)
                return gone, back

    def _run_steps(
        self, chain: str, number: int, rule: ast.Rule, state: State, live: Bool
    ) -> tuple[Bool, list[tuple[Bool, _Ending]]]:
        """Do one step after the other; the answer is where the end is reached, and what ends it.

        Only ``continue`` goes on to the statement behind it (nf_tables_core.c, nft_do_chain).
        """
        algebra = state.algebra
        fits = live
        ended: list[tuple[Bool, _Ending]] = []
        for index, step in enumerate(rule.statements):
            if algebra.impossible(fits):
                break
            if self.both and implied_family(step) not in {None, state.family}:
                fits = algebra.false
                break
            view = self._view(state, self.places.get((chain, number, index)), fits)
            does: s.Statement = step
            self._require_meaning(chain, step)
            if isinstance(step, s.UseObject):
                does, view = named(step, self.table, self.objects, view)
            match does:
                case s.Continue():
                    pass
                case s.UseObject("flowtable") if index + 1 < len(rule.statements):
                    # It goes on only where the connection can be taken, which is not modelled.
                    raise NoMeaning("no meaning for what follows flow add")
                case s.UseObject(kind, name):
                    give(self.objects[kind, name], state, fits)
                case s.Synproxy() if index + 1 < len(rule.statements):
                    raise NoMeaning("no meaning for what follows synproxy")
                case s.Nat():
                    bindings = self._bindings(does, view)
                    ended += ((algebra.all(fits, here), binding) for here, binding in bindings)
                    fits = algebra.false
                case s.Verdict() | s.Queue() | s.Synproxy():
                    ended.append((algebra.all(fits, self._is_taken(does, state)), does))
                    # The rule has fitted where synproxy lets a packet go on.
                    fits = fits if isinstance(does, s.Synproxy) else algebra.false
                case s.VerdictMap():
                    verdicts = self._look_up(does, view, fits)
                    ended += (one for one in verdicts if not isinstance(one[1], s.Continue))
                    goes_on = (when for when, one in verdicts if isinstance(one, s.Continue))
                    fits = algebra.any(*goes_on)
                case _:
                    fits = algebra.all(fits, self._step(does, view, fits))
        return algebra.any(fits, *(when for when, _ in ended)), ended

    def _require_meaning(self, chain: str, step: s.Statement) -> None:
        if chain in self.late and s.sets_zone(step):
            raise NoMeaning("no meaning for ct zone set behind conntrack")

    def _look_up(self, step: s.VerdictMap, view: View, fits: Bool) -> list[tuple[Bool, _Ending]]:
        """The verdicts that a map may hold for the packet."""
        verdicts: list[tuple[Bool, _Ending]] = [
            (view.state.algebra.all(fits, when), verdict)
            for when, verdict in pairs(step.key, step.map, view)
            if isinstance(verdict, s.Verdict)
        ]
        if self._counts(step.map):
            for when, _ in verdicts:
                view.state.emit(when, Event("count"))
        return verdicts

    def _counts(self, elements: x.Expression) -> bool:
        """Whether an element counts the lookups that find it (nft_lookup.c, nft_lookup_eval)."""
        return isinstance(elements, x.SetReference) and self.sets[elements.name].counts

    def _decide(self, view: View, when: Bool, verdict: _Ending) -> None:
        state = view.state
        match verdict:
            case s.Accept():
                pass  # ends this base chain alone
            case s.Drop():
                state.set_verdict(when, DROP)
            case s.Reject(protocol, reason):
                answer = f"{protocol} {reason}"
                if protocol == "icmpx":
                    answer = _REASONS[state.family][reason]
                state.set_verdict(when, Verdict("reject", answer))
            case s.Synproxy():
                state.set_verdict(when, Verdict("synproxy", _handshake(verdict)))
            case s.Queue(first, last, flags):
                drops = view.says_of(
                    OracleKind.QUEUE_DROPS, ("queue", first, last), first, last, key=state.shown
                )
                state.emit(when, Event("queue", (first, last, tuple(sorted(flags)))))
                state.set_verdict(state.algebra.all(when, drops), DROP)
            case Binding():
                state.bind(when, verdict)
            case _:
                raise NoMeaning(f"no meaning for {shown(verdict)}")

    def _is_taken(self, ending: s.Statement, state: State) -> Bool:
        """Where a statement that ends the rule acts; other packets go on behind the rule.

        nft puts a test of the protocol before a TCP reset where the rule has none.
        """
        match ending:
            case s.Synproxy():
                return _has_syn_or_ack(state)
            case s.Reject("tcp"):
                return state.is_("protocol", 6)
            case _:
                return state.algebra.true

    def _bindings(self, nat: s.Nat, view: View) -> Iterator[tuple[Bool, Binding]]:
        """What a NAT statement may ask for: one thing, or what maps hold for the packet.

        A lookup that finds nothing ends the rule (nft_lookup_eval).
        """
        flags: frozenset[str] = frozenset(nat.flags)
        if nat.prefix:
            # For IPv4 the kernel takes even the same address for another (measured on Linux 6.18).
            of_ipv4 = view.state.family is Family.IP
            flags |= {"netmap", "translated"} if of_ipv4 else {"netmap"}
        if isinstance(nat.address, x.Payload):
            own = "saddr" if nat.kind == "snat" else "daddr"
            if nat.address != x.Payload(view.state.family.value, own):
                raise NoMeaning(f"no meaning for {shown(nat)}")
        address = None if isinstance(nat.address, x.Payload) else nat.address
        algebra = view.state.algebra
        if nat.family not in {None, view.state.family}:
            return  # such packets go on behind the rule (nft_nat.c, nft_nat_inet_eval)
        for where, port in _held(nat.port, view):
            for when, place in _held(address, view):
                low, ports = place.parts if isinstance(place, x.Concat) else (place, port)
                bound = Binding(nat.kind, _bounds(low), _bounds(ports), flags)
                yield algebra.all(where, when), bound

    def _step(self, step: s.Statement, view: View, when: Bool) -> Bool:
        """Do one step where a condition holds; the answer is where the rule goes on."""
        state = view.state
        match step:
            case s.Match():
                holds = compare(step, view)
                if step.operator == "==" and self._counts(step.right):
                    state.emit(state.algebra.all(when, holds), Event("count"))
                return holds
            case s.Counter():
                state.emit(when, Event("count"))
            case s.NamedCounter(name):
                home = (self.table,) if self.both else ()
                state.emit(when, Event("count", (*home, names.demangle(name))))
            case s.Log():
                state.emit(when, _logged(step))
            case s.Last():
                pass
            case s.Dup() | s.Tproxy() | s.CtCount():
                return _ACTIONS[type(step)](step, view, when)
            case s.Notrack():
                _notrack(state, when)
            case s.UpdateSet():
                return self._update(step, view, when)
            case s.Limit() | s.Quota():
                within = view.ask_here(OracleKind.WITHIN, _bound(step), width=1)
                state.emit(when, Event("spend", (view.place, _bound(step))))
                return state.algebra.equal(within, state.algebra.const(not step.over, 1))
            case s.Assign(key, expression):
                return _set(key, expression, view, when)
            case _:
                raise NoMeaning(f"no meaning for {shown(step)}")
        return state.algebra.true

    def _update(self, step: s.UpdateSet, view: View, when: Bool) -> Bool:
        """Change a set, or ask what an element keeps; the answer is where the rule goes on.

        That the set has no room left is not modelled.
        """
        algebra, state = view.state.algebra, view.state
        values = evaluate_key(step.key, view)
        there = algebra.all(*(value.there for value in values))
        when = algebra.all(when, there)
        words, set_ = tuple(value.word for value in values), kept_set(self.sets[step.set], view)
        limited = step.limit and not isinstance(step.limit, s.Counter)
        listed = self._is_listed(step, values, view) if limited else algebra.false
        counted = algebra.all(when, algebra.not_(listed))
        match step.limit:
            case None | s.Counter():
                lasting = () if step.timeout is None else (step.timeout,)
                state.emit(when, Event(step.operation, (set_, *lasting), words))
                if step.limit or self.sets[step.set].counts:
                    state.emit(when, Event("count"))
                return there
            case s.CtCount(limit, over):
                # The connections of an element are the set's; of a set of this rule alone, its own.
                plain = KeptSet(set_.name, set_.table)
                alone = step.set not in self.shared and set_ == plain
                object_ = view.place if alone and step.timeout is None else set_
                before = state.history(object_)
                number = algebra.ask(Oracle(OracleKind.CONNECTIONS, object_), before, 32)
                state.emit(counted, Event("spend", (object_, "connections"), words))
                few = algebra.ule(number, algebra.const(limit, 32))
                goes_on = algebra.not_(few) if over else few
                return algebra.all(there, algebra.any(listed, goes_on))
            case s.Limit() | s.Quota():
                bound = _bound(step.limit)
                within = view.says_of(OracleKind.WITHIN_OF_SET, set_, bound, key=words)
                state.emit(counted, Event("spend", (set_, step.timeout, bound), words))
                goes_on = algebra.not_(within) if step.limit.over else within
                return algebra.all(there, algebra.any(listed, goes_on))

    def _is_listed(self, step: s.UpdateSet, values: tuple[Value, ...], view: View) -> Bool:
        """Whether an element is there already: it keeps no state, so that the rule goes on.

        Kernel: nft_dynset.c, nft_dynset_eval (measured on Linux 6.18).
        """
        set_ = self.sets[step.set]
        leaves = set_.timeout or any(
            isinstance(one, x.Element) and (one.timeout or one.expires) for one in set_.elements
        )
        if set_.elements and (leaves or step.set in self.shared):
            raise NoMeaning(f"{step.set} may lose elements that have no limit of their own")
        return view.state.algebra.any(
            *(is_element(values, step.key, one, view) for one in set_.elements)
        )


def _bound(limit: s.Limit | s.Quota) -> Bound:
    """What may come."""
    if isinstance(limit, s.Quota):
        if limit.used:
            raise NoMeaning(f"no meaning for {shown(limit)}")
        return Bound(limit.bytes, "bytes")
    return Bound(limit.rate, limit.unit, limit.per, limit.burst)


def _logged(log: s.Log) -> Event:
    """Where a log statement writes to (nft_log.c): the audit log, a program or the kernel's log."""
    if log.level == "audit":
        return Event("audit")
    if log.group is not None:
        return Event("nflog", (log.group, log.prefix, log.snaplen, log.threshold or 0))
    return Event("log", (log.prefix, log.level, tuple(sorted(log.flags))))


def _tproxy(step: s.Tproxy, view: View, when: Bool) -> Bool:
    """The rule goes on where there is a socket to give the packet to (nft_tproxy.c)."""
    state, algebra = view.state, view.state.algebra
    if step.family not in {None, state.family}:
        return algebra.false
    address, port = step.address.address.value if step.address else 0, step.port or 0
    connection = (state.fields[name] for name in ("protocol", "saddr", "daddr", "sport", "dport"))
    found = algebra.all(
        algebra.any(state.is_("protocol", 6), state.is_("protocol", 17)),
        view.says(Oracle(OracleKind.TRANSPARENT_SOCKET, parameters=(address, port)), *connection),
    )
    state.emit(algebra.all(when, found), Event("tproxy", (address, port)))
    return found


def _duplicate(step: s.Dup, view: View, when: Bool) -> Bool:
    """The rule goes on where there is an address to send a copy to."""
    algebra, copied = view.state.algebra, list(_held(step.address, view))
    for here, address in copied:
        assert address is not None
        event = Event("dup", (_number(address), step.device))
        view.state.emit(algebra.all(when, here), event)
    return algebra.any(*(here for here, _ in copied))


def _count_connections(step: s.CtCount, view: View, when: Bool) -> Bool:
    """Add the connection to those of the rule, unless it is there (nft_connlimit_do_eval)."""
    algebra, state = view.state.algebra, view.state
    if view.place is None:
        raise NoMeaning("what counts connections stands in no place of its own")
    before = state.history(view.place)
    number = algebra.ask(Oracle(OracleKind.CONNECTIONS, view.place), before, 32)
    state.emit(when, Event("spend", (view.place, "connections")))
    few = algebra.ule(number, algebra.const(step.count, 32))
    return algebra.not_(few) if step.over else few


#: Statements that are done apart, and answer where the rule goes on.
_ACTIONS: Mapping[type[s.Statement], Callable[[Any, View, Bool], Bool]] = {
    s.Dup: _duplicate, s.Tproxy: _tproxy, s.CtCount: _count_connections,
}  # fmt: skip


def _has_syn_or_ack(state: State) -> Bool:
    """The packets that nft_synproxy.c takes, whatever other flags they have."""
    flags = TCP_FLAGS["syn"] | TCP_FLAGS["ack"]
    return state.algebra.all(state.is_("protocol", 6), state.has_bits("tcp_flags", flags))


def _handshake(synproxy: s.Synproxy) -> str:
    """What the proxy offers."""
    mss = "" if synproxy.mss is None else f"mss {synproxy.mss}"
    wscale = "" if synproxy.wscale is None else f"wscale {synproxy.wscale}"
    return " ".join(word for word in (mss, wscale, *sorted(synproxy.flags)) if word)


def _set_header(
    key: x.Payload | x.TcpOption, expression: x.Expression, view: View, when: Bool
) -> Bool:
    """Write a field of a header (nft_payload_set_eval, nft_exthdr_tcp_set_eval)."""
    state, algebra = view.state, view.state.algebra
    old, tos = evaluate(key, view), state.fields["tos"]
    new = evaluate_for(key, expression, view, old.width)
    match key:
        case x.Payload("ip" | "ip6", "dscp"):
            field, word = "tos", algebra.concat(new.word, algebra.extract(tos, 0, 2), 2)
        case x.Payload("ip" | "ip6", "ecn"):
            field, word = "tos", algebra.concat(algebra.extract(tos, 2, 6), new.word, 2)
        case x.Payload("ip", "ttl") | x.Payload("ip6", "hoplimit"):
            field, word = "ttl", new.word
        case x.Payload("tcp", "flags"):
            field, word = "tcp_flags", new.word
            # Nothing is written to a further fragment, though something is read of it.
            old = attrs.evolve(old, there=algebra.all(old.there, state.is_("fragment", 0)))
        case x.TcpOption("maxseg", "size"):
            smaller = algebra.ule(new.word, old.word)
            field, word = "mss", algebra.ite(smaller, new.word, old.word)
        case _:
            raise NoMeaning(f"no meaning for a change of {shown(key)}")
    there = algebra.all(old.there, new.there)
    state.assign(algebra.all(when, there), field, word)
    if isinstance(key, x.TcpOption):
        # A rule goes on where the header lacks the option (measured on Linux 6.18).
        header = algebra.all(state.is_("protocol", 6), state.is_("fragment", 0))
        return algebra.all(header, new.there)
    return there


def _set(key: x.Expression, expression: x.Expression, view: View, when: Bool) -> Bool:
    """Give a key a value (nft_meta_set_eval, nft_ct_set_eval): nothing happens without an entry."""
    state, algebra = view.state, view.state.algebra
    if isinstance(key, x.Payload | x.TcpOption):
        return _set_header(key, expression, view, when)
    if key == x.Ct("label"):
        set_label(expression, view, when)
        return algebra.true
    if key == x.Meta("pkttype"):
        value = evaluate_for(key, expression, view, width("packet_type", state.family))
        state.assign(algebra.all(when, value.there), "packet_type", value.word)
        return value.there
    bits = width("ct_zone" if isinstance(key, x.Ct) and key.key == "zone" else "mark", state.family)
    value = evaluate_for(key, expression, view, bits)
    when = algebra.all(when, value.there)
    match key:
        case x.Meta("priority"):
            state.assign(when, "priority", value.word)
        case x.Meta("nftrace"):
            if expression != x.Number(1):
                raise NoMeaning(f"no meaning for {shown(expression)}")
            state.emit(when, Event("trace"))
        case x.Meta("mark"):
            state.assign(when, "mark", value.word)
        case x.Ct("mark"):
            state.assign(algebra.all(when, state.has_connection), "ct_mark", value.word)
        case x.Ct("zone", direction):
            fresh = algebra.all(when, algebra.not_(state.has_entry), state.is_("ct_template", 0))
            state.assign(fresh, "ct_zone", value.word)
            number = state.word("ct_zone_direction", ZONE_DIRECTIONS[direction])
            state.assign(fresh, "ct_zone_direction", number)
            state.assign(fresh, "ct_template", state.word("ct_template", 1))
            state.assign(fresh, "ct_state", state.word("ct_state", STATE_BITS["new"]))
        case _:
            raise NoMeaning(f"no meaning for a change of {shown(key)}")
    return value.there


def _notrack(state: State, when: Bool) -> None:
    """Only where nothing is known of the packet yet (nft_notrack_eval)."""
    algebra = state.algebra
    fresh = algebra.all(when, algebra.not_(state.has_entry))
    state.assign(fresh, "ct_state", state.word("ct_state", STATE_BITS["untracked"]))


def _held(bound: x.Expression | None, view: View) -> Iterator[tuple[Bool, x.Expression | None]]:
    """What a connection is bound to, or what a map holds for the packet: each value, and where."""
    if not isinstance(bound, x.Lookup):
        yield view.state.algebra.true, bound
        return
    for when, value in pairs(bound.key, bound.map, view):
        if isinstance(value, x.Expression):
            yield when, value


def _bounds(literal: x.Expression | None) -> tuple[int, int] | None:
    match literal:
        case None:
            return None
        case x.Range(low, high):
            return _number(low), _number(high)
        case x.Prefix(address, length):
            rest = (1 << address.family.bits - length) - 1
            return address.value, address.value | rest
        case _:
            return _number(literal), _number(literal)


def _number(literal: x.Expression) -> int:
    match literal:
        case x.Number(value) | x.Hex(value):
            return value
        case x.Host(address):
            return address.value
        case _:
            raise NoMeaning(f"not a number: {shown(literal)}")
