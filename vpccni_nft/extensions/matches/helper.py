"""helper: the conntrack helper that foresaw the packet's connection.

Kernel: net/netfilter/xt_helper.c, helper_mt. The helper's whole name is compared with as much of
the name in the rule: ``--helper ftp-2121`` also fits the helper ``ftp``. The empty name fits any
helper. A connection that no helper foresaw, and a packet without one, match after a ``!`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from ...model.packet import NAME_BYTES, interface_word
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import AnyOf, Extension, NoneOf
from ..forms import text_of
from ..option_table import Option, OptionTable
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from ...core.values import Negatable
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

#: The bytes of a name in a rule (xt_helper_info), without the zero at the end.
NAME_LENGTH = 29
#: Those of a helper's own name (NF_CT_HELPER_NAME_LEN).
HELPER_LENGTH = NAME_BYTES - 1


@attrs.frozen
class Helper(Match):
    """``-m helper [!] --helper NAME``."""

    name: Negatable[str]


def _names(name: str) -> tuple[str, ...]:
    """The names of helpers that fit: what the name begins with."""
    raw = name.encode("utf-8", "surrogateescape")
    ends = range(1, min(len(raw), HELPER_LENGTH) + 1)
    return tuple(raw[:end].decode("utf-8", "surrogateescape") for end in ends)


def meaning(node: Helper, view: View) -> Test:
    """A helper foresaw the connection, and its name is what the name begins with."""
    state, algebra = view.state, view.state.algebra
    bits = 8 * NAME_BYTES
    found = algebra.all(state.has_entry, view.says(Oracle(OracleKind.HELPER_FORESAW)))
    if node.name.value:
        helper = view.ask(Oracle(OracleKind.MASTER_HELPER), width=bits)
        fits = (
            algebra.equal(helper, algebra.const(interface_word(name), bits))
            for name in _names(node.name.value)
        )
        found = algebra.all(found, algebra.any(*fits))
    return Test(view.negate(found, negated=node.name.negated))


def lower(node: Helper, context: Context) -> tuple[Piece, ...]:
    """Compare the helper's name with all that fit; one that is not there fits none."""
    name = node.name.value
    if not (name.isascii() and name.isprintable()) or set(name) & set('"*\\'):
        raise context.refuse("nft cannot write this name")
    names = tuple(name[:end] for end in range(1, min(len(name), HELPER_LENGTH) + 1))
    helper = x.Ct("helper")
    literals = tuple(map(x.String, names))
    if not literals:
        # Every helper has a name, and none is this one.
        found = s.Match(helper, "!=", x.String("-"))
        either = ((found,), (s.Match(helper, "==", x.String("-")),))
        return (NoneOf(either),) if node.name.negated else (AnyOf(either),)
    right = literals[0] if len(literals) == 1 else x.AnonymousSet(literals)
    found = s.Match(helper, "==", right)
    return (NoneOf(((found,),)),) if node.name.negated else (found,)


def aim(node: Helper, draft: Draft) -> None:
    """A connection that a helper of such a name foresaw, or that none did."""
    draft.fit_entry()
    draft.answer(OracleKind.HELPER_FORESAW, not node.name.negated)
    if names := _names(node.name.value):
        draft.answer(OracleKind.MASTER_HELPER, interface_word(draft.random.choice(names)))


EXTENSION = Extension(
    name="helper",
    node=Helper,
    options=OptionTable.of(
        Option(
            "--helper",
            text_of("a helper's name", NAME_LENGTH),
            "name",
            negatable=True,
            required=True,
        )
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        Helper, k.negatable(k.Among(("ftp", "ftp-2121", "sip", "")) | k.Quoted(NAME_LENGTH))
    ),
    aim=aim,
    nft="ct helper { NAMES }: the name and all that it begins with",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
    reads_entry=lambda _node: True,
)
