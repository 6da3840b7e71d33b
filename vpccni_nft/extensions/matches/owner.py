"""owner: the user and group of the program whose socket a packet comes from.

Kernel: net/netfilter/xt_owner.c, owner_mt. It knows three kinds of packets:

- Those without a socket, of a closed one, or of one of another network namespace: they match where
  every option is negated.
- Those of a socket that no program has open, such as the kernel's own: they match where user and
  group are negated, as far as they are asked for, and ``--socket-exists`` is not.
- Those of a program: its user and group are compared.

nft's ``meta skuid`` (nft_meta.c, nft_meta_get_eval_skugid) has a value for the last kind only, and
nothing in nft distinguishes the first two at all hooks: where the answers differ, the translation
takes the second kind for the first, if that is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE, KERNEL_SOCKETS, NO_NFT_FORM
from ...core.values import Negatable, parse_integer
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension, NoneOf
from ..option_table import Form, Option, OptionTable, at_least_one, needs
from ..placement import Placement
from ..shared.compare import NEVER
from ..shared.number_ranges import NumberRange

if TYPE_CHECKING:
    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: The largest number of a user or group; the one after it stands for none (UID_MAX).
LARGEST = 0xFFFFFFFE


@attrs.frozen(kw_only=True)
class Owner(Match):
    """``-m owner`` with any of its options."""

    uid: Negatable[NumberRange] | None = None
    gid: Negatable[NumberRange] | None = None
    socket_exists: Negatable[bool] | None = None
    supplementary: bool = False  #: the program's other groups will do, too


def _parse_ids(text: str) -> NumberRange:
    """Read ID or ID-ID; of the names that a node may have, only root has one number everywhere."""
    if text == "root":
        return NumberRange(0, 0)
    first, dash, last = text.partition("-")
    low = parse_integer(first, LARGEST)
    high = parse_integer(last, LARGEST) if dash else low
    if low > high:
        raise ValueError(f"the range {text} ends before it starts")
    return NumberRange(low, high)


def meaning(node: Owner, view: View) -> Test:
    """One answer for each kind of packets."""
    state, algebra = view.state, view.state.algebra
    ids = tuple(test for test in (node.uid, node.gid) if test)
    all_negated = all(test.negated for test in (*ids, node.socket_exists) if test)
    without = algebra.true if all_negated and not node.supplementary else algebra.false
    of_no_program = algebra.true if all(test.negated for test in ids) else algebra.false
    if node.socket_exists and node.socket_exists.negated:
        of_program = of_no_program = algebra.false
    else:
        groups = _groups_fit(node, view)
        of_program = algebra.all(_fits("uid", node.uid, view), groups)
    has_program = state.is_("has_socket", 1)
    has_open_socket = algebra.all(
        view.says(Oracle(OracleKind.SOCKET_OF_NO_PROGRAM)),
        view.says(Oracle(OracleKind.SOCKET_IS_OPEN)),
    )
    return Test(
        algebra.any(
            algebra.all(has_program, of_program),
            algebra.all(algebra.not_(has_program), has_open_socket, of_no_program),
            algebra.all(algebra.not_(has_program), algebra.not_(has_open_socket), without),
        )
    )


def _fits(field: str, test: Negatable[NumberRange] | None, view: View) -> Bool:
    if not test:
        return view.state.algebra.true
    inside = view.state.between(field, test.value.first, test.value.last)
    return view.negate(inside, negated=test.negated)


def _groups_fit(node: Owner, view: View) -> Bool:
    if not node.supplementary or not node.gid:
        return _fits("gid", node.gid, view)
    inside = view.state.between("gid", node.gid.value.first, node.gid.value.last)
    others = view.says(Oracle(OracleKind.OTHER_GROUP, parameters=(node.gid.value,)))
    return view.negate(view.state.algebra.any(inside, others), negated=node.gid.negated)


def lower(node: Owner, context: Context) -> tuple[Piece, ...]:
    """Compare where the packet must be a program's; where it need not be, rule the others out."""
    if node.supplementary:
        raise context.refuse("nft knows a program's group, not its supplementary groups")
    ids = tuple(
        (x.Meta(key), test) for key, test in (("skuid", node.uid), ("skgid", node.gid)) if test
    )
    wanted = tuple(_compare(key, test.value) for key, test in ids if not test.negated)
    unwanted = tuple(_compare(key, test.value) for key, test in ids if test.negated)
    exists = node.socket_exists
    if exists and exists.negated and wanted:
        return (NEVER,)
    if exists and not wanted:
        context.approximate(
            KERNEL_SOCKETS,
            "nft takes a packet of the kernel's own sockets for one without a socket",
        )
    if exists and exists.negated:
        return (NoneOf(((OF_PROGRAM,),)),)
    if wanted or exists:
        # The value is there, and with it a comparison that is negated.
        others = tuple(attrs.evolve(match, operator="!=") for match in unwanted)
        return (*wanted, *others) or (OF_PROGRAM,)
    return (NoneOf(tuple((match,) for match in unwanted)),)


def _compare(key: x.Expression, ids: NumberRange) -> s.Match:
    first, last = x.Number(ids.first), x.Number(ids.last)
    return s.Match(key, "==", first if first == last else x.Range(first, last))


#: True of any program's packet; breaks the rule where there is none.
OF_PROGRAM = _compare(x.Meta("skuid"), NumberRange(0, LARGEST))

_IDS = k.maybe_negated(k.number_ranges(LARGEST))
_DRAW = k.Build(
    Owner,
    uid=_IDS,
    gid=_IDS,
    socket_exists=k.OneOf(None, None, k.maybe_negated(True)),
    supplementary=k.Among((False, False, False, True)),
).filter(
    lambda node: (
        bool(node.uid or node.gid or node.socket_exists)
        and bool(node.gid or not node.supplementary)
    )
)


def aim(node: Owner, draft: Draft) -> None:
    """A packet of such a program; where there must be none, of no socket at all."""
    draft.answer(OracleKind.SOCKET_OF_NO_PROGRAM, 0)
    draft.fields["has_socket"] = int(not (node.socket_exists and node.socket_exists.negated))
    draft.fit("uid", node.uid)
    draft.fit("gid", node.gid)
    if node.supplementary and node.gid:
        oracle = Oracle(OracleKind.OTHER_GROUP, parameters=(node.gid.value,))
        draft.answer(oracle, not node.gid.negated)


_ID_FORM = Form("ID[-ID]", _parse_ids, lambda ids: str(ids).replace(":", "-"))

EXTENSION = Extension(
    name="owner",
    node=Owner,
    options=OptionTable.of(
        Option("--socket-exists", field="socket_exists", negatable=True),
        Option("--uid-owner", _ID_FORM, "uid", negatable=True),
        Option("--gid-owner", _ID_FORM, "gid", negatable=True),
        Option("--suppl-groups", field="supplementary"),
        at_least_one("--uid-owner", "--gid-owner", "--socket-exists"),
        needs("--suppl-groups", "--gid-owner"),
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(hooks=("OUTPUT", "POSTROUTING")),
    draw=_DRAW,
    aim=aim,
    edges=lambda node: {"uid": node.uid, "gid": node.gid, "has_socket": NumberRange(0, 1)},
    nft="meta skuid, meta skgid; negated: a helper chain that returns on them",
    codes=(KERNEL_SOCKETS, BAD_PLACE, NO_NFT_FORM),
)
