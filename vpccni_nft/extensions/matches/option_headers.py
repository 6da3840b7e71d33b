"""hbh, dst: the hop-by-hop options of IPv6, the destination options of IPv6.

Kernel: net/ipv6/netfilter/ip6t_hbh.c, hbh_mt6. nft's exthdr finds the header in the same way
(ipv6_find_hdr), and reads no options in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...core.values import Family, Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind, extension_header, header_field
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import NUMBER
from ..option_table import Form, Option, OptionTable
from ..placement import Placement
from ..shared.header_lengths import compare_length

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

#: Most options that a rule can name (IP6T_OPTS_OPTSNR).
MOST_OPTIONS = 16


@attrs.frozen
class HeaderOption:
    """An option's type, and its length in bytes where only that one is meant."""

    type: int
    length: int | None = None

    @classmethod
    def parse(cls, text: str) -> HeaderOption:
        """Read TYPE or TYPE:LENGTH."""
        type_text, colon, length = text.partition(":")
        return cls(parse_integer(type_text, 255), parse_integer(length, 255) if colon else None)

    def __str__(self) -> str:
        return str(self.type) if self.length is None else f"{self.type}:{self.length}"


@attrs.frozen(kw_only=True)
class Hbh(Match):
    """``-m hbh`` with a length, with options, or with neither."""

    length: Negatable[int] | None = None  #: of the header, in bytes
    options: tuple[HeaderOption, ...] = ()


@attrs.frozen(kw_only=True)
class Dst(Match):
    """``-m dst`` with a length, with options, or with neither."""

    length: Negatable[int] | None = None  #: of the header, in bytes
    options: tuple[HeaderOption, ...] = ()


def _parse_options(text: str) -> tuple[HeaderOption, ...]:
    found = tuple(map(HeaderOption.parse, text.split(",")))
    if len(found) > MOST_OPTIONS:
        raise ValueError(f"these are more than {MOST_OPTIONS} options")
    return found


def _meaning(name: str, node: Hbh | Dst, view: View) -> Test:
    """There is such a header, of that length in bytes, and it has those options in that order."""
    algebra = view.state.algebra
    fits = [view.says(extension_header(name))]
    if node.length:
        # ipv6_optlen: the field counts units of eight bytes, without the first.
        units, odd = divmod(node.length.value, 8)
        same = algebra.false
        if not odd and 1 <= units <= 256:
            same = algebra.equal(
                view.ask(header_field(name, "hdrlength"), width=8), algebra.const(units - 1, 8)
            )
        fits.append(view.negate(same, negated=node.length.negated))
    if node.options:
        fits.append(
            view.says(Oracle(OracleKind.HAS_OPTIONS, name, (",".join(map(str, node.options)),)))
        )
    return Test(algebra.all(*fits))


def _lower(name: str, node: Hbh | Dst, context: Context) -> tuple[s.Match, ...]:
    """The header's length, or else whether it is there."""
    if node.options:
        raise context.refuse("nft does not read the options in an IPv6 extension header")
    exists = s.Match(x.ExtensionHeader(name), "==", x.Symbol("exists"))
    return compare_length(name, node.length, there=exists)


_OPTIONS = k.Several(k.Build(HeaderOption, k.BYTE, k.maybe(k.BYTE)), 1, MOST_OPTIONS)
_FEW_OPTIONS = k.OneOf((), (), (), _OPTIONS)


def _aim(header: str, node: Hbh | Dst, draft: Draft) -> None:
    draft.answer(extension_header(header), 1)
    if node.length:
        units = node.length.value // 8 - 1 + node.length.negated
        draft.answer(header_field(header, "hdrlength"), units & 0xFF)
    listed = ",".join(map(str, node.options))
    draft.answer(Oracle(OracleKind.HAS_OPTIONS, header, (listed,)), 1)


def _options(name: str) -> OptionTable:
    return OptionTable.of(
        Option(f"--{name}-len", NUMBER, "length", negatable=True),
        Option(f"--{name}-opts", _LIST, "options"),
    )


_LIST = Form("TYPE[:LENGTH],...", _parse_options, lambda options: ",".join(map(str, options)))


def _extension(what: str, node: type[Hbh | Dst]) -> Extension[Hbh | Dst]:
    """The record of a match for one of the two headers, which have the same form."""
    name = node.__name__.lower()
    return Extension(
        name=name,
        what=what,
        node=node,
        options=_options(name),
        meaning=lambda node, view: _meaning(name, node, view),
        lower=lambda node, context: _lower(name, node, context),
        placement=Placement(family=Family.IP6),
        draw=k.Build(node, length=k.header_lengths(8), options=_FEW_OPTIONS),
        aim=lambda node, draft: _aim(name, node, draft),
        nft=f"exthdr {name} exists, {name} hdrlength",
        codes=(BAD_PLACE, NO_NFT_FORM),
    )


HBH = _extension("the hop-by-hop options of IPv6.", Hbh)
DST = _extension("the destination options of IPv6.", Dst)
