"""Rules of iptables, and what each became in nftables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import Kind
from ...core.render import printable
from ...lowering.layout import table_name
from ...nft.names import mangle
from ...nft.origins import places_in
from ...text.nft_expression_text import element_text
from ...text.nft_script import hook_text, rule_text
from .diagnostics import paint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ... import iptables, nft
    from ...core.diagnostics import Diagnostic
    from ...core.span import Span
    from ...translation import Translation

#: A source and a line of it.
Line = tuple[int, int]

#: The places and texts of what stands for each line.
Texts = dict[Line, list[tuple[str, str]]]


def lines_of_diff(translation: Translation) -> Iterator[str]:
    """Each table, chain and rule after ``-``, and after ``+`` what it became.

    After ``!`` stands why a rule is refused, after ``~`` what was allowed. Where something is
    refused, the other rules are shown as they would become; together they are no script.
    """
    said = _said(translation)
    tables = {(table.family, table.name): table for table in translation.incomplete.tables}
    for number, table in enumerate(translation.dump.tables):
        new = tables.get((table.family, table_name(table.name)))
        yield from ("",) * bool(number)
        yield _old(f"table {table.family.value} {table.name}")
        if new is None:
            yield _new(_missing("table", translation))
        else:
            yield from _Rows(translation, table, new, said).lines()
    yield from _not_read(translation, said)


def _not_read(translation: Translation, said: Mapping[Line, list[Diagnostic]]) -> Iterator[str]:
    """The lines that are refused before they are rules of a chain."""
    read = {
        (id(rule.span.source), rule.span.line)
        for table in translation.dump.tables
        for chain in table.chains
        for rule in chain.rules
        if rule.span
    }
    for line, found in said.items():
        span = found[0].span
        if span and line not in read:
            yield from ("", _old(span.source.lines[span.line - 1].strip()))
            yield from map(_remark, found)


@attrs.frozen
class _Rows:
    """What a table has become."""

    translation: Translation
    old: iptables.Table
    new: nft.Table
    said: Mapping[Line, list[Diagnostic]]

    def lines(self) -> Iterator[str]:
        yield _new(f"table {self.new.family.value} {self.new.name}")
        texts = _texts(self.new)
        chains = {chain.name: chain for chain in self.new.chains}
        for chain in self.old.chains:
            name = mangle(chain.name)
            policy = f" policy {chain.policy.value}" if chain.policy else ""
            yield from ("", _old(f"chain {chain.name}{policy}"))
            yield _new(self._head(chains.get(name)))
            for rule in chain.rules:
                if rule.span:
                    yield from self._rule(rule.span, name, texts)
        yield from self._shared()

    def _head(self, chain: nft.Chain | None) -> str:
        if chain is None:
            return _missing("chain", self.translation)
        return f"chain {chain.name}" + (f" {hook_text(chain.hook)}" if chain.hook else "")

    def _rule(self, span: Span, chain: str, texts: Texts) -> Iterator[str]:
        """A rule, and the rules and elements that stand for it, with their places if not here."""
        line = id(span.source), span.line
        yield _old(span.source.lines[span.line - 1].strip())
        said = self.said.get(line, ())
        for one in said:
            yield _remark(one)
        if any(one.refuses for one in said):
            return
        if line not in texts:
            yield _new(_missing("rule", self.translation))
        for place, text in texts.get(line, ()):
            yield _new(text if place == chain else f"{place}: {text}")

    def _shared(self) -> Iterator[str]:
        """The rules that stand for no line of their own: lines share them."""
        for chain in self.new.chains:
            shared = [rule for rule in chain.rules if not rule.origins]
            if shared:
                yield from ("", _new(f"chain {chain.name}"))
                yield from (_new(rule_text(rule)) for rule in shared)


def _missing(what: str, translation: Translation) -> str:
    if translation.refused:
        return f"(no {what}: what it needs is refused)"
    return f"(no {what}: without it the same happens)"


def _said(translation: Translation) -> Mapping[Line, list[Diagnostic]]:
    """What is said of each line, but for notes."""
    found: dict[Line, list[Diagnostic]] = defaultdict(list)
    for one in translation.diagnostics:
        if one.span and one.kind is not Kind.NOTE:
            found[id(one.span.source), one.span.line].append(one)
    return found


def _texts(table: nft.Table) -> Texts:
    """The rules and elements that stand for each line, and what they are in."""
    chains = {chain.name: chain for chain in table.chains}
    sets = {one.name: one for one in table.sets}
    found: dict[Line, list[tuple[str, str]]] = defaultdict(list)
    for span, place in places_in(table):
        if "chain" in place:
            name = str(place["chain"])
            text = rule_text(chains[name].rules[int(place["rule"])])
        else:
            kind = "map" if "map" in place else "set"
            name = str(place[kind])
            text = element_text(sets[name].elements[int(place["element"])])
            name = f"{kind} {name}"
        found[id(span.source), span.line].append((name, text))
    return found


def _old(text: str) -> str:
    return paint(printable(f"- {text}"), "before")


def _new(text: str) -> str:
    return paint(printable(f"+ {text}"), "after")


def _remark(found: Diagnostic) -> str:
    sign, allowed = ("!", "") if found.refuses else ("~", " (allowed)")
    return paint(printable(f"{sign} {found.code.name}{allowed}: {found.message}"), found.kind.value)
