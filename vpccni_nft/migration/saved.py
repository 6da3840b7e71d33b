"""One table of iptables as ``iptables-save -c`` prints it: chains, and rules as lines.

Rules are compared as text, without counters: a program prints equal rules the same, and what is
given to iptables again is spelt as iptables spelt it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.errors import CannotRead

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COUNTED_RULE = re.compile(r"(?:\[(\d+:\d+)\] )?(-A (\S+) ?.*)", re.ASCII)
_CHAIN = re.compile(r":(\S+) (\S+)(?: \[(\d+:\d+)\])?", re.ASCII)

#: What a user-defined chain has in place of a policy.
NO_POLICY = "-"


@attrs.frozen
class SavedRule:
    """A rule: ``-A CHAIN`` and the rest. Equal where the text is; counters do not matter."""

    text: str
    counters: str = attrs.field(default="0:0", eq=False)  #: packets and bytes

    @property
    def specification(self) -> str:
        """What follows ``-A CHAIN``."""
        return self.text.split(" ", 2)[2] if self.text.count(" ") > 1 else ""


@attrs.frozen
class SavedChain:
    """A chain with its rules in their order."""

    name: str
    policy: str  #: ACCEPT, DROP, or ``NO_POLICY``
    rules: tuple[SavedRule, ...] = ()
    counters: str = attrs.field(default="0:0", eq=False)

    @property
    def built_in(self) -> bool:
        """Whether the kernel calls it by itself."""
        return self.policy != NO_POLICY


def _meant(chains: tuple[SavedChain, ...]) -> frozenset[SavedChain]:
    """What two tables are compared by: an empty built-in chain that accepts is like none."""
    return frozenset(one for one in chains if one.rules or one.policy != "ACCEPT")


@attrs.frozen
class SavedTable:
    """A table; a table that is not there has no chains. The order of chains does not matter."""

    name: str
    chains: tuple[SavedChain, ...] = attrs.field(default=(), eq=_meant)
    _by_name: dict[str, SavedChain] = attrs.field(init=False, eq=False, repr=False)

    @_by_name.default
    def _index(self) -> dict[str, SavedChain]:
        return {one.name: one for one in self.chains}

    @classmethod
    def of(cls, name: str, lines: Sequence[str]) -> SavedTable:
        """Read a table of a dump. Raises CannotRead where a line is not one of iptables-save."""
        chains: dict[str, SavedChain] = {}
        rules: dict[str, list[SavedRule]] = {}
        inside = False
        for line in lines:
            if line.startswith("*"):
                inside = line == f"*{name}"
            elif not inside or not line or line.startswith("#") or line == "COMMIT":
                continue
            elif found := _CHAIN.fullmatch(line):
                chain, policy, counters = found.groups()
                chains[chain] = SavedChain(chain, policy, (), counters or "0:0")
                rules[chain] = []
            elif (found := _COUNTED_RULE.fullmatch(line)) and found[3] in rules:
                rules[found[3]].append(SavedRule(found[2], found[1] or "0:0"))
            else:
                raise CannotRead(f"the table {name}: this is no line of iptables-save: {line}")
        return cls(
            name, tuple(attrs.evolve(one, rules=tuple(rules[one.name])) for one in chains.values())
        )

    @classmethod
    def printed(cls, name: str, text: str) -> SavedTable:
        """Read what iptables-save prints of one table. Raises CannotRead where it is not that.

        The names of interfaces, and comments, can have line breaks, which are printed as they are.
        What stands behind one can look like a remark, or like the end of the table.
        """
        lines = text.split("\n")
        said = [number for number, line in enumerate(lines) if line and line[0] != "#"]
        if not said:
            if unshown := [line for line in lines if "is incompatible" in line]:
                raise CannotRead(f"iptables-save says: {unshown[0].removeprefix('# ')}")
            return cls(name)
        table = lines[said[0] : said[-1] + 1]
        ends = [line for line in table if line == "COMMIT" or line.startswith("*")]
        if len(table) != len(said) or ends != [table[0], table[-1]]:
            raise CannotRead(broken(name))
        return cls.of(name, table)

    def chain(self, name: str) -> SavedChain | None:
        """A chain by its name."""
        return self._by_name.get(name)

    def lines(self, *, counters: bool = False) -> Iterator[str]:
        """The table as iptables-save prints it, with counters or without."""
        yield f"*{self.name}"
        for chain in self.chains:
            numbers = f" [{chain.counters}]" if counters else ""
            yield f":{chain.name} {chain.policy}{numbers}"
        for chain in self.chains:
            for rule in chain.rules:
                yield f"[{rule.counters}] {rule.text}" if counters else rule.text
        yield "COMMIT"


def broken(name: str) -> str:
    """Why a table cannot be read: it has other rules than its lines show."""
    return (
        f"the table {name}: a rule has a line break, in a comment or in the name of an interface:"
        " what iptables-save prints does not show which rules there are: write it without"
    )
