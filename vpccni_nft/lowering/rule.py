"""Lower the rules of one table: conditions, counter and action, in the order of ipt_do_table.

A node has many rules and few different matches and targets, and the reader gives equal words the
same node. So the cache keeps what a node was lowered to, unless that took something from the
table's shared state: a set, a helper chain, a diagnostic. Rules whose parts have the same shapes
are put together from the same of their statements, so that is worked out once for each shape.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..core.caching import caching
from ..core.diagnostics import COMMENT_CHANGED, NO_NFT_FORM, UNKNOWN_MATCH, UNKNOWN_TARGET, Problem
from ..extensions import extension_of
from ..extensions.context import TARGET
from ..extensions.matches.comment import Comment
from ..extensions.targets.verdicts import Return
from ..iptables import ast as iptables
from ..nft import expressions as x
from ..nft import names
from ..nft import statements as s
from ..nft.ast import Rule
from ..text.nft_expression_text import PROTOCOL_NAMES
from .assembly import Assembly
from .base import FIELDS
from .options import CounterMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..extensions.context import Context
    from ..extensions.extension import Piece, Statements


#: What one field, match or target of a rule, or its counter, is lowered to, and its shape: a number
#: that is equal for pieces that are put together in the same way, and None where no statement of
#: nft does it alone.
_Part = tuple[tuple["Piece", ...], "int | None"]

#: What is known of nodes, by their ids: the ruleset that is lowered keeps the nodes.
_Known = dict[int, _Part]

#: The hooks above a rule, its protocol, whether its target leaves the chain, and whether it may
#: meet templates.
_Place = tuple[frozenset[str], "int | None", bool, bool]

_REFUSED: _Part = ((), None)
_END_OF_CONDITIONS = -1  #: stands in shapes between those of the conditions and of the action

_fields_of = attrgetter(*FIELDS)


class RuleLowering:
    """Lowers the rules of one table.

    ``make_context`` takes what ``_Place`` holds.
    """

    def __init__(
        self,
        counters: CounterMode,
        make_context: Callable[[frozenset[str], int | None, bool, bool], Context],
    ) -> None:
        self._counters = counters
        self._make_context = make_context
        self._cached = caching()
        self._places: dict[_Place, tuple[Context, _Known]] = {}
        #: Fields and counters are lowered in the same way wherever their rule stands.
        self._fields: tuple[tuple[Callable[..., Sequence[Piece]], _Known], ...] = tuple(
            (lower, {}) for lower in FIELDS.values()
        )
        self._counted: _Known = {}
        self._shapes: dict[object, int] = {}
        self._selections: dict[tuple[int | None, ...], Callable[[Any], Statements]] = {}
        #: Whether the last rule took something from what the rules of its table share.
        self.used_shared = False

    def lower(
        self, rule: iptables.Rule, hooks: frozenset[str], name: str, *, sees_templates: bool
    ) -> tuple[tuple[Rule, ...], str]:
        """The rules for this one in its chain, and the helper chain that later rules go to, if any.

        ``name`` names the rule among the helper chains: its chain and number. A rule that is
        refused has no rules; the report has the reasons, one for each part without a translation.
        """
        context, known = self._place(rule, hooks, sees_templates=sees_templates)
        context.begin(rule)
        self.used_shared = False
        pieces: list[Any] = []
        shapes: list[int | None] = []
        comments = []
        for (lower, fields), value in zip(self._fields, _fields_of(rule), strict=True):
            if value is not None:
                part = fields.get(id(value)) or self._part(value, lower, fields, context)
                pieces += part[0]
                shapes.append(part[1])
        for number, match in enumerate(rule.matches):
            if type(match) is Comment:
                comments.append(match.text)
                continue
            part = known.get(id(match)) or self._part(match, _lower_match, known, context, number)
            pieces += part[0]
            shapes.append(part[1])
        conditions = len(pieces)
        shapes.append(_END_OF_CONDITIONS)
        counters = rule.counters
        part = self._counted.get(id(counters)) or self._part(
            counters, self._lower_counters, self._counted, context
        )
        pieces += part[0]
        shapes.append(part[1])
        target = rule.target
        if target:
            part = known.get(id(target)) or self._part(
                target, _lower_target, known, context, TARGET
            )
            pieces += part[0]
            shapes.append(part[1])
        if context.refused:
            return (), ""
        context.part = None
        comment = names.comment(text := " | ".join(comments)) if comments else ""
        if comments and comment != text:
            context.note(COMMENT_CHANGED, f"the comment becomes “{comment}”")
        shape = tuple(shapes)
        select = self._selections.get(shape)
        if select:
            return (Rule(select(pieces), comment, rule.span),), ""
        try:
            context.used_shared = False
            assembly = Assembly(context, name, comment, rule.span)
            rules = self._assemble(pieces[:conditions], pieces[conditions:], shape, assembly)
        except Problem as problem:
            context.report_problem(problem)
            return (), ""
        self.used_shared = self.used_shared or context.used_shared
        return rules, context.rest

    def _place(
        self, rule: iptables.Rule, hooks: frozenset[str], *, sees_templates: bool
    ) -> tuple[Context, _Known]:
        protocol = rule.protocol
        where = (
            hooks,
            None if protocol is None or protocol.negated else protocol.value,
            leaves_chain(rule),
            sees_templates,
        )
        place = self._places.get(where)
        if place is None:
            place = self._places[where] = (self._make_context(*where), {})
        return place

    def _part(
        self,
        node: object,
        lower: Callable[[Any, Context], Sequence[Piece]],
        known: _Known,
        context: Context,
        number: int | None = None,
    ) -> _Part:
        """Lower one part of the rule, which has this number; keep what the node alone decides."""
        context.part = number
        context.used_shared = False
        try:
            pieces = tuple(lower(node, context))
        except Problem as problem:
            context.report_problem(problem)
            return _REFUSED
        self.used_shared = self.used_shared or context.used_shared
        part = (pieces, self._shape(pieces))
        if self._cached and not context.used_shared:
            known[id(node)] = part
        return part

    def _shape(self, pieces: Sequence[Piece]) -> int | None:
        shape = tuple(map(_shape_of, pieces))
        return None if None in shape else self._shapes.setdefault(shape, len(self._shapes))

    def _assemble(
        self,
        conditions: Sequence[Piece],
        action: Sequence[Any],
        shape: tuple[int | None, ...],
        assembly: Assembly,
    ) -> tuple[Rule, ...]:
        """Put the parts together; keep how, where a selection of their statements is the rule."""
        rules = assembly.assemble(without_implied_protocol(conditions), tuple(action))
        if self._cached and None not in shape:
            select = _selection([*conditions, *action], rules)
            if select:
                self._selections[shape] = select
        return rules

    def _lower_counters(self, counters: iptables.Counters | None, _context: Context) -> Statements:
        """The counter between the conditions and the action."""
        if self._counters is CounterMode.NONE:
            return ()
        if self._counters is CounterMode.KEEP and counters:
            return (s.Counter(counters.packets, counters.bytes),)
        return (s.Counter(),)


def _shape_of(step: Piece) -> object:
    """All of a statement that ``without_implied_protocol`` and ``kept_apart`` look at.

    None for what is no statement.
    """
    if type(step) is s.Match:
        right = step.right
        return step.left, step.operator, right if type(right) is x.Protocol else type(right)
    if type(step) is s.VerdictMap:
        return s.VerdictMap, step.key
    return type(step) if isinstance(step, s.Statement) else None


def _selection(steps: Sequence[Piece], rules: Sequence[Rule]) -> Callable[[Any], Statements] | None:
    """What takes the one rule's statements from these; None where it has others."""
    places = {id(step): place for place, step in enumerate(steps)}
    if len(rules) != 1 or len(places) < len(steps):
        return None
    taken = [places.get(id(statement)) for statement in rules[0].statements]
    if None in taken:
        return None
    if len(taken) == len(steps):
        return tuple
    return lambda steps: tuple([steps[place] for place in taken])


def _lower_match(match: iptables.Match, context: Context) -> tuple[Piece, ...]:
    if isinstance(match, iptables.UnknownMatch):
        raise Problem(UNKNOWN_MATCH, f"the match {match.name} is not known")
    return _lower(match, context)


def chain_name(name: str) -> str:
    """What a chain is called in nft. Raises Problem for a name that no kernel takes."""
    found = names.mangle(name)
    if len(found) > names.CHAIN_LENGTH:
        raise Problem(NO_NFT_FORM, "the name of the chain is too long for iptables and for nft")
    return found


def _lower_target(target: iptables.Target, context: Context) -> Statements:
    if isinstance(target, iptables.Jump):
        return (s.Jump(chain_name(target.chain)),)
    if isinstance(target, iptables.Goto):
        return (s.Goto(chain_name(target.chain)),)
    if isinstance(target, iptables.UnknownTarget):
        raise Problem(UNKNOWN_TARGET, f"the target {target.name} is not known")
    return _lower(target, context)


def _lower(node: iptables.Match | iptables.Target, context: Context) -> tuple[Any, ...]:
    """What an extension makes of its node, where the kernel takes it in this place at all."""
    extension = extension_of(node)
    if problem := extension.misplaced(node, context.place, context.protocol):
        raise problem
    if context.sees_templates and extension.reads_entry(node):
        raise context.refuse(
            f"behind CT, {extension.name} takes the packet's template for a connection, of which "
            "nft reads only the state",
            "put the rule ahead of the one with CT, or into the table mangle, which comes behind "
            "connection tracking",
        )
    return extension.lower(node, context)


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


def leaves_chain(rule: iptables.Rule) -> bool:
    """Whether the target acts on the chain that the rule stands in, so that it cannot move."""
    return isinstance(rule.target, (Return, iptables.Goto))
