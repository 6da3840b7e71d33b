"""Rows of keys: those that a packet can match are found without trying all of them.

A rule or an element of a set can ask for one value of some words of a packet. What asks for another
value than a word can have does nothing to the packet, so it need not be looked at.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import compress, product
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from .algebra import Algebra, Word

#: A value for each place that a key asks for.
Key = tuple[int, ...]

#: Up to so many combinations of values are looked up one by one.
_MOST_COMBINED = 64


@attrs.define(eq=False)
class KeyGroup:
    """Keys that ask for the same places of a row of words."""

    places: tuple[int, ...]
    by_key: dict[Key, list[int]]  #: the numbers of what has a key
    #: The keys by their values of some places, once they have been looked for by these.
    _by_some: dict[tuple[bool, ...], dict[Key, list[Key]]] = attrs.Factory(dict)
    _parts: dict[tuple[tuple[bool, ...], Key], KeyGroup] = attrs.Factory(dict)

    def keys_for(self, known: Sequence[Collection[int] | None]) -> Iterable[Key]:
        """The keys of words that can have certain values; None: any."""
        mask = tuple(values is not None for values in known)
        if not any(mask):
            return self.by_key
        values = [one for one in known if one is not None]
        count = 1
        for one in values:
            count *= len(one)
        if count > _MOST_COMBINED:
            return [
                key
                for key in self.by_key
                if all(one is None or part in one for part, one in zip(key, known, strict=True))
            ]
        if all(mask):
            return [key for key in product(*values) if key in self.by_key]
        some = self._by_values_of(mask)
        return [key for part in product(*values) for key in some.get(part, ())]

    def where(self, values: Sequence[int | None]) -> KeyGroup:
        """The keys that have these values, by the rest of their places."""
        mask = tuple(value is not None for value in values)
        if not any(mask):
            return self
        part = tuple(value for value in values if value is not None)
        if (mask, part) not in self._parts:
            rest = [not one for one in mask]
            found: dict[Key, list[int]] = {}
            for key in self._by_values_of(mask).get(part, ()):
                found.setdefault(tuple(compress(key, rest)), []).extend(self.by_key[key])
            self._parts[mask, part] = KeyGroup(tuple(compress(self.places, rest)), found)
        return self._parts[mask, part]

    def onto(self, number: int) -> KeyGroup:
        """The values of one place, by its number among the places."""
        found: dict[Key, list[int]] = {}
        for key, numbers in self.by_key.items():
            found.setdefault((key[number],), []).extend(numbers)
        return KeyGroup((self.places[number],), found)

    def _by_values_of(self, mask: tuple[bool, ...]) -> dict[Key, list[Key]]:
        if mask not in self._by_some:
            found: dict[Key, list[Key]] = defaultdict(list)
            for key in self.by_key:
                found[tuple(compress(key, mask))].append(key)
            self._by_some[mask] = dict(found)
        return self._by_some[mask]


@attrs.define(eq=False)
class KeyIndex:
    """What has keys, by its number; a key can ask for nothing, and so be always matched."""

    groups: tuple[KeyGroup, ...]
    always: tuple[int, ...]

    @classmethod
    def of(cls, keys: Iterable[Mapping[int, int]]) -> KeyIndex:
        """From the keys of everything, each by place."""
        always: list[int] = []
        groups: dict[tuple[int, ...], dict[Key, list[int]]] = defaultdict(dict)
        for number, key in enumerate(keys):
            if key:
                places = tuple(sorted(key))
                values = tuple(key[place] for place in places)
                groups[places].setdefault(values, []).append(number)
            else:
                always.append(number)
        return cls(tuple(KeyGroup(*group) for group in groups.items()), tuple(always))

    def matched(self, known: Sequence[Collection[int] | None]) -> Iterator[tuple[KeyGroup, Key]]:
        """The keys that words can match which can have certain values; None: any."""
        for group in self.groups:
            for key in group.keys_for([known[place] for place in group.places]):
                yield group, key

    def numbers(self, matched: Iterable[tuple[KeyGroup, Key]]) -> list[int]:
        """What has one of these keys or none, in its order."""
        return sorted([*self.always, *(one for group, key in matched for one in group.by_key[key])])


@attrs.define(eq=False)
class RuleIndex:
    """The rules of a chain by the values that they ask for of a packet's fields."""

    fields: tuple[str, ...]
    keys: KeyIndex

    def words(self, fields: Mapping[str, Word]) -> tuple[Word, ...]:
        """What the rules are found by."""
        return tuple(fields[name] for name in self.fields)

    def behind(self, number: int, words: tuple[Word, ...], algebra: Algebra) -> Iterator[int]:
        """The rules behind one that words can match."""
        found = algebra.candidates(self.keys, words, splits=True)
        return (one for one in found if one > number)


@attrs.define(eq=False)
class Indices:
    """The indices of what a table has, each made when it is first used."""

    #: By the family of the packets and the chain; there is none of a chain that has few rules.
    rules: dict[tuple[Hashable, str], RuleIndex] = attrs.Factory(dict)
    #: Those of elements, by the identity of what has them; that is kept with them.
    elements: dict[tuple[int, object], tuple[object, KeyIndex]] = attrs.Factory(dict)
