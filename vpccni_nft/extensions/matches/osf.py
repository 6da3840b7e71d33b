"""osf: the operating system that a TCP SYN packet looks like.

Kernel: net/netfilter/nfnetlink_osf.c, nf_osf_match: some fingerprint of this system fits. It does
not look at a ``!`` (nothing reads XT_OSF_INVERT), and with ``--log`` not at the system either.
nft's ``osf name`` (nf_osf_find) is the system of the first fingerprint that fits. Both read one
list of fingerprints, to which nft adds those of its own file when it loads the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, FINGERPRINT, NO_NFT_FORM
from ...core.values import Family, Negatable
from ...iptables.ast import Match
from ...iptables.protocols import TCP
from ...model.effects import Test
from ...model.headers import CHANGING, changing, transport_field
from ...model.oracle import Oracle, OracleKind, system_of_syn
from ...model.packet import NAME_BYTES, TCP_FLAGS, interface_word
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Form, Option, OptionTable
from ..placement import COMES_BY, Placement
from ..shared.number_ranges import NumberRange

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

#: nft's words for how the TTL is compared, by number: exactly, at most in other networks, not.
TTLS = ("", "loose", "skip")

#: The bytes of a name, without the zero at the end: in a rule (MAXGENRELEN), and in nft.
NAME_LENGTH = 31
NFT_NAME_LENGTH = NAME_BYTES - 1


@attrs.frozen(kw_only=True)
class Osf(Match):
    """``-m osf [!] --genre NAME [--ttl LEVEL] [--log LEVEL]``."""

    genre: Negatable[str]
    ttl: int | None = None
    log: int | None = None  #: 0: all that fit, 1: the first one, 2: the first one of those known


def _parse_genre(text: str) -> str:
    # iptables-save writes the name without quotes: one with a blank could not be read again.
    if not 0 < len(text.encode("utf-8", "surrogateescape")) <= NAME_LENGTH or " " in text:
        raise ValueError(f"a system's name is one word of 1 to {NAME_LENGTH} characters")
    return text


def meaning(node: Osf, view: View) -> Test:
    """It is a SYN packet, and looks like this system."""
    state, algebra = view.state, view.state.algebra
    # The kernel reads TCP's flags even of a fragment that has none.
    flags = transport_field(state, TCP, "tcp_flags", 8)
    syn = algebra.const(TCP_FLAGS["syn"], 8)
    is_syn = algebra.all(state.is_("protocol", TCP), algebra.equal(algebra.bvand(flags, syn), syn))
    ttl = TTLS[node.ttl or 0]
    bits = 8 * NAME_BYTES
    name = node.genre.value
    if node.log is not None or len(name.encode("utf-8", "surrogateescape")) > NFT_NAME_LENGTH:
        return Test(
            algebra.all(
                is_syn,
                view.says(
                    Oracle(OracleKind.LOOKS_LIKE_SYSTEM, parameters=(name, ttl)),
                    *changing(state),
                ),
            )
        )
    system = view.ask(system_of_syn(ttl), *changing(state), width=bits)
    wanted = algebra.const(interface_word(name), bits)
    return Test(algebra.all(is_syn, algebra.equal(system, wanted)))


def lower(node: Osf, context: Context) -> tuple[s.Match, ...]:
    """Compare the name of the first system that fits."""
    name = node.genre.value
    if node.log is not None:
        raise context.refuse("nft does not log the systems that it finds")
    if len(name) > NFT_NAME_LENGTH:
        raise context.refuse(f"nft's names of systems have at most {NFT_NAME_LENGTH} characters")
    if not (name.isascii() and name.isprintable()) or set(name) & set('"*\\') or name == "unknown":
        raise context.refuse("nft cannot write this name")
    context.approximate(
        FINGERPRINT,
        "where the fingerprints of several systems match a packet, osf takes all of them, and nft"
        " the first; nft loads its own fingerprint file",
    )
    return (s.Match(x.Osf(TTLS[node.ttl or 0]), "==", x.String(name)),)


def aim(node: Osf, draft: Draft) -> None:
    """A SYN of such a system."""
    ttl, name = TTLS[node.ttl or 0], node.genre.value
    draft.fields["tcp_flags"] |= TCP_FLAGS["syn"]
    seen = tuple(draft.fields[name] for name in CHANGING)
    draft.answer(Oracle(OracleKind.LOOKS_LIKE_SYSTEM, parameters=(name, ttl)), 1, *seen)
    draft.answer(system_of_syn(ttl), interface_word(name[:NFT_NAME_LENGTH]), *seen)


EXTENSION = Extension(
    name="osf",
    node=Osf,
    options=OptionTable.of(
        Option("--genre", Form("NAME", _parse_genre), "genre", negatable=True, required=True),
        Option("--ttl", number(2), "ttl"),
        Option("--log", number(2), "log"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(family=Family.IP, hooks=COMES_BY, protocols=(TCP,)),
    draw=k.Build(
        Osf,
        genre=k.negatable(
            (k.Among(("Linux", "Windows")) | k.Unquoted(NAME_LENGTH)).filter(
                lambda text: " " not in text
            )
        ),
        ttl=k.maybe(k.Integers(0, 2)),
        log=k.OneOf(None, None, k.maybe(k.Integers(0, 2))),
    ),
    aim=aim,
    edges=lambda _node: {"tcp_flags": NumberRange(0, 2)},
    nft="osf [ttl loose|skip] name NAME",
    codes=(FINGERPRINT, BAD_PLACE, NO_NFT_FORM),
)
