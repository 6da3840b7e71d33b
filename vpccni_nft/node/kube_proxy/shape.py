"""The shape of a change: two changes of one shape have the same answer, and one proof.

The argument. Let a permutation of all addresses map each set of addresses that rules name (a
network or a range) onto itself. Rules ask of an address whether it is in such a set, or which one
it is; the node's answers (routes, sockets, draws) are unknown in a proof anyway. So a packet is
treated by some rules as the packet with permuted addresses is by the rules with permuted addresses:
the sides of a change differ for one exactly where the sides of the permuted change differ for the
other. Single addresses that are mapped one to one, each within the same of these sets, can be
completed to such a permutation. So the shape has numbers in place of single addresses, in the order
in which they are met, and for each of them the sets that it is in. It is the same for names of
interfaces, with the patterns that rules name as sets, and for names of chains, which only their
jumps know.

Of kube-proxy the shape has the Services that were read from its rules: what is there is just what
it writes for them, so that hashes of names and the order of Services in its chains do not count.

Where a rule reads more of an address than that, such as some of its bits, or where this is not
known, nothing is renamed: the shape is the content.
"""

from __future__ import annotations

import enum
import hashlib
import json
from typing import TYPE_CHECKING, Any

import attrs

from ... import iptables, nft
from ...core.values import Address, AddressRange, Family, MaskedMark, Negatable, Network, PortRange
from ...extensions.matches import (
    addrtype,
    comment,
    conntrack,
    icmp,
    limit,
    mark,
    multiport,
    nfacct,
    pkttype,
    sctp,
    state,
    statistic,
    tcp,
    udp,
)
from ...extensions.shared.rates import Rate
from ...extensions.targets import connmark, nat, reject, verdicts
from ...extensions.targets import mark as set_mark
from ...nft import datatypes as t
from ...nft import expressions as x
from ...nft import statements as s
from .on_node import Mode, Parts
from .read_iptables import is_kube_proxys
from .read_nftables import TABLE
from .services import Endpoint, KubeProxy, ServicePort, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...proof.side import Side
    from .on_node import OnNode
    from .switching import Switch

#: What reads nothing of an address or of an interface but whether it is in a set that it names.
_PLAIN = frozenset({
    iptables.Rule, iptables.Jump, iptables.Goto, Negatable, PortRange, MaskedMark, Rate,
    addrtype.AddrType, conntrack.Conntrack, icmp.Icmp, icmp.Icmp6, icmp.MessageType, limit.Limit,
    mark.Mark, mark.ConnectionMark, multiport.Multiport, nfacct.Nfacct, pkttype.PktType,
    sctp.Sctp, sctp.ChunkTypes, state.State, statistic.Statistic, tcp.Tcp, tcp.FlagTest, udp.Udp,
    verdicts.Accept, verdicts.Drop, verdicts.Return, set_mark.SetMark, connmark.Connmark,
    nat.NatRange, nat.NatFlags, nat.Snat, nat.Dnat, nat.Masquerade, nat.Redirect, reject.Reject,
    reject.Kind,
    nft.Rule, nft.Chain, nft.Hook, nft.Table, nft.Set, nft.Map, nft.Counter,
    s.Match, s.Counter, s.NamedCounter, s.Accept, s.Drop, s.Return, s.Continue, s.Jump, s.Goto,
    s.VerdictMap, s.Assign, s.Nat, s.Reject,
    x.Binary, x.Concat, x.Lookup, x.Number, x.Hex, x.Symbol, x.Protocol, x.Flags, x.Payload, x.Meta,
    x.Ct, x.Fib, x.Numgen, x.AnonymousSet, x.SetReference, x.CatchAll, x.Element, x.Pair,
    t.DataType,
})  # fmt: skip

#: Sets of addresses that the model knows without a rule: what routing says of them by default.
_KNOWN_SETS = tuple(
    Network.parse(text)
    for text in (
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
        "255.255.255.255", "::", "::1", "::ffff:0.0.0.0/96", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip

_LOOPBACK = "lo"


def shape_of(switch: Switch, *, renames: bool = True) -> str:
    """A hash: changes with the same one have the same answer, whatever is asked of both.

    Without ``renames`` nothing is renamed, as is right where a question names addresses.
    """
    if renames:
        try:
            return _Shape(renames=True).of(switch)
        except _NotPlainError:
            pass
    return _Shape(renames=False).of(switch)


class _NotPlainError(Exception):
    """A rule may read more of an address than whether it is in a set."""


@attrs.define
class _Shape:
    renames: bool
    addresses: dict[tuple[Family, int], int] = attrs.Factory(dict)
    interfaces: dict[str, int] = attrs.Factory(dict)
    #: What rules name besides: networks and ranges, and patterns of interfaces.
    sets: dict[Network | AddressRange, None] = attrs.field(
        factory=lambda: dict.fromkeys(_KNOWN_SETS)
    )
    patterns: dict[str, None] = attrs.Factory(dict)

    def of(self, switch: Switch) -> str:
        sides = [
            list(self._side(side, proxy))
            for side, proxy in ((switch.before, switch.was), (switch.after, switch.now))
        ]
        text = json.dumps([sides, list(self._places())])
        kind = "renamed" if self.renames else "content"
        return hashlib.sha256(f"{kind} {text}".encode()).hexdigest()

    def _places(self) -> Iterator[Any]:
        """For each number, the sets that it is in."""
        for family, value in self.addresses:
            yield [str(one) for one in self.sets if _is_in(family, value, one)]
        for name in self.interfaces:
            yield [pattern for pattern in self.patterns if name.startswith(pattern)]

    def _side(self, side: Side, proxy: OnNode) -> Iterator[Any]:
        parts = Parts.of(side)
        yield [proxy.mode.value, proxy.form.value if proxy.form else None]
        yield [self._proxy(proxy.proxies[family]) for family in Family if family in proxy.proxies]
        yield [*side.left_out, *(one.message for one in side.unknown)]
        tables = sorted(parts.dump.tables, key=lambda table: (table.family.value, table.name))
        own = proxy.mode is Mode.IPTABLES
        yield [
            list(self._table(table, without=own and table.family in proxy.proxies))
            for table in tables
        ]
        if parts.dump.ipsets or parts.native.others:
            # What is in them is known by names alone, or not at all.
            self._require_content()
        yield [repr(parts.dump.ipsets), repr(parts.native.others)]
        for native in parts.native.tables:
            lifted = proxy.mode is Mode.NFTABLES and native.name == TABLE
            if lifted and native.family in proxy.proxies:
                yield [native.family.value, TABLE]
            else:
                yield self._value(native)

    def _require_content(self) -> None:
        if self.renames:
            raise _NotPlainError

    # --- kube-proxy ------------------------------------------------------------------------------

    def _proxy(self, proxy: KubeProxy) -> Any:
        settings = self._fields(proxy.settings, _OF_SETTINGS)
        return [settings, [self._fields(one, _OF_SERVICES) for one in proxy.services]]

    def _fields(self, of: Settings | ServicePort, with_addresses: frozenset[str]) -> Any:
        return [
            self._texts(value) if field.name in with_addresses else self._value(value)
            for field in attrs.fields(type(of))
            for value in (getattr(of, field.name),)
        ]

    def _texts(self, value: Any) -> Any:
        """Addresses and networks that stand as texts."""
        match value:
            case str():
                return self._value(Network.parse(value))
            case Endpoint(address, port):
                return [self._texts(address), port]
            case tuple():
                return [self._texts(one) for one in value]
            case _:
                assert value is None
                return None

    # --- iptables --------------------------------------------------------------------------------

    def _table(self, table: iptables.Table, *, without: bool) -> Iterator[Any]:
        """Its chains, from the built-in ones on along their jumps; kube-proxy's own apart."""
        yield [table.family.value, table.name]
        chains = {
            chain.name: chain
            for chain in table.chains
            if not (without and is_kube_proxys(chain.name))
        }
        order = dict.fromkeys(sorted(name for name, chain in chains.items() if chain.policy))
        numbers: dict[str, int] = {}
        while order:
            chain = chains.pop(name := next(iter(order)))
            del order[name]
            policy = chain.policy.value if chain.policy else None
            rules = [self._rule(rule, numbers, chains, order) for rule in chain.rules]
            yield [name if policy or not self.renames else numbers[name], policy, rules]
            if not order and (rest := sorted(chains)):
                # No rule leads here: it does nothing, and is kept under its name.
                numbers[rest[0]] = -1
                order[rest[0]] = None
                yield rest[0]

    def _rule(
        self,
        rule: iptables.Rule,
        numbers: dict[str, int],
        chains: dict[str, iptables.Chain],
        order: dict[str, None],
    ) -> Any:
        matches = tuple(one for one in rule.matches if not isinstance(one, comment.Comment))
        found = self._value(attrs.evolve(rule, matches=matches, target=None, counters=None))
        target = rule.target
        if not isinstance(target, iptables.Jump | iptables.Goto):
            return [found, self._value(target)]
        name = target.chain
        if name in chains and name not in numbers and not chains[name].policy:
            numbers[name] = len(numbers)
            order[name] = None
        known = numbers.get(name, name) if self.renames else name
        return [found, type(target).__name__, known]

    # --- values ----------------------------------------------------------------------------------

    def _value(self, value: Any) -> Any:
        match value:
            case enum.Enum():
                return value.value
            case None | bool() | int() | str() | float():
                return value
            case tuple():
                return [self._value(one) for one in value]
            case Address(family, number) | x.Host(Address(family, number)):
                return self._address(family, number)
            case Network(family, number, mask) if mask == family.all_ones:
                return self._address(family, number)
            case AddressRange(first, last) if first == last:
                return self._address(first.family, first.value)
            case Network() | AddressRange():
                return self._set(value)
            case x.Prefix(address, length):
                ones = address.family.all_ones
                return self._set(Network(address.family, address.value, ones ^ (ones >> length)))
            case x.Range(x.Host(first), x.Host(last)):
                return self._set(AddressRange(first, last))
            case iptables.Interface() | x.Interface():
                return self._interface(value.name, wildcard=value.wildcard)
            case x.Range():
                return ["range", self._value(value.low), self._value(value.high)]
        return self._node(value)

    def _node(self, node: Any) -> Any:
        if type(node) not in _PLAIN or _reads_bits(node):
            self._require_content()
        if not attrs.has(type(node)):
            return repr(node)
        fields = [
            self._value(getattr(node, field.name))
            for field in attrs.fields(type(node))
            if field.eq and not _is_remark(node, field.name)
        ]
        return [type(node).__name__, *fields]

    def _address(self, family: Family, number: int) -> Any:
        if not self.renames:
            return str(Address(family, number))
        known = self.addresses.setdefault((family, number), len(self.addresses))
        return [family.value, known]

    def _set(self, addresses: Network | AddressRange) -> str:
        self.sets[addresses] = None
        return str(addresses)

    def _interface(self, name: str, *, wildcard: bool) -> Any:
        if wildcard:
            self.patterns[name] = None
            return f"{name}+"
        if name == _LOOPBACK or not self.renames:
            return name
        return self.interfaces.setdefault(name, len(self.interfaces))


#: The fields that have addresses, as texts.
_OF_SETTINGS = frozenset({"cluster_cidr", "node_port_addresses", "service_cidrs"})
_OF_SERVICES = frozenset({
    "cluster_ip", "external_ips", "load_balancers", "endpoints", "local_endpoints",
    "unused_endpoints",
})  # fmt: skip

_ADDRESSES = frozenset({t.IPV4_ADDR, t.IPV6_ADDR, t.IFNAME})


def _reads_bits(node: Any) -> bool:
    """Whether an expression takes addresses or names apart, or puts them together."""
    match node:
        case x.Binary():
            return node.type is None or not _ADDRESSES.isdisjoint(node.type)
        case s.Nat():
            return node.prefix
        case nft.Hook():
            return bool(node.devices)
    return False


def _is_remark(node: Any, field: str) -> bool:
    """Whether a field only says something to readers, or counts."""
    return field == "comment" or (
        field in {"packets", "bytes"} and isinstance(node, nft.Counter | s.Counter)
    )


def _is_in(family: Family, number: int, addresses: Network | AddressRange) -> bool:
    if addresses.family is not family:
        return False
    if isinstance(addresses, Network):
        return number & addresses.mask == addresses.address
    return addresses.first.value <= number <= addresses.last.value
