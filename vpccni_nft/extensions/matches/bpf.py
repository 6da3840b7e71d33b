"""bpf: what a program of the Berkeley packet filter says.

Kernel: net/netfilter/xt_bpf.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable, exactly_one
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context


@attrs.frozen
class Bpf(Match):
    """``-m bpf`` with a program, or with the file that a program is pinned at.

    It is kept as it is written, for nothing is made of it.
    """

    option: str  #: ``--bytecode`` or ``--object-pinned``
    value: str


def meaning(node: Bpf, view: View) -> Test:
    """The program says that the packet fits; it may read all of it."""
    packet = view.state.fields.values()
    return Test(view.says(Oracle(OracleKind.BPF, parameters=(node.option, node.value)), *packet))


def lower(_node: Bpf, context: Context) -> tuple[s.Match, ...]:
    """There is no form for it."""
    raise context.refuse("nft runs no BPF programs")


def _kept(name: str, text: Callable[[str], str]) -> Option:
    return Option(
        name,
        Form("TEXT", str, text),
        ("option", "value"),
        keep=lambda value: (name, value),
        show=lambda node: node.value if node.option == name else None,
    )


EXTENSION = Extension(
    name="bpf",
    node=Bpf,
    options=OptionTable.of(
        _kept("--bytecode", lambda value: f'"{value}"'),
        _kept("--object-pinned", str),
        exactly_one("--bytecode", "--object-pinned"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.OneOf(
        k.Build(Bpf, "--bytecode", k.Among(("1,6 0 0 1", "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"))),
        k.Build(Bpf, "--object-pinned", k.Unquoted(20).map(lambda name: f"/{name}")),
    ),
    aim=lambda node, draft: draft.answer_all(lambda view: meaning(node, view), 1),
    nft="none: nft runs no BPF programs",
    codes=(NO_NFT_FORM,),
)
