"""Put a rule together from its pieces.

Most rules become one nft rule: conditions, counter, verdict. A condition that nft cannot say in
one line (``AnyOf``, ``NoneOf``) moves the rest of the rule to a helper chain, so that what stands
before it is tested once and the counter counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import TOO_DEEP, Problem
from ..extensions.extension import AnyOf, NoneOf, Piece, Prologue
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..nft.ast import Rule
from .depth import MOST_CHAINS
from .merging import kept_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.span import Span
    from ..extensions.context import Context
    from ..extensions.extension import Statements


_RANDOM = x.Meta("random")

#: Conditions with alternatives that one RETURN or goto may have: each doubles the rules.
MOST_DOUBLINGS = 4


@attrs.frozen
class Assembly:
    """What all rules have in common that stand for one iptables rule."""

    context: Context
    place: str  #: names the rule among the helper chains
    comment: str
    origin: Span | None

    def assemble(
        self, conditions: tuple[Piece, ...], action: Statements, depth: int = 0
    ) -> tuple[Rule, ...]:
        """The rules for these conditions; what cannot stand in them goes to helper chains."""
        at = next((i for i, piece in enumerate(conditions) if not _is_plain(piece)), None)
        if at is None:
            return (self._rule((*_plain(conditions), *action)),)
        before, special, after = _plain(conditions[:at]), conditions[at], conditions[at + 1 :]
        if self.context.leaves_chain:
            return self._in_place(before, special, after, action)
        if depth >= MOST_CHAINS:
            message = f"the rule alone needs more than {MOST_CHAINS} chains on a path"
            raise Problem(TOO_DEEP, message)
        name = names.helper(self.place + "-next" * depth)
        helpers = self.context.shared.objects.helpers
        helpers[name] = ()  # takes its place before those of the rest
        rest = self.assemble((*self._protocol_test(), *after), action, depth + 1)
        if isinstance(special, NoneOf):
            helpers[name] = (*self._all(self._alone(special), s.Return()), *rest)
        elif isinstance(special, Prologue):
            before_rest = (Rule(parts, origin=self.origin) for parts in special.rules)
            helpers[name] = (*before_rest, *rest)
        elif isinstance(special, AnyOf):
            then = f"{name}-then"
            helpers[name] = self._all(self._alone(special), s.Goto(then))
            helpers[then] = rest
        return (self._rule((*before, s.Jump(name))),)

    def _in_place(
        self, before: Statements, special: Piece, after: tuple[Piece, ...], action: Statements
    ) -> tuple[Rule, ...]:
        """RETURN and goto act on their own chain: one rule for each alternative, all here."""
        if isinstance(special, NoneOf) and not any(map(_may_act, (*before, *after))):
            return self._past_the_rest(before, special, after, action)
        if (
            not isinstance(special, AnyOf)
            or any(map(_may_act, (*before, *_plain(after))))
            or sum(isinstance(piece, AnyOf) for piece in after) >= MOST_DOUBLINGS
        ):
            raise self.context.refuse(
                "nft needs a helper chain for this condition, and from there the target would "
                "not act on this chain"
            )
        return tuple(
            rule
            for index, parts in enumerate(special.alternatives)
            for rule in self.assemble(
                (*before, *parts, *after), action if index == 0 else _from_zero(action)
            )
        )

    def _past_the_rest(
        self, before: Statements, special: NoneOf, after: tuple[Piece, ...], action: Statements
    ) -> tuple[Rule, ...]:
        """What fits an alternative goes past this rule, to a helper chain with all rules behind it.

        At its end the packet is where it would be at the end of this chain.
        """
        rest = names.helper(f"{self.place}-rest")
        self.context.shared.objects.helpers[rest] = ()  # to be filled by the rules behind
        past = self._all(tuple((*before, *parts) for parts in special.alternatives), s.Goto(rest))
        rules = (*past, *self.assemble((*before, *after), action))
        self.context.rest = rest
        return rules

    def _protocol_test(self) -> Statements:
        """The rule's protocol once more: nft wants it in the rule that names ports or resets."""
        if self.context.protocol is None:
            return ()
        return (s.Match(x.Meta("l4proto"), "==", x.Protocol(self.context.protocol)),)

    def _alone(self, special: AnyOf | NoneOf) -> tuple[Statements, ...]:
        """Its alternatives, to stand in a chain where no rule before has named the protocol."""
        return tuple(
            (*self._protocol_test(), *parts) if any(map(_is_connection_port, parts)) else parts
            for parts in special.alternatives
        )

    def _rule(self, statements: Statements) -> Rule:
        return Rule(kept_apart(statements), self.comment, self.origin)

    def _all(self, alternatives: tuple[Statements, ...], verdict: s.Verdict) -> tuple[Rule, ...]:
        """One rule for each alternative, to the same end."""
        return tuple(
            Rule(kept_apart((*parts, verdict)), origin=self.origin) for parts in alternatives
        )


def _may_act(piece: Piece) -> bool:
    """Whether a part of a rule does something or draws, or needs the rest of its chain, too."""
    if isinstance(piece, AnyOf):
        return any(_may_act(step) for parts in piece.alternatives for step in parts)
    if not isinstance(piece, s.Statement) or s.has_side_effect(piece):
        return True
    return isinstance(piece, s.Match) and _RANDOM in (piece.left, getattr(piece.left, "left", None))


def _is_connection_port(step: s.Statement) -> bool:
    """``ct original proto-dst``: nft has to know which protocol's port that is."""
    return (
        isinstance(step, s.Match)
        and isinstance(step.left, x.Ct)
        and step.left.key in {"proto-src", "proto-dst"}
    )


def _from_zero(action: Statements) -> Statements:
    """The same action, its counter without what was counted before."""
    return tuple(s.Counter() if isinstance(step, s.Counter) else step for step in action)


def _is_plain(piece: Piece) -> bool:
    return isinstance(piece, s.Statement)


def _plain(pieces: Sequence[Piece]) -> Statements:
    return tuple(piece for piece in pieces if isinstance(piece, s.Statement))
