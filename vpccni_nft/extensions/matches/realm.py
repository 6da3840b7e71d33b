"""realm: the realm of the packet's route.

Kernel: net/netfilter/xt_realm.c, realm_mt. It stands where a route is known: not in PREROUTING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family, MaskedMark, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...nft import expressions as x
from .. import kinds as k
from ..extension import Extension
from ..placement import Placement
from ..shared.compare import compare_mark
from ..shared.words import negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context
    from ..options import Options

#: The one name that every node has (/etc/iproute2/rt_realms); other names are its own.
NAMES = {"cosmos": 0}


@attrs.frozen
class Realm(Match):
    """``-m realm [!] --realm VALUE[/MASK]``."""

    realm: Negatable[MaskedMark]


def build(options: Options) -> Realm:
    """Read the options."""
    return Realm(options.required_negatable("--realm", _parse_realm))


def _parse_realm(text: str) -> MaskedMark:
    if text in NAMES:
        return MaskedMark(NAMES[text])
    if not text[:1].isdigit():
        raise ValueError(f"“{text}” is a name of the node's own: write the realm's number")
    return MaskedMark.parse(text)


def save(node: Realm) -> Iterator[str]:
    """Write the options; realm 0 has a name."""
    realm = node.realm.value
    yield from negation(node.realm)
    yield "--realm"
    if realm.mask == 0xFFFFFFFF:
        yield "cosmos" if realm.value == 0 else f"{realm.value:#x}"
    else:
        yield f"0x{realm.value:x}/0x{realm.mask:x}"


def meaning(node: Realm, view: View) -> Test:
    """``(dst->tclassid & mask) == realm``."""
    realm = node.realm.value
    same = view.state.is_("realm", realm.value, realm.mask)
    return Test(view.negate(same, negated=node.realm.negated))


def lower(node: Realm, _context: Context) -> tuple[s.Match, ...]:
    """The same comparison."""
    return compare_mark(x.Rt("classid"), node.realm)


EXTENSION = Extension(
    name="realm",
    node=Realm,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP, hooks=("INPUT", "FORWARD", "OUTPUT", "POSTROUTING")),
    draw=k.Build(Realm, k.negatable(k.MASKED_MARK)),
    aim=lambda node, draft: draft.fit_mark("realm", node.realm),
    edges=lambda node: {"realm": node.realm},
    nft="rt classid & MASK == REALM",
    codes=(BAD_PLACE,),
)
