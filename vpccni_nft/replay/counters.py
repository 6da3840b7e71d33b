"""Which rules a conversation fits, by the counters that move while it is held alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from . import probes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .contents import Contents
    from .conversation import Conversation
    from .side import ReplaySide

_PROGRAMS = {Family.IP: "iptables", Family.IP6: "ip6tables"}

#: A rule in the output of iptables-save -c.
_RULE = re.compile(r"\[(?P<packets>\d+):\d+\] -A (?P<chain>\S+)")
#: A counter in what nft lists.
_COUNTER = re.compile(r"\bcounter packets (?P<packets>\d+) bytes \d+")

_ORDER = ("raw", "mangle", "nat", "filter", "security")

#: A rule by its table, its chain and its number in it, from 0.
RulePlace = tuple[str, str, int]


@attrs.frozen
class Fitted:
    """A rule, and how often packets have fitted it."""

    #: Where it is: file and line of a rule of a dump, else table and chain.
    place: str
    text: str
    earlier: int  #: packets of the moves before the last one
    last: int  #: packets of the last move, or that it has caused


def fitted(
    side: ReplaySide, contents: Contents, conversation: Conversation, times: int = 1
) -> tuple[Fitted, ...]:
    """Hold a conversation alone, and list the rules that it hits, in the order of the listing.

    It is held without its last move first. A rule of nft without a counter is not seen.
    """
    shorter = attrs.evolve(conversation, moves=conversation.moves[:-1])
    listings = [dict(_counters(side, contents))]
    for one in (shorter, conversation):
        for _ in range(times if one.moves else 0):
            side.begin([one], connections=False)
            side.end()
        listings.append(dict(_counters(side, contents)))
    spans = dict(_spans(contents))
    found = []
    for place, (text, packets) in sorted(listings[-1].items(), key=_order):
        table, chain, _ = place
        start, middle = (listing.get(place, ("", 0))[1] for listing in listings[:2])
        earlier = middle - start
        if packets > start:
            last = max(0, packets - middle - earlier)
            found.append(Fitted(spans.get(place, f"{table} {chain}"), text, earlier, last))
    return tuple(found)


def _order(listed: tuple[RulePlace, tuple[str, int]]) -> int:
    """Tables as packets come to them; those of other names last."""
    ((table, _, _), _) = listed
    word = re.split("[ -]", table)[-1]
    return _ORDER.index(word) if word in _ORDER else len(_ORDER)


def _counters(side: ReplaySide, contents: Contents) -> Iterator[tuple[RulePlace, tuple[str, int]]]:
    dumped = {(table.family, table.name) for table in contents.rules.tables}
    for family in sorted({family for family, _ in dumped}, key=str):
        listing = side.run(f"{_PROGRAMS[family]}-{side.backend.value}-save", "-c")
        yield from _of_dump(listing, family)
    if contents.of_nft:
        without = {f"{family.value} {name}" for family, name in dumped}
        without |= {f"{family.value} {probes.TABLE}" for family in Family}
        for place, found in _of_nft(side.run("nft", "list", "ruleset")):
            if place[0] not in without:
                yield place, found


def _of_dump(listing: str, family: Family) -> Iterator[tuple[RulePlace, tuple[str, int]]]:
    table = ""
    numbers: dict[str, int] = {}
    for line in listing.splitlines():
        if line.startswith("*"):
            table, numbers = f"{family.value} {line[1:].strip()}", {}
        elif rule := _RULE.match(line):
            chain = rule["chain"]
            number = numbers[chain] = numbers.get(chain, -1) + 1
            text = line[line.index("-A") :]
            yield (table, chain, number), (text, int(rule["packets"]))


def _of_nft(listing: str) -> Iterator[tuple[RulePlace, tuple[str, int]]]:
    """The rules with a counter; one that holds a long set is written in several lines."""
    table = chain = rule = ""
    number = 0
    for line in listing.splitlines():
        text = line.strip()
        words = text.split()
        if words[:1] == ["table"] and text.endswith("{"):
            table, chain = " ".join(words[1:-1]), ""
        elif not chain and words[:1] == ["chain"] and text.endswith("{"):
            chain, number = words[1], 0
        elif chain and text == "}" and not rule:
            chain = ""
        elif chain:
            rule = f"{rule} {text}".strip()
            if rule.count("{") > rule.count("}"):
                continue
            if counter := _COUNTER.search(rule):
                yield (
                    (table, chain, number),
                    (
                        _COUNTER.sub("counter", rule),
                        int(counter["packets"]),
                    ),
                )
            rule, number = "", number + 1


def _spans(contents: Contents) -> Iterator[tuple[RulePlace, str]]:
    """File and line of the rules of a dump."""
    for table in contents.rules.tables:
        for chain in table.chains:
            for number, rule in enumerate(chain.rules):
                if rule.span:
                    place = f"{rule.span.source.name}:{rule.span.line} ({table.name})"
                    yield (f"{table.family.value} {table.name}", chain.name, number), place
