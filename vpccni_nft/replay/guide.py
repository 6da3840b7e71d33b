"""Conversations that hit a ruleset's rules on a node.

The aims of ``simulate.aim`` say what a packet at a hook must be like to fit a rule. Here such a
packet becomes a conversation that brings one there: a device to come in by, an address that is
routed the right way, and packets before it that give its connection its state.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import Family
from ..extensions.matches.owner import Owner
from ..iptables.ast import Ruleset
from ..iptables.protocols import ICMP, ICMPV6, SCTP, TCP
from ..model.oracle import OracleKind
from ..model.packet import ADDRESS_TYPES, STATE_BITS, TCP_FLAGS
from ..simulate.constants import values_in
from ..simulate.constants_nft import add_constants
from ..simulate.pool import Pool
from ..simulate.world import interface_name
from .agent import LOCAL
from .conversation import Conversation, ConversationPacket, Way
from .wire import ACK, ECHO, FIN, PSH, RST, SYN, WITH_PORTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from .. import nft
    from ..model.concrete import Question
    from ..simulate.sample import Packet
    from .topology import Topology

_LOCAL = ADDRESS_TYPES["local"]
_ICMP_OF = {Family.IP: ICMP, Family.IP6: ICMPV6}

#: Protocols that are extension headers in IPv6.
_EXTENSIONS = {0, 43, 44, 50, 51, 60, 135, 139, 140}

_BACK = ConversationPacket(way=Way.BACK)

#: TCP as it usually goes.
_HANDSHAKE = (
    ConversationPacket(flags=SYN),
    ConversationPacket(way=Way.BACK, flags=SYN | ACK),
    ConversationPacket(flags=ACK),
    ConversationPacket(flags=PSH | ACK, length=10),
    ConversationPacket(way=Way.BACK, flags=PSH | ACK, length=20),
)
_GOODBYE = (
    ConversationPacket(flags=FIN | ACK),
    ConversationPacket(way=Way.BACK, flags=FIN | ACK),
    ConversationPacket(flags=ACK),
)

#: Errors about a packet: port unreachable, packet too big, time exceeded.
_ERRORS = {
    Family.IP: ((3, 3), (3, 4), (11, 0)),
    Family.IP6: ((1, 4), (2, 0), (3, 0)),
}


#: Of IPv4: a router alert, the route with room for one address, nothing four times. A source route
#: would not come beyond prerouting.
_OPTIONS = tuple(map(bytes.fromhex, ("94040000", "0707040000000000", "01010101")))

#: Of TCP: SACK is taken, windows are scaled, a timestamp, a signature, a cookie, MPTCP, and one for
#: experiments with its end of the list.
_TCP_OPTIONS = tuple(
    map(
        bytes.fromhex,
        ("04020101", "03030701", "0101080a" + 16 * "0", "1312" + 32 * "0" + "0101", "22020402",
         "1e0c0001" + 16 * "0", "fe04abcd00000000"),
    )
)  # fmt: skip

#: Of SCTP: data, a selective acknowledgement with data behind it, a heartbeat, an end.
_SCTP_DATA = bytes.fromhex("0003001400000001000200030000000078787878")
_CHUNKS = (
    _SCTP_DATA,
    bytes.fromhex("03000010000000050000ffff00000000") + _SCTP_DATA,
    bytes.fromhex("0400000800010004"),
    bytes.fromhex("06000004"),
)


#: A mark that no rule of a CNI gives.
_ANY_MARK = 0x10000

#: Users that sockets are opened for.
_MOST_USERS = 8


@attrs.frozen(eq=False, slots=False)
class Guide:
    """Makes conversations, the same ones for the same seed."""

    node: Topology
    pools: tuple[Pool, ...]
    random: Random
    rare: Random  #: for what few packets have, so that all others stay as they are
    #: Marks that rules give to connections, and any other one.
    marks: tuple[int, ...]
    #: Users, and groups, that open the node's sockets.
    users: tuple[int, ...]
    groups: tuple[int, ...]

    @classmethod
    def of(
        cls,
        node: Topology,
        rulesets: Sequence[Ruleset],
        scripts: Sequence[nft.Ruleset] = (),
        seed: int = 0,
    ) -> Guide:
        """A guide to all rules of some rulesets; of scripts only the constants are used."""
        pools = [
            Pool.of(ruleset, family)
            for ruleset in rulesets
            for family in sorted({table.family for table in ruleset.tables}, key=str)
        ]
        for script in scripts:
            found = {one for table in script.tables for one in table.families}
            for family in sorted(found, key=str):
                if not any(pool.family is family for pool in pools):
                    pools.append(Pool.of(Ruleset(()), family))
                for pool in pools:
                    if pool.family is family:
                        add_constants(pool.constants, script, family)
        if not pools:
            # Of scripts that this package cannot read nothing is known; any packet is worth a try.
            pools = [Pool.of(Ruleset(()), family) for family in Family]
        marks = {_ANY_MARK, *(mark for pool in pools for mark in pool.constants.marks)}
        return cls(
            node=node,
            pools=tuple(pools),
            random=Random(seed),  # noqa: S311
            rare=Random(seed),  # noqa: S311
            marks=tuple(sorted(marks)),
            users=_owners(rulesets, "uid"),
            groups=_owners(rulesets, "gid"),
        )

    @property
    def rules(self) -> set[int]:
        """The identities of all rules that a hook leads to."""
        return {id(aim.rule) for pool in self.pools for aim in pool.aims}

    def stream(self, without: Collection[int] = ()) -> Iterator[Conversation]:
        """Conversations without end; each rule is aimed at in its turn.

        Rules whose identities are in ``without`` are left out.
        """
        aims = [
            (pool, number)
            for pool in self.pools
            for number in range(len(pool.aims) + 1)
            if number == 0 or id(pool.aims[number - 1].rule) not in without
        ]
        while True:
            self.random.shuffle(aims)
            for pool, number in aims:
                packet = pool.packet(number, self.random.getrandbits(32))
                yield self._conversation(packet, pool)

    def _conversation(self, packet: Packet, pool: Pool) -> Conversation:
        random, fields, family = self.random, packet.fields, packet.family
        device = self._device(packet)
        source, target = self._ends(packet, device, pool)
        protocol = fields["protocol"]
        if family is Family.IP6 and protocol in _EXTENSIONS:
            protocol = TCP  # without such a header behind it, the packet would be malformed
        echo = ECHO[family][0]
        is_icmp = protocol == _ICMP_OF[family]
        return Conversation(
            family=family,
            device=device,
            source=source,
            target=target,
            protocol=protocol,
            sport=fields["sport"] if protocol in WITH_PORTS or is_icmp else 0,
            dport=fields["dport"] if protocol in WITH_PORTS else 0,
            kind=random.choice((echo, fields["icmp_type"])) if is_icmp else 0,
            code=fields["icmp_code"] if is_icmp and random.random() < 1 / 2 else 0,
            tos=random.choice((0, 0, 0, 0x10, 0xB8, fields.get("tos", 0))),
            ttl=random.choice((64, 64, 64, 64, 255, 2, 1)),
            mss=random.choice((0, 536, 1460)),
            mark=random.choice((0, fields["mark"], fields["mark"])),
            user=random.choice(self.users) if device == LOCAL else 0,
            group=random.choice(self.groups) if device == LOCAL else 0,
            moves=self._moves(packet, protocol, device),
            **self._beyond(family, protocol),
        )

    def _beyond(self, family: Family, protocol: int) -> dict[str, Any]:
        """What few packets have: options, and other chunks than the first one of SCTP."""
        random, found = self.rare, dict[str, Any]()
        if family is Family.IP and random.random() < 1 / 16:
            found["options"] = random.choice(_OPTIONS)
        if protocol == TCP and random.random() < 1 / 4:
            found["tcp_options"] = random.choice(_TCP_OPTIONS)
        if protocol == SCTP and random.random() < 1 / 2:
            found["chunks"] = random.choice(_CHUNKS)
        return found

    def _device(self, packet: Packet) -> str:
        """Where it comes in, for a packet that is to be at a hook."""
        if packet.hook == "output":
            return LOCAL
        if packet.hook == "postrouting":
            return self.random.choice((LOCAL, self.random.choice(self.node.taps)))
        name = interface_name(packet.fields["iif"])
        if name == "lo":
            return LOCAL
        if name in self.node.taps:
            return name
        # Whatever begins like it is likely to be tested by the same rule.
        same = [tap for tap in self.node.taps if tap[:3] == name[:3]]
        return self.random.choice(same or self.node.taps)

    def _ends(self, packet: Packet, device: str, pool: Pool) -> tuple[int, int]:
        """Addresses that lead to the hook; now and then those of the packet, wherever they lead."""
        random, family, fields = self.random, packet.family, packet.fields
        source, target = fields["saddr"], fields["daddr"]
        wanted = {
            address: answer
            for (oracle, (address, *_)), answer in self._answers(packet.answers)
            if oracle.kind is OracleKind.FIB_TYPE
        }
        held = self.node.own[family]
        here = [address for address, holder in held.items() if holder == device]
        own = here if here and random.random() < 1 / 2 else tuple(held)
        if packet.hook == "input" or wanted.get(target) == _LOCAL:
            if self.node.kind(family, target) != _LOCAL and random.random() < 0.9:
                target = random.choice(own)
        elif packet.hook in {"forward", "postrouting"} and random.random() < 3 / 4:
            target = self._routed(packet, target, pool)
        if not target and (device == LOCAL or family is Family.IP6):
            target = random.choice(own)  # the kernel would take it for whatever it likes
        if device == LOCAL and random.random() < 3 / 4:
            source = random.choice(own)
        elif device in self.node.pods[family].values() and random.random() < 1 / 2:
            pods = self.node.pods[family].items()
            source = random.choice([address for address, where in pods if where == device])
        if wanted.get(source) == _LOCAL:
            source = random.choice(own)
        # An ipset can be of the other family.
        return source & family.all_ones, target & family.all_ones

    @staticmethod
    def _answers(
        answers: Mapping[Question, int],
    ) -> Iterator[tuple[Question, int]]:
        return (item for item in answers.items() if item[0][1])

    def _routed(self, packet: Packet, target: int, pool: Pool) -> int:
        """An address beyond the device that the packet is to leave by."""
        family = packet.family
        leaves = interface_name(packet.fields["oif"])
        towards = self.node.device_towards(family, target)
        if towards and (towards == leaves or leaves not in self.node.taps):
            return target
        if leaves == "lo":
            return self.random.choice(tuple(self.node.own[family]))
        beyond = [
            address for address, device in self.node.pods[family].items() if device == leaves
        ] or [
            address
            for address in pool.constants.addresses
            if self.node.device_towards(family, address) == "eth0"
        ]
        return self.random.choice(beyond or [target])

    def _moves(self, packet: Packet, protocol: int, device: str) -> tuple[ConversationPacket, ...]:
        fields, random = packet.fields, self.random
        if protocol == TCP:
            return self._tcp(fields, packet.family)
        script: list[ConversationPacket] = [ConversationPacket(length=random.choice((0, 8, 64)))]
        if fields["ct_state"] != STATE_BITS["new"] or random.random() < 1 / 2:
            script += [_BACK, ConversationPacket(length=8)]
        # The node sees its own fragments twice where they are for itself: see docs/limits.
        if device != LOCAL and random.random() < 1 / 6:
            script[0] = ConversationPacket(length=64, fragmented=True)
        return tuple(self._with_extras(script, packet.family))

    def _tcp(self, fields: Mapping[str, int], family: Family) -> tuple[ConversationPacket, ...]:
        random, any_flags = self.random, fields["tcp_flags"]
        choice = random.random()
        if choice < 1 / 10:
            return (ConversationPacket(flags=any_flags), ConversationPacket(flags=any_flags | SYN))
        if choice < 2 / 10:
            return (
                ConversationPacket(flags=ACK),
                ConversationPacket(way=Way.BACK, flags=ACK),
                ConversationPacket(flags=RST),
            )
        script = list(_HANDSHAKE[: random.choice((1, 1, 3, 5))])
        if choice < 4 / 10:
            script += _GOODBYE
        elif choice < 5 / 10:
            script.append(ConversationPacket(flags=any_flags & ~TCP_FLAGS["syn"]))
        return tuple(self._with_extras(script, family))

    def _with_extras(
        self, script: list[ConversationPacket], family: Family
    ) -> list[ConversationPacket]:
        """A mark for the connection, another one of the same host or of a neighbour, an error."""
        random = self.random
        if random.random() < 1 / 4:
            script.insert(1, ConversationPacket(way=Way.MARK, mark=random.choice(self.marks)))
        if random.random() < 1 / 12:
            script += [attrs.evolve(move, shift=1) for move in script[:1]]
        if random.random() < 1 / 16:
            script += [attrs.evolve(move, neighbour=random.choice((1, 256))) for move in script[:1]]
        if random.random() < 1 / 3:
            kind, code = random.choice(_ERRORS[family])
            way = random.choice((Way.ERROR_BACK, Way.ERROR_BACK, Way.ERROR_FORTH))
            script.append(ConversationPacket(way=way, kind=kind, code=code))
        return script


def _owners(rulesets: Sequence[Ruleset], end: str) -> tuple[int, ...]:
    """Users or groups whose sockets rules ask for, root among them."""
    found = dict.fromkeys(
        number
        for ruleset in rulesets
        for value in values_in(ruleset)
        if isinstance(value, Owner) and (test := getattr(value, end))
        for number in (test.value.first, test.value.last)
    )
    return tuple({0: None} | found)[:_MOST_USERS]
