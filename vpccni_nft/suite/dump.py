"""The dump that is tested, read once."""

from __future__ import annotations

import functools
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.render import render
from ..core.span import Source
from ..lowering import TranslateOptions
from ..simulate.pool import Pool
from ..simulate.report import lines_of
from ..simulate.sample import chains_of, run
from ..simulate.simplify import simplify
from ..simulate.trace import parts, trace
from ..simulate.world import World
from ..text.sources import parse_sources
from ..translation import translate_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.values import Family
    from ..iptables.ast import Ruleset
    from ..simulate.aim import Aim
    from ..simulate.sample import Chains, Packet
    from ..translation import Translation


@attrs.frozen
class ChainOf:
    """A chain of the dump that has rules."""

    family: Family
    table: str
    chain: str
    several_families: bool

    def __str__(self) -> str:
        family = f"{self.family.value}/" if self.several_families else ""
        return f"{family}{self.table}/{self.chain}"


@attrs.define(slots=False)
class SuiteDump:
    """One or several dumps, and what comes of them."""

    sources: Sequence[Source]
    options: TranslateOptions

    @classmethod
    def read(cls, files: Sequence[str], options: TranslateOptions) -> SuiteDump:
        """Read the files. Raises OSError."""
        return cls([Source.of(Path(file).read_bytes(), file) for file in files], options)

    @functools.cached_property
    def dump(self) -> Ruleset:
        """What could be read."""
        return parse_sources(self.sources)[0]

    @functools.cached_property
    def translation(self) -> Translation:
        """The translation, which may be refused."""
        return translate_sources(self.sources, self.options, nodes=True)

    @functools.cached_property
    def script(self) -> nft.Ruleset:
        """The script, read again."""
        return self.read_script(self.translation.script())

    @staticmethod
    def read_script(text: str) -> nft.Ruleset:
        """Read a script as nft would."""
        return nft.parse(text, "the translation")

    @property
    def refusal(self) -> str:
        """Why there is no translation."""
        found = [one for one in self.translation.diagnostics if one.refuses]
        return "\n".join(render(one) for one in found[:50])

    def chains(self) -> list[ChainOf]:
        """All chains that have rules."""
        several = len({table.family for table in self.dump.tables}) > 1
        return [
            ChainOf(table.family, table.name, chain.name, several)
            for table in self.dump.tables
            for chain in table.chains
            if chain.rules
        ]

    @functools.cached_property
    def pools(self) -> dict[Family, Pool]:
        """What packets are made of."""
        families = {table.family for table in self.dump.tables}
        return {family: Pool.of(self.dump, family) for family in families}

    @functools.cached_property
    def _aims(self) -> dict[tuple[Family, str, str], list[Aim]]:
        found: dict[tuple[Family, str, str], list[Aim]] = {}
        for family, pool in self.pools.items():
            for aim in pool.aims:
                found.setdefault((family, aim.table, aim.path[-1].chain), []).append(aim)
        return found

    def packets_for(self, chain: ChainOf, number: int) -> Iterator[Packet]:
        """So many packets that aim at the rules of a chain; none where no hook leads to it."""
        aims = self._aims.get((chain.family, chain.table, chain.chain))
        if aims:
            pool = attrs.evolve(self.pools[chain.family], aims=tuple(aims))
            yield from islice(pool.stream(0), number)

    @functools.cached_property
    def _both(self) -> dict[Family, tuple[Chains, Chains]]:
        return {
            family: (chains_of(self.dump, family), chains_of(self.script, family))
            for family in self.pools
        }

    def differ(self, packet: Packet) -> bool:
        """Whether a packet ends differently on the two sides."""
        before, after = self._both[packet.family]
        return bool(parts(run(before, packet), run(after, packet), counts=True))

    def explain(self, packet: Packet) -> str:
        """Say how a packet ends on both sides, after making it plain."""
        plain = simplify(packet, self.differ)
        before, after = (trace((one,), plain.packet) for one in (self.dump, self.script))
        found = parts(before.outcome, after.outcome, counts=True)
        lines = [f"the packet {plain.text} ends differently: {', '.join(found)}"]
        if plain.hidden:
            lines.append(f"with {', '.join(f'{name}={n}' for name, n in plain.hidden.items())}")
        lines += ["", "iptables", *lines_of(before), "", "nft", *lines_of(after)]
        if isinstance(plain.packet.answers, World):
            lines += ["", *(f"the world: {said}" for said in plain.packet.answers.answers())]
        else:
            lines += ["", f"the world: seed {plain.packet.seed}, {dict(plain.packet.answers)}"]
        return "\n".join(lines)
