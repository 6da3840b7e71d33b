"""Rulesets with their right translations, in which mistakes are looked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import islice

import attrs

import vpccni_nft
from vpccni_nft import iptables, nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.hook import Outcome
from vpccni_nft.simulate.sample import Packet, chains_of, differences, run
from vpccni_nft.strategies import stream

from .agreement import ALIKE
from .corpus import FOLDER as CORPUS
from .dumps import ODD
from .vectors import FOLDER as VECTORS
from .vectors import read_vectors

#: Packets that are sent through one ruleset with one mistake.
PACKETS = 400

#: Nodes that have among them what the CNI of any age, kube-proxy, kubelet and Calico write.
NODES = (
    "vpccni/v1.16.1-three-cidrs-exclude",
    "vpccni/unreleased-sgp-strict-ct-zone",
    "node/eks-1.28-ipv6-cluster-ip6tables",
    "node/eks-1.24-cni-1.12.1",
    "node/eks-1.29-cni-1.18-calico-nft",
)


@attrs.define(eq=False)
class Specimen:
    """A ruleset, its right translation, and packets with what becomes of them."""

    before: iptables.Ruleset
    after: nft.Ruleset
    known: dict[Family, list[tuple[Packet, Outcome]]] = attrs.Factory(dict)

    def packets(self, family: Family) -> list[tuple[Packet, Outcome]]:
        if family not in self.known:
            chains = chains_of(self.before, family)
            self.known[family] = [
                (packet, run(chains, packet))
                for packet in islice(stream(self.before, family), PACKETS)
            ]
        return self.known[family]

    def tells_apart(self, mutated: nft.Ruleset) -> bool:
        for family in {table.family for table in self.before.tables}:
            chains = chains_of(mutated, family)
            for packet, outcome in self.packets(family):
                if differences(outcome, run(chains, packet)):
                    return True
        return False


@functools.cache
def specimens() -> tuple[Specimen, ...]:
    dumps = [
        *((CORPUS / f"{name}.save").read_text() for name in NODES),
        ODD,
        *(
            vector.dump
            for folder in ("matches", "targets")
            for vector in read_vectors(VECTORS / folder)
            if not vector.expected[0].startswith("refused")
        ),
    ]
    return tuple(_specimens(dumps))


def _specimens(dumps: list[str]) -> Iterator[Specimen]:
    for dump in dumps:
        translation = vpccni_nft.translate(dump, allow=ALIKE)
        if not translation.refused:
            yield Specimen(vpccni_nft.parse(dump), nft.parse(translation.script()))
