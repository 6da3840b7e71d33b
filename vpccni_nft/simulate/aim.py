"""Aim at a rule: what a packet must be like to come to it and fit it.

An aim is a guess: it knows the tests of the rules that lead somewhere, not what rules before them
do to the packet. Where it errs a packet goes another way, which is as good a sample.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import Negatable, Network, PortRange
from ..extensions.matches.addrtype import AddrType
from ..extensions.matches.comment import Comment
from ..extensions.matches.connlimit import Connlimit
from ..extensions.matches.conntrack import Conntrack
from ..extensions.matches.icmp import Icmp, Icmp6
from ..extensions.matches.limit import Limit
from ..extensions.matches.mark import Mark
from ..extensions.matches.multiport import DESTINATION, EITHER, SOURCE, Multiport
from ..extensions.matches.quota import Quota
from ..extensions.matches.recent import Recent
from ..extensions.matches.sctp import Sctp
from ..extensions.matches.set import MatchSet
from ..extensions.matches.state import State
from ..extensions.matches.statistic import CERTAIN, Mode, Statistic
from ..extensions.matches.tcp import FlagTest, Tcp
from ..extensions.matches.udp import Udp
from ..extensions.shared.set_names import FIELDS as SET_FIELDS
from ..extensions.targets.connmark import Connmark
from ..extensions.targets.reject import Reject
from ..extensions.targets.synproxy import Synproxy
from ..extensions.targets.tcpmss import SetMss
from ..extensions.targets.verdicts import Accept, Drop, Return
from ..ipset.ast import InterfacePart, MacPart, MarkPart, PortPart
from ..iptables import ast
from ..model.oracle import Bound, Oracle, OracleKind, Position, member
from ..model.packet import ADDRESS_TYPES, STATE_BITS, STATUS_BITS, TCP_FLAGS, interface_word, width
from ..semantics.iptables import PLACES, sets_of
from .constants import constants_in
from .header_aim import HeaderFit, tested_fields
from .host_aim import HostFit, host_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from ..core.values import Family, MaskedMark
    from ..extensions.matches.icmp import MessageType
    from ..extensions.shared.set_names import Members
    from ..ipset.ast import IpSets
    from ..model.concrete import Question

#: Longer paths are cut off: deep cascades have as many aims as chains.
LONGEST = 40

#: Protocols with transport headers of their own.
PROTOCOLS = (6, 17, 1, 58, 132)

#: Those whose messages have a type and a code.
_MESSAGES = (1, 58)


@attrs.frozen(eq=False, slots=False)
class PathStep:
    """A rule, and what of its chain its tests depend on."""

    chain: str
    rule: ast.Rule
    #: How many random or counting matches stand before those of this rule.
    draws_before: int
    family: Family
    #: What is known of the sets that rules name.
    sets: IpSets | None = None

    @functools.cached_property
    def edges(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Values around the edges of what the rule's tests take, by field."""
        rule = self.rule
        tests: list[tuple[str, object]] = [
            ("saddr", rule.source),
            ("daddr", rule.destination),
            ("iif", rule.in_interface),
            ("oif", rule.out_interface),
        ]
        for match in rule.matches:
            tests += _tested(match)
            tests += tested_fields(match)
            tests += host_fields(match)
        if isinstance(rule.target, Connmark):
            tests += [("mark", rule.target), ("ct_mark", rule.target)]
        if isinstance(rule.target, SetMss) and rule.target.size is not None:
            tests.append(("mss", PortRange(rule.target.size, rule.target.size)))
        found = [
            (field, tuple(constants_in((test,), self.family).every())) for field, test in tests
        ]
        if rule.protocol:
            found.append(("protocol", PROTOCOLS))
        return tuple(
            (field, fitting)
            for field, values in found
            if (fitting := tuple(one for one in values if not one >> width(field, self.family)))
        )


def _tested(match: ast.Match) -> Iterator[tuple[str, object]]:
    """The fields that a match tests, with what has their values."""
    match match:
        case Tcp() | Udp() | Sctp():
            yield from (("sport", match.source_port), ("dport", match.destination_port))
        case Multiport():
            yield from (("sport", match), ("dport", match))
        case Mark():
            yield ("mark", match)
        case Icmp() | Icmp6():
            yield from (("icmp_type", match), ("icmp_code", match))
        case Conntrack():
            yield from (
                ("ct_original_saddr", match.original_source),
                ("ct_original_daddr", match.original_destination),
                ("ct_reply_saddr", match.reply_source),
                ("ct_reply_daddr", match.reply_destination),
                ("ct_original_sport", match.original_source_port),
                ("ct_original_dport", match.original_destination_port),
                ("ct_reply_sport", match.reply_source_port),
                ("ct_reply_dport", match.reply_destination_port),
            )


#: What hangs on a packet's connection is worth trying with every rule.
_ANYWHERE = (
    ("ct_state", tuple(STATE_BITS.values())),
    ("ct_status", (0, *STATUS_BITS.values())),
)


@attrs.frozen(eq=False)
class Aim:
    """A rule, and the rules whose jumps lead to its chain from a hook."""

    table: str
    hook: str
    path: tuple[PathStep, ...]

    @property
    def rule(self) -> ast.Rule:
        """The rule that is aimed at."""
        return self.path[-1].rule

    def apply(self, fields: dict[str, int], answers: dict[Question, int], random: Random) -> None:
        """Change a packet so that it fits the rules of the path, as far as this knows how.

        Every other packet is then changed once more, so that it is beside some rule's edge.
        """
        if self.table == "nat":
            fields |= {"snat_done": 0, "dnat_done": 0}
            fields["ct_state"] = STATE_BITS[random.choice(("new", "new", "related"))]
        fit = _Fit(self.path[-1].family, fields, answers, random)
        # The rule that is aimed at last, so that it wins where the path contradicts itself.
        for step in self.path:
            fit.rule(step)
        if random.random() < 1 / 2:
            step = self.path[-1] if random.random() < 3 / 4 else random.choice(self.path)
            beside = step.edges if step.edges and random.random() < 3 / 4 else _ANYWHERE
            field, values = random.choice(beside)
            if field not in {"iif", "oif"} or fields[field]:
                fields[field] = random.choice(values)


def aims_of(ruleset: ast.Ruleset, family: Family) -> Iterator[Aim]:
    """One aim for each rule that packets can come to, by the first way that leads there."""
    sets = sets_of(ruleset)
    for table in ruleset.tables:
        if table.family is family:
            yield from _aims_of_table(table, sets)


def _aims_of_table(table: ast.Table, sets: IpSets | None) -> Iterator[Aim]:
    steps = {chain.name: tuple(_steps(chain, table.family, sets)) for chain in table.chains}
    for base in table.chains:
        if not base.policy:
            continue
        hook, _ = PLACES[table.name, base.name]
        seen = {base.name}
        ahead: list[tuple[str, tuple[PathStep, ...]]] = [(base.name, ())]
        while ahead:
            chain, path = ahead.pop()
            for step in steps[chain]:
                here = (*path, step)[-LONGEST:]
                yield Aim(table.name, hook, here)
                target = step.rule.target
                if isinstance(target, ast.Jump | ast.Goto) and target.chain not in seen:
                    seen.add(target.chain)
                    ahead.append((target.chain, here))


def _steps(chain: ast.Chain, family: Family, sets: IpSets | None) -> Iterator[PathStep]:
    draws = 0
    for rule in chain.rules:
        yield PathStep(chain.name, rule, draws, family, sets)
        draws += sum(match.draws for match in rule.matches)
        if _ends_always(rule):
            return  # nothing comes to the rules behind it


def _ends_always(rule: ast.Rule) -> bool:
    """Whether every packet fits, and none goes on in the chain."""
    tests = (rule.in_interface, rule.out_interface, rule.protocol, rule.fragment)
    ends = (rule.source, rule.destination)
    fits = (
        not any(tests)
        and all(end is None or (not end.value.mask and not end.negated) for end in ends)
        and all(isinstance(match, Comment) for match in rule.matches)
    )
    return fits and isinstance(rule.target, ast.Goto | Accept | Drop | Return | Reject)


@attrs.frozen
class _Fit:
    """A packet that is made to fit."""

    family: Family
    fields: dict[str, int]
    answers: dict[Question, int]
    random: Random

    def rule(self, step: PathStep) -> None:
        """Make it fit one rule."""
        self._base(step.rule)
        place = Position(step.chain, step.draws_before)
        for match in step.rule.matches:
            if isinstance(match, Statistic) and match.draws:
                self._draw(match, place)
            elif match.draws:
                self._bound(match, place)
            self._match(match, step.sets)
            place = attrs.evolve(place, number=place.number + match.draws)
        match step.rule.target:
            case SetMss():
                self.fields["has_mss"] = 1
            case Synproxy():
                flag = self.random.choice(("syn", "ack", "syn", "fin"))
                self.fields["tcp_flags"] = TCP_FLAGS[flag]

    def _base(self, rule: ast.Rule) -> None:
        self._network("saddr", rule.source)
        self._network("daddr", rule.destination)
        self._number("protocol", rule.protocol)
        for field, test in (("iif", rule.in_interface), ("oif", rule.out_interface)):
            if test and self.fields[field]:
                self._interface(field, test)

    def _match(self, match: Any, sets: IpSets | None) -> None:
        HeaderFit(self.family, self.fields, self.answers, self.random).match(match)
        HostFit(self.fields, self.answers, self.random).match(match)
        match match:
            case Tcp() | Udp() | Sctp():
                self._port("sport", match.source_port)
                self._port("dport", match.destination_port)
                if isinstance(match, Tcp) and match.flags:
                    self._flags(match.flags)
            case Multiport(option, ports):
                self._ports(option, ports)
            case Mark(test):
                self._mark(test)
            case Conntrack():
                self._states(match.states)
                self._entry(match)
            case State():
                self._states(match.states)
            case AddrType():
                self._types(match)
            case Icmp(test) | Icmp6(test):
                self._message(test)
            case Recent():
                field = "daddr" if match.destination else "saddr"
                mask = match.mask.value if match.mask else -1
                question = (member(f"recent-{match.name}"), (self.fields[field] & mask,))
                self.answers[question] = int(not match.negated)
            case MatchSet(members=Negatable(members, False)) if sets and sets.known:
                self._member(members, sets)
            case MatchSet(members=Negatable(members, negated)):
                key = tuple(self.fields[SET_FIELDS[way]] for way in members.directions)
                self.answers[member(members.name), key] = int(not negated)

    def _member(self, members: Members, sets: IpSets) -> None:
        """Give the packet what some element of a set has."""
        entries = [entry for one in sets.members(members.name) for entry in one.entries]
        if not entries:
            return
        fields, entry = self.fields, self.random.choice(entries)
        for part, way in zip(entry.parts, members.directions, strict=False):
            match part:
                case Network(_, address, mask) if fields[SET_FIELDS[way]] & mask != address:
                    fields[SET_FIELDS[way]] = address
                case PortPart(protocol, number) if protocol in _MESSAGES:
                    fields |= {"protocol": protocol, "fragment": 0}
                    fields |= {"icmp_type": number >> 8, "icmp_code": number & 0xFF}
                case PortPart(protocol, number):
                    fields["protocol"] = protocol
                    fields["sport" if way == "src" else "dport"] = number
                case MacPart(value):
                    fields["mac_source"] = value
                    self.answers[Oracle(OracleKind.CAME_BY_ETHERNET), ()] = 1
                case MarkPart(value):
                    fields["mark"] = value
                case InterfacePart(name) if fields["iif" if way == "src" else "oif"]:
                    fields["iif" if way == "src" else "oif"] = interface_word(name)

    def _network(self, field: str, test: Negatable[Network] | None) -> None:
        if not test:
            return
        network = test.value
        inside = self.fields[field] & network.mask == network.address
        if test.negated and inside:
            self.fields[field] ^= network.mask & -network.mask
        elif not test.negated and not inside:
            hosts = network.family.all_ones ^ network.mask
            self.fields[field] = network.address | self.fields[field] & hosts

    def _number(self, field: str, test: Negatable[int] | None) -> None:
        if test and not test.negated:
            self.fields[field] = test.value
        elif test and self.fields[field] == test.value:
            self.fields[field] ^= 1

    def _interface(self, field: str, test: Negatable[ast.Interface]) -> None:
        name = test.value.name
        if test.negated:
            self.fields[field] = interface_word(self.random.choice(("other", name[:-1] or "x")))
        elif test.value.wildcard:
            self.fields[field] = interface_word(self.random.choice((f"{name}0", f"{name}ab1"))[:15])
        else:
            self.fields[field] = interface_word(name)

    def _port(self, field: str, test: Negatable[PortRange] | None) -> None:
        if test:
            self._ports_of(field, Negatable((test.value,), test.negated))

    def _ports_of(self, field: str, test: Negatable[tuple[PortRange, ...]]) -> None:
        inside = any(one.first <= self.fields[field] <= one.last for one in test.value)
        if test.negated and inside:
            one = self.random.choice(test.value)
            self.fields[field] = self.random.choice((one.first - 1, one.last + 1)) & 0xFFFF
        elif not test.negated and not inside:
            one = self.random.choice(test.value)
            self.fields[field] = self.random.choice((one.first, one.last))

    def _ports(self, option: str, test: Negatable[tuple[PortRange, ...]]) -> None:
        fields = {SOURCE: ["sport"], DESTINATION: ["dport"], EITHER: ["sport", "dport"]}[option]
        if option == EITHER and not test.negated:
            fields = [self.random.choice(fields)]
        for field in fields:
            self._ports_of(field, test)

    def _flags(self, test: Negatable[FlagTest]) -> None:
        mask, wanted = (_bits(names) for names in (test.value.mask, test.value.flags))
        self.fields["tcp_flags"] = self.fields["tcp_flags"] & ~mask | wanted
        if test.negated:
            self.fields["tcp_flags"] ^= mask & -mask

    def _states(self, test: Negatable[tuple[str, ...]] | None) -> None:
        if not test:
            return
        names = [name.lower() for name in test.value]
        if not test.negated:
            name = self.random.choice(names)
            if name in STATUS_BITS:
                self.fields["ct_status"] |= STATUS_BITS[name]
                known = STATE_BITS["established"], STATE_BITS["new"], STATE_BITS["related"]
                if self.fields["ct_state"] not in known:
                    self.fields["ct_state"] = self.random.choice(known)
            elif not any(self.fields["ct_state"] == STATE_BITS.get(one) for one in names):
                self.fields["ct_state"] = STATE_BITS[name]
            return
        others = [bit for name, bit in STATE_BITS.items() if name not in names]
        if others and self.fields["ct_state"] not in others:
            self.fields["ct_state"] = self.random.choice(others)
        for name in names:
            if name in STATUS_BITS:
                self.fields["ct_status"] &= ~STATUS_BITS[name]

    def _entry(self, node: Conntrack) -> None:
        for way, ends in (
            ("original", (node.original_source, node.original_destination)),
            ("reply", (node.reply_source, node.reply_destination)),
        ):
            for end, test in zip("sd", ends, strict=True):
                self._network(f"ct_{way}_{end}addr", test)
        self._port("ct_original_sport", node.original_source_port)
        self._port("ct_original_dport", node.original_destination_port)
        self._port("ct_reply_sport", node.reply_source_port)
        self._port("ct_reply_dport", node.reply_destination_port)
        self._number("ct_protocol", node.protocol)
        if node.direction:
            self.fields["ct_reply"] = int(node.direction == "REPLY")
        if node.status and not node.status.negated:
            name = self.random.choice(node.status.value).lower().replace("_", "-")
            if name in STATUS_BITS:
                self.fields["ct_status"] |= STATUS_BITS[name]

    def _types(self, node: AddrType) -> None:
        fields = self.fields
        interface = fields["iif"] if node.limit_in else fields["oif"] if node.limit_out else 0
        for field, test in (("saddr", node.source), ("daddr", node.destination)):
            if test:
                wanted = ADDRESS_TYPES[self.random.choice(test.value).lower()]
                answer = ADDRESS_TYPES["unicast"] if test.negated else wanted
                self.answers[Oracle(OracleKind.FIB_TYPE), (fields[field], interface)] = answer

    def _draw(self, node: Statistic, place: Position) -> None:
        if node.mode is Mode.RANDOM:
            # The rules of a ladder before this one let the packet pass.
            for earlier in range(place.number):
                question = (Oracle(OracleKind.RANDOM, Position(place.chain, earlier)), ())
                self.answers.setdefault(question, CERTAIN - 1)
            inside, outside = node.probability - 1, node.probability
            draw = max(0, outside if node.negated else inside) & CERTAIN - 1
            self.answers[Oracle(OracleKind.RANDOM, place), ()] = draw
        else:
            counter = node.packet if not node.negated else (node.packet + 1) % node.every
            self.answers[Oracle(OracleKind.COUNTER, place, (node.every,)), ()] = counter

    def _bound(self, node: ast.Match, place: Position) -> None:
        """Within a limit, or beyond it where the match wants that."""
        match node:
            case Limit(rate=rate, burst=burst):
                self.answers[Oracle(OracleKind.WITHIN, place, (rate.bound(burst),)), ()] = 1
            case Quota(Negatable(octets, negated)):
                self.answers[Oracle(OracleKind.WITHIN, place, (Bound(octets, "bytes"),)), ()] = int(
                    not negated
                )
            case Connlimit(limit=limit, above=above):
                counted = limit + above if limit < 0xFFFFFFFF else limit
                self.answers[Oracle(OracleKind.CONNECTIONS, place), ()] = counted

    def _message(self, test: Negatable[MessageType] | Negatable[MessageType | None]) -> None:
        if test.value and not test.negated:
            self.fields["icmp_type"] = test.value.type
            if test.value.code is not None:
                self.fields["icmp_code"] = test.value.code

    def _mark(self, test: Negatable[MaskedMark]) -> None:
        mark = test.value
        self.fields["mark"] = self.fields["mark"] & ~mark.mask | mark.value
        if test.negated:
            self.fields["mark"] ^= mark.mask & -mark.mask


def _bits(names: Iterable[str]) -> int:
    return sum(TCP_FLAGS[name.lower()] for name in names)
