"""Which iptables rule stands where in an nft ruleset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ast import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.span import Span
    from .ast import Ruleset, Table

#: Where something stands: family, table, and a chain's rule or a set's or map's element.
Place = dict[str, "str | int"]


def spans_of(ruleset: Ruleset) -> list[Span]:
    """The rules of the input that a ruleset comes from, in their order."""
    spans = [span for span, _ in places_of(ruleset)]
    sources = list({id(span.source): None for span in spans})
    return sorted(spans, key=lambda span: (sources.index(id(span.source)), span.line))


def places_of(ruleset: Ruleset) -> Iterator[tuple[Span, Place]]:
    """Each rule and element that comes from a line, and its number from 0 on."""
    for table in ruleset.tables:
        yield from places_in(table)


def places_in(table: Table) -> Iterator[tuple[Span, Place]]:
    """The same of one table."""
    place: Place = {"family": table.family.value, "table": table.name}
    for set_ in table.sets:
        kind = "map" if isinstance(set_, Map) else "set"
        for number, spans in enumerate(set_.origins):
            for span in spans:
                yield span, place | {kind: set_.name, "element": number}
    for chain in table.chains:
        for number, rule in enumerate(chain.rules):
            for span in rule.origins:
                yield span, place | {"chain": chain.name, "rule": number}
