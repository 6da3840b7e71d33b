"""The hop-by-hop and destination options of IPv6, which ``hbh`` and ``dst`` test alike.

Kernel: net/ipv6/netfilter/ip6t_hbh.c, hbh_mt6. nft's exthdr finds the header in the same way
(ipv6_find_hdr), and reads no options in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Family, Negatable, parse_integer
from ...nft import expressions as x
from ...nft import statements as s
from .compare import always_or_never, equality
from .words import negatable_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool
    from ...model.effects import View
    from ..context import Context
    from ..options import Options

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


Listed = tuple[HeaderOption, ...]


def build_length(options: Options, name: str) -> Negatable[int] | None:
    """Read ``[!] --hbh-len BYTES`` or its like."""
    return options.negatable(name, parse_integer)


def build_options(options: Options, name: str) -> Listed:
    """Read ``--hbh-opts TYPE[:LENGTH],...`` or its like; nothing where it is not there."""
    return options.value(name, _parse_options) or ()


def _parse_options(text: str) -> Listed:
    found = tuple(map(HeaderOption.parse, text.split(",")))
    if len(found) > MOST_OPTIONS:
        raise ValueError(f"these are more than {MOST_OPTIONS} options")
    return found


def save_header(name: str, length: Negatable[int] | None, listed: Listed) -> Iterator[str]:
    """Write the options of ``hbh`` or ``dst``."""
    yield from negatable_option(f"--{name}-len", length)
    if listed:
        yield from (f"--{name}-opts", ",".join(map(str, listed)))


def header_fits(view: View, name: str, length: Negatable[int] | None, listed: Listed) -> Bool:
    """There is such a header, of that length in bytes, and it has those options in that order."""
    algebra = view.state.algebra
    fits = [view.says(f"exthdr {name}")]
    if length:
        # ipv6_optlen: the field counts units of eight bytes, without the first.
        units, odd = divmod(length.value, 8)
        same = algebra.false
        if not odd and 1 <= units <= 256:
            same = algebra.equal(
                view.ask(f"{name} hdrlength", width=8), algebra.const(units - 1, 8)
            )
        fits.append(view.negate(same, negated=length.negated))
    if listed:
        fits.append(view.says(f"{name} options {','.join(map(str, listed))}"))
    return algebra.all(*fits)


def lower_header(
    context: Context, name: str, length: Negatable[int] | None, listed: Listed
) -> tuple[s.Match, ...]:
    """The header's length, or else whether it is there."""
    context.need_family(name, Family.IP6)
    if listed:
        raise context.refuse("nft does not read the options in an IPv6 extension header")
    exists = s.Match(x.ExtensionHeader(name), "==", x.Symbol("exists"))
    return compare_length(name, length, there=exists)


def compare_length(
    name: str, test: Negatable[int] | None, *, there: s.Match
) -> tuple[s.Match, ...]:
    """Compare the length in bytes of a header; ``there`` stands where its field need not be read.

    The field counts units of eight bytes, without the first.
    """
    if not test:
        return (there,)
    field, rest = test.value // 8 - 1, test.value % 8
    if rest or not 0 <= field <= 255:
        return (there, *always_or_never(holds=test.negated))
    length = x.ExtensionHeader(name, "hdrlength")
    return (s.Match(length, equality(negated=test.negated), x.Number(field)),)
