"""SNAT, DNAT, MASQUERADE, REDIRECT: another address or port for the ends of a connection.

Kernel: net/netfilter/xt_nat.c, xt_MASQUERADE.c and xt_REDIRECT.c, in chains of the nat table that
only some hooks lead to: POSTROUTING for SNAT and MASQUERADE, INPUT for SNAT as well; PREROUTING and
OUTPUT for the others. All of them call nf_nat_setup_info (nf_nat_core.c), as nft's statements do,
with the same struct nf_nat_range2, so equal ranges and flags bind the same. They end the table for
the packet, as accept does.

MASQUERADE takes the address of the interface that the packet leaves by, and the connections of an
interface that goes down are forgotten (nf_nat_masquerade.c serves nft, too). REDIRECT takes that of
the interface that the packet came in by, and for what this host sends its loopback address
(nf_nat_redirect.c serves both).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import AddressRange, Family, PortRange, parse_integer
from ...iptables.ast import Target
from ...iptables.protocols import PROTOCOLS
from ...iptables.services import port_of
from ...model.effects import Effect
from ...model.packet import Binding
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE, Placement
from ..shared.compare import address_literal, port_literal
from ..shared.words import flags

if TYPE_CHECKING:
    from ..context import Context

#: Protocols with something to map: ports, or the identifier of ICMP. iptables takes these but for
#: UDP-Lite, and no other, not even ICMPv6 (libxt_NAT.c).
PORT_PROTOCOLS = tuple(
    PROTOCOLS[name] for name in ("tcp", "udp", "udplite", "sctp", "dccp", "icmp")
)

# [ADDRESSES]:PORTS, ADDRESSES:PORTS and all that lack a part, but not a bare IPv6 address.
_FORM = re.compile(r"(?:\[(?P<bracketed>[^]]+)\]|(?P<plain>[^:[]*))(?::(?P<ports>[^:]*))?")


def parse_ports(text: str) -> PortRange:
    """Read PORT or PORT-PORT; iptables takes no open end here, and no name in a range."""
    first, dash, last = port_of(text).partition("-")
    low = parse_integer(first, 0xFFFF)
    return PortRange(low, parse_integer(last, 0xFFFF) if dash else low)


@attrs.frozen
class NatRange:
    """The addresses and ports that a connection may be bound to.

    >>> NatRange.parse(":8081")
    NatRange(addresses=None, ports=PortRange(first=8081, last=8081), base=None)
    >>> forms = ("10.0.0.1", "10.0.0.1-10.0.0.9:80-90", "[fd00::1-fd00::9]:80", "fd00::1")
    >>> [str(NatRange.parse(form)) for form in forms] == list(forms)
    True
    """

    addresses: AddressRange | None = None
    ports: PortRange | None = None
    #: The old port that the first new port stands for; None where ports are not shifted.
    base: int | None = None

    @property
    def family(self) -> Family | None:
        """The family of the addresses, None where there are only ports."""
        return self.addresses.family if self.addresses else None

    @classmethod
    def parse(cls, text: str) -> NatRange:
        """Read ``[ADDRESS[-ADDRESS]][:PORT[-PORT][/BASE]]``; brackets around IPv6 before ports."""
        found = _FORM.fullmatch(text)
        if not found:
            return cls(AddressRange.parse(text))
        addresses, ports = found["bracketed"] or found["plain"], found["ports"]
        if ports is None:
            return cls(AddressRange.parse(addresses))
        range_text, slash, base = ports.partition("/")
        return cls(
            AddressRange.parse(addresses) if addresses else None,
            parse_ports(range_text),
            parse_integer(base, 0xFFFF) if slash else None,
        )

    def __str__(self) -> str:
        addresses = str(self.addresses) if self.addresses else ""
        if not self.ports:
            return addresses
        if self.family is Family.IP6:
            addresses = f"[{addresses}]"
        base = "" if self.base is None else f"/{self.base}"
        return f"{addresses}:{self.ports.format('-')}{base}"


@attrs.frozen(kw_only=True)
class NatFlags:
    """How a port or an address is chosen among several."""

    random: bool = False
    fully_random: bool = False
    persistent: bool = False

    def lower(self) -> tuple[str, ...]:
        """nft's words for them."""
        return tuple(
            flags(
                ("random", self.random),
                ("fully-random", self.fully_random),
                ("persistent", self.persistent),
            )
        )


@attrs.frozen
class Snat(Target):
    """``-j SNAT --to-source RANGE`` with its flags."""

    to: NatRange
    flags: NatFlags = NatFlags()


@attrs.frozen
class Dnat(Target):
    """``-j DNAT --to-destination RANGE`` with its flags."""

    to: NatRange
    flags: NatFlags = NatFlags()


@attrs.frozen
class Masquerade(Target):
    """``-j MASQUERADE [--to-ports PORTS]`` with its flags."""

    ports: PortRange | None = None
    flags: NatFlags = NatFlags()

    @property
    def to(self) -> NatRange:
        """The ports as a range."""
        return NatRange(ports=self.ports)


@attrs.frozen
class Redirect(Target):
    """``-j REDIRECT [--to-ports PORTS]`` with its flags."""

    ports: PortRange | None = None
    flags: NatFlags = NatFlags()

    @property
    def to(self) -> NatRange:
        """The ports as a range."""
        return NatRange(ports=self.ports)


Nat = Snat | Dnat | Masquerade | Redirect


def _bind(kind: str, node: Nat) -> Effect:
    """Bind the connection to what struct nf_nat_range2 holds: two ends of each kind, and flags."""
    addresses, ports = node.to.addresses, node.to.ports
    chosen = {
        "random": node.flags.random,
        "fully-random": node.flags.fully_random,
        "persistent": node.flags.persistent,
        f"base {node.to.base}": node.to.base is not None,
    }
    return Effect(
        binding=Binding(
            kind,
            addresses=(addresses.first.value, addresses.last.value) if addresses else None,
            ports=(ports.first, ports.last) if ports else None,
            flags=frozenset(flag for flag, is_set in chosen.items() if is_set),
        )
    )


def _lower(kind: str, node: Nat, context: Context) -> tuple[s.Statement, ...]:
    """The statement for a target that is called like its nft form, in capitals."""
    to = node.to
    if to.base is not None:
        raise context.refuse("nft cannot shift a range of ports by a base port")
    return (
        s.Nat(
            kind,
            address_literal(to.addresses) if to.addresses else None,
            port_literal(to.ports) if to.ports else None,
            node.flags.lower(),
        ),
    )


# --- where, and which ---------------------------------------------------------------------------


def _needs(name: str, ports: PortRange | None) -> Placement:
    """Ports need a protocol that has some (libxt_NAT.c)."""
    return _with_ports(name) if ports else ANYWHERE


@cache
def _with_ports(name: str) -> Placement:
    return Placement(protocols=PORT_PROTOCOLS, subject=f"{name} to a port")


def _ranges(base: object = None) -> k.ValueKind:
    """Addresses, ports, or both; ``base`` is a port that ports are shifted by."""
    return k.OneOf(
        k.Build(NatRange, k.ADDRESS_RANGE, k.PORT_RANGE, base),
        k.Build(NatRange, k.ADDRESS_RANGE),
        k.Build(NatRange, None, k.PORT_RANGE, base),
    )


def _flags(**others: k.ValueKind) -> k.ValueKind:
    return k.Build(NatFlags, random=k.FLAG, **others)


_DESTINATION, _SOURCE = ("PREROUTING", "OUTPUT"), ("INPUT", "POSTROUTING")


_RANGE = Form("[ADDRESS[-ADDRESS]][:PORT[-PORT]]", NatRange.parse)
TO_PORTS = Option(
    "--to-ports", Form("PORT[-PORT]", parse_ports, lambda ports: ports.format("-")), "ports"
)
RANDOM = Option("--random", field="flags.random")
FULLY_RANDOM = Option("--random-fully", field="flags.fully_random")
PERSISTENT = Option("--persistent", field="flags.persistent")

SNAT = Extension(
    name="SNAT",
    what="the source of a connection becomes another address or port.",
    node=Snat,
    options=OptionTable.of(
        Option("--to-source", _RANGE, "to", required=True), RANDOM, FULLY_RANDOM, PERSISTENT
    ),
    meaning=lambda node, _view: _bind("snat", node),
    lower=lambda node, context: _lower("snat", node, context),
    placement=Placement(tables=("nat",), hooks=_SOURCE),
    needs=lambda node, _family: _needs("SNAT", node.to.ports),
    draw=k.Build(Snat, _ranges(), _flags(fully_random=k.FLAG, persistent=k.FLAG)),
    nft="snat to ADDRESSES:PORTS FLAGS",
    codes=(BAD_PLACE, NO_NFT_FORM),
    uses_conntrack=True,
)

DNAT = Extension(
    name="DNAT",
    what="the destination of a connection becomes another address or port.",
    node=Dnat,
    options=OptionTable.of(
        Option("--to-destination", _RANGE, "to", required=True), RANDOM, PERSISTENT
    ),
    meaning=lambda node, _view: _bind("dnat", node),
    lower=lambda node, context: _lower("dnat", node, context),
    placement=Placement(tables=("nat",), hooks=_DESTINATION),
    needs=lambda node, _family: _needs("DNAT", node.to.ports),
    draw=k.Build(Dnat, _ranges(base=k.OneOf(None, None, k.PORT)), _flags(persistent=k.FLAG)),
    nft="dnat to ADDRESSES:PORTS FLAGS",
    codes=(BAD_PLACE, NO_NFT_FORM),
    uses_conntrack=True,
)

MASQUERADE = Extension(
    name="MASQUERADE",
    what="SNAT to an address of the interface that the packet leaves by.",
    node=Masquerade,
    options=OptionTable.of(TO_PORTS, RANDOM, FULLY_RANDOM),
    meaning=lambda node, _view: _bind("masquerade", node),
    lower=lambda node, context: _lower("masquerade", node, context),
    placement=Placement(tables=("nat",), hooks=("POSTROUTING",)),
    needs=lambda node, _family: _needs("MASQUERADE", node.ports),
    draw=k.Build(Masquerade, k.maybe(k.PORT_RANGE), _flags(fully_random=k.FLAG)),
    nft="masquerade to :PORTS FLAGS",
    codes=(BAD_PLACE,),
    uses_conntrack=True,
)

REDIRECT = Extension(
    name="REDIRECT",
    what="DNAT to this host: the address of the interface that the packet came in by.",
    node=Redirect,
    options=OptionTable.of(TO_PORTS, RANDOM),
    meaning=lambda node, _view: _bind("redirect", node),
    lower=lambda node, context: _lower("redirect", node, context),
    placement=Placement(tables=("nat",), hooks=_DESTINATION),
    needs=lambda node, _family: _needs("REDIRECT", node.ports),
    draw=k.Build(Redirect, k.maybe(k.PORT_RANGE), _flags()),
    nft="redirect to :PORTS FLAGS",
    codes=(BAD_PLACE,),
    uses_conntrack=True,
)
