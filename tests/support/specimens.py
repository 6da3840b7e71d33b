"""Rulesets with their right translations, in which mistakes are looked for."""

from __future__ import annotations

import functools
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
from .vectors import TRANSLATED

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
    """A dump, its right translation, and packets with what becomes of them; made when needed."""

    name: str
    dump: str
    ipset_save: str | None = None
    _known: dict[Family, list[tuple[Packet, Outcome]]] = attrs.Factory(dict)

    def __str__(self) -> str:
        return self.name

    @functools.cached_property
    def before(self) -> iptables.Ruleset:
        return vpccni_nft.parse(self.dump, ipset_save=self.ipset_save)

    @functools.cached_property
    def after(self) -> nft.Ruleset:
        sets = self.ipset_save
        return nft.parse(vpccni_nft.translate(self.dump, allow=ALIKE, ipset_save=sets).script())

    def packets(self, family: Family, count: int) -> list[tuple[Packet, Outcome]]:
        known = self._known.setdefault(family, [])
        if len(known) < count:
            chains = chains_of(self.before, family)
            for packet in islice(stream(self.before, family), len(known), count):
                known.append((packet, run(chains, packet)))
        return known[:count]

    def tells_apart(self, mutated: nft.Ruleset, packets: int = PACKETS) -> bool:
        for family in {table.family for table in self.before.tables}:
            chains = chains_of(mutated, family)
            for packet, outcome in self.packets(family, packets):
                if differences(outcome, run(chains, packet)):
                    return True
        return False


#: What an ipset says of itself whose elements count: nft's do, and those of the model of ipset not.
_COUNTERS = " counters"

SPECIMENS = [
    *(Specimen(name, (CORPUS / f"{name}.save").read_text()) for name in NODES),
    Specimen("odd", ODD),
    *(
        Specimen(str(one), one.dump, one.ipset_save)
        for one in TRANSLATED
        if set(one.allow) <= set(ALIKE) and _COUNTERS not in (one.ipset_save or "")
    ),
]
