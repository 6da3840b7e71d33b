"""The sets that ipset keeps in the kernel, as ``ipset save`` lists them.

Rules of iptables name such sets; what is in them is in no dump of the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family, MaskedMark, Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.span import Span


@attrs.frozen
class PortPart:
    """``tcp:80``: a protocol, and its port, or ``type << 8 | code`` of an ICMP message."""

    protocol: int
    number: int = 0  #: zero for protocols that have neither


@attrs.frozen
class InterfacePart:
    """An interface's name."""

    name: str
    wildcard: bool = False  #: whether all names fit that begin so
    bridged: bool = False  #: ``physdev:``: a port of a bridge


@attrs.frozen
class MacPart:
    """A hardware address."""

    value: int


@attrs.frozen
class MarkPart:
    """A packet's mark, masked."""

    value: int


@attrs.frozen
class SetPart:
    """The name of another set."""

    name: str


#: What leaves a mark as it is.
NO_MARK = MaskedMark(0, 0)

Part = Network | PortPart | InterfacePart | MacPart | MarkPart | SetPart


@attrs.frozen(kw_only=True)
class Entry:
    """One element of a set: a value for each of its dimensions, and what is kept beside it."""

    parts: tuple[Part, ...]
    timeout: int | None = None  #: seconds that are left; None or zero: it stays
    counter: tuple[int, int] = (0, 0)  #: packets and bytes
    comment: str = ""
    nomatch: bool = False  #: an exception from wider networks
    mark: MaskedMark = NO_MARK  #: what SET --map-mark gives a packet
    priority: int = 0  #: what --map-prio gives it
    queue: int = 0
    span: Span | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class IpSet:
    """One set."""

    name: str
    type: str  #: ``hash:ip,port``
    family: Family | None = None  #: None where its elements are of no family
    timeout: int | None = None  #: seconds that an element stays; None: elements have no timeouts
    counts: bool = False  #: whether each element counts packets
    mask: int | None = None  #: the bits of addresses that count; None: all of them
    mark_mask: int = 0xFFFFFFFF
    most: int = 65536  #: elements that it has room for
    evicts: bool = False  #: whether a new element takes the place of another where it is full
    bounds: tuple[int, int] | None = None  #: of a bitmap: first and last address or port
    entries: tuple[Entry, ...] = ()
    span: Span | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def storage(self) -> str:
        """How it is kept: ``hash``, ``bitmap`` or ``list``."""
        return self.type.partition(":")[0]

    @property
    def kinds(self) -> tuple[str, ...]:
        """What its dimensions are: ``ip``, ``net``, ``port``, ``mac``, ``mark``, ``iface``."""
        return tuple(self.type.partition(":")[2].split(","))


@attrs.frozen
class IpSets:
    """All sets of a node."""

    known: Mapping[str, IpSet]
    #: Names of the sets that rules change: what is in them is no longer what was listed.
    changed: frozenset[str] = frozenset()

    def in_family(self, name: str, family: Family) -> tuple[IpSet, ...]:
        """Of a set, or of what a list of sets lists, those that packets of a family can be in."""
        return tuple(one for one in self.members(name) if one.family in (None, family))

    def members(self, name: str) -> tuple[IpSet, ...]:
        """A set, or what a list of sets lists; without those that are not known.

        A list cannot be in a list.
        """
        found = self.known.get(name)
        if found is None:
            return ()
        if found.storage != "list":
            return (found,)
        listed = (part.name for entry in found.entries for part in entry.parts[:1]
                  if isinstance(part, SetPart))  # fmt: skip
        return tuple(self.known[one] for one in listed if one in self.known)
