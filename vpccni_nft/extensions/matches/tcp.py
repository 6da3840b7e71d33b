"""tcp: ports, flags and options.

Kernel: net/netfilter/xt_tcpudp.c, tcp_mt. A fragment without a header does not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM, TCP_OPTIONS
from ...iptables.ast import Match
from ...iptables.protocols import TCP
from ...model.effects import Test
from ...model.oracle import OPTIONS_OF_TCP, Oracle, OracleKind
from ...model.packet import TCP_FLAGS
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Form, Option, OptionTable, Shorthand
from ..placement import Placement
from ..shared.compare import always_or_never, equality
from ..shared.fragments import with_transport_header
from ..shared.ports import PORT_OPTIONS, lower_ports, ports_fit

if TYPE_CHECKING:
    from ...core.values import Negatable, PortRange
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: In the order in which iptables prints them. nft has the same words in small letters.
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")

#: The one TCP option without a length that iptables looks for.
NO_OPERATION = 1

Names = tuple[str, ...]


@attrs.frozen
class FlagTest:
    """Of the flags in the mask, exactly these are set."""

    mask: Names
    flags: Names

    @classmethod
    def parse(cls, mask: str, flags: str) -> FlagTest:
        """Read two lists with commas; ``ALL`` and ``NONE`` may stand for a list.

        >>> FlagTest.parse("SYN,FIN", "NONE")
        FlagTest(mask=('FIN', 'SYN'), flags=())
        """
        return cls(_parse_flags(mask), _parse_flags(flags))


def _parse_flags(text: str) -> Names:
    given = {word.upper() for word in text.split(",")}
    if unknown := given.difference(FLAGS, ("ALL", "NONE")):
        raise ValueError(f"“{min(unknown)}” is not one of {', '.join(FLAGS)}, ALL, NONE")
    return tuple(name for name in FLAGS if name in given or "ALL" in given)


@attrs.frozen(kw_only=True)
class Tcp(Match):
    """``-m tcp`` with any of its options, or with none."""

    source_port: Negatable[PortRange] | None = None
    destination_port: Negatable[PortRange] | None = None
    option: Negatable[int] | None = None  #: the number of a TCP option that must be there
    flags: Negatable[FlagTest] | None = None


def meaning(node: Tcp, view: View) -> Test:
    """There is a header, and ports, flags under their mask, and options are as asked."""
    state, algebra = view.state, view.state.algebra
    fits = ports_fit(view, node.source_port, node.destination_port)
    if flags := node.flags:
        mask, wanted = _flag_bits(flags.value.mask), _flag_bits(flags.value.flags)
        same = state.is_("tcp_flags", wanted, mask)
        fits = algebra.all(fits, view.negate(same, negated=flags.negated))
    if option := node.option:
        found = view.says_since(
            OPTIONS_OF_TCP, Oracle(OracleKind.HAS_TCP_OPTION, parameters=(option.value,))
        )
        fits = algebra.all(fits, view.negate(found, negated=option.negated))
    return Test(fits)


def _flag_bits(names: Names) -> int:
    return sum(TCP_FLAGS[name.lower()] for name in names)


def lower(node: Tcp, context: Context) -> tuple[Piece, ...]:
    """The same comparisons, where there is a header."""
    option = _lower_option(node.option, context)
    ports = lower_ports("tcp", node.source_port, node.destination_port)
    return (*with_transport_header(context), *ports, *option, *_lower_flags(node.flags))


def _lower_option(test: Negatable[int] | None, context: Context) -> tuple[s.Match, ...]:
    if not test:
        return ()
    if test.value == NO_OPERATION:
        raise context.refuse("nft does not see a one-byte option that is the last one")
    context.approximate(TCP_OPTIONS, "nft does not see an option with a wrong length")
    option = x.TcpOption(str(test.value))
    there = x.Symbol("missing" if test.negated else "exists")
    return (s.Match(option, "==", there),)


def _lower_flags(test: Negatable[FlagTest] | None) -> tuple[s.Match, ...]:
    if not test:
        return ()
    mask, flags = test.value.mask, test.value.flags
    if not set(flags).issubset(mask):
        return always_or_never(holds=test.negated)
    if not mask:
        return always_or_never(holds=not test.negated)
    masked = x.Binary("&", x.Payload("tcp", "flags"), _flags(mask))
    right = _flags(flags) if flags else x.Hex(0)
    return (s.Match(masked, equality(negated=test.negated), right),)


def _flags(names: Names) -> x.Flags:
    return x.Flags(tuple(name.lower() for name in names))


_NAMES = k.Some(FLAGS, smallest=0)
_FLAG_TESTS = k.OneOf(
    k.Build(FlagTest, _NAMES, _NAMES), FlagTest(("FIN", "SYN", "RST", "ACK"), ("SYN",))
)


def aim(node: Tcp, draft: Draft) -> None:
    """Ports, flags and options that fit."""
    draft.fit("sport", node.source_port)
    draft.fit("dport", node.destination_port)
    if flags := node.flags:
        mask, wanted = _flag_bits(flags.value.mask), _flag_bits(flags.value.flags)
        draft.fit_bits("tcp_flags", wanted, mask, negated=flags.negated)
    if option := node.option:
        oracle = Oracle(OracleKind.HAS_TCP_OPTION, parameters=(option.value,))
        draft.answer(oracle, not option.negated)


def _flags_text(test: FlagTest) -> Names:
    return tuple(",".join(names) or "NONE" for names in (test.mask, test.flags))


EXTENSION = Extension(
    name="tcp",
    node=Tcp,
    options=OptionTable.of(
        *PORT_OPTIONS,
        Option("--tcp-option", number(255, smallest=1), "option", negatable=True),
        Option(
            "--tcp-flags",
            Form("MASK FLAGS", FlagTest.parse, _flags_text, words=2),
            "flags",
            negatable=True,
        ),
        Shorthand("--syn", lambda: ("--tcp-flags", "FIN,SYN,RST,ACK", "SYN"), words=0),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(protocols=(TCP,)),
    draw=k.Build(
        Tcp,
        source_port=k.PORT_TEST,
        destination_port=k.PORT_TEST,
        option=k.OneOf(None, None, k.maybe_negated(k.Integers(1, 255))),
        flags=k.maybe_negated(_FLAG_TESTS),
    ),
    aim=aim,
    edges=lambda node: {"sport": node.source_port, "dport": node.destination_port},
    nft="tcp sport, tcp dport, tcp flags & MASK == FLAGS, tcp option NUMBER exists",
    codes=(BAD_PLACE, NO_NFT_FORM, TCP_OPTIONS),
)
