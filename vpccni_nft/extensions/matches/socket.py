"""socket: whether the node has a socket for the packet.

Kernel: net/netfilter/xt_socket.c, socket_match; nft's ``socket`` (nft_socket.c) looks it up by the
same functions (nf_socket_ipv4.c, nf_socket_ipv6.c). Sockets that listen on any address do not count
but with ``--nowildcard``; one that is closing or not open yet does.

The match makes the kernel put fragments together (nf_defrag_ipv4_enable), nft's does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM, WHOLE_PACKETS
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import SOCKET, Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension, NoneOf, Prologue
from ..option_table import Option, OptionTable
from ..placement import Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: True of any socket; breaks the rule where there is none.
HAS_SOCKET = s.Match(x.Socket("transparent"), "<=", x.Number(1))
TRANSPARENT = s.Match(x.Socket("transparent"), "==", x.Number(1))
WILDCARD = s.Match(x.Socket("wildcard"), "==", x.Number(1))
#: Only as text: nft's JSON has no such value for a mark.
MARK = s.Assign(x.Meta("mark"), x.Socket("mark"))


@attrs.frozen(kw_only=True)
class Socket(Match):
    """``-m socket`` with any of its options."""

    transparent: bool = False
    no_wildcard: bool = False  #: sockets that listen on any address count as well
    restore_mark: bool = False  #: the packet gets the socket's mark


def meaning(node: Socket, view: View) -> Test:
    """A socket is found, not for any address unless that counts, and transparent if it must be."""
    state, algebra = view.state, view.state.algebra
    looked_up = state.socket
    own = algebra.any(view.has_socket, view.has_other_socket)
    holds = algebra.any(
        own, view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_FOUND), *looked_up)
    )
    full = algebra.any(
        view.has_socket, view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_FULL), *looked_up)
    )
    if not node.no_wildcard:
        any_address = algebra.all(
            full, view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_WILDCARD), *looked_up)
        )
        holds = algebra.all(holds, algebra.not_(any_address))
    if node.transparent:
        holds = algebra.all(
            holds, view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_TRANSPARENT), *looked_up)
        )
    if not node.restore_mark:
        return Test(holds)
    mark = view.ask_since(SOCKET, Oracle(OracleKind.SOCKET_MARK), *looked_up, width=32)
    return Test(holds, assignments=((algebra.all(holds, full), "mark", mark),))


def lower(node: Socket, context: Context) -> tuple[Piece, ...]:
    """Look the socket up, rule out one that is for any address, and copy its mark."""
    if not context.tracked:
        context.approximate(
            WHOLE_PACKETS,
            "-m socket makes the kernel reassemble fragments; nothing in the translation does",
        )
    found = TRANSPARENT if node.transparent else HAS_SOCKET
    particular = () if node.no_wildcard else (NoneOf(((WILDCARD,),)),)
    # A socket that is not open yet fits, and has no mark.
    restored = (Prologue(((MARK,),)),) if node.restore_mark else ()
    return (found, *particular, *restored)


def aim(_node: Socket, draft: Draft) -> None:
    """A packet of a socket for its address alone, which is transparent."""
    draft.answer(OracleKind.SOCKET_IS_FOUND, 1, *draft.socket)
    draft.answer(OracleKind.SOCKET_IS_TRANSPARENT, 1, *draft.socket)
    draft.answer(OracleKind.SOCKET_IS_WILDCARD, 0, *draft.socket)


EXTENSION = Extension(
    name="socket",
    node=Socket,
    options=OptionTable.of(
        Option("--transparent", field="transparent"),
        Option("--nowildcard", field="no_wildcard"),
        Option("--restore-skmark", field="restore_mark"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(hooks=("PREROUTING", "INPUT")),
    draw=k.Build(
        Socket,
        transparent=k.FLAG,
        no_wildcard=k.FLAG,
        restore_mark=k.Among((False, False, False, True)),
    ),
    aim=aim,
    edges=lambda _node: {"has_socket": (0, 1)},
    nft="socket transparent, socket wildcard; meta mark set socket mark, in a script only",
    codes=(WHOLE_PACKETS, BAD_PLACE, NO_NFT_FORM),
)
