"""ECN: the bits for explicit congestion notification, in the IPv4 header or the TCP header.

Kernel: net/ipv4/netfilter/ipt_ECN.c, in the mangle table only, for TCP only behind ``-p tcp``.
nft writes whole values into TCP's flags. So there is a rule for each combination of the flags that
stay. The target writes where TCP's flags would be in further fragments, too, which have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM, WHOLE_PACKETS
from ...core.values import Family
from ...iptables.ast import Target
from ...iptables.protocols import TCP
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Option, OptionTable, at_least_one, at_most_one
from ..placement import ANYWHERE, Placement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool, Word
    from ...model.effects import View
    from ..context import Context

#: TCP's flags by nft's names, the lowest bit first; nft calls ECE so.
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr")

#: The bits of both flags (linux/tcp.h).
_ECE, _CWR = 0x40, 0x80


@attrs.frozen(kw_only=True)
class SetEcn(Target):
    """``-j ECN`` with its options; ``--ecn-tcp-remove`` is both flags of TCP at zero."""

    ece: int | None = None
    cwr: int | None = None
    ip: int | None = None  #: the two bits of the IPv4 header


def meaning(node: SetEcn, view: View) -> Effect:
    """set_ect_ip and set_ect_tcp; of a further fragment nothing is known here."""
    state, algebra = view.state, view.state.algebra
    assignments: list[tuple[Bool, str, Word]] = []
    if node.ip is not None:
        kept = algebra.bvand(state.fields["tos"], state.word("tos", 0xFC))
        tos = algebra.bvor(kept, state.word("tos", node.ip))
        assignments.append((algebra.true, "tos", tos))
    if (node.ece, node.cwr) != (None, None):
        flags = state.fields["tcp_flags"]
        for bit, value in ((_ECE, node.ece), (_CWR, node.cwr)):
            if value is not None:
                flags = algebra.bvand(flags, state.word("tcp_flags", 0xFF ^ bit))
                flags = algebra.bvor(flags, state.word("tcp_flags", bit * value))
        has_header = algebra.all(state.is_("protocol", TCP), state.is_("fragment", 0))
        assignments.append((has_header, "tcp_flags", flags))
    return Effect(assignments=tuple(assignments))


def lower(node: SetEcn, context: Context) -> tuple[s.Statement, ...]:
    """The field of IPv4 at once; TCP's flags in a helper chain."""
    statements: list[s.Statement] = []
    if node.ip is not None:
        statements.append(s.Assign(x.Payload("ip", "ecn"), x.Number(node.ip)))
    wanted = {
        name: value for name, value in (("ecn", node.ece), ("cwr", node.cwr)) if value is not None
    }
    if wanted:
        if not context.tracked:
            context.approximate(WHOLE_PACKETS, "iptables writes into further fragments as well")
        name = "-".join(f"{flag}-{value}" for flag, value in wanted.items())
        statements.append(s.Jump(context.helper(f"set-{name}", *_flag_rules(wanted))))
    return tuple(statements)


def _flag_rules(wanted: dict[str, int]) -> Iterator[tuple[s.Statement, ...]]:
    """Leave packets alone that are right, and give each of the others all of its flags anew."""
    flags = x.Payload("tcp", "flags")
    new = tuple(name for name, value in wanted.items() if value)
    as_wanted = s.Match(x.Binary("&", flags, x.Flags(tuple(wanted))), "==", _flags(new))
    yield (as_wanted, s.Return())
    others = tuple(name for name in FLAGS if name not in wanted)
    for bits in range(1 << len(others)):
        kept = tuple(name for place, name in enumerate(others) if bits >> place & 1)
        fits = s.Match(x.Binary("&", flags, x.Flags(others)), "==", _flags(kept))
        yield (fits, s.Assign(flags, _flags(kept + new)), s.Return())


def _flags(names: tuple[str, ...]) -> x.Expression:
    return x.Flags(names) if names else x.Hex(0)


def _needs(node: SetEcn, _family: Family) -> Placement:
    """ecn_tg_check."""
    if (node.ece, node.cwr) == (None, None):
        return ANYWHERE
    return Placement(protocols=(TCP,), subject="ECN for TCP")


_BIT = k.maybe(k.Integers(0, 1))
_IP = k.Integers(0, 3)


def _removes(node: SetEcn) -> bool:
    return (node.ece, node.cwr) == (0, 0)


def _bits(name: str, field: str, largest: int) -> Option:
    """libipt_ECN prints nothing of the header beside ``--ecn-tcp-remove``."""
    return Option(
        name,
        number(largest),
        field,
        show=lambda node: None if _removes(node) else getattr(node, field),
    )


EXTENSION = Extension(
    name="ECN",
    node=SetEcn,
    options=OptionTable.of(
        Option(
            "--ecn-tcp-remove",
            field=("ece", "cwr"),
            keep=lambda _: (0, 0),
            show=lambda node: _removes(node) or None,
        ),
        _bits("--ecn-tcp-ece", "ece", 1),
        _bits("--ecn-tcp-cwr", "cwr", 1),
        _bits("--ecn-ip-ect", "ip", 3),
        at_least_one("--ecn-tcp-remove", "--ecn-tcp-ece", "--ecn-tcp-cwr", "--ecn-ip-ect"),
        at_most_one("--ecn-tcp-remove", "--ecn-tcp-ece"),
        at_most_one("--ecn-tcp-remove", "--ecn-tcp-cwr"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP, tables=("mangle",)),
    needs=_needs,
    draw=k.OneOf(
        k.Build(SetEcn, ip=_IP),
        # Beside --ecn-tcp-remove nothing else is printed.
        k.Build(SetEcn, ece=_BIT, cwr=_BIT, ip=k.maybe(_IP)).filter(
            lambda node: node != SetEcn() and (node.ip is None or (node.ece, node.cwr) != (0, 0))
        ),
        SetEcn(ece=0, cwr=0),
    ),
    nft="ip ecn set VALUE; tcp flags set ..., a rule for each combination in a helper chain",
    codes=(
        BAD_PLACE,
        NO_NFT_FORM,
        WHOLE_PACKETS,
    ),
)
