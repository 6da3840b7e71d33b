"""recent: addresses that were seen lately, in named lists that rules fill and look up.

Kernel: net/netfilter/xt_recent.c, recent_mt.

- ``--set`` enters the address, or notes that it was seen again, and always fits.
- ``--rcheck`` fits where the address is in the list, seen at most ``--seconds`` ago.
- ``--update`` does the same, and where it fits (after its negation) notes that it was seen again.
- ``--remove`` fits where the address is in the list, however old, and takes it out.

``--reap`` only makes room. A list belongs to all tables and is the same for all its rules, so its
addresses can expire in nft only where every rule asks for the same age.

A list that rules ask how often an address was seen (``--hitcount N --seconds S``) becomes two sets:
one in which each address has a bucket of N - 1 packets that fills once in S seconds, emptied by
``--set``, and one of the addresses that have found it empty within S seconds, which is what rules
look up. The bucket is emptied at once by N packets, and by no source that is never seen N times in
S seconds, for in a time t it takes no fewer than (N - 1)(1 + t/S).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

from ...core.diagnostics import NAME_CHANGED, NO_NFT_FORM, RECENT_LIST, RECENT_RATE
from ...core.values import Address, Family, Negatable
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.oracle import KeptSet, Oracle, OracleKind, member
from ...model.packet import Event, NoMeaning
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..context import DYNAMIC_SET_SIZE, FOREVER
from ..extension import Extension, Piece, Prologue
from ..forms import ADDRESS, NUMBER, number, text_of
from ..option_table import Option, OptionTable, at_most_one, exactly_one, needs, unless
from ..placement import ANYWHERE
from ..shared.compare import always_or_never, equality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model.effects import View
    from ..context import Context

#: XT_RECENT_MAX_NSTAMPS, less one: how often an address can have been seen.
MOST_HITS = 65535

#: XT_RECENT_NAME_LEN, without the zero at the end.
NAME_LENGTH = 199


class Operation(enum.Enum):
    """What is done with the list, by the option that says so."""

    SET = "--set"
    CHECK = "--rcheck"
    UPDATE = "--update"
    REMOVE = "--remove"


@attrs.frozen(kw_only=True)
class Recent(Match):
    """``-m recent`` with one operation."""

    operation: Operation
    negated: bool = False
    seconds: int | None = None  #: check and update only: how old an address may be
    reap: bool = False
    hit_count: int | None = None  #: check and update only: how often it must have been seen
    same_ttl: bool = False  #: ``--rttl``: seen with this TTL
    name: str = "DEFAULT"
    mask: Address | None = None  #: None where an old iptables wrote none: all ones
    destination: bool = False  #: ``--rdest``: the destination's address instead of the source's

    @property
    def shares(self) -> tuple[str, str]:
        """The list of this name."""
        return "recent", self.name

    def __attrs_post_init__(self) -> None:
        extra = self.seconds or self.hit_count or self.same_ttl
        if extra and self.operation in (Operation.SET, Operation.REMOVE):
            raise ValueError(f"{self.operation.value} takes no age and no count")


def meaning(node: Recent, view: View) -> Test:
    """The address, masked, is in the list, young and often enough; what changes in the list.

    The world's list has the addresses that are young enough for its rules. What else the kernel
    keeps of an address (how often it was seen, its TTL, that it is old) the world answers by what
    has used the list so far.
    """
    state, algebra = view.state, view.state.algebra
    field = "daddr" if node.destination else "saddr"
    mask = node.mask.value if node.mask else state.family.all_ones
    key = algebra.bvand(state.fields[field], state.word(field, mask))
    oracle = membership(node, view.sharing)
    listed, age, seconds = oracle.object, oracle.parameters, _seconds(node)
    assert isinstance(listed, KeptSet)
    users = view.sharing.get(node.shares, (node,))
    # The list keeps the TTL that an address was last seen with.
    ttl = (state.fields["ttl"],) if any(user.same_ttl for user in users) else ()
    update, delete = (Event(kind, (listed,), (key, *ttl)) for kind in ("update", "delete"))
    reaped = Event("reap", (listed, *age))
    reaps = ((algebra.true, reaped),) if node.reap and listed.policy else ()
    if node.operation is Operation.SET:
        return Test(view.negate(algebra.true, negated=node.negated), ((algebra.true, update),))
    found = state.member(listed, key, parameters=age)
    if node.operation is Operation.REMOVE:
        return Test(view.negate(found, negated=node.negated), ((found, delete),))
    often = node.hit_count is not None and node.hit_count > 1
    if often or node.same_ttl:
        wanted = f"{node.hit_count or 1} times{' with this TTL' * node.same_ttl}"
        counts = (wanted, seconds)
        seen = view.says_of(OracleKind.RECENT_SEEN, listed, *counts, key=(key, *ttl))
        found = algebra.all(found, seen)
    holds = view.negate(found, negated=node.negated)
    if node.operation is Operation.CHECK:
        return Test(holds, reaps)
    if not node.negated:
        return Test(holds, (*reaps, (holds, update)))
    if not (often or node.seconds):
        return Test(holds, reaps)  # whatever is in the list does not fit, and so is not renewed
    there = view.says_of(OracleKind.RECENT_LISTED, listed, key=(key,))
    return Test(holds, (*reaps, (algebra.all(holds, there), update)))


def membership(node: Recent, sharing: Mapping[tuple[str, str], tuple[Any, ...]]) -> Oracle:
    """Who is in the list and young enough; the list is known by all that decides who is in it.

    Where all rules of the list look for the same age, nothing that is older matters. Raises
    NoMeaning where the kernel would take the mask of whichever rule it loaded first.
    """
    users = sharing.get(node.shares, (node,))
    if len({user.mask for user in users}) > 1:
        raise NoMeaning(f"the list {node.name} is used with different masks")
    looking = [user for user in users if user.operation is not Operation.SET]
    ages = sorted({user.seconds or FOREVER for user in looking})
    renews_old = any(user.operation is Operation.UPDATE and user.negated for user in looking)
    if len(ages) > 1 or (renews_old and ages != [FOREVER]):
        return member(KeptSet(f"recent-{node.name}", policy=("ages", *ages)), _seconds(node))
    return member(KeptSet(f"recent-{node.name}", timeout=next(iter(ages), FOREVER) or None))


def _seconds(node: Recent) -> int:
    """The age that it looks for; what is taken out may be of any."""
    return FOREVER if node.operation is Operation.REMOVE else node.seconds or FOREVER


def lower(node: Recent, context: Context) -> tuple[Piece, ...]:
    """Look the address up in a dynamic set, and change the set where the kernel does."""
    _refuse_what_sets_do_not_keep(node, context)
    users = context.shared.sharing.get(node.shares, (node,))
    counting = [user for user in users if isinstance(user, Recent) and _counts(user)]
    counted = _check_counts(node, counting[0], users, context) if counting else None
    context.approximate(
        RECENT_LIST,
        f"the list {node.name} becomes a set that starts empty: xt_recent forgets the oldest"
        f" of 100 addresses, the set holds {DYNAMIC_SET_SIZE}, and once it is full, rules that"
        f" add an address do not match",
    )
    if counted:
        return _counted(node, *counted, context)
    changes = node.operation is not Operation.CHECK and (
        node.operation is not Operation.UPDATE or not node.negated
    )
    name = context.recent_set(node.name, _mask(node, context), _age(node), changes=changes)
    key = _key(node, context)
    found = s.Match(key, equality(negated=node.negated), x.SetReference(name))
    match node.operation:
        case Operation.SET:
            return (s.UpdateSet("update", name, key), *always_or_never(holds=not node.negated))
        case Operation.UPDATE if not node.negated:
            return (found, s.UpdateSet("update", name, key))
        case Operation.REMOVE:
            return (found, s.UpdateSet("delete", name, key))
        case _:
            return (found,)


def _refuse_what_sets_do_not_keep(node: Recent, context: Context) -> None:
    if node.same_ttl:
        raise context.refuse("an nft set does not record the TTL that an address was seen with")
    if node.negated and node.operation is Operation.REMOVE:
        raise context.refuse("nft cannot remove an address from a set without matching")
    if node.negated and node.operation is Operation.UPDATE and node.seconds:
        raise context.refuse("nft has forgotten the old address that this would renew")


def _counts(node: Recent) -> bool:
    return node.hit_count is not None and node.hit_count > 1


def _check_counts(
    node: Recent, counting: Recent, users: tuple[Any, ...], context: Context
) -> tuple[int, int]:
    """How often, and within how many seconds, all rules of a list want an address to be seen."""
    hits, seconds = counting.hit_count, counting.seconds
    if hits is None or seconds is None:
        raise context.refuse("a rate has a time, and --hitcount without --seconds has none")
    if hits > MOST_HITS:
        raise context.refuse(f"the kernel remembers of an address {MOST_HITS} times at most")
    for user in users:
        if user.operation is Operation.REMOVE:
            raise context.refuse("nft cannot take back what it has counted of an address")
        asks = user.operation is not Operation.SET
        if asks and (user.hit_count, user.seconds) != (hits, seconds):
            raise context.refuse(
                f"rules ask the list {node.name} for different counts or ages, and a limit of nft"
                " has one"
            )
    context.approximate(
        RECENT_RATE,
        f"the list {node.name} becomes a limit of {hits - 1} packets in {seconds} seconds for each"
        f" address, which lets pass up to {2 * hits - 2} where they are spread over that time",
    )
    return hits, seconds


def _counted(node: Recent, hits: int, seconds: int, context: Context) -> tuple[Piece, ...]:
    """The same for a list of which rules ask how often an address was seen."""
    mask, key = _mask(node, context), _key(node, context)
    often = context.counted_set("often", node.name, mask, seconds)
    found = s.Match(key, equality(negated=node.negated), x.SetReference(often))
    match node.operation:
        case Operation.SET:
            counted = context.counted_set("hits", node.name, mask, seconds)
            counts = s.UpdateSet("update", counted, key, limit=_bucket(hits, seconds))
            caught = s.UpdateSet("update", often, key)
            holds = always_or_never(holds=not node.negated)
            return (Prologue(((counts, caught),)), *holds)
        case Operation.UPDATE if not node.negated:
            return (found, s.UpdateSet("update", often, key))
        case _:
            return (found,)


def _bucket(hits: int, seconds: int) -> s.Limit:
    """Beyond ``hits - 1`` packets in some seconds; a rate that nft cannot say is rounded up."""
    per, length = next(
        ((per, length) for per, length in _PERIODS.items() if (hits - 1) * length % seconds == 0),
        ("week", _PERIODS["week"]),
    )
    return s.Limit(-(-(hits - 1) * length // seconds), per, hits - 1, over=True)


#: nft's periods, in seconds.
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def _mask(node: Recent, context: Context) -> int:
    return node.mask.value if node.mask else context.family.all_ones


def _age(node: Recent) -> int | None:
    """How old the addresses may be that this rule finds; None where it looks for none."""
    if node.operation is Operation.SET:
        return None
    return node.seconds or FOREVER


def _key(node: Recent, context: Context) -> x.Expression:
    field = "daddr" if node.destination else "saddr"
    address = x.Payload(NETWORK_HEADER[context.family], field)
    if node.mask is None or node.mask.value == context.family.all_ones:
        return address
    return x.Binary("&", address, x.Host(node.mask))


# --- which packets ------------------------------------------------------------------------------


def _draw(family: Family) -> k.ValueKind:
    common = {
        "negated": k.FLAG,
        "name": k.Among(("DEFAULT", "DEFAULT", "ssh", "é")) | k.Unquoted(NAME_LENGTH),
        "mask": k.OneOf(Address(family, family.all_ones), None, k.ADDRESS),
        "destination": k.FLAG,
    }
    return k.OneOf(
        k.Build(Recent, operation=k.Among((Operation.SET, Operation.REMOVE)), **common),
        k.Build(
            Recent,
            operation=k.Among((Operation.CHECK, Operation.UPDATE)),
            seconds=k.maybe(k.Among((1, 60)) | k.Integers(1, k.FULL)),
            reap=k.FLAG,
            hit_count=k.maybe(k.OneOf(1, k.Integers(1, k.FULL))),
            same_ttl=k.FLAG,
            **common,
        ).filter(lambda node: not node.reap or node.seconds is not None),
    )


def _operation(operation: Operation) -> Option:
    return Option(
        operation.value,
        field=("operation", "negated"),
        negatable=True,
        keep=lambda given: (operation, given.negated),
        show=lambda node: (
            Negatable(value=True, negated=node.negated) if node.operation is operation else None
        ),
    )


EXTENSION = Extension(
    name="recent",
    node=Recent,
    options=OptionTable.of(
        *map(_operation, Operation),
        Option("--seconds", number(smallest=1), "seconds"),
        Option("--reap", field="reap"),
        Option("--hitcount", NUMBER, "hit_count", keep=unless(0)),
        Option("--rttl", field="same_ttl"),
        Option(
            "--name", text_of("a list's name", NAME_LENGTH, least=1, text=str), "name", always=True
        ),
        Option("--mask", ADDRESS, "mask"),
        Option(
            "--rsource",
            field="destination",
            keep=lambda _: False,
            show=lambda node: None if node.destination else True,
        ),
        Option("--rdest", field="destination"),
        exactly_one(*(operation.value for operation in Operation)),
        at_most_one("--rsource", "--rdest"),
        needs("--reap", "--seconds"),
        completed=lambda given, family: (
            {"--mask": (str(Address(family, family.all_ones)),)} | given
        ),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.OfFamily(_draw),
    aim=lambda node, draft: draft.answer_all(lambda view: meaning(node, view), not node.negated),
    nft="ip saddr|daddr @recent-NAME; update or delete @recent-NAME { ip saddr|daddr }",
    codes=(RECENT_LIST, RECENT_RATE, NAME_CHANGED, NO_NFT_FORM),
)
