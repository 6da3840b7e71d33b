"""Changes of marks, which the targets ``MARK`` and ``CONNMARK`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import MaskedMark
from ...nft import expressions as x
from ...nft import statements as s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Word
    from ...model.packet import State
    from ..context import Context

FULL = 0xFFFFFFFF


def xor_masked(state: State, old: Word, mask: int, value: Word) -> Word:
    """``(old & ~mask) ^ value``: what the kernel makes of a mark."""
    algebra = state.algebra
    return algebra.bvxor(algebra.bvand(old, state.word("mark", FULL ^ mask)), value)


#: True wherever the packet has a conntrack entry; breaks the rule elsewhere.
HAS_ENTRY = s.Match(x.Ct("mark"), ">=", x.Hex(0))


def set_bits(key: x.Expression, mark: MaskedMark) -> tuple[s.Statement, ...]:
    """``key = (key & ~mask) ^ value``, written as the shortest form that nft has."""
    value, mask = mark.value, mark.mask
    if mask == FULL:
        return (s.Assign(key, x.Hex(value)),)
    if value == mask == 0:
        return ()
    if value == mask:
        return (s.Assign(key, x.Binary("|", key, x.Hex(value))),)
    if mask == 0:
        return (s.Assign(key, x.Binary("^", key, x.Hex(value))),)
    cleared = x.Binary("&", key, x.Hex(FULL ^ mask))
    if value == 0:
        return (s.Assign(key, cleared),)
    return (s.Assign(key, x.Binary("^", cleared, x.Hex(value))),)


@attrs.frozen(kw_only=True)
class Copy:
    """``target = (target & ~clear) ^ (source & take)``; one of the two keys is ``ct mark``.

    nft before 1.1.3 takes no second key in an expression, and 1.0.6 no shift of masked bits. So the
    mark is copied at once only where all of it is replaced; else each bit is asked for and then
    set, cleared or flipped, in rules that run one after another. Without a conntrack entry none of
    them does anything.
    """

    target: x.Expression
    source: x.Expression
    clear: int
    take: int
    shift: int = 0  #: places that the taken bits move to the left, negative to the right

    def lower(self, name: str, context: Context) -> tuple[s.Statement, ...]:
        """One statement, or a jump to a helper chain that all copies of these bits share."""
        if self.clear == FULL and not self.shift:
            value = x.Binary("&", self.source, x.Hex(self.take))
            return (s.Assign(self.target, self.source if self.take == FULL else value),)
        rules = tuple(self._rules())
        if not rules:
            return ()
        masks = f"{self.clear:#x}" + f"-{self.take:#x}" * (self.clear != self.take)
        helper = f"{name}-{masks}{shift_name(self.shift)}"
        return (s.Jump(context.helper(helper, *rules)),)

    def _rules(self) -> Iterator[tuple[s.Statement, ...]]:
        taken = moved(self.take, self.shift)
        for bit in _bits(self.clear & taken):
            yield (self._source_has(bit), self._change("|", bit))
            yield (self._source_lacks(bit), self._change("&", FULL ^ bit))
        for bit in _bits(taken & ~self.clear):
            yield (self._source_has(bit), self._change("^", bit))
        if only_cleared := self.clear & ~taken:
            yield (HAS_ENTRY, self._change("&", FULL ^ only_cleared))

    def _source_has(self, target_bit: int) -> s.Match:
        return has_bit(self.source, moved(target_bit, -self.shift))

    def _source_lacks(self, target_bit: int) -> s.Match:
        return lacks_bit(self.source, moved(target_bit, -self.shift))

    def _change(self, operator: str, bits: int) -> s.Assign:
        return s.Assign(self.target, x.Binary(operator, self.target, x.Hex(bits)))


def moved(bits: int, shift: int) -> int:
    """Bits of a mark some places to the left, or to the right; what leaves it is gone."""
    return bits << shift & FULL if shift >= 0 else bits >> -shift


def shift_name(shift: int) -> str:
    """A part of a helper's name."""
    return f"-{'left' if shift > 0 else 'right'}-{abs(shift)}" if shift else ""


def has_bit(key: x.Expression, bit: int) -> s.Match:
    """Whether a bit is set."""
    return s.Match(x.Binary("&", key, x.Hex(bit)), "==", x.Hex(bit))


def lacks_bit(key: x.Expression, bit: int) -> s.Match:
    """Whether a bit is not set."""
    return s.Match(x.Binary("&", key, x.Hex(bit)), "==", x.Hex(0))


def set_shifted(
    key: x.Expression, mark: MaskedMark, shift: int, context: Context
) -> tuple[s.Statement, ...]:
    """``key = ((key & ~mask) ^ value) << shift``, bit by bit in a helper chain.

    Each bit is read before it is written: the highest is written first where bits go to the left.
    """
    kept = tuple(_bits(moved(FULL ^ mark.mask, shift)))
    rules: list[tuple[s.Statement, ...]] = []
    for bit in reversed(kept) if shift > 0 else kept:
        old = moved(bit, -shift)
        set_it = s.Assign(key, x.Binary("|", key, x.Hex(bit)))
        clear_it = s.Assign(key, x.Binary("&", key, x.Hex(FULL ^ bit)))
        flips = bool(mark.value & old)
        rules.append((has_bit(key, old), clear_it if flips else set_it))
        rules.append((lacks_bit(key, old), set_it if flips else clear_it))
    others = FULL ^ sum(kept)
    rules.append(set_bits(key, MaskedMark(moved(mark.value, shift) & others, others)))
    name = f"set-mark-{mark.value:#x}-{mark.mask:#x}{shift_name(shift)}"
    return (s.Jump(context.helper(name, *rules)),)


def _bits(mask: int) -> Iterator[int]:
    return (1 << place for place in range(32) if mask >> place & 1)
