"""Lower one rule: its conditions, its counter and what it does, in the order of ipt_do_table."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from ..core.diagnostics import COMMENT_CHANGED, UNKNOWN_MATCH, UNKNOWN_TARGET, Problem
from ..extensions import extension_of
from ..extensions.matches.comment import Comment
from ..extensions.targets.return_ import Return
from ..iptables import ast as iptables
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..text.nft_script import PROTOCOL_NAMES
from .assembly import Assembly
from .base import lower_base
from .options import CounterMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..extensions.context import Context
    from ..extensions.extension import Piece, Statements
    from ..nft.ast import Rule


def lower_rule(
    rule: iptables.Rule, context: Context, place: str, counters: CounterMode
) -> tuple[Rule, ...]:
    """The rules that stand for this one in its chain; further ones go to helper chains.

    ``place`` names the rule among the helpers: its chain and number. Nothing stands for a rule
    that is refused; the context has the reasons, one for each part that has no translation.
    """
    conditions = _conditions(rule, context)
    action = (*lower_counter(rule, counters), *_action(rule, context))
    if context.refused:
        return ()
    with context.at(rule.span):
        comment = _comment(rule, context)
        return Assembly(context, place, comment, rule.span).assemble(conditions, action)
    return ()


def _conditions(rule: iptables.Rule, context: Context) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    with context.at(rule.span):
        pieces += lower_base(rule, context.family)
    for match, span in zip_longest(rule.matches, rule.match_spans):
        with context.at(span):
            pieces += lower_match(match, context)
    return without_implied_protocol(pieces)


def lower_match(match: iptables.Match, context: Context) -> tuple[Piece, ...]:
    """What stands for a match."""
    if isinstance(match, iptables.UnknownMatch):
        raise Problem(UNKNOWN_MATCH, f"the match {match.name} is not known")
    return extension_of(match).lower(match, context)


def without_implied_protocol(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Leave out ``meta l4proto tcp`` before ``tcp dport``, where nft adds it by itself.

    Not across a statement with a side effect: it would see packets of other protocols.
    """
    return tuple(
        piece
        for index, piece in enumerate(pieces)
        if not (_is_protocol_test(piece) and _implied_later(piece, pieces[index + 1 :]))
    )


def _is_protocol_test(piece: Piece) -> bool:
    return (
        isinstance(piece, s.Match)
        and piece.operator == "=="
        and piece.left == x.Meta("l4proto")
        and isinstance(piece.right, x.Protocol)
    )


def _implied_later(piece: Piece, later: Sequence[Piece]) -> bool:
    assert isinstance(piece, s.Match)
    assert isinstance(piece.right, x.Protocol)
    name = PROTOCOL_NAMES.get(piece.right.number)
    for other in later:
        if not isinstance(other, s.Match) or s.has_side_effect(other):
            return False
        left = other.left.left if isinstance(other.left, x.Binary) else other.left
        if isinstance(left, x.Ct) and left.key.startswith("proto-"):
            return False  # nft asks which protocol's ports these are
        if isinstance(left, x.Payload) and left.protocol == name:
            return True
    return False


def lower_counter(rule: iptables.Rule, mode: CounterMode) -> Statements:
    """The counter that stands between the conditions and the action."""
    if mode is CounterMode.NONE:
        return ()
    if mode is CounterMode.KEEP and rule.counters:
        return (s.Counter(rule.counters.packets, rule.counters.bytes),)
    return (s.Counter(),)


def _action(rule: iptables.Rule, context: Context) -> Statements:
    if not rule.target:
        return ()
    with context.at(rule.target_span):
        return lower_target(rule.target, context)
    return ()


def lower_target(target: iptables.Target, context: Context) -> Statements:
    """What stands for a target."""
    if isinstance(target, iptables.Jump):
        return (s.Jump(names.mangle(target.chain)),)
    if isinstance(target, iptables.Goto):
        return (s.Goto(names.mangle(target.chain)),)
    if isinstance(target, iptables.UnknownTarget):
        raise Problem(UNKNOWN_TARGET, f"the target {target.name} is not known")
    return extension_of(target).lower(target, context)


def leaves_chain(rule: iptables.Rule) -> bool:
    """Whether the target acts on the chain that the rule stands in, so that it cannot move."""
    return isinstance(rule.target, (Return, iptables.Goto))


def _comment(rule: iptables.Rule, context: Context) -> str:
    """All comments of the rule, as far as nft can hold them."""
    whole = " | ".join(match.text for match in rule.matches if isinstance(match, Comment))
    shown = names.comment(whole)
    if shown != whole:
        context.note(COMMENT_CHANGED, f"the comment becomes “{shown}”")
    return shown
