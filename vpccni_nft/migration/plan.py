"""Plan to move rules: what goes, what stays, and a proof that packets see no difference.

What is proved is stronger than what is needed. Each table is looked at alone, for every packet that
could come to it: the new tables do what the table does (beside what stays of it), and they do so
too while the table is still there. Tables are changed one by one, and each change is one
transaction of the kernel. So whatever stands at a moment, each table does its part: before it is
moved, while it is there twice, or after it was moved.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.diagnostics import (
    ACTS_TWICE,
    ALREADY_MOVED,
    NOT_PROVED,
    NOTHING_OWNED,
    TWO_BACK_ENDS,
    UNKNOWN_MATCH,
    UNKNOWN_OPTION,
    UNKNOWN_TARGET,
    WRITES_AGAIN,
    Diagnostic,
    Refused,
)
from ..core.render import printable
from ..iptables.ast import Policy
from ..lowering import lower
from ..lowering.layout import HOOKS, PRIORITIES
from ..parser import parse_sources
from ..translation import Translation, in_order
from ..vpccni.detection import SLOTS, BackEnd, detect_sources
from ..vpccni.ownership import inventory
from ..vpccni.partition import take
from ..vpccni.scan import scan_dump, scan_ruleset
from .tables import MovedTable, has_rules, lines_of, slot_of
from .writers import STAYS, writes_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .. import iptables
    from ..core.diagnostics import Code
    from ..core.span import Source
    from ..lowering import Options
    from ..proof.answers import Different, Equivalent, Unknown
    from ..proof.side import Ruleset
    from ..vpccni.detection import Detection
    from ..vpccni.ownership import Inventory

    Answer = Equivalent | Different | Unknown

ALL = "all"

#: In what stays they do not matter, and in what moves lowering tells of them.
_UNKNOWN_PARTS = (UNKNOWN_MATCH, UNKNOWN_TARGET, UNKNOWN_OPTION)


@attrs.frozen(kw_only=True)
class Node:
    """What the programs of a node print."""

    dumps: dict[str, Source]  #: by the names of ``detection.SLOTS``
    nft: Source | None = None
    iptables_version: str = ""
    ipset_save: Source | None = None


@attrs.frozen(kw_only=True)
class Choice:
    """What the caller wants."""

    options: Options
    owner: str = ALL
    forced: frozenset[str] = frozenset()  #: owners that write again, and are moved all the same
    overlap: bool = False  #: whether a rule may act twice while both are there
    seconds: float = 60  #: for each question to the solver


@attrs.frozen(kw_only=True)
class Plan:
    """A move that is proved to change nothing."""

    node: Node
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


def plan(node: Node, choice: Choice, progress: Callable[[str], None] = lambda _: None) -> Plan:
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
    whole, told = parse_sources(sources, None, node.ipset_save)
    if unread := [one for one in told if one.refuses and one.code not in _UNKNOWN_PARTS]:
        raise Refused(unread)
    taken, rest = _divided(whole, choice.owner)
    taken = attrs.evolve(taken, tables=tuple(filter(has_rules, taken.tables)))
    translation = _translated(taken, told, choice.options, sources)
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
    proof = _Proof(node, choice, translation, tables, progress)
    proof.of_all()
    if proof.problems:
        raise Refused(proof.problems)
    return Plan(
        node=node,
        choice=choice,
        detection=found,
        translation=translation,
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


def _rules_in(slot: str, source: Source) -> bool:
    return bool(scan_dump(source, SLOTS[slot].family).rules)


def _counted(found: Inventory) -> dict[str, int]:
    return dict(Counter(one.answer.owner for one in found.rules))


def _translated(
    taken: iptables.Ruleset, told: list[Diagnostic], options: Options, sources: Sequence[Source]
) -> Translation:
    """What is taken as nft objects; unknown matches and targets of what stays do not matter."""
    ruleset, more = lower(taken, options)
    known = (one for one in told if one.code not in _UNKNOWN_PARTS)
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
    node: Node, whole: iptables.Ruleset, taken: iptables.Ruleset, rest: iptables.Ruleset
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


def _already_moved(node: Node) -> Iterator[Diagnostic]:
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


def _two_back_ends(node: Node) -> Iterator[Diagnostic]:
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
                "no dump tells in which order they run: let their owners write to one of them",
            )


def _writes_again(owner: str) -> Diagnostic:
    return Diagnostic(
        WRITES_AGAIN,
        f"rules of {owner} would not stay moved: {writes_again(owner)}",
        None,
        f"stop it, or let it change its mode; then plan with --force-owner {owner}",
    )


# --- the proof ------------------------------------------------------------------------------------


@attrs.define
class _Proof:
    node: Node
    choice: Choice
    translation: Translation
    tables: tuple[MovedTable, ...]
    progress: Callable[[str], None]
    problems: list[Diagnostic] = attrs.Factory(list)
    overlaps: list[Diagnostic] = attrs.Factory(list)
    neighbours: list[str] = attrs.Factory(list)
    hooks: list[str] = attrs.Factory(list)
    assumptions: list[str] = attrs.Factory(list)

    def of_all(self) -> None:
        script = nft.parse(self.translation.script(), "apply.nft")
        for table in self.tables:
            self._of_table(table, script)

    def _of_table(self, moved: MovedTable, script: nft.Ruleset) -> None:
        whole = _alone(self.translation.dump, moved.table)
        rest = _alone(self.translation.dump, moved.rest)
        new = nft_table_of(script, moved)
        self.progress(f"{moved.name}: moved")
        answer = self._answer([whole], [new, rest])
        self._note(answer)
        what = "the node would not mean the same"
        if found := list(_against(answer, moved.name, NOT_PROVED, what)):
            self.problems += found
            return
        self.progress(f"{moved.name}: there twice")
        answer = self._answer([whole], [new, whole])
        twice = list(_against(answer, moved.name, ACTS_TWICE, "while both are there"))
        (self.overlaps if self.choice.overlap else self.problems).extend(twice)
        for neighbour in _neighbours(self.node, moved):
            self.progress(f"{moved.name}: beside {neighbour}")
            self._of_neighbour(moved, whole, neighbour)

    def _of_neighbour(
        self, moved: MovedTable, whole: iptables.Ruleset, neighbour: tuple[str, str]
    ) -> None:
        """Loading moves our chains before others of their priority: their order must not matter."""
        family, name = neighbour
        both = f"{moved.name} beside the table {family} {name}"
        self.neighbours.append(f"{family} {name}")
        if family == "inet":
            self.problems.append(_unread(both, "tables of inet are not understood"))
            return
        try:
            other = nft.parse(_listed(self.node, family, name), f"table {family} {name}")
        except Refused as refused:
            self.problems.append(_unread(both, refused.diagnostics[0].message))
            return
        answer = self._answer([whole, other], [other, whole])
        self._note(answer)
        what = "their order can change, and matters"
        self.problems += _against(answer, both, NOT_PROVED, what)

    def _answer(self, before: Sequence[Ruleset], after: Sequence[Ruleset]) -> Answer:
        from ..proof.side import Side
        from ..proof.verify import Settings, verify

        allowed = frozenset(code.name for code in self.choice.options.allowed)
        settings = Settings(seconds=self.choice.seconds, most=1, allowed=allowed)
        return verify(Side(tuple(before)), Side(tuple(after)), settings)

    def _note(self, answer: Answer) -> None:
        self.hooks += [f"{family.title} {hook}" for family, hook in getattr(answer, "hooks", ())]
        self.assumptions += getattr(answer, "assumptions", ())


def nft_table_of(script: nft.Ruleset, moved: MovedTable) -> nft.Ruleset:
    """The new table of a table."""
    key = (moved.table.family, moved.nft_table)
    return attrs.evolve(
        script,
        tables=tuple(one for one in script.tables if (one.family, one.name) == key),
    )


def _alone(ruleset: iptables.Ruleset, table: iptables.Table) -> iptables.Ruleset:
    return attrs.evolve(ruleset, tables=(table,))


def _against(answer: Answer, name: str, code: Code, what: str) -> Iterator[Diagnostic]:
    """What an answer says against the move."""
    for found in getattr(answer, "counterexamples", ()):
        changed = ", ".join(sorted(found.differences)) or "what happens"
        yield Diagnostic(
            code,
            f"{name}: {what} for the packet {printable(found.plain.text)}: {changed} differs",
            None,
            "vpccni-nft explain shows its way",
        )
    for reason in getattr(answer, "reasons", ()):
        yield Diagnostic(
            code,
            f"{name}: nobody knows: {reason.message} ({reason.code})",
            reason.span,
            reason.hint,
        )


def _unread(both: str, why: str) -> Diagnostic:
    return Diagnostic(
        NOT_PROVED,
        f"{both}: their order can change, and nobody knows whether it matters: {why}",
        None,
        "replace the node instead, with the other mode from the start",
    )


def _neighbours(node: Node, moved: MovedTable) -> list[tuple[str, str]]:
    """Native tables with a base chain where a moved table has one."""
    if node.nft is None:
        return []
    priorities = PRIORITIES[moved.table.name]
    mine = {
        (HOOKS[chain.name], priorities[chain.name]) for chain in moved.table.chains if chain.policy
    }
    found: dict[tuple[str, str], None] = {}
    for place, seen in scan_ruleset(node.nft).chains.items():
        family = moved.table.family.value
        if place.of_iptables or not seen.hook or place.family not in {family, "inet"}:
            continue
        _, hook, priority = seen.hook.replace(",", "").split(maxsplit=2)
        if (hook, _number(priority.removeprefix("priority "))) in mine:
            found[place.family, place.table] = None
    return list(found)


_NAMED = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}


def _number(priority: str) -> int | None:
    """A priority as nft lists it: a number, a name, or a name and a number."""
    words = priority.replace("+", " + ").replace("-", " - ").split()
    total, sign = 0, 1
    for word in words:
        if word in {"+", "-"}:
            sign = -1 if word == "-" else 1
        elif word in _NAMED or word.isdigit():
            total += sign * (_NAMED[word] if word in _NAMED else int(word))
        else:
            return None
    return total


def _listed(node: Node, family: str, name: str) -> str:
    """A table's lines in the listing."""
    assert node.nft
    lines = list(node.nft.lines)
    head = f"table {family} {name} {{"
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    return "\n".join(lines[start : lines.index("}", start) + 1]) + "\n"
