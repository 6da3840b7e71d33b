"""What the targets SNAT, DNAT, MASQUERADE and REDIRECT share.

Kernel: net/netfilter/nf_nat_core.c, nf_nat_setup_info. The iptables targets and nft's statements
fill in the same struct nf_nat_range2 for it, so equal ranges and flags bind alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.values import AddressRange, Family, PortRange, parse_integer
from ...iptables.protocols import PROTOCOLS
from ...model.effects import Effect
from ...model.packet import Binding
from ...nft import statements as s
from .compare import address_literal, port_literal
from .words import flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context
    from ..options import Options

#: Protocols with something to map: ports, or the identifier of ICMP. iptables takes these but for
#: UDP-Lite, and no other, not even ICMPv6 (libxt_NAT.c).
PORT_PROTOCOLS = tuple(
    PROTOCOLS[name] for name in ("tcp", "udp", "udplite", "sctp", "dccp", "icmp")
)

# [ADDRESSES]:PORTS, ADDRESSES:PORTS and all that lack a part, but not a bare IPv6 address.
_FORM = re.compile(r"(?:\[(?P<bracketed>[^]]+)\]|(?P<plain>[^:[]*))(?::(?P<ports>[^:]*))?")


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

    @classmethod
    def build(cls, options: Options) -> NatFlags:
        """Read the options; not every target has all of them."""
        return cls(
            random=options.flag("--random"),
            fully_random=options.flag("--random-fully"),
            persistent=options.flag("--persistent"),
        )

    def save(self) -> Iterator[str]:
        """Write the options in the order of libxt_NAT.c."""
        return flags(
            ("--random", self.random),
            ("--random-fully", self.fully_random),
            ("--persistent", self.persistent),
        )

    def lower(self) -> tuple[str, ...]:
        """nft's words for them."""
        return tuple(
            flags(
                ("random", self.random),
                ("fully-random", self.fully_random),
                ("persistent", self.persistent),
            )
        )


NO_FLAGS = NatFlags()


def parse_ports(text: str) -> PortRange:
    """Read PORT or PORT-PORT; iptables takes no open end here."""
    first, dash, last = text.partition("-")
    low = parse_integer(first, 0xFFFF)
    return PortRange(low, parse_integer(last, 0xFFFF) if dash else low)


def save_ports(ports: PortRange | None) -> Iterator[str]:
    """The option ``--to-ports``."""
    if ports:
        yield from ("--to-ports", ports.format("-"))


def binding(kind: str, to: NatRange, nat_flags: NatFlags) -> Effect:
    """Bind the connection to what struct nf_nat_range2 holds: two ends of each kind, and flags."""
    addresses, ports = to.addresses, to.ports
    chosen = {
        "random": nat_flags.random,
        "fully-random": nat_flags.fully_random,
        "persistent": nat_flags.persistent,
        f"base {to.base}": to.base is not None,
    }
    return Effect(
        binding=Binding(
            kind,
            addresses=(addresses.first.value, addresses.last.value) if addresses else None,
            ports=(ports.first, ports.last) if ports else None,
            flags=frozenset(flag for flag, is_set in chosen.items() if is_set),
        )
    )


def lower_nat(
    kind: str, to: NatRange, nat_flags: NatFlags, context: Context
) -> tuple[s.Statement, ...]:
    """The statement for a target that is called like its nft form, in capitals."""
    name = kind.upper()
    context.need_table(name, "nat")
    if to.base is not None:
        raise context.refuse("nft cannot shift a range of ports by a base port")
    if to.ports:
        context.need_protocol(f"{name} to a port", *PORT_PROTOCOLS)
    return (
        s.Nat(
            kind,
            address_literal(to.addresses) if to.addresses else None,
            port_literal(to.ports) if to.ports else None,
            nat_flags.lower(),
        ),
    )
