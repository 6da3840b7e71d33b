"""CONNMARK: the connection's mark, set, or copied from or to the packet's.

Kernel: net/netfilter/xt_connmark.c, connmark_tg_shift. Without a conntrack entry nothing happens.

- set: ``ctmark = (ctmark & ~ctmask) ^ value``
- save: ``ctmark = (ctmark & ~ctmask) ^ (mark & nfmask)``
- restore: ``mark = (mark & ~nfmask) ^ (ctmark & ctmask)``

A shift moves what is copied, and for set the whole new mark.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import MaskedMark
from ...iptables.ast import Target
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import MARK_SHORTHANDS, NEW_MARK, number
from ..option_table import Option, OptionTable, Shorthand, at_most_one, exactly_one
from ..placement import ANYWHERE
from ..shared.marks import FULL, Copy, set_bits, set_shifted, xor_masked

if TYPE_CHECKING:
    from ...model.algebra import Word
    from ...model.effects import View
    from ...model.packet import State
    from ..context import Context


PACKET, CONNECTION = x.Meta("mark"), x.Ct("mark")


class ConnmarkMode(enum.Enum):
    """What is done, by the option that says so."""

    SET = "--set-xmark"
    SAVE = "--save-mark"
    RESTORE = "--restore-mark"


@attrs.frozen(kw_only=True)
class Connmark(Target):
    """``-j CONNMARK`` in one of its modes."""

    mode: ConnmarkMode
    value: int = 0  #: set only
    ctmask: int = FULL
    nfmask: int = FULL  #: save and restore only
    shift: int = 0  #: bits to the left, negative to the right, before the mark is stored


def meaning(node: Connmark, view: View) -> Effect:
    """One of the three equations, where there is an entry."""
    state = view.state
    mark, ctmark = state.fields["mark"], state.fields["ct_mark"]
    match node.mode:
        case ConnmarkMode.SET:
            value = xor_masked(state, ctmark, node.ctmask, state.word("mark", node.value))
            field, value = "ct_mark", _shifted(state, value, node.shift)
        case ConnmarkMode.SAVE:
            taken = state.algebra.bvand(mark, state.word("mark", node.nfmask))
            taken = _shifted(state, taken, node.shift)
            field, value = "ct_mark", xor_masked(state, ctmark, node.ctmask, taken)
        case ConnmarkMode.RESTORE:
            taken = state.algebra.bvand(ctmark, state.word("mark", node.ctmask))
            taken = _shifted(state, taken, node.shift)
            field, value = "mark", xor_masked(state, mark, node.nfmask, taken)
    return Effect(assignments=((state.has_entry, field, value),))


def _shifted(state: State, mark: Word, shift: int) -> Word:
    """C's ``<<`` and ``>>`` of 32 bits."""
    algebra, places = state.algebra, abs(shift)
    if shift > 0:
        rest = algebra.extract(mark, 0, 32 - places)
        return algebra.concat(rest, algebra.const(0, places), places)
    if shift < 0:
        rest = algebra.extract(mark, places, 32 - places)
        return algebra.concat(algebra.const(0, places), rest, 32 - places)
    return mark


def lower(node: Connmark, context: Context) -> tuple[s.Statement, ...]:
    """Set at once; copy at once where the whole mark is replaced, else bit by bit in a helper."""
    # What changes nothing makes the kernel track connections all the same.
    return _lower(node, context) or (s.Assign(CONNECTION, CONNECTION),)


def _lower(node: Connmark, context: Context) -> tuple[s.Statement, ...]:
    match node.mode:
        case ConnmarkMode.SET:
            mark = MaskedMark(node.value, node.ctmask)
            if node.shift:
                return set_shifted(CONNECTION, mark, node.shift, context)
            return set_bits(CONNECTION, mark)
        case ConnmarkMode.SAVE:
            clear, take = node.ctmask, node.nfmask
            copy = Copy(target=CONNECTION, source=PACKET, clear=clear, take=take, shift=node.shift)
            return copy.lower("save-mark", context)
        case ConnmarkMode.RESTORE:
            clear, take = node.nfmask, node.ctmask
            copy = Copy(target=PACKET, source=CONNECTION, clear=clear, take=take, shift=node.shift)
            return copy.lower("restore-mark", context)


_MASK = k.OneOf(k.FULL, k.MARK)
_SHIFT = k.OneOf(0, 0, k.Integers(-31, 31))
_COPIES = k.Among((ConnmarkMode.SAVE, ConnmarkMode.RESTORE))
_DRAW = k.OneOf(
    k.Build(Connmark, mode=ConnmarkMode.SET, value=k.MARK, ctmask=_MASK, shift=_SHIFT),
    k.Build(Connmark, mode=_COPIES, ctmask=_MASK, nfmask=_MASK, shift=_SHIFT),
    k.Build(lambda mode, mask: Connmark(mode=mode, ctmask=mask, nfmask=mask), _COPIES, k.MARK),
)


def _edges(node: Connmark) -> dict[str, tuple[int, ...]]:
    """Either mark with the bits that are taken, cleared or kept."""
    masks = (node.value, node.ctmask, node.nfmask)
    values = (*masks, *(mask ^ k.FULL for mask in masks))
    return {"mark": values, "ct_mark": values}


def _copy(mode: ConnmarkMode) -> Option:
    return Option(
        mode.value,
        field="mode",
        keep=lambda _: mode,
        show=lambda node: True if node.mode is mode else None,
    )


def _mask(field: str) -> Option:
    return Option(
        f"--{field}",
        number(text=hex),
        field,
        show=lambda node: None if node.mode is ConnmarkMode.SET else getattr(node, field),
    )


# What a shift by 32 places does to a mark of 32 bits depends on the processor.
EXTENSION = Extension(
    name="CONNMARK",
    node=Connmark,
    options=OptionTable.of(
        Option(
            ConnmarkMode.SET.value,
            NEW_MARK,
            ("mode", "value", "ctmask"),
            keep=lambda mark: (ConnmarkMode.SET, mark.value, mark.mask),
            show=lambda node: (
                MaskedMark(node.value, node.ctmask) if node.mode is ConnmarkMode.SET else None
            ),
        ),
        _copy(ConnmarkMode.SAVE),
        _copy(ConnmarkMode.RESTORE),
        _mask("nfmask"),
        _mask("ctmask"),
        Option(
            "--left-shift-mark",
            number(31),
            "shift",
            show=lambda node: node.shift if node.shift > 0 else None,
        ),
        Option(
            "--right-shift-mark",
            number(31),
            "shift",
            keep=lambda places: -places,
            show=lambda node: -node.shift if node.shift < 0 else None,
        ),
        *MARK_SHORTHANDS,
        Shorthand("--mask", lambda mask: ("--nfmask", mask, "--ctmask", mask)),
        exactly_one(*(mode.value for mode in ConnmarkMode)),
        at_most_one(ConnmarkMode.SET.value, "--nfmask"),
        at_most_one(ConnmarkMode.SET.value, "--ctmask"),
        at_most_one("--left-shift-mark", "--right-shift-mark"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    edges=_edges,
    nft="ct mark set ...; partial masks and shifts: two rules a bit in a helper chain",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
    reads_entry=lambda _node: True,
)
