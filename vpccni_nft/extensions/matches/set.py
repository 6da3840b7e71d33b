"""set: whether addresses, ports and the like of the packet are in an ipset.

Kernel: net/netfilter/xt_set.c, set_match_v4. A dump of rules does not say what is in the set, and
not even what the set is of: the output of ``ipset save`` does. Without it a set with one direction
is assumed to be of addresses and prefixes. It is declared empty, and whoever fills the ipset has to
fill it.

Counters of elements are compared only where the set has some (ip_set_match_extensions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import (
    BAD_PLACE,
    EMPTY_SET,
    IPSET_COPIED,
    MISSING_SET,
    NAME_CHANGED,
    NO_NFT_FORM,
)
from ...core.values import Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import KeptSet, Oracle, OracleKind
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..extension import AnyOf, Extension, NoneOf
from ..forms import number
from ..option_table import Option, OptionTable, at_most_one
from ..placement import ANYWHERE
from ..shared.compare import always_or_never, equality
from ..shared.ipset_aim import aim_member
from ..shared.ipset_lowering import find_set, lookups
from ..shared.ipset_meaning import is_member
from ..shared.set_names import FIELDS, HINT, MEMBERS, Members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.algebra import Bool
    from ...model.effects import View
    from ..aiming import Draft
    from ..context import Context
    from ..extension import Piece

LARGEST_COUNT = 2**64 - 1


@attrs.frozen
class CountTest:
    """A comparison of an element's counter."""

    operator: str  #: ``eq``, ``lt`` or ``gt``
    value: Negatable[int]


@attrs.frozen(kw_only=True)
class MatchSet(Match):
    """``-m set --match-set NAME DIRECTIONS``, and what it asks of the element."""

    members: Negatable[Members]
    return_nomatch: bool = False
    keep_counters: bool = False  #: ``! --update-counters``
    keep_subcounters: bool = False  #: ``! --update-subcounters``
    packets: CountTest | None = None
    bytes: CountTest | None = None

    @property
    def compares(self) -> bool:
        """Whether it compares counters of the element."""
        return bool(self.packets or self.bytes)

    @property
    def shares(self) -> tuple[str, str] | None:
        """The counters that it compares: other rules count in them, too."""
        return ("counters", self.members.value.name) if self.compares else None


#: What counters of elements are part of, for the world.
_COUNTERS = "counters of ipsets"


def meaning(node: MatchSet, view: View) -> Test:
    """The addresses are in the set, with the counters that are asked for."""
    members, algebra = node.members.value, view.state.algebra
    wanted = " ".join(EXTENSION.save(attrs.evolve(node, members=Negatable(members))))
    before = view.state.history(_COUNTERS)
    if view.sets is not None:
        there = is_member(view, members.name, members.directions, nomatch=node.return_nomatch)
        counts, found = any(one.counts for one in view.sets.members(members.name)), there
        if counts and node.compares:
            here = Oracle(OracleKind.MEMBER_COUNTED_HERE, view.place, (wanted,))
            found = algebra.all(there, view.says(here, *before))
    else:
        key = tuple(view.state.fields[FIELDS[direction]] for direction in members.directions)
        asked = Oracle(OracleKind.MEMBER_COUNTED, members.name, (wanted,))
        if node.return_nomatch:
            there = found = view.says(asked, *before, *key)
        else:
            there = found = view.state.member(KeptSet(members.name), *key)
            if node.compares:
                found = algebra.all(there, view.says(asked, *before, *key))
        counts = True
    events = tuple(_counted(node, there, view)) if counts else ()
    return Test(view.negate(found, negated=node.members.negated), events)


def _counted(node: MatchSet, there: Bool, view: View) -> Iterator[tuple[Bool, Event]]:
    """That the element counts the packet, where some rule asks for what elements have counted."""
    if node.keep_counters or not any(kind == "counters" for kind, _ in view.sharing):
        return
    state, members = view.state, node.members.value
    element = (*state.connection, state.fields["mark"])
    yield there, Event("turn", (_COUNTERS, members.name, members.directions), element)


def lower(node: MatchSet, context: Context) -> tuple[Piece, ...]:
    """Look the packet up in the sets that the ipset becomes."""
    if context.ipsets is None:
        return _lower_unknown(node, context)
    members = node.members.value
    find_set(members.name, context)
    if any(one.counts for one in context.ipsets.members(members.name)):
        if node.packets or node.bytes:
            raise context.refuse("nft does not compare the counter of an element")
        if node.keep_counters or node.keep_subcounters:
            raise context.refuse("an element of nft's sets counts whenever it is found")
    found = lookups(members.name, members.directions, context, nomatch=node.return_nomatch)
    negated = node.members.negated
    if not found:
        return always_or_never(holds=negated)
    if len(found) == 1 and negated and found[0].total:
        return (s.Match(found[0].key, "!=", x.SetReference(found[0].set)),)
    if len(found) == 1 and not negated:
        return found[0].found
    alternatives = tuple(lookup.found for lookup in found)
    return (NoneOf(alternatives) if negated else AnyOf(alternatives),)


def _lower_unknown(node: MatchSet, context: Context) -> tuple[s.Match, ...]:
    """An empty set of the same name."""
    members = node.members.value
    if len(members.directions) > 1:
        raise context.refuse(
            f"the dump does not say which fields of a packet the ipset {members.name} holds", HINT
        )
    if node.packets or node.bytes or node.return_nomatch:
        message = "the dump does not say whether an element has counters or nomatch"
        raise context.refuse(message, HINT)
    if node.keep_counters or node.keep_subcounters:
        raise context.refuse("the dump does not say whether elements have counters", HINT)
    context.approximate(
        EMPTY_SET,
        f"the contents of the ipset {members.name} are not in the dump:"
        " a set of addresses is declared, and empty",
    )
    address = x.Payload(NETWORK_HEADER[context.family], FIELDS[members.directions[0]])
    found = x.SetReference(context.address_set(members.name))
    return (s.Match(address, equality(negated=node.members.negated), found),)


# --- which packets ------------------------------------------------------------------------------

_COUNT = k.Integers(0, 9) | k.Integers(0, k.LARGEST_COUNT)
_COUNT_TEST = k.maybe(
    k.OneOf(
        k.Build(CountTest, "eq", k.negatable(_COUNT)),
        k.Build(CountTest, k.Among(("lt", "gt")), k.Build(Negatable, _COUNT)),
    )
)
_NAME = k.Among(("KUBE-CLUSTER-IP", "cali40masq")) | k.Unquoted(31)
_WAYS = k.Several(k.Among(FIELDS), 1, 6)
_ONE_WAY = k.Among((("src",), ("dst",)))
_DRAW = k.OneOf(
    k.Build(
        MatchSet,
        members=k.negatable(k.Build(Members, _NAME, _WAYS)),
        return_nomatch=k.FLAG,
        keep_counters=k.FLAG,
        keep_subcounters=k.FLAG,
        packets=_COUNT_TEST,
        bytes=_COUNT_TEST,
    ),
    k.Build(MatchSet, members=k.negatable(k.Build(Members, _NAME, _ONE_WAY))),
)


def aim(node: MatchSet, draft: Draft) -> None:
    """What some element has, where they are known; else what the world takes for an element."""
    if draft.sets and draft.sets.known:
        if not node.members.negated:
            aim_member(node.members.value, draft.sets, draft)
    else:
        draft.answer_all(lambda view: meaning(node, view), not node.members.negated)


def _update(name: str, field: str) -> Option:
    """Only the negation says something: updating is what happens anyhow."""
    return Option(
        name,
        field=field,
        negatable=True,
        keep=lambda given: given.negated,
        show=lambda node: Negatable(value=True, negated=True) if getattr(node, field) else None,
    )


def _counts(field: str) -> Iterator[Option]:
    """The comparisons of a counter, of which only equality can be negated."""
    for operator in ("eq", "lt", "gt"):
        yield _count(field, operator)


def _count(field: str, operator: str) -> Option:
    def show(node: MatchSet) -> Negatable[int] | int | None:
        test: CountTest | None = getattr(node, field)
        if not test or test.operator != operator:
            return None
        return test.value if operator == "eq" else test.value.value

    return Option(
        f"--{field}-{operator}",
        number(LARGEST_COUNT),
        field,
        negatable=operator == "eq",
        keep=lambda count: CountTest(operator, count if operator == "eq" else Negatable(count)),
        show=show,
    )


EXTENSION = Extension(
    name="set",
    node=MatchSet,
    options=OptionTable.of(
        Option("--match-set", MEMBERS, "members", negatable=True, required=True),
        Option("--return-nomatch", field="return_nomatch"),
        _update("--update-counters", "keep_counters"),
        _update("--update-subcounters", "keep_subcounters"),
        *_counts("packets"),
        *_counts("bytes"),
        at_most_one("--packets-eq", "--packets-lt", "--packets-gt"),
        at_most_one("--bytes-eq", "--bytes-lt", "--bytes-gt"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    aim=aim,
    nft="ip saddr|daddr [. meta l4proto . th sport|dport ...] @NAME",
    codes=(EMPTY_SET, MISSING_SET, BAD_PLACE, IPSET_COPIED, NAME_CHANGED, NO_NFT_FORM),
)
