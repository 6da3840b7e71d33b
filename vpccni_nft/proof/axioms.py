"""What no packet is that a kernel has tracked: stated here, and held by the kernel's tests.

They are of what conntrack sees. Where a rule rewrites that afterwards, or a program that packets
are queued to may, none of them is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import nft
from ..core.values import Family
from ..extensions.targets.ct import Ct
from ..extensions.targets.queue import Nfqueue, Queue
from ..model.headers import WITH_PORTS
from ..model.hook import ICMP
from ..model.packet import PACKET_TYPES, STATE_BITS, STATUS_BITS, TCP_FLAGS, interface_word, width
from ..model.path import RECEIVED
from ..nft import expressions as x
from ..nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..model.algebra import Algebra, Bool, Word
    from ..model.path import Path
    from .side import Ruleset

_TCP = 6

#: Flags that say nothing of whether the others go together.
_WHATEVER = TCP_FLAGS["psh"] | TCP_FLAGS["ecn"] | TCP_FLAGS["cwr"]

#: The other flags that conntrack takes (nf_conntrack_proto_tcp.c, tcp_valid_flags).
_VALID = (
    ("syn",), ("syn", "urg"), ("syn", "ack"), ("rst",), ("rst", "ack"),
    ("fin", "ack"), ("fin", "ack", "urg"), ("ack",), ("ack", "urg"),
)  # fmt: skip

#: ICMP messages about a packet (nf_conntrack_proto_icmp.c); those of ICMPv6 are below 128.
_ERRORS = (3, 4, 5, 11, 12)


def hold_for(rulesets: Iterable[Ruleset]) -> bool:
    """Whether no rule changes what conntrack has seen of a packet's transport header."""
    return not any(map(_may_rewrite, _actions(rulesets)))


def give_templates(rulesets: Iterable[Ruleset]) -> bool:
    """Whether a rule says how conntrack is to see packets: others have no template."""
    return any(
        (isinstance(one, Ct) and not one.notrack) or s.sets_zone(one) for one in _actions(rulesets)
    )


def _actions(rulesets: Iterable[Ruleset]) -> Iterator[object]:
    """The targets of dumps and the statements of nft."""
    for ruleset in rulesets:
        for table in ruleset.tables:
            for chain in table.chains:
                for rule in chain.rules:
                    if isinstance(rule, nft.Rule):
                        yield from rule.statements
                    else:
                        yield rule.target


def _may_rewrite(action: object) -> bool:
    """Whether it may change a header, addresses and ports of NAT apart."""
    if isinstance(action, s.Queue | Nfqueue | Queue):
        return True
    return isinstance(action, s.Assign) and not isinstance(action.key, x.Meta | x.Ct)


def axioms(algebra: Algebra, family: Family, fields: Mapping[str, Word]) -> Iterator[Bool]:
    """What holds of every packet that comes to a hook.

    - A connection that is new has packets of its first direction only.
    - What is related to a connection is an ICMP message about a packet of it, a connection that was
      expected, or the reset that a rule sends (nf_conntrack_attach).
    - TCP packets whose flags contradict each other are invalid.
    """

    def has(field: str, value: int, mask: int | None = None) -> Bool:
        bits = width(field, family)
        word = (
            fields[field]
            if mask is None
            else algebra.bvand(fields[field], algebra.const(mask, bits))
        )
        return algebra.equal(word, algebra.const(value, bits))

    def state(*names: str) -> Bool:
        return algebra.any(*(has("ct_state", STATE_BITS[name]) for name in names))

    yield algebra.any(algebra.not_(state("new")), has("ct_reply", 0))
    tcp = has("protocol", _TCP)
    if family is Family.IP6:
        is_error = algebra.ule(fields["icmp_type"], algebra.const(127, 8))
    else:
        is_error = algebra.any(*(has("icmp_type", one) for one in _ERRORS))
    yield algebra.any(
        algebra.not_(state("related")),
        algebra.all(has("protocol", ICMP[family]), is_error),
        has("ct_status", STATUS_BITS["expected"], STATUS_BITS["expected"]),
        algebra.all(tcp, has("tcp_flags", TCP_FLAGS["rst"], TCP_FLAGS["rst"])),
    )
    flags = (sum(TCP_FLAGS[name] for name in names) for names in _VALID)
    yield algebra.any(
        algebra.not_(algebra.all(state("new", "established", "related"), tcp, has("fragment", 0))),
        *(has("tcp_flags", value, 0xFF & ~_WHATEVER) for value in flags),
    )


def axioms_of_paths(
    algebra: Algebra, family: Family, path: Path, fields: Mapping[str, Word]
) -> Iterator[Bool]:
    """What holds of a packet where it enters a path, if its connection began under the rules.

    - A connection is confirmed when its first packet has gone the whole path. Then both of its ends
      are bound, and of a new one neither is before (nf_nat_core.c, nf_nat_inet_fn: what no rule
      binds stays as it is, which is a binding, too). What a helper foresaw may be bound at once.
    - What is received of an established connection is confirmed; SYNPROXY answers with one that is
      not.
    - Until conntrack, or NAT, rewrites it, a packet has the addresses and ports by which its
      connection is found (nf_conntrack_core.c, resolve_normal_ct). What comes by the loopback
      device, or was sent to many and is heard again, has been rewritten when it was made, and what
      a rule sends has the connection of the packet that it is about.
    """
    true = algebra.true

    def has(field: str, value: int, mask: int) -> Bool:
        bits = width(field, family)
        return algebra.equal(
            algebra.bvand(fields[field], algebra.const(mask, bits)), algebra.const(value, bits)
        )

    def implies(condition: Bool, *others: Bool) -> Bool:
        return algebra.any(algebra.not_(condition), algebra.all(*others))

    def is_(field: str, value: int) -> Bool:
        return algebra.equal(fields[field], algebra.const(value, width(field, family)))

    bit = STATUS_BITS["confirmed"]
    confirmed = has("ct_status", bit, bit)
    by_rules = STATUS_BITS["snat"] | STATUS_BITS["dnat"]
    new, established = (is_("ct_state", STATE_BITS[name]) for name in ("new", "established"))
    tracked = algebra.any(new, established, is_("ct_state", STATE_BITS["related"]))
    bound = [is_(done, 1) for done in ("snat_done", "dnat_done")]
    yield implies(algebra.all(tracked, confirmed), *bound)
    yield implies(
        algebra.all(new, algebra.not_(confirmed)),
        *map(algebra.not_, bound),
        has("ct_status", 0, by_rules),
    )
    plain = new
    if path is RECEIVED:
        yield implies(established, confirmed)
        to_many = (is_("packet_type", PACKET_TYPES[name]) for name in ("broadcast", "multicast"))
        plain = algebra.all(
            algebra.any(new, established),
            algebra.not_(algebra.any(is_("iif", interface_word("lo")), *to_many)),
        )
    with_ports = algebra.any(*(is_("protocol", one) for one in WITH_PORTS))
    for reply, tuple_ in ((0, "original"), (1, "reply")):
        for part, where in (("addr", true), ("port", with_ports)):
            same = (
                algebra.equal(fields[f"{end}{part}"], fields[f"ct_{tuple_}_{end}{part}"])
                for end in ("s", "d")
            )
            yield implies(algebra.all(plain, is_("ct_reply", reply), where), *same)
    for status, here, there in (("dnat", "d", "s"), ("snat", "s", "d")):
        for part in ("addr", "port"):
            same_ = algebra.equal(
                fields[f"ct_original_{here}{part}"], fields[f"ct_reply_{there}{part}"]
            )
            unchanged = has("ct_status", 0, STATUS_BITS[status])
            yield implies(
                algebra.all(tracked, unchanged, true if part == "addr" else with_ports), same_
            )
