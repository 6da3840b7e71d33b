"""HMARK: a mark from a hash of the packet's addresses, ports and protocol.

Kernel: net/netfilter/xt_HMARK.c, in the mangle table only. It puts the smaller address and the
smaller port first, in host order, and mixes the protocol into the hash. nft's ``jhash`` takes
fields as they stand, so that its marks are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import GivenOptions


@attrs.frozen
class Hmark(Target):
    """``-j HMARK``: its options with their values as they are printed."""

    options: tuple[tuple[str, str], ...]


def meaning(node: Hmark, view: View) -> Effect:
    """The mark becomes what the hash gives for this packet, where there is one."""
    words = " ".join(word for option in node.options for word in option)
    state = view.state
    ends = (state.fields[name] for name in ("protocol", "saddr", "daddr", "sport", "dport"))
    mark = view.ask(Oracle(OracleKind.HASH_MARK, parameters=(words,)), *ends, width=32)
    hashed = view.says(Oracle(OracleKind.HAS_HASH_MARK, parameters=(words,)))
    return Effect(assignments=((hashed, "mark", mark),))


def lower(_node: Hmark, context: Context) -> tuple[s.Statement, ...]:
    """There is no form."""
    raise context.refuse(
        "nft hashes fields as they stand; HMARK puts them in order and mixes in the protocol"
    )


def _hmark(modulus: int, prefix: int, random: int) -> Hmark:
    return Hmark(
        (
            ("--hmark-src-prefix", str(prefix)),
            ("--hmark-rnd", f"0x{random:08x}"),
            ("--hmark-mod", str(modulus)),
        )
    )


def _parse_number(text: str) -> str:
    """A number is kept as it is written, as it has no other meaning here."""
    parse_integer(text, 0xFFFFFFFF)
    return text


def _parse_tuple(text: str) -> str:
    if text != "ct":
        raise ValueError(f"“{text}” is not what iptables-save prints here: ct")
    return text


_NUMBER = Form("NUMBER", _parse_number)
_OPTIONS = OptionTable.of(
    *(
        Option(f"--hmark-{name}", _NUMBER, name, required=name == "mod")
        for name in (
            "src-prefix", "dst-prefix", "spi", "spi-mask", "sport", "dport", "sport-mask",
            "dport-mask", "proto-mask", "rnd", "mod", "offset",
        )
    ),
    Option("--hmark-tuple", Form("ct", _parse_tuple), "tuple"),
)  # fmt: skip


def build(options: GivenOptions) -> Hmark:
    """Read the options, and keep them in the order in which they are printed."""
    given = _OPTIONS.read(options)
    return Hmark(
        tuple(
            (option.name, given[option.fields[0]])
            for option in _OPTIONS.options
            if option.fields[0] in given
        )
    )


def save(node: Hmark) -> Iterator[str]:
    """Write the options."""
    for pair in node.options:
        yield from pair


EXTENSION = Extension(
    name="HMARK",
    node=Hmark,
    options=_OPTIONS,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(_hmark, k.Integers(1, k.FULL), k.Integers(0, 32), k.Integers(0, k.FULL)),
    nft="none: nft's jhash gives other numbers",
    codes=(NO_NFT_FORM,),
)
