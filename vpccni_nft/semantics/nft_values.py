"""What nft expressions are worth, and how they compare with literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family, mask_of_length
from ..model.headers import network_bits, transport_bits, transport_field
from ..model.lookup import KeyIndex
from ..model.oracle import (
    LISTED_BITS,
    OPTIONS_OF_TCP,
    KeptSet,
    Oracle,
    OracleKind,
    extension_header,
    header_field,
)
from ..model.packet import (
    ADDRESS_TYPES,
    PACKET_TYPES,
    STATE_BITS,
    STATUS_BITS,
    TCP_FLAGS,
    NoMeaning,
    interface_word,
    prefix_mask,
    width,
)
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..nft.datatypes import CT_STATUS, ETHER_TYPE, NF_PROTO
from ..nft.headers import TCP_OPTIONS
from .nft_host import connection_value, ethernet_value, has_label, host_value, shifted
from .nft_shown import shown
from .nft_value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model.algebra import Algebra, Bool
    from ..model.effects import View
    from ..model.packet import State
    from ..nft.ast import Set


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

#: Words for bits of a connection's status that no packet of the model has a reason for.
RARE_STATUS = ("dying", "seq-adjust", "snat-done", "dnat-done")

#: What the words of a key stand for.
SYMBOLS = {
    **{f"ct state {name}": bit for name, bit in STATE_BITS.items()},
    **{f"ct status {name}": bit for name, bit in STATUS_BITS.items()},
    **{f"tcp flags {name}": bit for name, bit in TCP_FLAGS.items()},
    **{f"fib type {name}": number for name, number in ADDRESS_TYPES.items()},
    **{f"meta nfproto {name}": number for name, number in NF_PROTO.words.items()},
    **{f"ct l3proto {name}": number for name, number in NF_PROTO.words.items()},
    **{f"meta protocol {name}": number for name, number in ETHER_TYPE.words.items()},
    "fib oif missing": 0, "fib oif exists": 1,
    "exthdr missing": 0, "exthdr exists": 1,
    "ct direction original": 0, "ct direction reply": 1,
    "ipsec missing": 0, "ipsec exists": 1,
    **{f"meta pkttype {name}": number for name, number in PACKET_TYPES.items()},
    "meta pkttype unicast": PACKET_TYPES["host"],
    **{f"ct status {name}": CT_STATUS.words[name] for name in RARE_STATUS},
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
            return _operate(expression, evaluate(expression.left, view), view)
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


def _operate(binary: x.Binary, left: Value, view: View) -> Value:
    """Bit by bit; a mask's bits beyond the value's meet zeros, and others make it longer."""
    algebra = view.state.algebra
    if binary.operator.is_shift:
        return _shift(left, binary, algebra)
    if _is_interface(binary.left):
        raise NoMeaning("the bits of an interface's number are not known")
    mask = _constant(binary.right, binary.left)
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


def evaluate_for(key: x.Expression, expression: x.Expression, view: View, bits: int) -> Value:
    """What a key is set to: a literal is as wide as the key, and a narrower value gets zeros."""
    algebra = view.state.algebra
    match expression:
        case x.Number() | x.Hex() | x.Flags() | x.Symbol():
            constant = _constant(expression, key)
            if constant >> bits:
                raise NoMeaning(f"no meaning for {constant} as {shown(key)}")
            return Value(algebra.const(constant, bits), bits, algebra.true)
        case x.Lookup():
            return _looked_up(key, expression, view, bits)
        case x.Binary() if _has_shift(expression):
            # What is narrower is widened to what it is given to before it is shifted.
            left = evaluate_for(key, expression.left, view, bits)
            return _operate(expression, left, view)
        case _:
            return extended(evaluate(expression, view), bits, algebra)


def _has_shift(expression: x.Expression) -> bool:
    return isinstance(expression, x.Binary) and (
        expression.operator.is_shift or _has_shift(expression.left)
    )


def _looked_up(key: x.Expression, lookup: x.Lookup, view: View, bits: int) -> Value:
    """What a map holds for the packet; no value where it holds nothing."""
    algebra = view.state.algebra
    word, found = algebra.const(0, bits), []
    for here, literal in pairs(lookup.key, lookup.map, view):
        if not isinstance(literal, x.Expression):
            raise NoMeaning("a map of verdicts is no map of values")
        value = evaluate_for(key, literal, view, bits)
        word = algebra.ite(here, value.word, word)
        found.append(here)
    return Value(word, bits, algebra.any(*found))


def evaluate_key(key: x.Expression, view: View) -> tuple[Value, ...]:
    """The parts of a key; most have one."""
    parts = key.parts if isinstance(key, x.Concat) else (key,)
    return tuple(evaluate(part, view) for part in parts)


_EQUALITIES = ("==", "!=")


def compare(match: s.Match, view: View) -> Bool:
    """Whether a match holds."""
    algebra = view.state.algebra
    if isinstance(match.right, x.AnonymousSet | x.SetReference):
        there, holds = contains(match.left, match.right, view)
        return algebra.all(there, holds if match.operator == "==" else algebra.not_(holds))
    if match.left == x.Ct("label") and match.operator in {"in", "!"}:
        found = has_label(match.right, view)
        holds = found if match.operator == "in" else algebra.not_(found)
        return algebra.all(view.state.has_connection, holds)
    if _is_interface(match.left) and (
        match.operator not in _EQUALITIES or isinstance(match.right, x.Range)
    ):
        raise NoMeaning("the numbers of interfaces are in no order that is known")
    value = evaluate(match.left, view)
    match match.operator:
        case "==":
            holds = _equals(value, match.left, match.right, view)
        case "!=":
            holds = algebra.not_(_equals(value, match.left, match.right, view))
        case "in":
            holds = algebra.not_(_has_none(value, match, view))
        case "!":
            holds = _has_none(value, match, view)
        case "<":
            holds = algebra.not_(_is_from(value, _constant(match.right, match.left), algebra))
        case ">=":
            holds = _is_from(value, _constant(match.right, match.left), algebra)
        case ">":
            holds = algebra.not_(_is_up_to(value, _constant(match.right, match.left), algebra))
        case "<=":
            holds = _is_up_to(value, _constant(match.right, match.left), algebra)
        case _:
            raise NoMeaning(f"no meaning for {shown(match)}")
    return algebra.all(value.there, holds)


def _is_from(value: Value, low: int, algebra: Algebra) -> Bool:
    """Whether a value is not below a number, which may be larger than any value."""
    if low >> value.width:
        return algebra.false
    return algebra.ule(algebra.const(low, value.width), value.word)


def _is_up_to(value: Value, high: int, algebra: Algebra) -> Bool:
    """Whether a value is not beyond a number, which may be larger than any value."""
    if high >> value.width:
        return algebra.true
    return algebra.ule(value.word, algebra.const(high, value.width))


def contains(
    key: x.Expression,
    elements: x.AnonymousSet | x.SetReference,
    view: View,
) -> tuple[Bool, Bool]:
    """Whether a key has a value, and whether it is in a set.

    What the text does not list is for the world to know: sets that rules or programs fill.
    """
    _require_type(key, elements, view)
    algebra = view.state.algebra
    values = evaluate_key(key, view)
    there = algebra.all(*(value.there for value in values))
    listed = _elements(elements, view)
    if isinstance(elements, x.SetReference) and (not listed or _is_open(elements, view)):
        words = [one.word for one in values]
        first = algebra.const(0, LISTED_BITS)
        for one in listed:
            left = algebra.const(_left(one, view.named[elements.name]) + 1, LISTED_BITS)
            first = algebra.ite(is_element(values, key, one, view), left, first)
        words += [first] if listed else []
        return there, view.state.member(kept_set(view.named[elements.name], view), *words)
    kept = view.named[elements.name] if isinstance(elements, x.SetReference) else None
    index = _index_of(key, elements, view)
    few = _candidates(index, elements, values, view, splits=False)
    if index and len(few) > _MANY and not any(_left(one, kept) for one in few if kept):
        return there, _is_one_of(index, key, listed, values, view)
    return there, algebra.any(
        *(algebra.all(is_element(values, key, one, view), _stays(one, kept, view)) for one in few)
    )


def _is_one_of(
    index: KeyIndex,
    key: x.Expression,
    listed: Sequence[x.Expression],
    values: tuple[Value, ...],
    view: View,
) -> Bool:
    """Whether a key is one of many elements: those without ranges are one comparison."""
    algebra, found, others = view.state.algebra, [], [*index.always]
    for group in index.groups:
        if len(group.places) == len(values):
            found.append(algebra.is_in(group, tuple(values[place].word for place in group.places)))
        else:
            others += (number for numbers in group.by_key.values() for number in numbers)
    compared = (is_element(values, key, listed[number], view) for number in others)
    return algebra.any(*found, *compared)


#: Beyond so many elements a set is no list of comparisons.
_MANY = 16


def _index_of(
    key: x.Expression, elements: x.AnonymousSet | x.SetReference, view: View
) -> KeyIndex | None:
    """By which the elements of a large set are found."""
    owner = elements if isinstance(elements, x.AnonymousSet) else view.named[elements.name]
    fewest = _MANY if isinstance(elements, x.AnonymousSet) else 1
    if view.indices is None or len(owner.elements) <= fewest:
        return None
    place = (id(owner), key)
    kept = view.indices.elements.get(place)
    if kept is None or kept[0] is not owner:
        kept = (owner, KeyIndex.of(_exact_parts(key, one) for one in owner.elements))
        view.indices.elements[place] = kept
    return kept[1]


def _exact_parts(key: x.Expression, element: x.Expression) -> dict[int, int]:
    """The values that an element asks for, by the number of the key's part."""
    if isinstance(element, x.Pair):
        element = element.key
    if isinstance(element, x.Element):
        element = element.key
    if isinstance(element, x.CatchAll):
        return {}
    wanted = element.parts if isinstance(element, x.Concat) else (element,)
    keys = key.parts if isinstance(key, x.Concat) else (key,)
    return {
        number: _constant(right, left)
        for number, (left, right) in enumerate(zip(keys, wanted, strict=True))
        if _is_exact(right)
    }


def _candidates(
    index: KeyIndex | None,
    elements: x.AnonymousSet | x.SetReference,
    values: tuple[Value, ...],
    view: View,
    *,
    splits: bool,
) -> Sequence[x.Expression]:
    """The elements that a key may be."""
    every = _elements(elements, view)
    if index is None:
        return every
    words = tuple(value.word for value in values)
    return [every[number] for number in view.state.algebra.candidates(index, words, splits=splits)]


def kept_set(set_: Set, view: View) -> KeptSet:
    """A set for the world: what packets and time make of its elements."""
    size = set_.size if "dynamic" in set_.flags else None
    return KeptSet(names.demangle(set_.name), view.tables.get(set_.name, ""), set_.timeout, size)


def _left(element: x.Expression, set_: Set) -> int:
    """Milliseconds that an element stays; zero: for ever."""
    timeout = set_.timeout
    if isinstance(element, x.Element):
        if element.expires is not None:
            return element.expires
        timeout = timeout if element.timeout is None else element.timeout
    return 1000 * (timeout or 0)


def _stays(element: x.Expression, set_: Set | None, view: View) -> Bool:
    """Whether an element that was listed is still there."""
    left = _left(element, set_) if set_ else 0
    if not left:
        return view.state.algebra.true
    return view.says(Oracle(OracleKind.ELEMENT_STAYS, parameters=(left,)))


def pairs(
    key: x.Expression,
    elements: x.AnonymousSet | x.SetReference,
    view: View,
) -> Iterator[tuple[Bool, x.Expression | s.Verdict]]:
    """What a map holds for a key: each value, and where it is the one."""
    _require_type(key, elements, view)
    algebra = view.state.algebra
    values = evaluate_key(key, view)
    free = algebra.all(*(value.there for value in values))
    kept = view.named[elements.name] if isinstance(elements, x.SetReference) else None
    if kept and "dynamic" in kept.flags:
        raise NoMeaning(f"what rules put into the map {kept.name} is not known")
    index = _index_of(key, elements, view)
    listed = [_pair(element) for element in _candidates(index, elements, values, view, splits=True)]
    # The element for all others comes last, wherever it stands.
    for wanted, value in sorted(listed, key=lambda pair: isinstance(pair[0], x.CatchAll)):
        stays = _stays(wanted, kept, view)
        here = algebra.all(free, is_element(values, key, wanted, view), stays)
        yield here, value
        free = algebra.all(free, algebra.not_(here))


def _elements(elements: x.AnonymousSet | x.SetReference, view: View) -> tuple[x.Expression, ...]:
    if isinstance(elements, x.AnonymousSet):
        return elements.elements
    named: Set = view.named[elements.name]
    return named.elements


def _require_type(key: x.Expression, elements: x.Expression, view: View) -> None:
    """A key of another type than a named set's: nft refuses the rule."""
    if isinstance(elements, x.SetReference) and key.type is not None:
        wanted = view.named[elements.name].type
        if [type_.bits for type_ in key.type] != [type_.bits for type_ in wanted]:
            raise NoMeaning(f"{elements.name} has keys of another type than {shown(key)}")


def _is_open(reference: x.SetReference, view: View) -> bool:
    """Whether rules change the set, so that what is listed was only its beginning."""
    return "dynamic" in view.named[reference.name].flags


def _pair(element: x.Expression) -> tuple[x.Expression, x.Expression | s.Verdict]:
    if not isinstance(element, x.Pair):
        raise NoMeaning(f"not an element of a map: {shown(element)}")
    return element.key, element.value


def is_element(
    values: tuple[Value, ...], key: x.Expression, element: x.Expression, view: View
) -> Bool:
    """Whether a key is an element, which may be a range, a prefix, or several parts of these."""
    algebra = view.state.algebra
    if isinstance(element, x.Element):
        element = element.key
    if isinstance(element, x.CatchAll):
        return algebra.true
    wanted = element.parts if isinstance(element, x.Concat) else (element,)
    keys = key.parts if isinstance(key, x.Concat) else (key,)
    return algebra.all(
        *(
            _equals(value, left, right, view)
            for value, left, right in zip(values, keys, wanted, strict=True)
        )
    )


def _has_none(value: Value, match: s.Match, view: View) -> Bool:
    algebra = view.state.algebra
    bits = _constant(match.right, match.left) & (1 << value.width) - 1
    found = algebra.bvand(value.word, algebra.const(bits, value.width))
    return algebra.equal(found, algebra.const(0, value.width))


def _equals(value: Value, left: x.Expression, right: x.Expression, view: View) -> Bool:
    """Whether a value is a literal, or inside one."""
    algebra = view.state.algebra
    match right:
        case x.Range(low, high):
            if _is_interface(left):
                raise NoMeaning("the numbers of interfaces are in no order that is known")
            return algebra.all(
                _is_from(value, _constant(low, left), algebra),
                _is_up_to(value, _constant(high, left), algebra),
            )
        case x.Prefix(address, length):
            mask = mask_of_length(address.family, length)
            return _equals_masked(value, address.value, mask, view)
        case x.Interface(name, True):
            return _equals_masked(value, interface_word(name), prefix_mask(name), view)
        case _:
            return _is(value, _constant(right, left), algebra)


def _is_exact(right: x.Expression) -> bool:
    """Whether a literal is one value: what ``_equals`` compares all bits with."""
    return not isinstance(right, x.Range | x.Prefix) and not (
        isinstance(right, x.Interface) and right.wildcard
    )


def _is(value: Value, wanted: int, algebra: Algebra) -> Bool:
    """Whether a value is a number; none is one that is wider."""
    if wanted >> value.width:
        return algebra.false
    return algebra.equal(value.word, algebra.const(wanted, value.width))


def _equals_masked(value: Value, wanted: int, mask: int, view: View) -> Bool:
    algebra = view.state.algebra
    masked = algebra.bvand(value.word, algebra.const(mask, value.width))
    return algebra.equal(masked, algebra.const(wanted, value.width))


def _constant(literal: x.Expression, left: x.Expression) -> int:
    """A literal's number, by what it is compared with."""
    if isinstance(left, x.Fib) and left.result != "type" and not isinstance(literal, x.Symbol):
        if left.result == "oif" and literal == x.Number(0):
            return 0  # there is none
        raise NoMeaning(f"which interface a route leads to is not modelled: {shown(literal)}")
    match literal:
        case x.Number(value) | x.Hex(value) if _is_interface(left):
            return _index(value)
        case x.Number(value) | x.Hex(value):
            return value
        case x.Protocol(number):
            return number
        case x.Host(address):
            return address.value
        case x.Interface(name):
            return interface_word(name)
        case x.Mac(value):
            return value
        case x.String(text):
            return interface_word(text)  # of a device name's length, and padded the same
        case x.Symbol(name):
            return _symbol(left, name)
        case x.Flags(flags):
            return sum(_symbol(left, name) for name in flags)
        case _:
            raise NoMeaning(f"not a constant: {shown(literal)}")


#: The interfaces whose numbers are known: none, and the one that every node has first.
_INDICES = {0: "", 1: "lo"}


def _is_interface(expression: x.Expression) -> bool:
    return isinstance(expression, x.Meta) and expression.key in {"iif", "oif"}


def _index(number: int) -> int:
    """The interface of a number, as the model knows it: by its name."""
    if number not in _INDICES:
        raise NoMeaning(f"which interface has the number {number} is not known")
    return interface_word(_INDICES[number])


def _symbol(left: x.Expression, name: str) -> int:
    """What a word stands for beside a key."""
    symbol = f"{_key(left)} {name}"
    if symbol not in SYMBOLS:
        raise NoMeaning(f"no meaning for the word {symbol}")
    return SYMBOLS[symbol]


def _key(expression: x.Expression) -> str:
    """The words that a symbol's meaning depends on."""
    match expression:
        case x.Binary(_, inner, _):
            return _key(inner)
        case x.Meta("ipsec") | x.Rt("ipsec"):
            return "ipsec"
        case x.Meta(key):
            return f"meta {key}"
        case x.Ct(key):
            return f"ct {key}"
        case x.Fib(_, result):
            return f"fib {result}"
        case x.Payload(protocol, field):
            return f"{protocol} {field}"
        case x.ExtensionHeader() | x.TcpOption() | x.SctpChunk() | x.IpOption():
            return "exthdr"
        case _:
            raise NoMeaning(f"{shown(expression)} has no symbols")
