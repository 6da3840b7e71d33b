"""What nft reads of a packet's socket, link, route, transformations and connection, and the time.

Kernel: net/netfilter/nft_meta.c, nft_socket.c, nft_rt.c, nft_xfrm.c, nft_osf.c, nft_hash.c and
nft_ct.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.values import Family
from ..model.headers import changing, transport_field
from ..model.oracle import LABELS, ROUTE, SOCKET, Oracle, OracleKind, route_of, system_of_syn
from ..model.packet import NAME_BYTES, TCP_FLAGS, Event, NoMeaning, width
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft.datatypes import NF_PROTO
from .nft_shown import shown
from .nft_value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..model.algebra import Algebra, Bool, Word
    from ..model.effects import View

#: Bits of a name of a helper or a system.
NAME_BITS = 8 * NAME_BYTES

#: Most transformations of a packet: XFRM_MAX_DEPTH.
DEPTH_BITS = 3

#: What clocks say, its bits and the largest value.
CLOCKS = {
    "hour": (Oracle(OracleKind.SECOND_OF_DAY), 32, 24 * 60 * 60 - 1),
    "day": (Oracle(OracleKind.DAY_OF_WEEK), 8, 6),
    "time": (Oracle(OracleKind.EPOCH_SECOND), 64, (1 << 64) - 1),
}

#: What connections count.
COUNTS = ("packets", "bytes", "avgpkt")


def host_value(
    expression: x.Expression, view: View, evaluate: Callable[[x.Expression, View], Value]
) -> Value:
    """What is known of the packet beside its headers and its connection."""
    match expression:
        case x.Meta(key):
            return _meta(key, view)
        case x.Socket(key):
            return _socket(key, view)
        case x.Rt():
            return _route(expression, view)
        case x.Ipsec(direction, key, number):
            algebra, count = view.state.algebra, _transformations(direction, view)
            there = algebra.not_(algebra.ule(count, algebra.const(number, DEPTH_BITS)))
            bits = expression.type[0].bits
            if " " in key:  # an address, of a tunnel alone
                has = Oracle(OracleKind.TRANSFORMATION_HAS, direction, (key, number))
                there = algebra.all(there, view.says_since(route_of(direction), has))
            asked = Oracle(OracleKind.TRANSFORMATION, direction, (key, number))
            found = view.ask_since(route_of(direction), asked, width=bits)
            return Value(found, bits, there)
        case x.Osf(ttl, kind):
            asked = system_of_syn(ttl)
            if kind == "version":
                asked = Oracle(OracleKind.SYSTEM_VERSION, parameters=(ttl,))
            system = view.ask(asked, *changing(view.state), width=NAME_BITS)
            return Value(system, NAME_BITS, _is_syn(view))
        case x.Hash():
            return _hash(expression, view, evaluate)
        case x.SymmetricHash(modulus):
            oracle = Oracle(OracleKind.SYMMETRIC_HASH, parameters=(modulus,))
            hashed = view.ask(oracle, *changing(view.state), width=32)
            algebra = view.state.algebra
            return Value(shifted(hashed, expression, algebra), 32, algebra.true)
        case _:
            raise NoMeaning(f"no meaning for {shown(expression)}")


def ethernet_value(field: str, view: View) -> Value:
    """A field of the Ethernet header, of packets that came by such a device."""
    if field != "saddr":
        raise NoMeaning(f"no meaning for ether {field}")
    algebra, state = view.state.algebra, view.state
    there = algebra.all(
        algebra.not_(state.is_("iif", 0)), view.says(Oracle(OracleKind.CAME_BY_ETHERNET))
    )
    return _field("mac_source", view, there)


def connection_value(key: str, direction: str, view: View) -> Value:
    """What the world knows of the packet's connection."""
    state, algebra = view.state, view.state.algebra
    if key in COUNTS:
        # Connections that began before counting was switched on have none, and nft reads zero.
        counts = algebra.not_(
            algebra.equal(
                view.ask(Oracle(OracleKind.TRAFFIC, "both ways", ("packets",)), width=64),
                algebra.const(0, 64),
            )
        )
        found = view.ask(Oracle(OracleKind.TRAFFIC, direction or "both ways", (key,)), width=64)
        return Value(algebra.ite(counts, found, algebra.const(0, 64)), 64, state.has_connection)
    if key == "helper":
        has_helper = algebra.all(state.has_connection, view.says(Oracle(OracleKind.HELPER_FORESAW)))
        return Value(
            view.ask(Oracle(OracleKind.MASTER_HELPER), width=NAME_BITS), NAME_BITS, has_helper
        )
    if key == "l3proto":
        return _family(view, state.has_connection)
    if key == "id":
        return Value(
            view.ask(Oracle(OracleKind.CONNECTION_NUMBER), width=32), 32, state.has_connection
        )
    if key == "expiration":
        return Value(view.ask(Oracle(OracleKind.SECONDS_LEFT), width=32), 32, state.has_connection)
    raise NoMeaning(f"no meaning for ct {key}")


def _field(field: str, view: View, there: Bool) -> Value:
    return Value(view.state.fields[field], width(field, view.state.family), there)


def _meta(key: str, view: View) -> Value:
    algebra, state = view.state.algebra, view.state
    match key:
        case "skuid" | "skgid":
            return Value(view.field_since(SOCKET, key.removeprefix("sk")), 32, view.has_socket)
        case "cgroup":
            return Value(view.field_since(SOCKET, "cgroup"), 32, _has_own_socket(view))
        case "iifgroup" | "oifgroup":
            interface = key.removesuffix("group")
            return _field(f"{interface}_group", view, algebra.not_(state.is_(interface, 0)))
        case "ipsec":
            return _transformed("in", view)
        case "nfproto":
            return _family(view, algebra.true)
        case "protocol":
            number = 0x0800 if state.family is Family.IP else 0x86DD
            return Value(algebra.const(number, 16), 16, algebra.true)
        case "rtclassid":
            return _realm(view)
        case "iiftype" | "oiftype":
            interface = key.removesuffix("type")
            device = state.fields[interface]
            kind = view.ask(Oracle(OracleKind.INTERFACE_TYPE), device, width=16)
            return Value(kind, 16, algebra.not_(state.is_(interface, 0)))
        case "random":
            return Value(view.ask_here(OracleKind.RANDOM, width=32), 32, algebra.true)
        case _ if key in CLOCKS:
            question, bits, largest = CLOCKS[key]
            return Value(view.ask_up_to(largest, question, bits), bits, algebra.true)
        case _:
            raise NoMeaning(f"no meaning for meta {key}")


def _family(view: View, there: Bool) -> Value:
    """The number of the packet's family: NFPROTO_IPV4 or NFPROTO_IPV6."""
    number = NF_PROTO.words["ipv4" if view.state.family is Family.IP else "ipv6"]
    return Value(view.state.algebra.const(number, 8), 8, there)


def _has_own_socket(view: View) -> Bool:
    """``skb->sk``, whether or not a program has it."""
    return view.state.algebra.any(view.has_socket, view.has_other_socket)


def _socket(key: str, view: View) -> Value:
    """The packet's own socket, or the one that is looked up (nft_socket_eval)."""
    algebra, state = view.state.algebra, view.state
    looked_up = state.socket
    found = algebra.any(
        _has_own_socket(view),
        view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_FOUND), *looked_up),
    )
    if key == "transparent":
        return Value(
            view.ask_since(SOCKET, Oracle(OracleKind.SOCKET_IS_TRANSPARENT), *looked_up, width=1),
            1,
            found,
        )
    full = algebra.all(
        found,
        algebra.any(
            view.has_socket, view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_FULL), *looked_up)
        ),
    )
    if key == "wildcard":
        return Value(
            view.ask_since(SOCKET, Oracle(OracleKind.SOCKET_IS_WILDCARD), *looked_up, width=1),
            1,
            full,
        )
    return Value(
        view.ask_since(SOCKET, Oracle(OracleKind.SOCKET_MARK), *looked_up, width=32), 32, full
    )


def _route(route: x.Rt, view: View) -> Value:
    """Kernel: nft_rt.c, nft_rt_get_eval."""
    match route.key:
        case "classid":
            return _realm(view)
        case "ipsec":
            return _transformed("out", view)
        case "mtu":
            ends = (view.state.fields["saddr"], view.state.fields["daddr"])
            segment = view.ask_since(ROUTE, Oracle(OracleKind.PATH_SEGMENT), *ends, width=16)
            return Value(segment, 16, view.state.algebra.true)
        case _:
            bits = route.type[0].bits
            oracle = Oracle(OracleKind.NEXT_HOP)
            hop = view.ask_since(ROUTE, oracle, *changing(view.state), width=bits)
            own = route.key == f"{view.state.family.value} nexthop"
            return Value(hop, bits, _realm(view).there if own else view.state.algebra.false)


def _realm(view: View) -> Value:
    """Of the packet's route, which nothing has before it is looked up."""
    there = view.state.hook != "prerouting"
    return Value(
        view.field_since(ROUTE, "realm"), 32, view.state.algebra.true if there else _routed(view)
    )


def _routed(view: View) -> Bool:
    return view.says_since(ROUTE, Oracle(OracleKind.HAS_ROUTE))


def _transformations(direction: str, view: View) -> Word:
    oracle = Oracle(OracleKind.TRANSFORMATIONS, direction)
    return view.ask_since(route_of(direction), oracle, width=DEPTH_BITS)


def _transformed(direction: str, view: View) -> Value:
    algebra = view.state.algebra
    none = algebra.equal(_transformations(direction, view), algebra.const(0, DEPTH_BITS))
    word = algebra.ite(none, algebra.const(0, 1), algebra.const(1, 1))
    return Value(word, 1, algebra.true)


def _is_syn(view: View) -> Bool:
    """Whether the bytes where TCP's flags stand have SYN (nft_osf_eval).

    Packets of IPv6 have no system (measured on Linux 6.18): tables of the family inet alone have
    such a rule for them.
    """
    algebra, state = view.state.algebra, view.state
    if state.family is not Family.IP:
        return algebra.false
    flags = transport_field(state, 6, "tcp_flags", 8)
    syn = algebra.const(TCP_FLAGS["syn"], 8)
    return algebra.all(state.is_("protocol", 6), algebra.equal(algebra.bvand(flags, syn), syn))


def _hash(hashed: x.Hash, view: View, evaluate: Callable[[x.Expression, View], Value]) -> Value:
    """A function of the key, and of how its bytes stand in the registers (nft_jhash_eval)."""
    algebra, key = view.state.algebra, hashed.key
    values = [evaluate(part, view) for part in (key.parts if isinstance(key, x.Concat) else (key,))]
    parameters: tuple[Hashable, ...] = (hashed.modulus, hashed.seed)
    if key.type not in _ADDRESSES:
        parameters += (key.type,)
    if hashed.seed is None and view.place is None:
        raise NoMeaning("what draws a seed stands in no place of its own")
    seed = "" if hashed.seed is not None else view.place
    oracle = Oracle(OracleKind.JHASH, seed, parameters)
    found = view.ask(oracle, *(value.word for value in values), width=32)
    there = algebra.all(*(value.there for value in values))
    return Value(shifted(found, hashed, algebra), 32, there)


#: Keys whose bytes stand in a register as they stand in a packet, whatever the field is called.
_ADDRESSES = ((t.IPV4_ADDR,), (t.IPV6_ADDR,))


def shifted(number: Word, by: x.Hash | x.SymmetricHash | x.Numgen, algebra: Algebra) -> Word:
    """A number below the modulus, and with what is added to it."""
    below = algebra.ule(number, algebra.const(by.modulus - 1, 32))
    number = algebra.ite(below, number, algebra.const(0, 32))
    return algebra.bvadd(number, algebra.const(by.offset, 32), 32) if by.offset else number


def has_label(literal: x.Expression, view: View) -> Bool:
    """Whether a bit of the connection's labels is set; one that keeps no labels has none."""
    algebra, number = view.state.algebra, _label(literal, view)
    return algebra.all(_keeps_labels(view), view.state.member(LABELS, number))


def set_label(literal: x.Expression, view: View, when: Bool) -> None:
    """Set a bit of the connection's labels (nf_connlabels_replace); others stay."""
    algebra, number = view.state.algebra, _label(literal, view)
    changes = algebra.all(when, _keeps_labels(view), algebra.not_(has_label(literal, view)))
    view.state.emit(changes, Event("update", (LABELS,), (number,)))


def _keeps_labels(view: View) -> Bool:
    return view.state.algebra.all(
        view.state.has_connection, view.says(Oracle(OracleKind.LABELS_ARE_KEPT))
    )


def _label(literal: x.Expression, view: View) -> Word:
    if not isinstance(literal, x.Number):
        raise NoMeaning(f"not a label: {shown(literal)}")
    return view.state.algebra.const(literal.value, 7)
