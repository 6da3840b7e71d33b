"""Every node of the corpus: the same packets, the same fate, and the models know it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from vpccni_nft import nft
from vpccni_nft.replay.side import Backend
from vpccni_nft.replay.testbed import ReplaySettings, Testbed

from ..support.agreement import ALIKE
from ..support.corpus import FOLDER, GENERAL, NODES, TRANSLATED, allowances, name_of
from ..support.dumps import ODD
from ..support.limits import alone_with_the_log
from ..support.packets import (
    Tally,
    check_models,
    check_translation,
    contents,
    missed_but_in_the_model,
    translate,
)
from ..support.profiles import SCALE, share

#: Packets on either side, through each whole node, which has many rules, and through the CNI's own
#: rules; those for a node where they have not hit its rules; and conversations that the models are
#: held against.
PACKETS = (
    {"node": 2400 * SCALE, "vpccni": 600 * SCALE} if SCALE > 1 else {"node": 600, "vpccni": 300}
)
MORE = 2400 * SCALE
MODELLED = 100 * SCALE if SCALE > 1 else 24

#: Packets in other modes, which a few nodes are enough for.
FEW = 400 * SCALE if SCALE > 1 else 200

#: Usually every fifth whole node, every eighth that has the CNI's rules alone, and those beside
#: them that are of a kind of their own.
OF_A_KIND = {
    *("eks-1.28-ipv6-cluster-ip6tables", "eks-1.29-cni-1.18-calico-nft"),
    *("portmap-binary-1.1.1-nft", "eks-1.34-cni-1.23-legacy"),
    "unreleased-sgp-strict-ct-zone",
}
SHARES = {"node": 8, "vpccni": 12}
TRIED = [
    path
    for path in NODES
    if SCALE > 1 or path.stem in OF_A_KIND or share([path], SHARES[path.parent.name])
]

#: Dumps of other tools that have a translation.
OTHERS = [path for path in TRANSLATED if path in GENERAL and (SCALE > 1 or share([path], 2))]

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("path", TRIED, ids=name_of)
def test_a_node_does_the_same(path: Path, add: Callable[[Tally], None]) -> None:
    dump = path.read_text()
    sets = path.with_suffix(".ipset")
    ipset_save = sets.read_text() if sets.exists() else None
    script = translate(dump, tuple(allowances(dump)), ipset_save)
    before = contents(dump, path.name, ipset_save)
    with Testbed(before, contents(script), ReplaySettings()) as arena:
        tally = check_translation(arena, PACKETS[path.parent.name])
        if tally.hit < 0.95 * tally.reachable:
            # Some rules ask for what rules before them rule out: the model finds no packet either.
            tally.reachable = tally.hit + len(missed_but_in_the_model(arena))
        if tally.hit < 0.95 * tally.reachable:  # a rule that few packets come to
            tally = check_translation(arena, MORE)
            tally.reachable = tally.hit + len(missed_but_in_the_model(arena))
        check_models(arena, nft.parse(script), MODELLED, tally)
        add(tally)
        assert tally.hit >= 0.95 * tally.reachable, "\n".join(missed_but_in_the_model(arena))


@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_what_other_tools_write_does_the_same(path: Path, add: Callable[[Tally], None]) -> None:
    dump = path.read_text()
    script = translate(dump, ())
    with Testbed(contents(dump, path.name), contents(script), ReplaySettings()) as arena:
        tally = check_translation(arena, FEW)
        check_models(arena, nft.parse(script), MODELLED, tally)
        add(tally)


@pytest.mark.parametrize(
    "name",
    [
        "node/eks-1.29-cni-1.18-al2023-nft",
        "node/eks-1.28-ipv6-cluster-ip6tables",
        "vpccni/unreleased-sgp-strict-ct-zone",
    ],
)
def test_iptables_nft_does_the_same(name: str, add: Callable[[Tally], None]) -> None:
    dump = (FOLDER / f"{name}.save").read_text()
    script = translate(dump, tuple(allowances(dump)))
    settings = ReplaySettings(backend=Backend.NFT)
    with Testbed(contents(dump, name), contents(script), settings) as arena:
        add(check_translation(arena, FEW))


@pytest.mark.parametrize(
    "name", ["node/eks-1.34-cni-1.23-legacy", "node/eks-1.28-ipv6-cluster-ip6tables"]
)
def test_random_choices_are_as_frequent(name: str, add: Callable[[Tally], None]) -> None:
    dump = (FOLDER / f"{name}.save").read_text()
    script = translate(dump, tuple(allowances(dump)))
    with Testbed(contents(dump, name), contents(script), ReplaySettings()) as arena:
        tally = check_translation(arena, FEW)
        several = arena.duel.several[: 12 if SCALE > 1 else 6]
        assert several
        assert not list(arena.duel.frequencies(several))
        add(tally)


def test_what_is_logged_is_the_same(add: Callable[[Tally], None]) -> None:
    with (
        alone_with_the_log(),
        Testbed(
            contents(ODD), contents(translate(ODD, ALIKE)), ReplaySettings(kernel_log=True)
        ) as arena,
    ):
        tally = check_translation(arena, FEW)
        seen = arena.sides[0].ask("play", [*islice(arena.guide.stream(), 200)])
        add(tally)
    logged = [event.place for one in seen for move in one for event in move if event.kind == "log"]
    assert any("odd: " in line for line in logged)
