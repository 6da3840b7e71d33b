"""nft rules: what they match, what they do, and where they lead."""

from __future__ import annotations

import functools
from functools import partial
from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st

from ..core.values import Address, Family
from ..iptables.protocols import SCTP, TCP, UDP
from ..nft import ast
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft import objects as o
from ..nft import statements as s
from ..nft.words import (
    BitOperator,
    Direction,
    HookName,
    LimitUnit,
    NatFlag,
    NatKind,
    ObjectKind,
    Operator,
    Period,
    RejectProtocol,
    SetFlag,
    SetOperation,
)
from .nft_reads import Reads, reads_of
from .nft_values import (
    ADDRESSES,
    ELSEWHERE,
    MARKS,
    PORTS,
    SYSTEMS,
    elements,
    hosts,
    intervals,
    is_ordered,
    numbers,
    prefixes,
    single,
    transports,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

ADDRESS_TYPE = {Family.IP: t.IPV4_ADDR, Family.IP6: t.IPV6_ADDR}
_REFUSALS = {
    Family.IP: (RejectProtocol.ICMP, ("port-unreachable", "host-unreachable", "admin-prohibited")),
    Family.IP6: (RejectProtocol.ICMPV6, ("port-unreachable", "no-route", "admin-prohibited")),
}
_OF_BOTH = (RejectProtocol.ICMPX, tuple(s.REASONS["icmpx"]))
_SOURCE_HOOKS = frozenset({HookName.INPUT, HookName.POSTROUTING})

#: The counter that each table has.
COUNTER = "counted"

_LINES = (
    s.Log("seen"), s.Log(level="info", flags=("skuid",)), s.Log(group=7, snaplen=20),
    s.Log(level="audit"),
)  # fmt: skip


#: What each table has beside it for its rules to name.
HELPERS = ("ftp", "tftp")
_SYNPROXY = s.Synproxy(1460, 7, ("timestamp", "sack-perm"))
OBJECTS = (
    o.NamedStatement("slow", statement=s.Limit(1, "hour", 2)),
    o.NamedStatement("much", statement=s.Limit(4000, "second", over=True)),
    o.NamedStatement("few", statement=s.Quota(300)),
    o.NamedStatement("many", statement=s.Quota(300, over=True)),
    o.NamedStatement("proxy", statement=_SYNPROXY),
    o.CtHelper("helped", helper="ftp", protocol="tcp"),
    o.CtTimeout("short", protocol="udp", policy=(("unreplied", 100),)),
)
_SHARED = [(one.kind, one.name) for one in OBJECTS if one.kind != ObjectKind.SYNPROXY]
_PROXIES = (_SYNPROXY, s.Synproxy(), s.UseObject(ObjectKind.SYNPROXY, "proxy"))

#: Zones of the connections of either direction, or of both.
_ZONES = tuple(s.Assign(x.Ct("zone", way), x.Number(5)) for way in Direction)

#: What is seen of a packet by other rules, or not at all.
_OTHERS = (
    s.Assign(x.Meta("nftrace"), x.Number(1)),
    s.Assign(x.Meta("priority"), x.Hex(0x10002)),
    s.Assign(x.Ct("label"), x.Number(5)),
)


@attrs.frozen
class Site:
    """Where a rule stands: what it may name there, and what the kernel lets it do."""

    family: Family  #: of the addresses that the rule names
    hooks: frozenset[HookName]  #: those that lead there
    is_nat: bool
    callees: tuple[str, ...]  #: chains that it may jump to
    sets: Mapping[str, ast.Set]
    both: bool = False  #: whether the table is of the family inet
    ahead: bool = False  #: whether it is a base chain that runs ahead of conntrack

    @property
    def can_reject(self) -> bool:
        """nft_reject.c, nft_reject_validate; a NAT chain may not (nft_reject_ipv4)."""
        return HookName.POSTROUTING not in self.hooks and not self.is_nat

    @property
    def shakes_hands(self) -> bool:
        """nft_synproxy.c, nft_synproxy_validate."""
        return self.hooks <= {HookName.INPUT, HookName.FORWARD} and not self.is_nat

    @property
    def takes_proxies(self) -> bool:
        """nft_tproxy.c, nft_tproxy_validate: prerouting alone."""
        return self.hooks == {HookName.PREROUTING} and not self.is_nat and not self.both


@st.composite
def rules(draw: DrawFn, site: Site) -> ast.Rule:
    """A rule of a few matches, some statements and an end, or none."""
    protocol = draw(_protocols(site.family))
    reads = reads_of(site.family, protocol, site.hooks, both=site.both)
    steps: list[s.Statement] = []
    if site.both and draw(st.integers(0, 4)) == 0:
        steps.append(draw(_own_family(site.family)))
    if protocol is not None:
        steps.append(s.Match(x.Meta("l4proto"), Operator.EQ, x.Protocol(protocol)))
    matches = _matches(site, reads)
    steps += [draw(matches) for _ in range(draw(st.integers(0, 2)))]
    for _ in range(draw(st.integers(0, 2))):
        steps.append(_draw_action(draw, site, reads))
        if draw(st.booleans()):
            steps.append(draw(matches))
    if draw(st.integers(0, 7)) == 0:
        # What stands behind it is done all the same.
        steps.append(s.Continue())
        steps.append(_draw_action(draw, site, reads))
    end = draw(_ends(site, reads))
    steps += () if end is None else (end,)
    return ast.Rule(tuple(_apart(steps)) or (s.Counter(),))


@functools.cache
def _protocols(family: Family) -> SearchStrategy[int | None]:
    return st.none() | transports(family)


def _apart(steps: list[s.Statement]) -> Iterator[s.Statement]:
    """One ``!=`` of header bits: of two neighbours nft 1.0.6 makes one comparison."""
    differs = False
    for step in steps:
        match step:
            case s.Match(x.Payload() | x.RawPayload(), Operator.NE) if differs:
                yield attrs.evolve(step, operator=Operator.EQ)
                continue
            case s.Match(x.Payload() | x.RawPayload(), Operator.NE):
                differs = True
        yield step


def _own_family(family: Family) -> SearchStrategy[s.Match]:
    """What asks for packets of one family only."""
    names = {Family.IP: ("ipv4", "ip"), Family.IP6: ("ipv6", "ip6")}
    keys = zip(("nfproto", "protocol"), names[family], strict=True)
    return st.sampled_from([s.Match(x.Meta(key), "==", x.Symbol(name)) for key, name in keys])


# --- matches --------------------------------------------------------------------------------------


@st.composite
def _matches(draw: DrawFn, site: Site, reads: Reads) -> s.Statement:
    """A comparison with a literal, a range, a mask, or a set."""
    if draw(st.integers(0, 4)) == 0:
        return draw(_of_set(site, reads))
    left = draw(reads.anything)
    assert left.type
    (type_,) = left.type
    operator = draw(st.sampled_from((Operator.EQ, Operator.EQ, Operator.NE)))
    if type_ == t.STRING:
        names = SYSTEMS[left.key] if isinstance(left, x.Osf) else HELPERS
        return s.Match(left, operator, x.String(draw(st.sampled_from(names))))
    if isinstance(left, x.Numgen | x.Hash | x.SymmetricHash):
        # nft takes no number that is never drawn.
        number = left.offset + draw(st.integers(0, left.modulus - 1))
        return s.Match(left, operator, x.Number(number))
    literal = single(type_, site.family)
    if type_.is_mask:
        if type_ == t.CT_LABEL or draw(st.booleans()):
            return s.Match(
                left, draw(st.sampled_from((Operator.SOME, Operator.NONE))), draw(literal)
            )
        both = st.lists(literal, min_size=1, max_size=2, unique=True)
        return s.Match(left, operator, x.AnonymousSet(tuple(draw(both))))
    if type_ in (t.IPV4_ADDR, t.IPV6_ADDR) and draw(st.booleans()):
        return s.Match(left, operator, draw(prefixes(site.family)))
    if type_ == t.IFNAME and draw(st.integers(0, 3)) == 0:
        return s.Match(left, operator, x.Interface("eni", wildcard=True))
    if not is_ordered(type_):
        return s.Match(left, operator, draw(literal))
    return draw(_ordered(left, operator, site.family))


@st.composite
def _ordered(draw: DrawFn, left: x.Expression, operator: Operator, family: Family) -> s.Match:
    """A comparison of what has an order."""
    assert left.type
    (type_,) = left.type
    literal, choice = single(type_, family), draw(st.integers(0, 6))
    if choice == 0:
        return s.Match(left, operator, x.AnonymousSet(tuple(draw(intervals(type_, family)))))
    if choice == 1:
        ends = sorted(draw(st.lists(literal, min_size=2, max_size=2, unique=True)), key=x.order)
        return s.Match(left, operator, x.Range(*ends))
    if choice == 2 and type_ == t.MARK:
        mask = draw(st.sampled_from([one for one in MARKS if one]))
        value = draw(st.sampled_from(MARKS)) & mask
        return s.Match(x.Binary(BitOperator.AND, left, x.Hex(mask)), operator, x.Hex(value))
    if choice == 3 and type_ not in (t.IPV4_ADDR, t.IPV6_ADDR, t.INET_PROTO):
        order = draw(st.sampled_from([one for one in Operator if one.is_order]))
        return s.Match(left, order, draw(literal))
    return s.Match(left, operator, draw(literal))


@st.composite
def _of_set(draw: DrawFn, site: Site, reads: Reads) -> s.Statement:
    """Whether a key is in a named set, or a concatenation in one that the rule has itself."""
    operator = draw(st.sampled_from((Operator.EQ, Operator.EQ, Operator.NE)))
    named = [(one, key) for one, key in _keys(site, reads) if not isinstance(one, ast.Map)]
    is_named = draw(st.booleans())
    if named and is_named:
        set_, key = draw(st.sampled_from(named))
        return s.Match(draw(key), operator, x.SetReference(set_.name))
    left = draw(st.tuples(reads.parts, reads.parts).map(x.Concat))
    assert left.type
    found = draw(elements(left.type, site.family))
    return s.Match(left, operator, x.AnonymousSet(tuple(found)))


def _keys(site: Site, reads: Reads) -> list[tuple[ast.Set, SearchStrategy[x.Expression]]]:
    """The named sets that have something to be looked up in them here."""
    found = [(one, reads.of_type(one.type)) for one in site.sets.values()]
    return [(one, key) for one, key in found if key is not None]


# --- what a rule does -----------------------------------------------------------------------------


def _draw_action(draw: DrawFn, site: Site, reads: Reads) -> s.Statement:
    """A statement that lets the packet go on.

    Not of one strategy for all of them, which hypothesis would look through before it draws.
    """
    changes = _changes(site, reads)
    every = (*_ANYWHERE, changes, changes, changes, *_of_place(site, reads))
    return draw(every[draw(st.integers(0, len(every) - 1))])


def _of_place(site: Site, reads: Reads) -> Iterator[SearchStrategy[s.Statement]]:
    """What the kernel takes in some chains only, or what a set is there for."""
    dynamic = [(one, key) for one, key in _keys(site, reads) if SetFlag.DYNAMIC in one.flags]
    if dynamic:
        yield _updates(dynamic)
        yield _updates(dynamic)
    if reads.protocol in {TCP, UDP} and site.takes_proxies:
        yield _TPROXIES
    if not site.is_nat and HookName.PREROUTING in site.hooks:
        yield st.just(s.Notrack())
    if site.ahead:
        yield st.sampled_from(_ZONES)
    if not site.both and not site.hooks & {HookName.OUTPUT, HookName.POSTROUTING}:
        # The kernel has no copies in tables of both families. At the hooks that a copy goes through
        # itself it is not told from its packet. One that comes back to the node would be copied
        # again, for ever where a rule sets TTLs.
        yield _copies(site.family)


@functools.cache
def _copies(family: Family) -> SearchStrategy[s.Dup]:
    elsewhere = hosts(family).filter(lambda one: str(one.address) in ELSEWHERE)
    return st.builds(s.Dup, elsewhere, st.sampled_from(("", "", "eni1")))


@st.composite
def _limits(draw: DrawFn) -> s.Limit:
    unit = draw(st.sampled_from(LimitUnit))
    burst = draw(st.sampled_from((1, 5, 20))) if unit == LimitUnit.PACKETS else 1500
    rate = draw(st.sampled_from((1, 10, 4000)))
    return s.Limit(rate, draw(st.sampled_from(Period)), burst, draw(st.booleans()), unit)


_TPROXIES = st.builds(s.Tproxy, port=st.sampled_from((0, 80, 3129)))

_COUNTED = st.builds(s.CtCount, st.integers(0, 3), st.booleans())
#: What a set can keep beside an element.
_KEPT = st.one_of(st.none(), _limits(), _COUNTED, _COUNTED)

#: What the kernel takes in every chain.
_ANYWHERE: tuple[SearchStrategy[s.Statement], ...] = (
    _limits(),
    st.builds(s.Quota, st.sampled_from((0, 100, 100000)), st.booleans()),
    st.sampled_from(_LINES),
    # What an object of the table does, which all rules that name it share.
    st.sampled_from([s.UseObject(kind, name) for kind, name in _SHARED]),
    st.just(s.Counter()),
    st.just(s.NamedCounter(COUNTER)),
    st.sampled_from(_OTHERS),
)


@st.composite
def _updates(draw: DrawFn, sets: list[tuple[ast.Set, SearchStrategy[x.Expression]]]) -> s.UpdateSet:
    set_, key = draw(st.sampled_from(sets))
    operation = draw(st.sampled_from(SetOperation))
    if operation is SetOperation.DELETE:
        return s.UpdateSet(operation, set_.name, draw(key))
    timeout = draw(st.sampled_from((None, 60, 3600))) if SetFlag.TIMEOUT in set_.flags else None
    return s.UpdateSet(
        operation, set_.name, draw(key), timeout, draw(_KEPT) if not timeout else None
    )


@st.composite
def _changes(draw: DrawFn, site: Site, reads: Reads) -> s.Statement:
    """Something new in a header, or in what the kernel knows of the packet."""
    header = x.NETWORK_HEADER[site.family]
    life = "ttl" if site.family is Family.IP else "hoplimit"
    keys: list[x.Expression] = [
        x.Meta("mark"), x.Meta("mark"), x.Ct("mark"), x.Payload(header, "dscp"),
        x.Payload(header, "ecn"), x.Payload(header, life),
    ]  # fmt: skip
    if reads.protocol == TCP:
        keys += [x.TcpOption("maxseg", "size")]
    key = draw(st.sampled_from(keys))
    assert key.type
    (type_,) = key.type
    if type_ == t.MARK:
        return s.Assign(key, draw(_new_marks(site, reads)))
    if key == x.Payload(header, life):
        return s.Assign(key, x.Number(draw(st.sampled_from((1, 17, 64, 255)))))
    return s.Assign(key, x.Number(draw(numbers(type_.bits))))


@st.composite
def _new_marks(draw: DrawFn, site: Site, reads: Reads) -> x.Expression:
    """A number, another mark, one of which some bits are changed or shifted, or one of a map."""
    other = st.sampled_from((x.Meta("mark"), x.Ct("mark")))
    marks = st.sampled_from(MARKS).map(x.Hex)
    if draw(st.integers(0, 3)) == 0:
        key = draw(reads.looked_up)
        assert key.type
        pairs = [x.Pair(one, draw(marks)) for one in draw(elements(key.type, site.family))]
        return x.Lookup(key, x.AnonymousSet(tuple(pairs)))
    bits = st.sampled_from([one for one in MARKS if one]).map(x.Hex)
    places = st.sampled_from((1, 8, 31)).map(x.Number)
    masks, shifts = _operators(shift=False), _operators(shift=True)
    changed = st.builds(x.Binary, masks, other, bits) | st.builds(x.Binary, shifts, other, places)
    return draw(st.one_of(marks, other, changed))


def _operators(*, shift: bool) -> SearchStrategy[BitOperator]:
    return st.sampled_from([one for one in BitOperator if one.is_shift is shift])


# --- where it leads -------------------------------------------------------------------------------


@st.composite
def _ends(draw: DrawFn, site: Site, reads: Reads) -> s.Statement | None:
    """A verdict, a map of verdicts, a binding, or nothing."""
    choice = draw(st.integers(0, 9))
    if choice < 2:
        return None
    if choice == 2:
        named = [
            (one, key)
            for one, key in _keys(site, reads)
            if isinstance(one, ast.Map) and one.data == (t.VERDICT,)
        ]
        is_named = draw(st.booleans())
        if named and is_named:
            map_, wanted = draw(st.sampled_from(named))
            return s.VerdictMap(draw(wanted), x.SetReference(map_.name))
        return draw(_verdict_maps(site, reads))
    if site.is_nat and choice < 7:
        return draw(_bindings(site, reads))
    if site.shakes_hands and reads.protocol == TCP and choice < 5:
        return draw(st.sampled_from(_PROXIES))
    if site.can_reject and choice < 5:
        if draw(st.booleans()) and reads.protocol in {None, TCP}:
            return s.Reject(RejectProtocol.TCP, "reset")
        refusals = [_REFUSALS[site.family], *([_OF_BOTH] if site.both else [])]
        protocol, reasons = draw(st.sampled_from(refusals))
        return s.Reject(protocol, draw(st.sampled_from(reasons)))
    return draw(verdicts(site.callees))


@functools.cache
def verdicts(callees: tuple[str, ...]) -> SearchStrategy[s.Verdict]:
    """Verdicts that need nothing beside them."""
    plain = st.sampled_from((s.Accept(), s.Accept(), s.Drop(), s.Return()))
    if not callees:
        return plain
    calls = st.builds(s.Jump, st.sampled_from(callees)) | st.builds(
        s.Goto, st.sampled_from(callees)
    )
    return st.one_of(plain, calls)


@st.composite
def _verdict_maps(draw: DrawFn, site: Site, reads: Reads) -> s.VerdictMap:
    """A map in the rule: of numbers that are drawn, of a key, or of two keys."""
    drawn = st.builds(x.Numgen, st.sampled_from((2, 3)), st.sampled_from(("inc", "random")))
    two = st.tuples(reads.parts, reads.parts).map(x.Concat)
    key = draw(st.one_of(reads.words, reads.words, drawn, two))
    verdict = verdicts(site.callees) | st.just(s.Continue())
    if isinstance(key, x.Numgen):
        literals: list[x.Expression] = [x.Number(one) for one in range(draw(st.integers(1, 2)))]
    else:
        assert key.type
        ordered = len(key.type) == 1 and is_ordered(key.type[0])
        several = intervals(key.type[0], site.family) if ordered and draw(st.booleans()) else None
        literals = list(draw(several if several is not None else elements(key.type, site.family)))
    if draw(st.integers(0, 3)) == 0:
        literals.append(x.CatchAll())
    pairs = tuple(x.Pair(literal, draw(verdict)) for literal in literals)
    return s.VerdictMap(key, x.AnonymousSet(pairs))


@st.composite
def _bindings(draw: DrawFn, site: Site, reads: Reads) -> s.Nat:
    """A NAT statement of a kind that the hooks take."""
    family, at_source = site.family, site.hooks <= _SOURCE_HOOKS
    kinds = [NatKind.SNAT] if at_source else [NatKind.DNAT, NatKind.REDIRECT]
    if site.hooks == {HookName.POSTROUTING}:
        kinds.append(NatKind.MASQUERADE)
    kind = draw(st.sampled_from(kinds))
    has_ports = reads.protocol in {TCP, UDP, SCTP}
    port = draw(st.none() | _ports()) if has_ports else None
    flags = draw(st.sampled_from(((), (), (NatFlag.RANDOM,), (NatFlag.PERSISTENT,))))
    if kind in {NatKind.MASQUERADE, NatKind.REDIRECT}:
        return s.Nat(kind, None, port, flags)
    nat = partial(s.Nat, kind, flags=flags, family=family if site.both else None)
    named = [
        (one, key)
        for one, key in _keys(site, reads)
        if isinstance(one, ast.Map) and one.data == (ADDRESS_TYPE[family],)
    ]
    choice = draw(st.integers(0, 3))
    if choice == 0 and named:
        map_, wanted = draw(st.sampled_from(named))
        return nat(x.Lookup(draw(wanted), x.SetReference(map_.name)))
    if choice == 1:
        key = draw(reads.looked_up)
        assert key.type
        # With a protocol that has ports, a map may hold them beside the addresses.
        ports = has_ports and draw(st.booleans())
        to = hosts(family) if not ports else st.tuples(hosts(family), _one_port()).map(x.Concat)
        found = [x.Pair(one, draw(to)) for one in draw(elements(key.type, family))]
        return nat(x.Lookup(key, x.AnonymousSet(tuple(found))))
    if choice == 2:
        low, high = sorted(draw(st.tuples(*[st.sampled_from(range(4))] * 2)))
        base = Address.parse(ADDRESSES[family][2]).value
        ends = (x.Host(Address(family, base + low)), x.Host(Address(family, base + high + 1)))
        return nat(x.Range(*ends), port)
    return nat(draw(hosts(family)), port)


def _one_port() -> SearchStrategy[x.Number]:
    return st.sampled_from(PORTS).map(x.Number)


@st.composite
def _ports(draw: DrawFn) -> x.Expression:
    if draw(st.booleans()):
        return draw(_one_port())
    low = draw(st.sampled_from((1000, 30000)))
    return x.Range(x.Number(low), x.Number(low + draw(st.sampled_from((1, 100)))))
