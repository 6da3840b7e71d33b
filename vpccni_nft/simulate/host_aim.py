"""Aim at matches that ask what the host knows of a packet: sockets, links, routes, time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import PortRange
from ..extensions.matches.cgroup import Cgroup
from ..extensions.matches.cluster import Cluster
from ..extensions.matches.connbytes import ConnBytes
from ..extensions.matches.connlabel import ConnLabel
from ..extensions.matches.cpu import Cpu
from ..extensions.matches.devgroup import DevGroup
from ..extensions.matches.helper import Helper
from ..extensions.matches.iprange import IpRange
from ..extensions.matches.mac import Mac
from ..extensions.matches.mark import ConnectionMark
from ..extensions.matches.osf import TTLS, Osf
from ..extensions.matches.owner import Owner
from ..extensions.matches.pkttype import TYPES, PktType
from ..extensions.matches.policy import Policy
from ..extensions.matches.realm import Realm
from ..extensions.matches.socket import Socket
from ..extensions.matches.time import LAST_DATE, Time
from ..extensions.shared.number_ranges import NumberRange
from ..model.oracle import LABELS, Oracle, OracleKind, member, system_of_syn
from ..model.packet import PACKET_TYPES, STATE_BITS, TCP_FLAGS, interface_word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from ..core.values import MaskedMark, Negatable
    from ..iptables import ast
    from ..model.concrete import Question

_WITHOUT_ENTRY = STATE_BITS["invalid"] | STATE_BITS["untracked"]


def host_fields(match: ast.Match) -> Iterator[tuple[str, object]]:
    """The fields that a match tests, with what has their values."""
    match match:
        case Owner():
            yield from (("uid", match.uid), ("gid", match.gid), ("has_socket", PortRange(0, 1)))
        case Cgroup(class_id=test) if test:
            yield ("cgroup", NumberRange(test.value, test.value))
        case Cpu(test):
            yield ("cpu", NumberRange(test.value, test.value))
        case PktType():
            yield ("packet_type", PortRange(0, 3))
        case Mac(test):
            yield ("mac_source", NumberRange(test.value, test.value))
        case DevGroup():
            yield from (("iif_group", match.source), ("oif_group", match.destination))
        case Realm():
            yield ("realm", match)
        case ConnectionMark():
            yield ("ct_mark", match)
        case IpRange():
            yield from (("saddr", match.source), ("daddr", match.destination))
        case Osf():
            yield ("tcp_flags", PortRange(0, 2))


@attrs.frozen
class HostFit:
    """Makes a packet fit these matches, as far as it knows how."""

    fields: dict[str, int]
    answers: dict[Question, int]
    random: Random

    def match(self, match: Any) -> None:
        """Make it fit one match."""
        match match:
            case Owner():
                self._owner(match)
            case Cgroup(class_id=test):
                self.fields["has_socket"] = 1
                if test:
                    self.fields["cgroup"] = test.value ^ test.negated
            case Socket():
                self._socket(match)
            case Osf():
                self._system(match)
            case Policy():
                self._transformations(match)
            case Time():
                self._time(match)
            case ConnBytes() | ConnLabel() | ConnectionMark() | Helper() | Cluster():
                self._connection(match)
            case _:
                self._place(match)

    def _place(self, match: Any) -> None:
        """Where the packet is: its processor, link and route."""
        match match:
            case Cpu(test):
                self.fields["cpu"] = test.value ^ test.negated
            case PktType(test):
                self.fields["packet_type"] = PACKET_TYPES[TYPES[test.value]] ^ test.negated
            case Mac(test):
                self.fields["mac_source"] = test.value ^ test.negated
                self.answers[Oracle(OracleKind.CAME_BY_ETHERNET), ()] = 1
            case DevGroup():
                self._masked("iif_group", match.source)
                self._masked("oif_group", match.destination)
            case Realm(test):
                self._masked("realm", test)
            case IpRange():
                for field, ends in (("saddr", match.source), ("daddr", match.destination)):
                    if ends and not ends.negated:
                        self.fields[field] = ends.value.first.value

    def _connection(self, match: Any) -> None:
        match match:
            case ConnBytes():
                way = "both ways" if match.direction == "both" else match.direction
                self.answers[Oracle(OracleKind.TRAFFIC, "both ways", ("packets",)), ()] = 1
                self._number(Oracle(OracleKind.TRAFFIC, way, (match.mode,)), match.count)
            case ConnLabel(label=label):
                self.answers[Oracle(OracleKind.LABELS_ARE_KEPT), ()] = 1
                question = (member(LABELS), (label.value,))
                self.answers[question] = int(not label.negated)
            case ConnectionMark(test):
                self._masked("ct_mark", test)
            case Helper(name):
                self.answers[Oracle(OracleKind.HELPER_FORESAW), ()] = int(not name.negated)
                length = self.random.randint(0, len(name.value[:15]))
                known = interface_word(name.value[:length])
                self.answers[Oracle(OracleKind.MASTER_HELPER), ()] = known
            case Cluster():
                question = (
                    Oracle(OracleKind.JHASH, parameters=(match.total, match.seed)),
                    (self.fields["ct_original_saddr"],),
                )
                self.answers[question] = self.random.randrange(match.total)
        if self.fields["ct_state"] & _WITHOUT_ENTRY and self.random.random() < 3 / 4:
            self.fields["ct_state"] = STATE_BITS["established"]

    def _number(self, oracle: Oracle, test: Negatable[NumberRange]) -> None:
        """An answer at an edge of a range."""
        ends = (test.value.first, test.value.last)
        beyond = (max(0, ends[0] - 1), ends[1] + 1 & (1 << 64) - 1)
        self.answers[oracle, ()] = self.random.choice(
            (*ends, *ends, *beyond) if not test.negated else (*beyond, *beyond, *ends)
        )

    def _owner(self, node: Owner) -> None:
        negated = all(test.negated for test in (node.uid, node.gid) if test)
        self.fields["has_socket"] = self.random.getrandbits(1) if negated else 1
        for field, test in (("uid", node.uid), ("gid", node.gid)):
            if test:
                inside = self.random.choice((test.value.first, test.value.last))
                beside = self.random.choice((test.value.first - 1, test.value.last + 1))
                self.fields[field] = (beside if test.negated else inside) & 0xFFFFFFFF

    def _masked(self, field: str, test: Negatable[MaskedMark] | None) -> None:
        if test:
            mask = test.value.mask
            self.fields[field] = self.fields[field] & ~mask | test.value.value & mask
            if test.negated:
                self.fields[field] ^= mask & -mask

    def _socket(self, node: Socket) -> None:
        self.answers[Oracle(OracleKind.SOCKET_IS_FOUND), ()] = 1
        if node.transparent:
            self.answers[Oracle(OracleKind.SOCKET_IS_TRANSPARENT), ()] = 1
        if not node.no_wildcard:
            self.answers[Oracle(OracleKind.SOCKET_IS_WILDCARD), ()] = self.random.choice((0, 0, 1))

    def _system(self, node: Osf) -> None:
        self.fields["tcp_flags"] |= TCP_FLAGS["syn"]
        ttl = TTLS[node.ttl or 0]
        name = node.genre.value if self.random.random() < 3 / 4 else "unknown"
        self.answers[system_of_syn(ttl), ()] = interface_word(name[:15])

    def _transformations(self, node: Policy) -> None:
        count = len(node.elements)
        if count and not node.strict:
            count = self.random.randint(1, 6)
        self.answers[Oracle(OracleKind.TRANSFORMATIONS, node.direction), ()] = count
        for number, element in enumerate(node.elements):
            at = number if node.strict else self.random.randrange(max(1, count))
            for key, test in (("reqid", element.reqid), ("spi", element.spi)):
                if test:
                    oracle = Oracle(OracleKind.TRANSFORMATION, node.direction, (key, at))
                    self.answers[oracle, ()] = test.value ^ test.negated

    def _time(self, node: Time) -> None:
        last = LAST_DATE if node.date_stop is None else node.date_stop
        choices = (node.date_start, last, (node.date_start + last) // 2, last + 1)
        self.answers[Oracle(OracleKind.EPOCH_SECOND), ()] = self.random.choice(choices)
        edges = (node.start, node.stop, node.start - 1, node.stop + 1)
        self.answers[Oracle(OracleKind.SECOND_OF_DAY), ()] = self.random.choice(edges) % 86400
        self.answers[Oracle(OracleKind.DAY_OF_WEEK), ()] = self.random.randrange(7)
