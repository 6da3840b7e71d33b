"""ipsets as sets of nft: which sets a table gets, and what is looked up in them.

Kernel: net/netfilter/ipset/. Most ipsets become one set of the same name. Elements that are found
by other fields of a packet than the rest stand in sets of their own:

- ``NAME-icmp``: elements with an ICMP type and code, where the others have ports;
- ``NAME-protocol``: elements with a protocol that has neither;
- ``NAME-INTERFACE``: a set for each interface of a ``hash:net,iface``, since nft 1.0.1 has no
  intervals beside names;
- ``NAME-nomatch``: what elements with ``nomatch`` cover, where a rule asks for them.

Of several networks that hold an address, ipset takes the longest one, and ``nomatch`` makes that
one an exception. Sets of nft have no overlaps: the networks are cut up so that each piece is what
the longest one says.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, COMMENT_CHANGED, IPSET_COPIED, MISSING_SET, Problem
from ...core.values import Address, Family, Network, mask_of_length
from ...ipset.ast import InterfacePart, IpSet, MacPart, MarkPart, Part, PortPart
from ...iptables.protocols import ICMP, ICMPV6, SCTP, TCP, UDP
from ...nft import expressions as x
from ...nft import names
from ...nft import statements as s
from ...nft.ast import Set
from ...nft.expressions import NETWORK_HEADER
from ..context import ADDRESS_TYPE
from ..extension import Statements
from .fragments import NOT_FURTHER_FRAGMENT
from .overlaps import Box, overlap, wanted_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ...ipset.ast import Entry, Part
    from ..context import Context
    from .overlaps import Interval

UDPLITE = 136

#: Protocols whose ports ipset looks at (ip_set_getport.c); it takes others for portless.
PORTED = (TCP, UDP, SCTP, UDPLITE)

#: The protocols of a bitmap:port (ip_set_bitmap_port.c).
_WITH_BITMAP = (TCP, UDP)

#: The ICMP of a family: its number, and nft's word for its header.
MESSAGES = {Family.IP: (ICMP, "icmp"), Family.IP6: (ICMPV6, "icmpv6")}

#: Hooks that see the hardware address that a packet came from.
_WITH_MAC = frozenset({"PREROUTING", "INPUT", "FORWARD"})


@attrs.frozen
class Lookup:
    """A set of nft, and the key that a packet has in it; ``before`` says which packets have one."""

    before: Statements
    key: x.Expression
    set: str
    #: Whether every packet has such a key, so that "not in the set" is its exact opposite.
    total: bool = False

    @property
    def found(self) -> Statements:
        """The statements that hold where the packet's key is in the set."""
        return (*self.before, s.Match(self.key, "==", x.SetReference(self.set)))


def find_set(name: str, context: Context) -> IpSet:
    """The set of this name; Problem where it cannot stand in this rule."""
    assert context.ipsets is not None
    found = context.ipsets.known.get(name)
    if found is None:
        raise Problem(
            MISSING_SET,
            f"the output of ipset save has no set {name}",
            hint="save the sets and the rules of one node at one time",
        )
    if found.storage != "list" and found.family not in (None, context.family):
        raise Problem(BAD_PLACE, f"the set {name} is not one of {context.family.title}")
    return found


def lookups(
    name: str, directions: Sequence[str], context: Context, *, nomatch: bool = False
) -> tuple[Lookup, ...]:
    """Where a packet is looked up for a set, or for all sets of a list; some, one or none.

    ``nomatch`` asks for the exceptions instead.
    """
    assert context.ipsets is not None
    find_set(name, context)
    return tuple(
        lookup
        for member in context.ipsets.in_family(name, context.family)
        for lookup in _Sets(member, tuple(directions), context, nomatch=nomatch).lookups()
    )


def lookups_of(
    part: IpSet, directions: Sequence[str], context: Context, suffix: str
) -> tuple[Lookup, ...]:
    """The same for some elements of a set, as sets with other names."""
    return tuple(_Sets(part, tuple(directions), context, suffix=suffix).lookups())


def changes(name: str, directions: Sequence[str], context: Context) -> tuple[Lookup, ...]:
    """The keys to add to a set or to delete, distinguished like those to look up."""
    found = find_set(name, context)
    if found.storage == "list":
        raise context.refuse("which set of a list a packet is added to depends on their contents")
    if "net" in found.kinds:
        raise context.refuse(
            f"packets add networks to a {found.type} whose prefix length depends on its contents"
        )
    if found.type == "bitmap:ip,mac":
        raise context.refuse("a bitmap:ip,mac has one hardware address for each address")
    return tuple(_Sets(found, tuple(directions), context).lookups())


def _nested(entries: Sequence[Entry]) -> bool:
    """Whether a network of one interface is within a wider one of another.

    Kernel: ip_set_hash_gen.h, mtype_test_cidrs, with IP_SET_HASH_WITH_MULTI.
    """
    interfaces: dict[tuple[int, int], set[Part]] = {}
    for network, interface in (entry.parts for entry in entries):
        assert isinstance(network, Network)
        interfaces.setdefault((network.address, network.mask), set()).add(interface)
    return any(
        interfaces.get((network.address & wider, wider), {interface}) != {interface}
        for network, interface in (entry.parts for entry in entries)
        if isinstance(network, Network)
        for length in range(network.length or 0)
        for wider in (mask_of_length(network.family, length),)
    )


def networks_overlap(ipset: IpSet) -> bool:
    """Whether an address can be in several networks of a set."""
    boxes = [
        Box(tuple(_ends(part) for part in entry.parts if isinstance(part, Network)))
        for entry in ipset.entries
    ]
    return "net" in ipset.kinds and overlap(boxes)


@attrs.frozen
class _Class:
    """Elements that are found by the same fields of a packet."""

    suffix: str
    entries: tuple[Entry, ...]
    before: Statements = ()
    #: Protocols that packets have for it, or with ``others`` do not have; None: any.
    protocols: tuple[int, ...] | None = None
    others: bool = False

    def is_for(self, protocol: int | None) -> bool:
        """Whether a packet of a rule's protocol, or of any where it has none, can be found."""
        if protocol is None or self.protocols is None:
            return True
        return (protocol in self.protocols) is not self.others


@attrs.frozen
class _Sets:
    """One ipset as sets of nft, looked up in some directions."""

    ipset: IpSet
    directions: tuple[str, ...]
    context: Context
    nomatch: bool = False
    suffix: str = ""

    def lookups(self) -> Iterator[Lookup]:
        """One for each class of elements; none where the set never matches."""
        kinds = self.ipset.kinds
        if len(self.directions) < len(kinds):
            return  # ip_set_test: such a set matches nothing
        if self.nomatch and "net" not in kinds:
            # Only sets of networks know of exceptions; the option has no meaning for others.
            yield from attrs.evolve(self, nomatch=False).lookups()
            return
        self._check()
        for class_ in self._classes():
            if not class_.is_for(self.context.protocol):
                continue
            # A rule with -p has asked for the protocol already.
            asked = class_.protocols and self.context.protocol is not None
            before = () if asked else class_.before
            parts = tuple(self._key(class_))
            name = self._declare(class_)
            if not name:
                continue
            key = parts[0] if len(parts) == 1 else x.Concat(parts)
            total = not before and set(kinds) <= {"ip", "net", "mark"}
            for guard in self._guards(class_):
                yield Lookup((*guard, *before), key, name, total)

    def _check(self) -> None:
        ipset, context = self.ipset, self.context
        users = context.set_users.get(ipset.name, frozenset())
        if self._is_changed and len(users) > 1:
            raise context.refuse(
                f"rules change the set {ipset.name}, and several tables use it",
                "an nft set belongs to one table",
            )
        if "mac" in ipset.kinds:
            if self.directions[ipset.kinds.index("mac")] != "src":
                raise context.refuse("the hardware address that a packet goes to is not known yet")
            if not context.hooks <= _WITH_MAC:
                raise context.refuse("nft knows hardware addresses of incoming packets only")
        if ipset.mask is not None and "net" in ipset.kinds:
            raise context.refuse(f"a {ipset.type} with a mask of its own has no counterpart in nft")
        if any(len(entry.parts) < len(ipset.kinds) for entry in ipset.entries):
            raise context.refuse(
                "an element without a hardware address takes that of the first packet"
            )

    @property
    def _is_changed(self) -> bool:
        assert self.context.ipsets is not None
        return self.ipset.name in self.context.ipsets.changed

    # --- classes of elements ---------------------------------------------------------------------

    def _classes(self) -> Iterator[_Class]:
        kinds = self.ipset.kinds
        if "iface" in kinds:
            yield from self._interfaces()
        elif "port" in kinds and self.ipset.type != "bitmap:port":
            yield from self._protocols(kinds.index("port"))
        elif "port" in kinds:
            yield _Class("", self.ipset.entries, _of_protocols(*_WITH_BITMAP), _WITH_BITMAP)
        else:
            yield _Class("", self.ipset.entries)

    def _protocols(self, place: int) -> Iterator[_Class]:
        """Those with ports, those of ICMP, and those of other protocols."""
        number, _ = MESSAGES[self.context.family]
        other = self._may_have(place, lambda protocol: protocol not in (*PORTED, number))
        message = self._may_have(place, lambda protocol: protocol == number)
        ported = self._may_have(place, lambda protocol: protocol in PORTED)
        open_, empty = self._is_changed, not self.ipset.entries
        if ported or empty or open_:
            # Elements that are listed have these protocols; what may come has to be kept to them.
            before = _of_protocols(*PORTED) if empty or open_ else ()
            yield _Class("", ported, before, PORTED)
        if message or open_:
            yield _Class("-icmp", message, (), (number,))
        if other or open_:
            known = (*PORTED, number)
            before = self._neither(number) if open_ else ()
            yield _Class("-protocol", other, before, known, others=True)

    def _may_have(self, place: int, wanted: Callable[[int], bool]) -> tuple[Entry, ...]:
        return tuple(
            entry
            for entry in self.ipset.entries
            if isinstance(part := entry.parts[place], PortPart) and wanted(part.protocol)
        )

    def _neither(self, message: int) -> Statements:
        others = tuple(x.Protocol(number) for number in sorted((*PORTED, message)))
        return (s.Match(x.Meta("l4proto"), "!=", x.AnonymousSet(others)),)

    def _interfaces(self) -> Iterator[_Class]:
        """A class for each interface; a packet has one interface, so no two classes hold."""
        by_interface: dict[InterfacePart, list[Entry]] = {}
        for entry in self.ipset.entries:
            part = entry.parts[-1]
            assert isinstance(part, InterfacePart)
            by_interface.setdefault(part, []).append(entry)
        for one, other in itertools.permutations(by_interface, 2):
            if one.wildcard and other.name.startswith(one.name):
                raise self.context.refuse(
                    "elements for a name and for all names that begin with it overlap"
                )
        if _nested(self.ipset.entries):
            raise self.context.refuse(
                "ipset ends its search at the longest network that holds an address, even where its"
                " interface is another one"
            )
        place = self.ipset.kinds.index("iface")
        key = "iifname" if self.directions[place] == "src" else "oifname"
        for part, entries in by_interface.items():
            if part.bridged:
                raise self.context.refuse("nft's ip and ip6 tables know no ports of a bridge")
            if not part.name.isprintable() or set(part.name) & set('"\\*'):
                raise self.context.refuse(f"nft cannot write the interface name {part.name!r}")
            literal = x.Interface(part.name, part.wildcard)
            name = part.name + "+" * part.wildcard
            before = (s.Match(x.Meta(key), "==", literal),)
            yield _Class(f"-{name}", tuple(entries), before)

    def _guards(self, class_: _Class) -> Iterator[Statements]:
        """What ipset asks of fragments before it reads a port or, for IPv6, a protocol."""
        has_port = "port" in self.ipset.kinds
        by_protocol = class_.suffix == "-protocol"
        if self.context.tracked or not has_port:
            yield ()
        elif self.context.family is Family.IP:
            yield () if by_protocol else (NOT_FURTHER_FRAGMENT,)
        else:
            fragment = x.ExtensionHeader("frag")
            yield (s.Match(fragment, "==", x.Symbol("missing")),)
            yield (s.Match(attrs.evolve(fragment, field="frag-off"), "==", x.Number(0)),)

    # --- keys ------------------------------------------------------------------------------------

    def _key(self, class_: _Class) -> Iterator[x.Expression]:
        for kind, direction in zip(self.ipset.kinds, self.directions, strict=False):
            yield from self._key_part(kind, direction, class_)

    def _key_part(self, kind: str, direction: str, class_: _Class) -> Iterator[x.Expression]:
        family = self.context.family
        match kind:
            case "ip" | "net":
                end = "saddr" if direction == "src" else "daddr"
                address: x.Expression = x.Payload(NETWORK_HEADER[family], end)
                if self.ipset.mask not in (None, family.all_ones):
                    mask = x.Host(Address(family, self.ipset.mask or 0))
                    address = x.Binary("&", address, mask)
                yield address
            case "port" if class_.suffix == "-icmp":
                header = MESSAGES[family][1]
                yield from (x.Payload(header, "type"), x.Payload(header, "code"))
            case "port":
                if self.ipset.type != "bitmap:port":
                    yield x.Meta("l4proto")
                if class_.suffix != "-protocol":
                    yield x.Payload("th", "sport" if direction == "src" else "dport")
            case "mac":
                yield x.Payload("ether", "saddr")
            case "mark":
                mark = x.Meta("mark")
                whole = self.ipset.mark_mask == 0xFFFFFFFF
                yield mark if whole else x.Binary("&", mark, x.Hex(self.ipset.mark_mask))

    def _types(self, class_: _Class) -> Iterator[str]:
        family = self.context.family
        for kind in self.ipset.kinds:
            match kind:
                case "ip" | "net":
                    yield ADDRESS_TYPE[family]
                case "port" if class_.suffix == "-icmp":
                    header = MESSAGES[family][1]
                    yield from (f"{header}_type", f"{header}_code")
                case "port":
                    if self.ipset.type != "bitmap:port":
                        yield "inet_proto"
                    if class_.suffix != "-protocol":
                        yield "inet_service"
                case "mac":
                    yield "ether_addr"
                case "mark":
                    yield "mark"

    # --- sets ------------------------------------------------------------------------------------

    def _declare(self, class_: _Class) -> str:
        """The set of a class, under its name; empty where nothing is ever in it."""
        ipset, context = self.ipset, self.context
        suffix = class_.suffix + self.suffix + "-nomatch" * self.nomatch
        name = ipset.name + suffix
        known = context.shared.objects.ipsets.get(name)
        if known is None:
            elements = tuple(self._elements(class_))
            if ipset.entries and not elements and not self._is_changed:
                known = ""
            else:
                known = context.declare(name, self._set(class_, elements), f"ipset {ipset.name}")
                context.note(
                    IPSET_COPIED,
                    f"the set {name} of nft has the elements that the ipset {ipset.name} had",
                )
            context.shared.objects.ipsets[name] = known
        return known

    def _set(self, class_: _Class, elements: tuple[x.Expression, ...]) -> Set:
        ipset, changed = self.ipset, self._is_changed
        flags = {
            "dynamic": changed,
            "interval": "net" in ipset.kinds,
            "timeout": ipset.timeout is not None,
        }
        return Set(
            "ipset",
            " . ".join(self._types(class_)),
            tuple(flag for flag, is_set in flags.items() if is_set),
            size=ipset.most if changed else None,
            elements=elements,
            counts=ipset.counts,
        )

    def _elements(self, class_: _Class) -> Iterator[x.Expression]:
        if "net" not in self.ipset.kinds:
            for entry in class_.entries:
                key = tuple(_literal(part, class_) for part in entry.parts)
                yield self._decorated(_joined(itertools.chain(*key)), entry)
            return
        groups: dict[tuple[Part, ...], list[Entry]] = {}
        for entry in class_.entries:
            groups.setdefault(self._fixed(entry), []).append(entry)
        for group in groups.values():
            yield from self._networks(group, class_)

    def _fixed(self, entry: Entry) -> tuple[Part, ...]:
        """The parts that are one value each."""
        return tuple(
            part for kind, part in zip(self.ipset.kinds, entry.parts, strict=True) if kind != "net"
        )

    def _box(self, entry: Entry) -> Box:
        """The networks of an entry; the kernel looks for the longest ones first."""
        networks = [
            part
            for kind, part in zip(self.ipset.kinds, entry.parts, strict=True)
            if kind == "net" and isinstance(part, Network)
        ]
        return Box(
            tuple(map(_ends, networks)),
            tuple(network.length or 0 for network in networks),
            entry.nomatch is self.nomatch,
        )

    def _networks(self, group: Sequence[Entry], class_: _Class) -> Iterator[x.Expression]:
        """Elements that differ in their networks alone."""
        boxes = tuple(map(self._box, group))
        if all(box.wanted for box in boxes) and not overlap(boxes):
            for entry in group:
                key = tuple(_literal(part, class_) for part in entry.parts)
                yield self._decorated(_joined(itertools.chain(*key)), entry)
            return
        if any(entry.timeout for entry in group):
            raise self.context.refuse(
                f"networks of the set {self.ipset.name} overlap and expire: what remains of"
                " the others then cannot be known in advance"
            )
        for piece in wanted_pieces(boxes):
            intervals = iter(piece)
            key = tuple(
                (_interval(part.family, next(intervals)),)
                if isinstance(part, Network) and kind == "net"
                else _literal(part, class_)
                for kind, part in zip(self.ipset.kinds, group[0].parts, strict=True)
            )
            yield _joined(itertools.chain(*key))

    def _decorated(self, key: x.Expression, entry: Entry) -> x.Expression:
        """A key with what the ipset keeps beside it."""
        comment = names.comment(entry.comment)
        if comment != entry.comment:
            self.context.note(COMMENT_CHANGED, f"the comment of an element becomes “{comment}”")
        counter = entry.counter if self.ipset.counts and any(entry.counter) else None
        timeout = entry.timeout or None
        if counter or timeout or comment:
            return x.Element(key, counter=counter, timeout=timeout, comment=comment)
        return key


def _of_protocols(*numbers: int) -> Statements:
    literals = tuple(map(x.Protocol, sorted(numbers)))
    return (s.Match(x.Meta("l4proto"), "==", x.AnonymousSet(literals)),)


def _joined(parts: Iterable[x.Expression]) -> x.Expression:
    listed = tuple(parts)
    return listed[0] if len(listed) == 1 else x.Concat(listed)


def _literal(part: object, class_: _Class) -> tuple[x.Expression, ...]:
    """The literals for one part of an element; none for an interface, which has its own set."""
    match part:
        case Network():
            return (_interval(part.family, _ends(part)),)
        case PortPart(_, number) if class_.protocols == _WITH_BITMAP:
            return (x.Number(number),)
        case PortPart(_, number) if class_.suffix == "-icmp":
            return (x.Number(number >> 8), x.Number(number & 0xFF))
        case PortPart(protocol) if class_.suffix == "-protocol":
            return (x.Protocol(protocol),)
        case PortPart(protocol, number):
            return (x.Protocol(protocol), x.Number(number))
        case MacPart(value):
            return (x.Mac(value),)
        case MarkPart(value):
            return (x.Hex(value),)
        case _:
            return ()


def _ends(network: Network) -> Interval:
    """The first and the last address."""
    return network.address, network.address | (network.family.all_ones ^ network.mask)


def _interval(family: Family, interval: Interval) -> x.Expression:
    """One address, a prefix where it is one, or a range."""
    first, last = interval
    low = Address(family, first)
    size = last - first + 1
    if size == 1:
        return x.Host(low)
    if size & size - 1 == 0 and first % size == 0:
        return x.Prefix(low, family.bits - size.bit_length() + 1)
    return x.Range(x.Host(low), x.Host(Address(family, last)))
