"""CONNMARK: the connection's mark, set, or copied from or to the packet's.

Kernel: net/netfilter/xt_connmark.c, connmark_tg_shift. Without a conntrack entry nothing happens.

- set: ``ctmark = (ctmark & ~ctmask) ^ value``
- save: ``ctmark = (ctmark & ~ctmask) ^ (mark & nfmask)``
- restore: ``mark = (mark & ~nfmask) ^ (ctmark & ctmask)``
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...core.values import MaskedMark, parse_integer
from ...iptables.ast import Target
from ...nft import expressions as x
from ...nft import statements as s
from ...semantics.effects import Effect
from ..extension import Extension
from ..marks import FULL, Copy, set_bits, xor_masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...semantics.effects import View
    from ..context import Context
    from ..options import Options


PACKET, CONNECTION = x.Meta("mark"), x.Ct("mark")


class Mode(enum.Enum):
    """What is done, by the option that says so."""

    SET = "--set-xmark"
    SAVE = "--save-mark"
    RESTORE = "--restore-mark"


@attrs.frozen(kw_only=True)
class Connmark(Target):
    """``-j CONNMARK`` in one of its modes."""

    mode: Mode
    value: int = 0  #: set only
    ctmask: int = FULL
    nfmask: int = FULL  #: save and restore only
    shift: int = 0  #: bits to the left, negative to the right, before the mark is stored


def build(options: Options) -> Connmark:
    """Read the options."""
    mode = Mode(options.exclusive(*(mode.value for mode in Mode)))
    shift = (options.value("--left-shift-mark", parse_integer) or 0) - (
        options.value("--right-shift-mark", parse_integer) or 0
    )
    if mode is Mode.SET:
        mark = options.required("--set-xmark", MaskedMark.parse)
        return Connmark(mode=mode, value=mark.value, ctmask=mark.mask, shift=shift)
    return Connmark(
        mode=mode,
        ctmask=_or_full(options.value("--ctmask", parse_integer)),
        nfmask=_or_full(options.value("--nfmask", parse_integer)),
        shift=shift,
    )


def _or_full(mask: int | None) -> int:
    return FULL if mask is None else mask


def save(node: Connmark) -> Iterator[str]:
    """Write the options."""
    yield node.mode.value
    if node.mode is Mode.SET:
        yield f"{node.value:#x}/{node.ctmask:#x}"
    else:
        yield from ("--nfmask", f"{node.nfmask:#x}", "--ctmask", f"{node.ctmask:#x}")
    if node.shift:
        yield "--left-shift-mark" if node.shift > 0 else "--right-shift-mark"
        yield str(abs(node.shift))


def meaning(node: Connmark, view: View) -> Effect:
    """One of the three equations, where there is an entry."""
    state = view.state
    mark, ctmark = state.fields["mark"], state.fields["ct_mark"]
    match node.mode:
        case Mode.SET:
            value = xor_masked(state, ctmark, node.ctmask, state.word("mark", node.value))
            field = "ct_mark"
        case Mode.SAVE:
            taken = state.algebra.both(mark, state.word("mark", node.nfmask))
            field, value = "ct_mark", xor_masked(state, ctmark, node.ctmask, taken)
        case Mode.RESTORE:
            taken = state.algebra.both(ctmark, state.word("mark", node.ctmask))
            field, value = "mark", xor_masked(state, mark, node.nfmask, taken)
    return Effect(assignments=((state.has_entry, field, value),))


def lower(node: Connmark, context: Context) -> tuple[s.Statement, ...]:
    """Set at once; copy at once where the whole mark is replaced, else bit by bit in a helper."""
    if node.shift:
        raise context.refuse("nft cannot shift a mark while it copies it")
    # What changes nothing makes the kernel track connections all the same.
    return _lower(node, context) or (s.Set(CONNECTION, CONNECTION),)


def _lower(node: Connmark, context: Context) -> tuple[s.Statement, ...]:
    match node.mode:
        case Mode.SET:
            return set_bits(CONNECTION, MaskedMark(node.value, node.ctmask))
        case Mode.SAVE:
            copy = Copy(target=CONNECTION, source=PACKET, clear=node.ctmask, take=node.nfmask)
            return copy.lower("save-mark", context)
        case Mode.RESTORE:
            copy = Copy(target=PACKET, source=CONNECTION, clear=node.nfmask, take=node.ctmask)
            return copy.lower("restore-mark", context)


EXTENSION = Extension(
    name="CONNMARK",
    node=Connmark,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    nft="ct mark set ...; partial masks: two rules a bit in a helper chain",
    codes=(NO_NFT_FORM,),
    uses_conntrack=True,
)
