"""ipv6header: which extension headers of IPv6 a packet has.

Kernel: net/ipv6/netfilter/ip6t_ipv6header.c. Without ``--soft``, the packet must have these headers
and no others, where one of the last three always is: an encrypted payload, nothing, or a protocol.
With it, the packet must have all of these or, after a ``!``, none of them. nft does not look
behind an authentication header for the last three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM, WHOLE_PACKETS
from ...core.values import Family, Negatable
from ...iptables.ast import Match
from ...iptables.protocols import TCP, parse_protocol
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind, extension_header
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension, NoneOf
from ..option_table import Form, Option, OptionTable
from ..placement import Placement
from ..shared.compare import always_or_never

if TYPE_CHECKING:
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: The headers by the names that iptables-save prints, in its order, with their numbers.
HEADERS = {
    "hop-by-hop": 0, "ipv6-opts": 60, "ipv6-route": 43, "ipv6-frag": 44, "ah": 51, "esp": 50,
    "ipv6-nonxt": 59, "protocol": 255,
}  # fmt: skip

#: Names that it prints on a host without /etc/protocols, or takes.
OTHER_NAMES = {
    "hop": "hop-by-hop", "dst": "ipv6-opts", "route": "ipv6-route", "frag": "ipv6-frag",
    "auth": "ah", "none": "ipv6-nonxt", "prot": "protocol",
}  # fmt: skip

#: One of these ends the headers of a packet.
LAST = ("esp", "ipv6-nonxt", "protocol")

AH, ESP, NO_NEXT_HEADER = 51, 50, 59

#: nft's words for those that it looks for.
NFT_NAMES = {"hop-by-hop": "hbh", "ipv6-opts": "dst", "ipv6-route": "rt", "ipv6-frag": "frag"}

Names = tuple[str, ...]


@attrs.frozen(kw_only=True)
class Ipv6Header(Match):
    """``-m ipv6header [!] --header NAME,... [--soft]``."""

    headers: Negatable[Names]
    soft: bool = False


def _parse_headers(text: str) -> Names:
    given = {_parse_header(word) for word in text.split(",")}
    return tuple(name for name in HEADERS if name in given)


def _parse_header(word: str) -> str:
    word = OTHER_NAMES.get(word, word)
    if word in HEADERS:
        return word
    number = parse_protocol(word)
    for name, known in HEADERS.items():
        if number == known:
            return name
    raise ValueError(f"“{word}” is not an extension header")


def meaning(node: Ipv6Header, view: View) -> Test:
    """The packet has these headers, and no others unless that is said."""
    algebra, names = view.state.algebra, node.headers.value
    has = _present(view)
    if node.soft:
        return Test(
            algebra.all(*(view.negate(has[name], negated=node.headers.negated) for name in names))
        )
    same = algebra.all(
        *(there if name in names else algebra.not_(there) for name, there in has.items())
    )
    return Test(view.negate(same, negated=node.headers.negated))


def _present(view: View) -> dict[str, Bool]:
    """Whether each header is there."""
    state, algebra = view.state, view.state.algebra
    is_ah = state.is_("protocol", AH)
    last = algebra.ite(
        is_ah, view.ask(Oracle(OracleKind.BEHIND_AH), width=8), state.fields["protocol"]
    )
    is_esp = algebra.equal(last, algebra.const(ESP, 8))
    is_none = algebra.equal(last, algebra.const(NO_NEXT_HEADER, 8))
    return {
        "hop-by-hop": view.says(extension_header("hbh")),
        "ipv6-opts": view.says(extension_header("dst")),
        "ipv6-route": view.says(extension_header("rt")),
        "ipv6-frag": state.is_("fragmented", 1),
        "ah": is_ah,
        "esp": is_esp,
        "ipv6-nonxt": is_none,
        "protocol": algebra.not_(algebra.any(is_esp, is_none)),
    }


def lower(node: Ipv6Header, context: Context) -> tuple[Piece, ...]:
    """Ask for each header by itself."""
    names, negated = node.headers.value, node.headers.negated
    if not node.soft and sum(name in LAST for name in names) != 1:
        return always_or_never(holds=negated)
    if not context.tracked:
        context.approximate(
            WHOLE_PACKETS, "iptables reads bytes of a later fragment as extension headers"
        )
    if node.soft:
        if any(name in LAST for name in names):
            raise context.refuse(
                "nft does not see what follows an authentication header",
                "without --soft the packet has no such header",
            )
        return tuple(_compare(name, there=not negated) for name in names)
    if "ah" in names:
        raise context.refuse("nft does not see what follows an authentication header")
    (last,) = (name for name in names if name in LAST)
    whole = (*(_compare(name, there=name in names) for name in NFT_NAMES), _compare_last(last))
    return (NoneOf((whole,)),) if negated else whole


def _compare(name: str, *, there: bool) -> s.Match:
    if name == "ah":
        return s.Match(x.Meta("l4proto"), "==" if there else "!=", x.Protocol(AH))
    answer = x.Symbol("exists" if there else "missing")
    return s.Match(x.ExtensionHeader(NFT_NAMES[name]), "==", answer)


def _compare_last(name: str) -> s.Match:
    """What ends the headers; nft takes an authentication header for such an end, too."""
    if name != "protocol":
        return s.Match(x.Meta("l4proto"), "==", x.Protocol(HEADERS[name]))
    others = x.AnonymousSet((x.Protocol(ESP), x.Protocol(AH), x.Protocol(NO_NEXT_HEADER)))
    return s.Match(x.Meta("l4proto"), "!=", others)


# --- which packets ------------------------------------------------------------------------------

_FIRST = tuple(name for name in HEADERS if name not in LAST)
_EXACT = k.Build(
    lambda some, last: (*some, last),
    k.Some(tuple(name for name in _FIRST if name != "ah"), smallest=0),
    k.Among(LAST),
)


def aim(node: Ipv6Header, draft: Draft) -> None:
    """A packet with these headers; after a ``!`` with none of them, or with others."""
    names, negated = node.headers.value, node.headers.negated
    has = {name: name in names for name in HEADERS}
    if node.soft:
        has = dict.fromkeys(names, not negated)
    elif negated:
        has["hop-by-hop"] = not has["hop-by-hop"]
    for name in ("hop-by-hop", "ipv6-opts", "ipv6-route"):
        if name in has:
            draft.answer(extension_header(NFT_NAMES[name]), has[name])
    if "ipv6-frag" in has:
        draft.fields["fragmented"] = int(has["ipv6-frag"])
    _aim_last(has, draft)


def _aim_last(has: dict[str, bool], draft: Draft) -> None:
    """A protocol that fits, or what is behind an authentication header."""
    ends = {"esp": ESP, "ipv6-nonxt": NO_NEXT_HEADER, "protocol": TCP}
    wanted = [ends[name] for name in ends if has.get(name)]
    unwanted = [ends[name] for name in ends if has.get(name) is False]
    now = draft.fields["protocol"]
    if has.get("ah") is False and now == AH:
        now = TCP
    kind = now if now in (ESP, NO_NEXT_HEADER) else TCP
    if wanted and kind not in wanted:
        now = draft.random.choice(wanted)
    elif not wanted and kind in unwanted:
        now = next((end for end in ends.values() if end not in unwanted), now)
    if has.get("ah"):
        draft.answer(OracleKind.BEHIND_AH, now if now != AH else TCP)
        now = AH
    draft.fields["protocol"] = now


EXTENSION = Extension(
    name="ipv6header",
    node=Ipv6Header,
    options=OptionTable.of(
        Option(
            "--header",
            Form("NAME[,NAME...]", _parse_headers, ",".join),
            "headers",
            negatable=True,
            required=True,
        ),
        Option("--soft", field="soft"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP6),
    draw=k.OneOf(
        k.Build(Ipv6Header, headers=k.negatable(_EXACT)),
        k.Build(Ipv6Header, headers=k.negatable(k.Some(_FIRST)), soft=True),
        k.Build(
            Ipv6Header,
            headers=k.negatable(k.Some(_FIRST) | k.Some(tuple(HEADERS))),
            soft=k.FLAG,
        ),
    ),
    aim=aim,
    nft="exthdr hbh exists, exthdr dst missing, meta l4proto",
    codes=(BAD_PLACE, NO_NFT_FORM, WHOLE_PACKETS),
)
