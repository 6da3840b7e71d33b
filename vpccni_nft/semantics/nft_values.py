"""What nft expressions are worth for a packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from ..model.headers import network_bits, transport_bits, transport_field
from ..model.oracle import (
    OPTIONS_OF_TCP,
    Oracle,
    OracleKind,
    extension_header,
    header_field,
)
from ..model.packet import (
    NoMeaning,
    width,
)
from ..nft import expressions as x
from ..nft.headers import TCP_OPTIONS
from .nft_host import connection_value, ethernet_value, host_value, shifted
from .nft_literals import constant, is_interface
from .nft_shown import shown
from .nft_value import Value

if TYPE_CHECKING:
    from ..model.algebra import Algebra, Bool
    from ..model.effects import View
    from ..model.packet import State


#: Fields of transport headers: their protocol, their names in the model, their bits.
TRANSPORT = {
    ("tcp", "sport"): (6, "sport", 16), ("tcp", "dport"): (6, "dport", 16),
    ("tcp", "flags"): (6, "tcp_flags", 8),
    ("udp", "sport"): (17, "sport", 16), ("udp", "dport"): (17, "dport", 16),
    ("dccp", "sport"): (33, "sport", 16), ("dccp", "dport"): (33, "dport", 16),
    ("dccp", "type"): (33, "type", 4),
    ("esp", "spi"): (50, "spi", 32),
    ("ah", "spi"): (51, "spi", 32), ("ah", "hdrlength"): (51, "hdrlength", 8),
    ("ah", "reserved"): (51, "reserved", 16),
    ("comp", "cpi"): (108, "cpi", 16),
    ("sctp", "sport"): (132, "sport", 16), ("sctp", "dport"): (132, "dport", 16),
    ("udplite", "sport"): (136, "sport", 16), ("udplite", "dport"): (136, "dport", 16),
    ("icmp", "type"): (1, "icmp_type", 8), ("icmp", "code"): (1, "icmp_code", 8),
    ("icmpv6", "type"): (58, "icmp_type", 8), ("icmpv6", "code"): (58, "icmp_code", 8),
}  # fmt: skip

#: The protocol that a header's fields ask for.
PROTOCOLS = {name: number for (name, _), (number, _, _) in TRANSPORT.items()} | {"igmp": 2}

#: The types of messages that nft asks for before it reads a field that only these have (nft puts
#: the comparison into the rule: src/proto.c of nftables; seen with ``nft --debug=netlink``).
OF_TYPES = {
    ("icmp", "gateway"): (5,), ("icmpv6", "daddr"): (137,),
    ("icmpv6", "taddr"): (130, 131, 132, 135, 136, 137),
    ("icmp", "id"): (0, 8), ("icmp", "sequence"): (0, 8), ("icmp", "mtu"): (3,),
    ("icmpv6", "id"): (128, 129), ("icmpv6", "sequence"): (128, 129), ("icmpv6", "mtu"): (2,),
    ("icmpv6", "parameter-problem"): (4,), ("icmpv6", "max-delay"): (130,),
}  # fmt: skip

#: Bits of what the world knows of IPv6 extension headers.
EXTENSIONS = {
    ("frag", "id"): 32, ("frag", "reserved"): 8, ("frag", "reserved2"): 2,
    ("frag", "more-fragments"): 1,
    ("frag", "nexthdr"): 8, ("hbh", "nexthdr"): 8, ("dst", "nexthdr"): 8,
    ("mh", "hdrlength"): 8, ("mh", "reserved"): 8,
    ("hbh", "hdrlength"): 8, ("dst", "hdrlength"): 8, ("mh", "nexthdr"): 8, ("mh", "type"): 8,
    ("rt", "nexthdr"): 8, ("rt", "hdrlength"): 8, ("rt", "type"): 8, ("rt", "seg-left"): 8,
    ("srh", "last-entry"): 8, ("srh", "flags"): 8, ("srh", "tag"): 16,
    ("srh", "sid[1]"): 128, ("srh", "sid[2]"): 128,
}  # fmt: skip

MOBILITY = 135
SCTP = 132

#: What reads raw payload, by its base.
RAW = {"nh": network_bits, "th": transport_bits}

META = {"mark": "mark", "iifname": "iif", "oifname": "oif", "l4proto": "protocol",
        "length": "length", "cpu": "cpu", "pkttype": "packet_type", "priority": "priority",
        "iif": "iif", "oif": "oif"}  # fmt: skip

#: What of a connection has a field here, by key and direction.
CONNECTION = {
    ("mark", ""): "ct_mark", ("status", ""): "ct_status", ("direction", ""): "ct_reply",
    ("protocol", "original"): "ct_protocol", ("protocol", "reply"): "ct_protocol",
    ("protocol", ""): "ct_protocol",
    ("proto-src", "original"): "ct_original_sport", ("proto-dst", "original"): "ct_original_dport",
    ("proto-src", "reply"): "ct_reply_sport", ("proto-dst", "reply"): "ct_reply_dport",
    **{
        (f"{header} {end}", direction): f"ct_{direction}_{end}"
        for header in ("ip", "ip6")
        for end in ("saddr", "daddr")
        for direction in ("original", "reply")
    },
}  # fmt: skip


RANDOM_BITS = 31


def evaluate(expression: x.Expression, view: View) -> Value:
    """An expression's value."""
    state = view.state
    match expression:
        case x.Binary("&", x.Meta("random"), x.Number(2147483647)):
            draw = view.ask_here(OracleKind.RANDOM, width=RANDOM_BITS)
            return Value(draw, RANDOM_BITS, state.algebra.true)
        case x.Binary():
            return operate(expression, evaluate(expression.left, view), view)
        case x.Payload():
            return _payload(expression, view)
        case x.RawPayload():
            return _raw_payload(expression, view)
        case x.TcpOption() | x.SctpChunk() | x.IpOption():
            return _option(expression, view)
        case x.Meta(key) if key in META:
            return _meta(META[key], state)
        case x.Ct():
            return _connection(expression, view)
        case x.ExtensionHeader():
            return _extension_header(expression, view)
        case x.Fib():
            return _fib(expression, view)
        case x.Numgen():
            return _numgen(expression, view)
        case x.Lookup():
            raise NoMeaning(f"no meaning for {shown(expression)} in this place")
        case _:
            return host_value(expression, view, evaluate)


def _connection(ct: x.Ct, view: View) -> Value:
    """The packet's state, which is always there, or what its entry has."""
    state = view.state
    if ct.key == "state":
        return _field(state, "ct_state", state.algebra.true)
    if field := CONNECTION.get((ct.key, ct.direction)):
        header, _, end = ct.key.partition(" ")
        if end and header != state.family.value:  # no connection has both (nft_ct.c)
            bits = ct.type[0].bits
            return Value(state.algebra.const(0, bits), bits, state.algebra.false)
        return _field(state, field, state.has_connection)
    return connection_value(ct.key, ct.direction, view)


def _meta(field: str, state: State) -> Value:
    if field == "length":  # an option that is added makes it longer
        return Value(state.field_since(OPTIONS_OF_TCP, field), 16, state.algebra.true)
    return _field(state, field, state.algebra.true)


def _field(state: State, field: str, there: Bool) -> Value:
    return Value(state.fields[field], width(field, state.family), there)


def _payload(payload: x.Payload, view: View) -> Value:
    """A header's field.

    Of a further fragment nft reads whatever bytes stand there (measured on Linux 6.18).
    """
    state, algebra = view.state, view.state.algebra
    if payload.protocol in {"ip", "ip6"} and payload.protocol != state.family.value:
        # What nft puts ahead of it ends the rule: nft/inet.py.
        bits = payload.place.bits
        return Value(algebra.const(0, bits), bits, algebra.false)
    match payload.protocol, payload.field:
        case (("ip" | "ip6"), ("saddr" | "daddr")):
            return _field(state, payload.field, algebra.true)
        case "vlan", field:
            raise NoMeaning(f"no meaning for vlan {field}")
        case "ether", field:
            return ethernet_value(field, view)
        case ("ip", "ttl") | ("ip6", "hoplimit"):
            return _field(state, "ttl", algebra.true)
        case (("ip" | "ip6"), "dscp"):
            return Value(algebra.extract(state.fields["tos"], 2, 6), 6, algebra.true)
        case (("ip" | "ip6"), "ecn"):
            return Value(algebra.extract(state.fields["tos"], 0, 2), 2, algebra.true)
    if (payload.protocol, payload.field) not in TRANSPORT:
        return _bits_of_field(payload, state)
    number, field, bits = TRANSPORT[payload.protocol, payload.field]
    word = transport_field(state, number, field, bits)
    return Value(word, bits, state.is_("protocol", number))


def _bits_of_field(payload: x.Payload, state: State) -> Value:
    """A field that the model has no word of its own for: the bits where it stands."""
    place = payload.place
    if payload.protocol in {"ip", "ip6"}:
        word, there = network_bits(state, place.offset, place.bits)
        return Value(word, place.bits, there)
    word, there = transport_bits(state, place.offset, place.bits)
    if payload.protocol != "th":  # of which it is not asked what protocol it is
        protocol = PROTOCOLS[payload.protocol]
        there = state.algebra.all(there, state.is_("protocol", protocol))
        if types := OF_TYPES.get((payload.protocol, payload.field)):
            type_ = transport_field(state, protocol, "icmp_type", 8)
            same = (state.algebra.equal(type_, state.algebra.const(one, 8)) for one in types)
            there = state.algebra.all(there, state.algebra.any(*same))
    return Value(word, place.bits, there)


def _raw_payload(raw: x.RawPayload, view: View) -> Value:
    """Some bits of the packet."""
    if raw.base not in RAW:
        raise NoMeaning(f"no meaning for {shown(raw)}")
    word, there = RAW[raw.base](view.state, raw.offset, raw.length)
    return Value(word, raw.length, there)


def _tcp_option(option: x.TcpOption, view: View) -> Value:
    """Kernel: nft_exthdr.c, nft_exthdr_tcp_eval. Fragments and other protocols have no options."""
    state, algebra = view.state, view.state.algebra
    has_header = algebra.all(state.is_("protocol", 6), state.is_("fragment", 0))
    if option == x.TcpOption("maxseg", "size"):
        has, size = (state.field_since(OPTIONS_OF_TCP, name) for name in ("has_mss", "mss"))
        there = algebra.all(has_header, algebra.equal(has, algebra.const(1, 1)))
        return Value(size, 16, there)
    mss = (state.fields["has_mss"], state.fields["mss"])  # which are of the options, too
    if option.field:
        bits = option.place.bits
        place = (option.name, option.field)
        there = view.says_since(
            OPTIONS_OF_TCP, Oracle(OracleKind.HAS_TCP_OPTION_FIELD, parameters=place), *mss
        )
        word = view.ask_since(
            OPTIONS_OF_TCP, Oracle(OracleKind.TCP_OPTION_FIELD, parameters=place), *mss, width=bits
        )
        return Value(word, bits, algebra.all(has_header, there))
    number = int(TCP_OPTIONS.get(option.name, option.name))
    oracle = Oracle(OracleKind.HAS_TCP_OPTION, parameters=(number,))
    found = algebra.all(has_header, view.says_since(OPTIONS_OF_TCP, oracle))
    return _presence(found, view)


def _option(option: x.TcpOption | x.SctpChunk | x.IpOption, view: View) -> Value:
    if isinstance(option, x.TcpOption):
        return _tcp_option(option, view)
    if isinstance(option, x.IpOption):
        return _ip_option(option, view)
    return _sctp_chunk(option, view)


def _ip_option(option: x.IpOption, view: View) -> Value:
    """Kernel: nft_exthdr.c, nft_exthdr_ipv4_eval. IPv6 has no such options."""
    algebra, place = view.state.algebra, (option.name, option.field)
    there = view.says(Oracle(OracleKind.HAS_IP_OPTION, parameters=place))
    if view.state.family is not Family.IP:
        there = algebra.false
    if not option.field:
        return _presence(there, view)
    bits = option.place.bits
    word = view.ask(Oracle(OracleKind.IP_OPTION_FIELD, parameters=place), width=bits)
    return Value(word, bits, there)


def _sctp_chunk(chunk: x.SctpChunk, view: View) -> Value:
    """Kernel: nft_exthdr.c, nft_exthdr_sctp_eval. Fragments and other protocols have no chunks."""
    state, algebra = view.state, view.state.algebra
    has_header = algebra.all(state.is_("protocol", SCTP), state.is_("fragment", 0))
    place = (chunk.name, chunk.field)
    there = view.says(Oracle(OracleKind.HAS_SCTP_CHUNK, parameters=place))
    there = algebra.all(has_header, there)
    if not chunk.field:
        return _presence(there, view)
    bits = chunk.place.bits
    word = view.ask(Oracle(OracleKind.SCTP_CHUNK_FIELD, parameters=place), width=bits)
    return Value(word, bits, there)


def _presence(found: Bool, view: View) -> Value:
    """Whether something is there, which is a value in any case."""
    algebra = view.state.algebra
    return Value(algebra.ite(found, algebra.const(1, 1), algebra.const(0, 1)), 1, algebra.true)


def _extension_header(header: x.ExtensionHeader, view: View) -> Value:
    """Kernel: nft_exthdr.c, nft_exthdr_ipv6_eval."""
    state, algebra = view.state, view.state.algebra
    name = "rt" if header.name == "srh" else header.name
    if name == "frag":
        there = state.is_("fragmented", 1)
    elif name == "mh":
        there = algebra.all(state.is_("protocol", MOBILITY), state.is_("fragment", 0))
    else:
        there = view.says(extension_header(name))
    if not header.field:
        return _presence(there, view)
    key = (header.name, header.field)
    if key == ("frag", "frag-off"):
        return _field(state, "fragment", there)
    if key not in EXTENSIONS:
        raise NoMeaning(f"no meaning for {shown(header)}")
    found = view.ask(header_field(header.name, header.field), width=EXTENSIONS[key])
    return Value(found, EXTENSIONS[key], there)


def _numgen(numgen: x.Numgen, view: View) -> Value:
    """A counter that stands somewhere, or a number drawn below the modulus."""
    algebra = view.state.algebra
    if numgen.mode == "inc":
        counted = view.ask_here(OracleKind.COUNTER, numgen.modulus, width=32)
        if numgen.offset:
            counted = shifted(counted, numgen, algebra)
        return Value(counted, 32, algebra.true)
    drawn = view.ask_here(OracleKind.NUMBER_BELOW, numgen.modulus, width=32)
    return Value(shifted(drawn, numgen, algebra), 32, algebra.true)


#: Bits that nft shifts at once: one register.
REGISTER_BITS = 32


def operate(binary: x.Binary, left: Value, view: View) -> Value:
    """Bit by bit; a mask's bits beyond the value's meet zeros, and others make it longer."""
    algebra = view.state.algebra
    if binary.operator.is_shift:
        return _shift(left, binary, algebra)
    if is_interface(binary.left):
        raise NoMeaning("the bits of an interface's number are not known")
    mask = constant(binary.right, binary.left)
    if binary.operator == "&":
        mask &= (1 << left.width) - 1
    else:
        left = extended(left, max(left.width, mask.bit_length()), algebra)
    operation = {"&": algebra.bvand, "|": algebra.bvor, "^": algebra.bvxor}[binary.operator]
    return attrs.evolve(left, word=operation(left.word, algebra.const(mask, left.width)))


def _shift(value: Value, binary: x.Binary, algebra: Algebra) -> Value:
    """What leaves a register at its end is lost (nft_bitwise_eval_lshift, _rshift)."""
    if value.width != REGISTER_BITS or not isinstance(binary.right, x.Number):
        raise NoMeaning(f"no meaning for {shown(binary)}")
    places, kept = binary.right.value, REGISTER_BITS - binary.right.value
    zeros = algebra.const(0, places)
    if binary.operator == "<<":
        word = algebra.concat(algebra.extract(value.word, 0, kept), zeros, places)
    else:
        word = algebra.concat(zeros, algebra.extract(value.word, places, kept), kept)
    return attrs.evolve(value, word=word)


def extended(value: Value, bits: int, algebra: Algebra) -> Value:
    """The same number in more bits; NoMeaning where it may not fit in so few."""
    if value.width == bits:
        return value
    if value.width > bits:
        raise NoMeaning(f"a value of {value.width} bits is cut to {bits}")
    zeros = algebra.const(0, bits - value.width)
    return attrs.evolve(value, word=algebra.concat(zeros, value.word, value.width), width=bits)


def _fib(fib: x.Fib, view: View) -> Value:
    """What the routing table says of an address."""
    state = view.state
    address = state.fields["saddr" if "saddr" in fib.flags else "daddr"]
    interface = state.word("iif", 0)
    for flag in ("iif", "oif"):
        if flag in fib.flags:
            interface = state.fields[flag]
    mark = state.fields["mark"] if "mark" in fib.flags else state.word("mark", 0)
    if fib.result == "type":
        asked = (address, interface, *state.typed_by(mark))
        found = view.ask(Oracle(OracleKind.FIB_TYPE), *asked, width=8)
        return Value(found, 8, state.algebra.true)
    asked = (address, mark, interface, *state.routed_by)
    answer = view.ask(Oracle(OracleKind.ROUTE_BACK), *asked, width=1)
    return Value(answer, 1, state.algebra.true)


def evaluate_key(key: x.Expression, view: View) -> tuple[Value, ...]:
    """The parts of a key; most have one."""
    parts = key.parts if isinstance(key, x.Concat) else (key,)
    return tuple(evaluate(part, view) for part in parts)
