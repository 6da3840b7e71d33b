"""In which orders base chains of one hook and one priority may run.

The kernel runs first what was registered last (netfilter/core.c, nf_hook_entries_grow), and a text
does not say when that was. So is the place of a chain at the very priority of conntrack or NAT.
"""

from __future__ import annotations

import enum
import re
from collections import defaultdict
from itertools import islice, permutations, product
from math import prod
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from ..model.hook import Act, BaseChain, acts_at
from .pairs import ChainPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: What runs at one priority: a base chain, or what the kernel does itself.
Item = BaseChain | Act

#: The base chains of a side at a hook, in one order.
Arrangement = tuple[BaseChain, ...]

#: The most orders that are tried.
MOST = 24

_SECTION = re.compile(r"\s*(?:family (?P<family>\S+)|hook (?P<hook>\S+)) \{")
_ENTRY = re.compile(r"\s*[-+]?\d+\s+(?P<what>\S.*?)(?:\s+\[(?P<module>\w+)\])?\s*")
_MODULES = {"nf_conntrack": Act.CONNTRACK, "nf_nat": Act.NAT}


class Ties(enum.Enum):
    """What is known of the order of base chains that nothing else orders."""

    EVERY = "every"  #: nothing: every order is tried, of either side
    SAME = "same"  #: that it is the same on both sides: every order is tried
    GIVEN = "given"  #: they run as they are given
    REGISTERED = "registered"  #: they were registered as they are given: the last one runs first


@attrs.frozen
class Listed:
    """A base chain or an act of the kernel, as a list of the order names it."""

    table: str = ""
    chain: str = ""  #: empty: whichever chain the table has there
    act: Act | None = None
    family: str = ""  #: empty: any
    hook: str = ""

    def names(self, item: Item, family: Family, hook: str) -> bool:
        """Whether it stands for an item."""
        if self.family not in {"", family.value} or self.hook not in {"", hook}:
            return False
        if isinstance(item, Act):
            return item is self.act
        return item.program.table == self.table and self.chain in {"", item.name}


@attrs.frozen
class ChainOrder:
    """In which order base chains run."""

    ties: Ties = Ties.EVERY
    listed: tuple[Listed, ...] = ()  #: what is known of it, the first one that runs first

    @classmethod
    def of(cls, text: str) -> ChainOrder:
        """Read the name of one of ``Ties``, a list, or what ``nft list hooks`` prints.

        A list has names with commas or line ends between them: ``TABLE CHAIN``, if need be with the
        family before it, ``conntrack`` and ``nat``. Raises ValueError.
        """
        if text.strip() in {ties.value for ties in Ties}:
            return cls(Ties(text.strip()))
        if _SECTION.match(text.lstrip()):
            return cls(listed=tuple(_hooks(text.splitlines())))
        words = (one.split() for one in re.split(r"[,\n]", text) if one.strip())
        return cls(listed=tuple(map(_listed, words)))

    def arrangements(
        self, chains: Sequence[BaseChain], groups: Iterable[tuple[Item, ...]], family: Family
    ) -> list[Arrangement]:
        """The base chains of a hook in each order that they may run in, the given one first.

        ``groups`` are those whose order matters. The answer is empty where there are too many.
        """
        orders = [list(self._orders(group, family, chains[0].hook)) for group in groups]
        if prod(map(len, orders)) > MOST:
            return []
        found = []
        for chosen in product(*orders):
            turns = {id(chain): turn for group in chosen for chain, turn in _turns(group)}
            found.append(
                tuple(attrs.evolve(one, turn=turns.get(id(one), one.turn)) for one in chains)
            )
        return found

    def settles(self, group: tuple[Item, ...], family: Family, hook: str) -> bool:
        """Whether there is one order of a group that does not contradict what is known."""
        return len(list(islice(self._orders(group, family, hook), 2))) == 1

    def _orders(
        self, group: tuple[Item, ...], family: Family, hook: str
    ) -> Iterator[tuple[Item, ...]]:
        """The orders of one group that do not contradict what is known."""
        if self.ties is Ties.GIVEN:
            yield group
            return
        if self.ties is Ties.REGISTERED:
            yield from _registered(group)
            return
        places: dict[Item, int] = {}
        for number, one in enumerate(self.listed):
            named = [item for item in group if one.names(item, family, hook)]
            if len(named) == 1:
                places.setdefault(named[0], number)
        seen = 0
        for order in permutations(group):
            known = [places[item] for item in order if item in places]
            if known == sorted(known):
                seen += 1
                yield order
            if seen > MOST:
                return


#: Nothing is known of any order.
EVERY_ORDER = ChainOrder()

#: Base chains run as they are given.
GIVEN_ORDER = ChainOrder(Ties.GIVEN)


def groups_at(chains: Sequence[BaseChain]) -> list[tuple[Item, ...]]:
    """What runs at one priority of a hook: base chains and what the kernel does there."""
    groups: dict[object, list[Item]] = defaultdict(list)
    for chain in chains:
        key = (chain.type == "nat", chain.priority)
        if not groups[key] and not key[0]:
            acts = acts_at(chain.hook).items()
            groups[key] += (act for act, priority in acts if priority == chain.priority)
        groups[key].append(chain)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _registered(group: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """What was registered last runs first; when the kernel's own part was is not known."""
    chains = [item for item in reversed(group) if isinstance(item, BaseChain)]
    acts = [item for item in group if isinstance(item, Act)]
    if not acts:
        yield tuple(chains)
        return
    for place in range(len(chains) + 1):
        yield (*chains[:place], *acts, *chains[place:])


def describe(arrangement: Arrangement, groups: Iterable[tuple[Item, ...]]) -> str:
    """The order of what could run in another one."""
    places: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for group in groups:
        hook = next(item.hook for item in group if isinstance(item, BaseChain))
        for item in group:
            if isinstance(item, Act):
                places[hook][item.value] = (acts_at(hook)[item], 0)
                continue
            for one in arrangement:
                if (one.program, one.name) == (item.program, item.name):
                    places[hook][f"{one.program.table} {one.name}"] = one.place
    return "; ".join(", ".join(sorted(here, key=here.__getitem__)) for here in places.values())


def run_the_same(before: Arrangement, after: Arrangement) -> bool:
    """Whether base chains that are called alike run in the same order on both sides."""
    return all(
        _run_the_same(*([one for one in side if one.hook == hook] for side in (before, after)))
        for hook in {one.hook for one in (*before, *after)}
    )


def _run_the_same(before: Sequence[BaseChain], after: Sequence[BaseChain]) -> bool:
    mine, theirs = (_sequence(side) for side in (before, after))
    return [name for name in mine if name in theirs] == [name for name in theirs if name in mine]


def _sequence(side: Sequence[BaseChain]) -> list[object]:
    if not side:
        return []
    places: dict[object, tuple[int, ...]] = {
        act: (priority, 0) for act, priority in acts_at(side[0].hook).items()
    }
    for one in side:
        places[ChainPart.whole(one.program, one.name).hint] = one.place
    return sorted(places, key=lambda name: places[name])


def _turns(group: tuple[Item, ...]) -> Iterator[tuple[BaseChain, int]]:
    """The turn of each chain of a group; that of an act is 0."""
    acts = [number for number, item in enumerate(group) if isinstance(item, Act)]
    zero = acts[0] if acts else -1
    for number, item in enumerate(group):
        if isinstance(item, BaseChain):
            yield item, number - zero


def _listed(words: Sequence[str]) -> Listed:
    match [word.replace("/", " ").split() for word in words]:
        case [[act]] if act in {one.value for one in Act}:
            return Listed(act=Act(act))
        case [[table, chain]] | [[table], [chain]]:
            return Listed(table, chain)
        case [["inet"], [table], [chain]]:
            return Listed(f"inet {table}", chain)
        case [[family], [table], [chain]] if family in {one.value for one in Family}:
            return Listed(table, chain, family=family)
    raise ValueError(
        f"“{' '.join(words)[:60]}” names no base chain: write TABLE CHAIN, conntrack or nat"
    )


def _hooks(lines: Iterable[str]) -> Iterator[Listed]:
    """What ``nft list hooks`` prints: for each hook what is registered, the first one first."""
    family = hook = ""
    for line in lines:
        if section := _SECTION.match(line):
            family, hook = section["family"] or family, section["hook"] or hook
        elif entry := _ENTRY.fullmatch(line):
            words, module = entry["what"].split(), entry["module"] or ""
            if words[0] == "chain" and len(words) == 4:
                table = " ".join(words[1:3]) if words[1] == "inet" else words[2]
                yield Listed(table, words[3], family=family, hook=hook)
            elif module in _MODULES:
                yield Listed(act=_MODULES[module], family=family, hook=hook)
            elif module.startswith(("iptable_", "ip6table_")):
                yield Listed(module.partition("_")[2], family=family, hook=hook)
