"""The packet that rules of both languages look at, and what they can do to it.

Fields are bit vectors. Interface names are 16 bytes, padded with zeros, so that a wildcard is a
mask. Only what is here is shared between the two languages' meanings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ..core.values import Family
from .oracle import OPTIONS_OF_TCP, ROUTE, ROUTE_KEY, SOCKET, Oracle, OracleKind, member

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from .algebra import Algebra, Bool, Word

#: Hooks, as nft names them.
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")

#: Where conntrack runs in prerouting and output; earlier chains see no connection.
CONNTRACK_PRIORITY = -200

#: From where on conntrack's helpers have changed what a packet carries, and it is confirmed last
#: (NF_IP_PRI_CONNTRACK_HELPER, NF_IP_PRI_CONNTRACK_CONFIRM).
HELPER_PRIORITY = 300

#: Where fragments are reassembled, if there is conntrack (NF_IP_PRI_CONNTRACK_DEFRAG).
DEFRAG_PRIORITY = -400

#: The bytes of an interface's name (IFNAMSIZ).
NAME_BYTES = 16

#: The states of a packet, one bit each (nf_conntrack_common.h, NF_CT_STATE_BIT).
STATE_BITS = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
#: What a connection can be, one bit each (enum ip_conntrack_status).
STATUS_BITS = {
    "expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32,
}  # fmt: skip
#: TCP's flags.
TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
#: What the routing table takes an address for (rtnetlink.h, RTN_*).
ADDRESS_TYPES = {
    "unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5,
    "blackhole": 6, "unreachable": 7, "prohibit": 8, "throw": 9, "nat": 10, "xresolve": 11,
}  # fmt: skip

#: Who the link layer sent a packet to (if_packet.h, PACKET_*).
PACKET_TYPES = {"host": 0, "broadcast": 1, "multicast": 2, "other": 3}

#: Bits of the fields that do not depend on the family.
WIDTHS = {
    "iif": 8 * NAME_BYTES,  #: the name of the interface it came by; zero where there is none
    "oif": 8 * NAME_BYTES,
    "protocol": 8,  #: of the transport header, the last one in IPv6
    "fragment": 16,  #: the offset; not zero where the transport header is in another fragment
    "fragmented": 1,  #: whether it is a fragment, the first one included
    "length": 16,  #: of the whole packet, in bytes
    "tos": 8,  #: type of service, or traffic class in IPv6
    "ttl": 8,  #: time to live, or hop limit in IPv6
    "sport": 16,
    "dport": 16,
    "tcp_flags": 8,
    "has_mss": 1,  #: whether TCP's options have a maximum segment size
    "mss": 16,  #: that size
    "icmp_type": 8,
    "icmp_code": 8,
    "has_socket": 1,  #: whether it comes from or goes to a program's socket
    "uid": 32,  #: of that program
    "gid": 32,
    "cgroup": 32,  #: the class of the socket's control group
    "packet_type": 3,  #: how it came: of PACKET_TYPES
    "mac_source": 48,
    "iif_group": 32,
    "oif_group": 32,
    "cpu": 32,
    "realm": 32,  #: of its route
    "mark": 32,
    "priority": 32,  #: the class that traffic control sends it in
    "ct_state": 8,  #: one of STATE_BITS; invalid and untracked mean that there is no entry
    "ct_status": 16,  #: of STATUS_BITS
    "ct_reply": 1,  #: whether it is a packet of the answering side
    "ct_mark": 32,
    "ct_protocol": 8,
    "ct_original_sport": 16,
    "ct_original_dport": 16,
    "ct_reply_sport": 16,
    "ct_reply_dport": 16,
    "ct_template": 1,  #: whether a rule has said how conntrack is to see the packet
    "ct_zone": 16,  #: where a rule of this hook puts the packet
    "ct_zone_direction": 2,  #: 0 both, 1 original, 2 reply
    "snat_done": 1,  #: whether the connection's source is decided
    "dnat_done": 1,
}

#: What says whether a packet was routed, and whether one that is made here was routed anew.
ROUTED, ANEW = "routed", "routed anew"

#: Fields that hold an address.
ADDRESSES = (
    "saddr", "daddr", "ct_original_saddr", "ct_original_daddr", "ct_reply_saddr", "ct_reply_daddr",
)  # fmt: skip

#: What a connection is looked up by.
CONNECTION = ("protocol", "saddr", "daddr", "sport", "dport")

#: What stands in the entry of a connection; a template has the same.
OF_CONNECTION = (
    "ct_mark", "ct_status", "ct_reply", "ct_protocol", "ct_original_sport", "ct_original_dport",
    "ct_reply_sport", "ct_reply_dport", "ct_original_saddr", "ct_original_daddr",
    "ct_reply_saddr", "ct_reply_daddr",
)  # fmt: skip
#: What a socket is looked up by: with a connection whose source is translated, it is by that
#: (nf_socket_ipv4.c, nf_sk_lookup_slow_v4), so ahead of conntrack another one may be found.
SOCKET_KEY = (*CONNECTION, "ct_state")

#: All fields.
FIELDS = (*WIDTHS, *ADDRESSES)


def width(field: str, family: Family) -> int:
    """The bits of a field."""
    return family.bits if field in ADDRESSES else WIDTHS[field]


def interface_word(name: str) -> int:
    """An interface's name as a number.

    >>> hex(interface_word("lo"))
    '0x6c6f0000000000000000000000000000'
    """
    raw = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(raw.ljust(NAME_BYTES, b"\0"), "big")


def prefix_mask(name: str) -> int:
    """The mask under which all names that begin so are equal."""
    length = 8 * len(name.encode("utf-8", "surrogateescape"))
    full = (1 << 8 * NAME_BYTES) - 1
    return full ^ (full >> length)


class NoMeaning(Exception):  # noqa: N818 - the model's limit, not a mistake of the caller
    """A rule says something that is not modelled: what it does to a packet is not known here."""


#: Kinds of events that change which elements a set has. ``spend`` takes what a limit lets pass; one
#: that is kept in an element of a set adds that element.
CHANGES = frozenset({"add", "update", "delete", "spend"})

#: Kinds of events that use an object that keeps state: the first of their details. ``turn`` is a
#: count in turn, ``draw`` a random number, and ``reap`` takes the old out of a recent list.
USES = CHANGES | {"turn", "draw", "reap"}

#: Kinds of events after which the packet has another route, another socket or more options.
_GIVES = {"reroute": ROUTE, "translate": ROUTE, "tproxy": SOCKET, "option": OPTIONS_OF_TCP}

#: Kinds of events that let someone see the packet as it is then: a line of a log, a copy, a program
#: that decides. A packet that is routed anew is routed by what it has then.
SHOWS = frozenset({"log", "nflog", "ulog", "audit", "dup", "queue", "reroute"})

#: What of a packet is seen, as far as rules can change it.
SHOWN = (
    "saddr", "daddr", "sport", "dport", "tos", "ttl", "tcp_flags", "mss", "mark", "priority",
    "ct_mark",
)  # fmt: skip


@attrs.frozen
class Event:
    """A side effect: a count, a line in the log, a change of a set.

    ``call`` is a chain that is not gone through: its symbol, the objects that it uses, and the sets
    that it changes.
    """

    kind: str
    details: tuple[object, ...] = ()
    arguments: tuple[Word, ...] = ()  #: what of the packet went into it
    #: The hook, of what can be seen on a whole path: a line of the log says by which device.
    at: str = ""

    @property
    def uses(self) -> Collection[Hashable]:
        """The objects that keep state and answer otherwise after this."""
        if self.kind in USES:
            return self.details[:1]
        if self.kind == "strip":
            return (OPTIONS_OF_TCP,)
        if self.kind == "queue":
            return (("queue", *self.details[:2]),)
        if self.kind in _GIVES:
            return (_GIVES[self.kind],)
        return self.details[1] if self.kind == "call" else ()  # type: ignore[return-value]

    @property
    def changes(self) -> Collection[Hashable]:
        """The sets whose elements are others after this."""
        if self.kind in CHANGES:
            return self.details[:1]
        return self.details[2] if self.kind == "call" else ()  # type: ignore[return-value]


@attrs.frozen
class Verdict:
    """What becomes of the packet at the end of a hook."""

    kind: str  #: ``accept``, ``drop`` or ``reject``
    reason: str = ""  #: of a rejection, in nft's words: ``icmp port-unreachable``


ACCEPT, DROP = Verdict("accept"), Verdict("drop")


@attrs.frozen
class Binding:
    """What a NAT rule asks of a connection; the kernel chooses among what it allows."""

    kind: str  #: ``snat``, ``dnat``, ``masquerade`` or ``redirect``
    addresses: tuple[int, int] | None = None  #: first and last
    ports: tuple[int, int] | None = None
    #: nft's words, and ``netmap``: only the bits that all the addresses share are new; with
    #: ``translated`` the connection counts as translated even where its address stays as it was.
    flags: frozenset[str] = frozenset()

    @property
    def choice(self) -> Binding:
        """What is left to the kernel: where NETMAP leads, the packet's new address shows."""
        if "netmap" not in self.flags:
            return self
        first, last = self.addresses or (0, 0)
        return attrs.evolve(
            self,
            addresses=(first, last) if first == last else None,
            flags=self.flags - {"netmap", "translated"},
        )

    @property
    def changes_source(self) -> bool:
        """Whether the source is bound, else the destination."""
        return self.kind in {"snat", "masquerade"}


@attrs.define
class State:
    """A packet on its way through a hook. Everything that happens, happens under a condition."""

    algebra: Algebra
    family: Family
    _hook: str
    fields: dict[str, Word]
    #: Whether its verdict is not decided yet.
    live: Bool
    verdicts: list[tuple[Bool, Verdict]] = attrs.Factory(list)
    bindings: list[tuple[Bool, Binding]] = attrs.Factory(list)
    events: list[tuple[Bool, Event]] = attrs.Factory(list)
    #: Uses of objects that keep state, in their order, with draws, which are no side effects.
    _uses: list[tuple[Bool, Event]] = attrs.Factory(list)
    #: Where each object is used, as places in that list.
    _used: dict[Hashable, list[int]] = attrs.Factory(dict)
    #: The objects whose answers have been asked for.
    looked: set[Hashable] = attrs.Factory(set)
    #: Called for every rule that is reached: the rule, where it is reached, where it fits.
    watch: Callable[[object, Bool, Bool], None] | None = None
    #: Asked at every jump: the table's program, the chain, this state, where it is reached. The
    #: answer is where the chain comes back, or None where it is to be gone through.
    calls: Callable[[Any, str, State, Bool], Bool | None] | None = None
    #: The chains that have led to the rule, each with its table's program.
    way: list[tuple[Any, str]] = attrs.Factory(list)
    #: Called whenever a meaning reads which hook it is at.
    on_hook_read: Callable[[], None] | None = None
    #: Called whenever a meaning reads in which place its rule stands.
    on_place_read: Callable[[], None] | None = None
    #: Whether it goes through all hooks of a path, and so is routed between them.
    on_path: bool = False
    #: Bits of the mark that routing and whoever gets the packet do not look at.
    internal: int = 0
    #: Further bits of the mark that routing does not look at, but whoever gets the packet may.
    unrouted: int = 0
    #: The device that a locally made packet is routed to, which it has from postrouting on.
    leaves_by: Word = None
    #: What routing has seen of the packet, by field, where it was routed: ``ROUTED``, or ``ANEW``
    #: of one that is made here.
    routed: dict[str, Word] = attrs.Factory(dict)

    @property
    def hook(self) -> str:
        """Where the packet is. What reads it may mean something else at another hook."""
        if self.on_hook_read:
            self.on_hook_read()
        return self._hook

    @property
    def at(self) -> str:
        """The hook, where the packet goes through a whole path."""
        return self._hook if self.on_path else ""

    def enter(self, hook: str) -> None:
        """Come to another hook of a path."""
        self._hook = hook

    @classmethod
    def start(
        cls, algebra: Algebra, family: Family, hook: str, fields: Mapping[str, Word]
    ) -> State:
        """A packet at the beginning of a hook."""
        return cls(algebra, family, hook, dict(fields), algebra.true)

    def word(self, field: str, value: int) -> Word:
        """A constant as wide as a field."""
        return self.algebra.const(value, width(field, self.family))

    def is_(self, field: str, value: int, mask: int | None = None) -> Bool:
        """Whether a field, or its bits under a mask, has a value."""
        found = self.fields[field]
        if mask is not None:
            found = self.algebra.bvand(found, self.word(field, mask))
        return self.algebra.equal(found, self.word(field, value))

    def between(self, field: str, first: int, last: int) -> Bool:
        """Whether a field is in a range."""
        algebra, found = self.algebra, self.fields[field]
        return algebra.all(
            algebra.ule(self.word(field, first), found),
            algebra.ule(found, self.word(field, last)),
        )

    def has_bits(self, field: str, bits: int) -> Bool:
        """Whether a field has some of the bits."""
        return self.algebra.not_(self.is_(field, 0, bits))

    @property
    def has_entry(self) -> Bool:
        """Whether the packet has a conntrack entry."""
        return self.algebra.not_(
            self.has_bits("ct_state", STATE_BITS["invalid"] | STATE_BITS["untracked"])
        )

    @property
    def has_connection(self) -> Bool:
        """Whether the entry is that of a connection, as nft wants it, and no template."""
        return self.algebra.all(self.has_entry, self.is_("ct_template", 0))

    def member(self, of: Hashable, *key: Word, parameters: tuple[Hashable, ...] = ()) -> Bool:
        """Whether a key is in a set whose contents the world knows, or rules have changed."""
        algebra = self.algebra
        self.looked.add(of)
        found = algebra.equal(algebra.ask(member(of, *parameters), key, 1), algebra.const(1, 1))
        for index in self._used.get(of, ()):
            when, event = self._uses[index]
            if event.kind in CHANGES:
                same = algebra.all(when, *map(algebra.equal, event.arguments, key))
                if event.kind == "delete":
                    found = algebra.all(found, algebra.not_(same))
                else:
                    found = algebra.any(found, same)
            elif event.kind == "reap" or of in event.changes:
                after = Oracle(OracleKind.MEMBER_AFTER, of, (*event.details[:1], *parameters))
                before = algebra.history([self._uses[one] for one in self._used[of] if one < index])
                answer = algebra.ask(after, (*before, *event.arguments, *key), 1)
                now = algebra.equal(answer, algebra.const(1, 1))
                found = algebra.any(algebra.all(when, now), algebra.all(algebra.not_(when), found))
        return found

    def history(self, *objects: Hashable) -> tuple[Word, ...]:
        """What has happened to objects that keep state, as an argument of what they answer now."""
        wanted = set(objects)
        self.looked |= wanted
        found = {index for one in self._used.keys() & wanted for index in self._used[one]}
        return self.algebra.history([self._uses[index] for index in sorted(found)])

    def was_used(self, of: Hashable) -> Bool:
        """Whether an object has been used, or may have been: by a chain that was called."""
        return self.algebra.any(*(self._uses[index][0] for index in self._used.get(of, ())))

    def ask_since(
        self, of: Hashable, oracle: Oracle, arguments: tuple[Word, ...], width: int
    ) -> Word:
        """What the world answers, which is another answer once an object was given anew."""
        old = self.algebra.ask(oracle, arguments, width)
        return self._since(of, old, oracle, arguments, width)

    def field_since(self, of: Hashable, field: str) -> Word:
        """A field of the packet, whose value may be another one then."""
        old, oracle = self.fields[field], Oracle(OracleKind.GIVEN_ANEW, of, (field,))
        return self._since(of, old, oracle, (old,), width(field, self.family))

    def _since(
        self, of: Hashable, old: Word, oracle: Oracle, arguments: tuple[Word, ...], width: int
    ) -> Word:
        before = self.history(of)
        if not before:
            return old
        new = self.algebra.ask(oracle, (*before, *arguments), width)
        return self.algebra.ite(self.was_used(of), new, old)

    def use(self, when: Bool, event: Event) -> None:
        """Remember that objects that keep state were used, where a condition holds."""
        if not self.algebra.impossible(when):
            for one in event.uses:
                self._used.setdefault(one, []).append(len(self._uses))
            self._uses.append((when, event))

    @property
    def used(self) -> Collection[Hashable]:
        """The objects that keep state and may have been used."""
        return self._used.keys()

    @property
    def used_where(self) -> list[Bool]:
        """Where objects that keep state were used."""
        return [when for when, event in self._uses if event.uses]

    @property
    def uses(self) -> Sequence[tuple[Bool, Event]]:
        """Uses of objects that keep state so far, each under its condition."""
        return self._uses

    @property
    def changed(self) -> set[Hashable]:
        """The sets whose elements may be others now."""
        return {one for _, event in self._uses for one in event.changes}

    def assign(self, when: Bool, field: str, value: Word) -> None:
        """Give a field a value where a condition holds."""
        self.fields[field] = self.algebra.ite(when, value, self.fields[field])

    def emit(self, when: Bool, event: Event) -> None:
        """Note a side effect where a condition holds, and what of the packet it shows."""
        if not self.algebra.impossible(when):
            if event.kind in SHOWS:
                event = attrs.evolve(event, arguments=self.shown, at=self.at)
            self.events.append((when, event))
            self.use(when, event)

    @property
    def shown(self) -> tuple[Word, ...]:
        """What is seen of the packet as it is now, as far as rules can change it.

        On a path they can change by which device it leaves.
        """
        names = (*SHOWN, "oif") if self.on_path else SHOWN
        return tuple(self.fields[name] for name in names)

    def set_verdict(self, when: Bool, verdict: Verdict) -> None:
        """End the hook where a condition holds."""
        if not self.algebra.impossible(when):
            self.verdicts.append((when, verdict))
            self.live = self.algebra.all(self.live, self.algebra.not_(when))

    def bind(self, when: Bool, binding: Binding) -> None:
        """Bind the connection, and rewrite the packet as the binding says.

        Kernel: nf_nat_core.c, nf_nat_setup_info. Where a range leaves a choice, the world makes it.
        Without an address on the interface, there is nothing to bind to: the packet is dropped
        (nf_nat_masquerade.c, nf_nat_redirect.c).
        """
        algebra = self.algebra
        if algebra.impossible(when):
            return
        self.bindings.append((when, binding.choice))
        end = "s" if binding.changes_source else "d"
        before = (self.fields[f"{end}addr"], self.fields[f"{end}port"])
        address = self._chosen_address(binding, end)
        if binding.kind in {"masquerade", "redirect"}:
            self.set_verdict(
                algebra.all(when, algebra.equal(address, self.word(f"{end}addr", 0))), DROP
            )
        self.assign(when, f"{end}addr", address)
        self.assign(when, f"{end}port", self._chosen_port(binding, end))
        changed = algebra.not_(
            algebra.all(
                algebra.equal(before[0], self.fields[f"{end}addr"]),
                algebra.equal(before[1], self.fields[f"{end}port"]),
            )
        )
        bit = self.word("ct_status", STATUS_BITS[f"{end}nat"])
        status = algebra.bvor(self.fields["ct_status"], bit)
        counts = algebra.true if "translated" in binding.flags else changed
        self.translated(algebra.all(when, changed))
        self.assign(algebra.all(when, counts), "ct_status", status)
        self.assign(when, f"{end}nat_done", self.word(f"{end}nat_done", 1))

    def translated(self, when: Bool) -> None:
        """Where NAT has changed the packet, a route is looked up anew, or will be.

        Kernel: nf_nat_proto.c, nf_nat_ipv4_pre_routing, nf_nat_ipv4_local_fn, nf_nat_ipv4_out.
        """
        routed_by = (self.fields[name] for name in (*ROUTE_KEY, "mark"))
        self.use(when, Event("translate", (), tuple(routed_by)))

    def _chosen_address(self, binding: Binding, end: str) -> Word:
        field = f"{end}addr"
        match binding.kind, binding.addresses:
            case "masquerade", _:
                return self._ask(Oracle(OracleKind.PRIMARY_ADDRESS), field, self.fields["oif"])
            case "redirect", _ if self.hook == "output":
                return self.word(field, 0x7F000001 if self.family is Family.IP else 1)
            case "redirect", _:
                return self._ask(Oracle(OracleKind.PRIMARY_ADDRESS), field, self.fields["iif"])
            case _, None:
                return self.fields[field]
            case _, (first, last) if "netmap" in binding.flags:
                free = self.algebra.bvand(self.fields[field], self.word(field, first ^ last))
                return self.algebra.bvor(free, self.word(field, first & ~(first ^ last)))
            case _, (first, last) if first == last:
                return self.word(field, first)
            case _, (first, last):
                return self._ask(
                    Oracle(OracleKind.CHOSEN_ADDRESS, parameters=(first, last)),
                    field,
                    *self.connection,
                )
        raise AssertionError(binding)

    def _chosen_port(self, binding: Binding, end: str) -> Word:
        field = f"{end}port"
        match binding.ports:
            case None:
                return self.fields[field]
            case (first, last) if first == last:
                return self.word(field, first)
            case (first, last):
                return self._ask(
                    Oracle(OracleKind.CHOSEN_PORT, parameters=(first, last)),
                    field,
                    *self.connection,
                )
        raise AssertionError(binding)

    @property
    def connection(self) -> tuple[Word, ...]:
        """What a connection is looked up by."""
        return tuple(self.fields[name] for name in CONNECTION)

    @property
    def routed_by(self) -> tuple[Word, ...]:
        """What an answer of the routing table may hang on beside an address and the mark."""
        return tuple(self.fields[name] for name in ROUTE_KEY)

    def typed_by(self, mark: Word) -> tuple[Word, ...]:
        """The same of what an address is taken for: for IPv4 on nothing else."""
        return () if self.family is Family.IP else (*self.routed_by, mark)

    @property
    def socket(self) -> tuple[Word, ...]:
        """What a socket is looked up by."""
        return tuple(self.fields[name] for name in SOCKET_KEY)

    def _ask(self, oracle: Oracle, field: str, *arguments: Word) -> Word:
        return self.algebra.ask(oracle, arguments, width(field, self.family))
