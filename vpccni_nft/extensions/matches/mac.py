"""mac: the hardware address that the packet came from.

Kernel: net/netfilter/xt_mac.c, mac_mt. A packet that did not come by an Ethernet device matches
neither the address nor its negation; nft asks ``meta iiftype ether`` by itself, and reads no
address where there is no header (nft_payload.c).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import around
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import COMES_BY, Placement
from ..shared.compare import equality

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context


@attrs.frozen
class Mac(Match):
    """``-m mac [!] --mac-source ADDRESS``."""

    address: Negatable[int]


def parse_address(text: str) -> int:
    """Read six bytes; iptables before 1.8.8 printed them in large letters.

    >>> hex(parse_address("00:11:22:AA:b:c"))
    '0x1122aa0b0c'
    """
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", text, re.ASCII):
        raise ValueError(f"“{text}” is not a hardware address")
    return int.from_bytes(bytes(int(part, 16) for part in text.split(":")), "big")


def meaning(node: Mac, view: View) -> Test:
    """The device is an Ethernet one, the packet has its header, and the address is as asked."""
    state, algebra = view.state, view.state.algebra
    has_header = algebra.all(
        algebra.not_(state.is_("iif", 0)), view.says(Oracle(OracleKind.CAME_BY_ETHERNET))
    )
    same = state.is_("mac_source", node.address.value)
    return Test(algebra.all(has_header, view.negate(same, negated=node.address.negated)))


def lower(node: Mac, _context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    sign = equality(negated=node.address.negated)
    return (s.Match(x.Payload("ether", "saddr"), sign, x.Mac(node.address.value)),)


def aim(node: Mac, draft: Draft) -> None:
    """A packet that came by Ethernet, from such an address."""
    draft.answer(OracleKind.CAME_BY_ETHERNET, 1)
    draft.fit("mac_source", node.address)


EXTENSION = Extension(
    name="mac",
    node=Mac,
    options=OptionTable.of(
        Option(
            "--mac-source",
            Form(
                "XX:XX:XX:XX:XX:XX",
                parse_address,
                lambda address: address.to_bytes(6, "big").hex(":"),
            ),
            "address",
            negatable=True,
            required=True,
        )
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(hooks=COMES_BY),
    draw=k.Build(Mac, k.negatable(k.Integers(0, 3) | k.Integers(0, (1 << 48) - 1))),
    aim=aim,
    edges=lambda node: {"mac_source": around(node.address)},
    nft="ether saddr ADDRESS",
    codes=(BAD_PLACE,),
)
