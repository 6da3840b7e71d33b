"""Both sides of a translation, and what to say where a packet tells them apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import attrs

import vpccni_nft
from vpccni_nft import Family, iptables, nft
from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.core.values import Address
from vpccni_nft.extensions import extension_of
from vpccni_nft.model.packet import ADDRESSES, NAME_BYTES
from vpccni_nft.simulate.aim import aims_of
from vpccni_nft.simulate.sample import Chains, Packet, chains_of, differences, run
from vpccni_nft.simulate.simplify import simplify
from vpccni_nft.strategies import stream
from vpccni_nft.text.iptables_save import rule_line
from vpccni_nft.text.nft_script import rule_text

#: Approximations that both sides' meanings share. A log's prefix that nft cannot hold (T105) does
#: differ, what is of the kernel's own sockets (T118), a checksum that is computed (T119), and how
#: often an address was seen (T120).
ALIKE = tuple(sorted(set(APPROXIMATIONS) - {"T105", "T118", "T119", "T120"}))


@attrs.frozen(eq=False)
class Sides:
    """A ruleset of iptables, and its translation as it is read again from its text."""

    before: iptables.Ruleset
    script: str
    after: nft.Ruleset
    left_out: int = 0  #: rules that have no translation

    @classmethod
    def of(cls, text: str, ipset_save: str | None = None) -> Sides | None:
        """Those rules that have a translation; None where it is not for rules that it has none."""
        lines = text.split("\n")
        left_out = 0
        while True:
            text = "\n".join(lines)
            translation = vpccni_nft.translate(text, allow=ALIKE, ipset_save=ipset_save)
            if not translation.refused:
                script = translation.script()
                before = vpccni_nft.parse(text, ipset_save=ipset_save)
                return cls(before, script, nft.parse(script), left_out)
            refused = {
                found.span.line for found in translation.diagnostics if found.refuses and found.span
            }
            rules = [line for line in refused if re.match(r"(\[\d+:\d+\] )?-A ", lines[line - 1])]
            if not rules:
                return None
            for line in sorted(rules, reverse=True):
                del lines[line - 1]
            left_out += len(rules)

    @property
    def families(self) -> list[Family]:
        return sorted({table.family for table in self.before.tables}, key=lambda one: one.value)

    @property
    def reachable(self) -> int:
        """How many rules hooks lead to."""
        aims = (aim for family in self.families for aim in aims_of(self.before, family))
        return len({id(aim.rule) for aim in aims})

    def packets(self, family: Family, count: int, seed: int = 0) -> Iterator[Packet]:
        fragments = not self._tracks(family)
        return islice(stream(self.before, family, seed, fragments=fragments), count)

    def _tracks(self, family: Family) -> bool:
        """Whether there are connections, and so no fragments."""
        tables = [table for table in self.before.tables if table.family is family]
        nodes = (
            node
            for table in tables
            for chain in table.chains
            for rule in chain.rules
            for node in (*rule.matches, rule.target)
            if node and not isinstance(node, iptables.Jump | iptables.Goto)
        )
        return any(table.name == "nat" for table in tables) or any(
            extension_of(node).uses_conntrack for node in nodes
        )

    def check(self, count: int, seed: int = 0) -> None:
        """Send so many packets of each family through both sides."""
        for family in self.families:
            before, after = chains_of(self.before, family), chains_of(self.after, family)
            for packet in self.packets(family, count, seed):
                if differences(run(before, packet), run(after, packet)):
                    raise AssertionError(self._explain(packet, before, after))

    def _explain(self, packet: Packet, before: Chains, after: Chains) -> str:
        def differ(one: Packet) -> dict[str, tuple[object, object]]:
            return differences(run(before, one), run(after, one))

        plain = simplify(packet, lambda one: bool(differ(one)))
        packet = plain.packet
        by_rule = {
            id(rule): rule_line(chain.name, rule)
            for table in self.before.tables
            for chain in table.chains
            for rule in chain.rules
        } | {
            id(rule): f"{chain.name}: {rule_text(rule)}"
            for table in self.after.tables
            for chain in table.chains
            for rule in chain.rules
        }

        def trace(chains: Chains) -> list[str]:
            lines: list[str] = []

            def watch(rule: object, _live: object, fits: object) -> None:
                if fits:
                    lines.append(by_rule[id(rule)])

            run(chains, packet, watch)
            return lines

        hidden = {
            name: _readable(name, value, packet.family) for name, value in plain.hidden.items()
        }
        found = [f"{name}: {one} / {other}" for name, (one, other) in differ(packet).items()]
        lines = [
            "a packet tells the two sides apart",
            *("", iptables.save(self.before), self.script),
            f"explain --packet '{plain.text}' and {hidden}",
            f"the world answers {dict(packet.answers)}, and by the seed {packet.seed}",
            *("", "iptables / nft", *found),
            *("", "iptables, rules that fit:", *trace(before)),
            *("", "nft, rules that fit:", *trace(after)),
        ]
        return "\n".join(lines)

    def hit(self, count: int) -> int:
        """How many of the rules so many packets fit."""
        hit: set[int] = set()

        def watch(rule: object, _live: object, fits: object) -> None:
            if fits:
                hit.add(id(rule))

        for family in self.families:
            chains = chains_of(self.before, family)
            for packet in self.packets(family, count):
                run(chains, packet, watch)
        return len(hit)


def _readable(field: str, value: int, family: Family) -> str:
    if field in ADDRESSES:
        return str(Address(family, value))
    if field in {"iif", "oif"}:
        return value.to_bytes(NAME_BYTES, "big").rstrip(b"\0").decode("utf-8", "surrogateescape")
    return hex(value)


def sides_of(text: str, ipset_save: str | None = None) -> Sides:
    """Both sides of a dump that has a translation as a whole."""
    sides = Sides.of(text, ipset_save)
    assert sides is not None
    assert not sides.left_out
    return sides
