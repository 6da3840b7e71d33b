"""Plan to move rules: what goes, what stays, and a proof that packets see no difference.

What is proved is stronger than what is needed. Each table is looked at alone, for every packet that
could come to it: the new tables do what the table does (beside what stays of it), and they do so
too while the table is still there. Tables are changed one by one, and each change is one
transaction of the kernel. So whatever stands at a moment, each table does its part: before it is
moved, while it is there twice, or after it was moved.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.diagnostics import (
    ALREADY_MOVED,
    NOTHING_OWNED,
    TWO_BACK_ENDS,
    WRITES_AGAIN,
    Diagnostic,
    Refused,
)
from ..core.values import Family
from ..iptables.ast import Policy
from ..lowering.layout import PRIORITIES
from ..lowering.ruleset import lower
from ..node.detection import SLOTS, BackEnd, detect_sources
from ..node.ownership import inventory
from ..node.partition import UNKNOWN_PARTS, take
from ..node.scan import scan_dump, scan_ruleset
from ..text.sources import parse_sources
from ..translation import Translation, in_order
from .copies import comment_of
from .tables import MovedTable, has_rules, lines_of, slot_of
from .writers import STAYS, instead, writes_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .. import iptables
    from ..core.span import Source
    from ..lowering import TranslateOptions
    from ..node.detection import Detection
    from ..node.ownership import Inventory
    from ..proof.side import Ruleset
    from .neighbours import Turn
    from .proof import Proof

ALL = "all"


@attrs.frozen(kw_only=True)
class NodeOutput:
    """What the programs of a node print."""

    dumps: dict[str, Source]  #: by the names of ``detection.SLOTS``
    nft: Source | None = None
    iptables_version: str = ""
    ipset_save: Source | None = None


@attrs.frozen(kw_only=True)
class Choice:
    """What the caller wants."""

    options: TranslateOptions
    owner: str = ALL
    forced: frozenset[str] = frozenset()  #: owners that write again, and are moved all the same
    overlap: bool = False  #: whether a rule may act twice while both are there
    turn: Turn | None = None  #: when iptables' base chains run among others of their priority
    seconds: float = 60  #: for each question to the solver


@attrs.frozen(kw_only=True)
class Plan:
    """A move that is proved to change nothing."""

    identity: str  #: no other plan has it
    node: NodeOutput
    choice: Choice
    detection: Detection
    translation: Translation
    tables: tuple[MovedTable, ...]  #: in the order in which they are taken away
    rules: dict[str, int]  #: how many rules of each owner move
    stay: dict[str, int]  #: how many rules of each owner stay
    writers: tuple[str, ...]  #: owners that move and that write again
    overlaps: tuple[Diagnostic, ...]  #: what acts twice while both are there
    neighbours: tuple[str, ...]  #: base chains of others at the same hooks and priorities
    hooks: tuple[str, ...]  #: where something was proved
    assumptions: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def plan(
    node: NodeOutput, choice: Choice, progress: Callable[[str], None] = lambda _: None
) -> Plan:
    """Plan to move the rules of a node. Raises Refused with every reason against it."""
    found = detect_sources(node.dumps, node.nft, node.iptables_version)
    problems = [one for one in found.diagnostics if one.refuses]
    problems += _already_moved(node)
    problems += _two_back_ends(node)
    if not any(_rules_in(name, source) for name, source in node.dumps.items()):
        problems.append(Diagnostic(NOTHING_OWNED, "there is no rule to move"))
    if problems:
        raise Refused(problems)
    sources = [source for name, source in node.dumps.items() if _rules_in(name, source)]
    whole, reported = parse_sources(sources, None, node.ipset_save)
    if unread := [one for one in reported if one.refuses and one.code not in UNKNOWN_PARTS]:
        raise Refused(unread)
    taken, rest = _divided(whole, choice.owner)
    taken = attrs.evolve(taken, tables=tuple(filter(has_rules, taken.tables)))
    translation = _translated(taken, reported, choice.options, sources)
    moving, staying = (inventory(side) for side in (taken, rest))
    writers = tuple(
        owner
        for owner in moving.owners
        if owner != STAYS and any(one.answer.owner == owner for one in moving.rules)
    )
    problems = [one for one in translation.diagnostics if one.refuses]
    problems += (_writes_again(owner) for owner in writers if owner not in choice.forced)
    if problems:
        raise Refused(problems)
    tables = tuple(_tables(node, whole, taken, rest))
    proof = _proof(node, choice, translation, progress)
    proof.tracked = _tracked(whole, (translation.ruleset, rest))
    for table in tables:
        proof.of_table(table)
    if problems := proof.problems + [one for one in proof.overlaps if not choice.overlap]:
        raise Refused(problems)
    identity = secrets.token_hex(8)
    named = (attrs.evolve(table, comment=comment_of(identity)) for table in proof.tables)
    return Plan(
        identity=identity,
        node=node,
        choice=choice,
        detection=found,
        translation=attrs.evolve(translation, ruleset=nft.Ruleset(tuple(named))),
        tables=tables,
        rules=_counted(moving),
        stay=_counted(staying),
        writers=writers,
        overlaps=tuple(proof.overlaps),
        neighbours=tuple(proof.neighbours),
        hooks=tuple(dict.fromkeys(proof.hooks)),
        assumptions=tuple(dict.fromkeys(proof.assumptions)),
        diagnostics=(*found.diagnostics, *translation.diagnostics),
    )


def _proof(
    node: NodeOutput, choice: Choice, translation: Translation, progress: Callable[[str], None]
) -> Proof:
    # Only here: to go back or to confirm takes no z3-solver.
    from ..proof.order import GIVEN_ORDER
    from ..proof.verify import ProofSettings
    from .proof import Proof

    return Proof(
        dump=translation.dump,
        lowered=translation.ruleset,
        listing=node.nft,
        whole=choice.owner == ALL,
        turn=choice.turn,
        settings=ProofSettings(
            seconds=choice.seconds, most=1, order=GIVEN_ORDER, allow=choice.options.allow
        ),
        progress=progress,
    )


def _tracked(before: iptables.Ruleset, after: tuple[Ruleset, ...]) -> frozenset[Family]:
    """The families of which the node tracks connections before the move and after it.

    A table is proved alone, and another one may be what makes the kernel track them. The new tables
    are loaded before anything is taken away, so that holds at any moment in between.
    """
    from ..proof.side import Side

    sides = (Side((before,)), Side(after))
    return frozenset(one for one in Family if all(side.tracks(one) for side in sides))


def _rules_in(slot: str, source: Source) -> bool:
    return bool(scan_dump(source, SLOTS[slot].family).rules)


def _counted(found: Inventory) -> dict[str, int]:
    return dict(Counter(one.answer.owner for one in found.rules))


def _translated(
    taken: iptables.Ruleset,
    reported: list[Diagnostic],
    options: TranslateOptions,
    sources: Sequence[Source],
) -> Translation:
    """What is taken as nft objects; unknown matches and targets of what stays do not matter."""
    ruleset, more = lower(taken, options)
    known = (one for one in reported if one.code not in UNKNOWN_PARTS)
    return Translation(tuple(in_order((*known, *more), sources)), taken, ruleset)


def _divided(ruleset: iptables.Ruleset, owner: str) -> tuple[iptables.Ruleset, iptables.Ruleset]:
    """What moves and what stays; all of it moves with its policies."""
    if owner != ALL:
        return take(ruleset, owner)
    empty = [
        attrs.evolve(
            table,
            chains=tuple(
                attrs.evolve(chain, rules=(), policy=Policy.ACCEPT)
                for chain in table.chains
                if chain.policy
            ),
        )
        for table in ruleset.tables
    ]
    return ruleset, attrs.evolve(ruleset, tables=tuple(empty))


def _tables(
    node: NodeOutput, whole: iptables.Ruleset, taken: iptables.Ruleset, rest: iptables.Ruleset
) -> Iterator[MovedTable]:
    """Those with something that moves, in the order of their dumps."""
    parts = {(table.family, table.name): table for table in taken.tables}
    stays = {(table.family, table.name): table for table in rest.tables}
    for table in whole.tables:
        key = (table.family, table.name)
        if key in parts:
            yield MovedTable(
                slot=slot_of(table, node.dumps),
                table=table,
                taken=parts[key],
                rest=stays[key],
                saved=lines_of(table),
            )


# --- what is in the way ---------------------------------------------------------------------------


def _already_moved(node: NodeOutput) -> Iterator[Diagnostic]:
    if node.nft is None:
        return
    ours = {f"vpccni-{table}" for table in PRIORITIES}
    for family, table in scan_ruleset(node.nft).tables:
        if table in ours and family in {"ip", "ip6"}:
            yield Diagnostic(
                ALREADY_MOVED,
                f"the node has the table {family} {table}",
                None,
                "roll the last migration back, or delete the table if it is left over",
            )


def _two_back_ends(node: NodeOutput) -> Iterator[Diagnostic]:
    for family in ("ip", "ip6"):
        full = {
            SLOTS[name].back_end
            for name, source in node.dumps.items()
            if SLOTS[name].family == family and _rules_in(name, source)
        }
        if len(full) > 1:
            yield Diagnostic(
                TWO_BACK_ENDS,
                f"rules of {BackEnd.LEGACY.value} and of {BackEnd.NFT.value} are there for"
                f" {'IPv4' if family == 'ip' else 'IPv6'}",
                None,
                "no dump shows in which order they run: make their owners write to one of them",
            )


def _writes_again(owner: str) -> Diagnostic:
    return Diagnostic(
        WRITES_AGAIN,
        f"rules of {owner} would not stay moved: {writes_again(owner)}",
        None,
        f"{instead(owner)}. Only where it never writes again: --force-owner {owner}",
    )
