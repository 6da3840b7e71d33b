"""The rules of a node as data for a page: base chains, and each rule beside its translation."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from ..core.diagnostics import APPROXIMATIONS
from ..core.render import printable
from ..lowering import TranslateOptions
from ..nft.ast import PRIORITIES
from ..node.ownership import inventory_of
from ..semantics.iptables import PLACES
from ..text.language import by_language
from ..text.nft_outline import outline
from ..text.nft_script import rule_text
from ..translation import translate_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.span import Source, Span
    from ..core.values import Family
    from ..node.ownership import Answer, Inventory
    from ..text.nft_outline import OutlinedTable
    from ..translation import Translation

#: What a row of a page's rules holds, in this order.
COLUMNS = (
    "family", "table", "chain", "file", "line", "owner", "why", "rule", "packets", "bytes",
    "translation", "codes",
)  # fmt: skip

#: The languages that a base chain is written in.
IPTABLES, NFT = "iptables", "nft"


def rules_of(
    sources: Sequence[Source], family: Family | None = None, ipset_save: Source | None = None
) -> dict[str, Any]:
    """What a page shows of a node's rules; the keys are stable (``docs/report.md``).

    ``sources`` are dumps of iptables and listings of nft that stand on the node together. A dump
    with a rule that nft cannot express has no translation, and its diagnostics say why; each
    approximation that another one takes is listed by its code. Raises Refused where a text cannot
    be read.
    """
    dumps, listings = by_language(sources)
    found, problems = inventory_of(dumps, family, listings)
    options = TranslateOptions(
        allow=frozenset(APPROXIMATIONS.values()), family=family, ipset_save=ipset_save
    )
    translation = translate_sources(dumps, options, nodes=True)
    diagnostics = dict.fromkeys((*problems, *translation.diagnostics))
    return {
        "owners": [
            {"name": owner, "tables": tables, "chains": chains, "rules": rules}
            for owner in found.owners
            for tables, chains, rules in (_counts(found, owner),)
        ],
        "hooks": list(_hooks(found, translation, listings)),
        "translated": not translation.refused,
        "columns": list(COLUMNS),
        "rows": [*_rows(found, translation), *_native_rows(found, listings)],
        "diagnostics": [one.to_dict() for one in diagnostics],
    }


def _counts(found: Inventory, owner: str) -> tuple[int, int, int]:
    """How many tables of nft, chains and rules are an owner's."""
    tables = [one for one in found.tables if one.answer.owner == owner]
    chains = sum(one.answer.owner == owner for one in found.chains)
    rules = sum(one.answer.owner == owner for one in found.rules)
    return (
        len(tables),
        chains + sum(one.chains for one in tables),
        rules + sum(one.rules for one in tables),
    )


# --- hooks --------------------------------------------------------------------------------------


def _hooks(
    found: Inventory, translation: Translation, listings: Iterable[Source]
) -> Iterator[dict[str, Any]]:
    """The base chains of each family and hook, in the order in which the kernel calls them."""
    chains = [*_base_chains(found, translation), *_native_base_chains(found, listings)]
    by_hook = defaultdict(list)
    for family, hook, chain in chains:
        by_hook[family, hook].append(chain)
    for (family, hook), there in by_hook.items():
        yield {
            "family": family,
            "hook": hook,
            "chains": sorted(
                there, key=lambda chain: (chain["priority"] is None, chain["priority"])
            ),
        }


def _order(chain: dict[str, Any]) -> tuple[bool, int]:
    return chain["priority"] is None, chain["priority"] or 0


def _base_chains(
    found: Inventory, translation: Translation
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    owners: dict[tuple[Family, str, str], Counter[str]] = defaultdict(Counter)
    for rule in found.rules:
        owners[rule.family, rule.table, rule.chain][rule.answer.owner] += 1
    for table in translation.dump.tables:
        for chain in table.chains:
            if chain.policy is None or (table.name, chain.name) not in PLACES:
                continue
            hook, priority = PLACES[table.name, chain.name]
            yield (
                table.family.value,
                hook,
                {
                    "language": IPTABLES,
                    "table": table.name,
                    "chain": printable(chain.name),
                    "type": "nat" if table.name == "nat" else "filter",
                    "priority": priority,
                    "policy": chain.policy.value.lower(),
                    "rules": len(chain.rules),
                    "owners": dict(owners[table.family, table.name, chain.name]),
                },
            )


def _native_base_chains(
    found: Inventory, listings: Iterable[Source]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for _, table, answer in _native_tables(found, listings):
        for chain in table.chains:
            if not chain.hook:
                continue
            place, priority = chain.hook.split(", priority ")
            kind, hook = place.split()
            yield (
                table.family,
                hook,
                {
                    "language": NFT,
                    "table": printable(table.name),
                    "chain": printable(chain.name),
                    "type": kind,
                    "priority": _number(table.family, priority),
                    "policy": "",
                    "rules": len(chain.rules),
                    "owners": {answer.owner: len(chain.rules)},
                },
            )


def _number(family: str, priority: str) -> int | None:
    """A priority's number; None where it is a word of bridges, or a variable.

    >>> _number("inet", "mangle + 10"), _number("ip", "-5"), _number("bridge", "filter")
    (-140, -5, None)
    """
    found = _PRIORITY.fullmatch(priority.strip())
    if found is None:
        return None
    word, sign, rest = found.groups()
    more = int(f"{sign}{rest or 0}")
    if not word:
        return more
    known = family != "bridge" and word in PRIORITIES
    return PRIORITIES[word] + more if known else None


#: A number, a word, or a word and what is added to it or taken from it.
_PRIORITY = re.compile(r"([a-z]*)\s*([+-]?)\s*(\d*)")


# --- rows ---------------------------------------------------------------------------------------


def _rows(found: Inventory, translation: Translation) -> Iterator[list[Any]]:
    """The rules of dumps, each with its translation and the codes of what is said of its line."""
    texts = {} if translation.refused else _translated(translation)
    codes: dict[tuple[int, int], dict[str, None]] = defaultdict(dict)
    for said in translation.diagnostics:
        if said.span:
            codes[_place(said.span)][said.code.name] = None
    for one in found.rules:
        span, counters = one.rule.span, one.rule.counters
        place = _place(span) if span else None
        yield [
            one.family.value,
            one.table,
            printable(one.chain),
            printable(span.source.name) if span else "",
            span.line if span else 0,
            one.answer.owner,
            printable(one.answer.why),
            printable(one.text),
            counters.packets if counters else None,
            counters.bytes if counters else None,
            texts.get(place, "") if place else "",
            list(codes.get(place, ())) if place else [],
        ]


def _place(span: Span) -> tuple[int, int]:
    return id(span.source), span.line


def _translated(translation: Translation) -> dict[tuple[int, int] | None, str]:
    """The nft rules of each line that has some, a line each."""
    found: dict[tuple[int, int] | None, list[str]] = defaultdict(list)
    for table in translation.ruleset.tables:
        for chain in table.chains:
            for rule in chain.rules:
                for span in rule.origins:
                    found[_place(span)].append(rule_text(rule))
    return {place: "\n".join(map(printable, texts)) for place, texts in found.items()}


def _native_rows(found: Inventory, listings: Iterable[Source]) -> Iterator[list[Any]]:
    """The rules of listings as they stand in them."""
    for listing, table, answer in _native_tables(found, listings):
        for chain in table.chains:
            for line in chain.rules:
                yield [
                    table.family,
                    printable(table.name),
                    printable(chain.name),
                    printable(listing.name),
                    line,
                    answer.owner,
                    printable(answer.why),
                    "",
                    None,
                    None,
                    printable(listing.lines[line - 1].strip()),
                    [],
                ]


def _native_tables(
    found: Inventory, listings: Iterable[Source]
) -> Iterator[tuple[Source, OutlinedTable, Answer]]:
    """The tables of listings but for those of iptables-nft, with their owners."""
    answers = {(one.family, one.name): one.answer for one in found.tables}
    for listing in listings:
        for table in outline(listing):
            answer = answers.get((table.family, table.name))
            if answer:
                yield listing, table, answer
