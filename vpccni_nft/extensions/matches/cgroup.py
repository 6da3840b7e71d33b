"""cgroup: the control group of the socket that a packet comes from or goes to.

Kernel: net/netfilter/xt_cgroup.c, cgroup_mt_v2. A packet without a socket matches neither a class
nor its negation. Nor does a packet of a handshake, whose socket is not a full one yet: there nft's
``meta cgroup`` reads the class of the listening socket (nft_meta.c). ``socket wildcard`` has a
value for full sockets only (nft_socket.c), but does not stand in postrouting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import SOCKET, Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..edges import around
from ..extension import Extension
from ..forms import NUMBER, TEXT
from ..option_table import Option, OptionTable, exactly_one
from ..placement import Placement
from ..shared.compare import equality

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context

#: True of full sockets; breaks the rule elsewhere.
FULL_SOCKET = s.Match(x.Socket("wildcard"), "<=", x.Number(1))


@attrs.frozen(kw_only=True)
class Cgroup(Match):
    """``-m cgroup`` with a class or a path."""

    class_id: Negatable[int] | None = None
    path: Negatable[str] | None = None


def meaning(node: Cgroup, view: View) -> Test:
    """There is a full socket, and its class, or whether it is below the path, is as asked."""
    state, algebra = view.state, view.state.algebra
    full = algebra.any(
        view.has_socket,
        algebra.all(
            view.has_other_socket,
            view.says_since(SOCKET, Oracle(OracleKind.SOCKET_IS_FULL), *state.socket),
        ),
    )
    if node.class_id:
        fits, negated = state.is_("cgroup", node.class_id.value), node.class_id.negated
    else:
        assert node.path
        fits, negated = (
            view.says(Oracle(OracleKind.CONTROL_GROUP, node.path.value)),
            node.path.negated,
        )
    return Test(algebra.all(full, view.negate(fits, negated=negated)))


def lower(node: Cgroup, context: Context) -> tuple[s.Match, ...]:
    """Compare the class of full sockets."""
    if node.path:
        raise context.refuse(
            "nft identifies a control group by its inode: a script loads only while the path exists"
        )
    assert node.class_id
    if "POSTROUTING" in context.hooks:
        raise context.refuse(
            "in postrouting nft cannot distinguish an open socket from one in a handshake"
        )
    sign = equality(negated=node.class_id.negated)
    return (FULL_SOCKET, s.Match(x.Meta("cgroup"), sign, x.Number(node.class_id.value)))


def aim(node: Cgroup, draft: Draft) -> None:
    """A packet of a socket in the class, or in the control group."""
    draft.fields["has_socket"] = 1
    draft.fit("cgroup", node.class_id)
    if node.path:
        draft.answer(Oracle(OracleKind.CONTROL_GROUP, node.path.value), not node.path.negated)


EXTENSION = Extension(
    name="cgroup",
    node=Cgroup,
    options=OptionTable.of(
        Option("--cgroup", NUMBER, "class_id", negatable=True),
        Option("--path", TEXT, "path", negatable=True),
        exactly_one("--cgroup", "--path"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(hooks=("INPUT", "OUTPUT", "POSTROUTING")),
    draw=k.OneOf(
        k.Build(Cgroup, class_id=k.negatable(k.NUMBER)),
        k.Build(Cgroup, path=k.negatable(k.Quoted(511))),
    ),
    aim=aim,
    edges=lambda node: {"cgroup": around(node.class_id)},
    nft="socket wildcard <= 1 meta cgroup CLASS",
    codes=(BAD_PLACE, NO_NFT_FORM),
)
