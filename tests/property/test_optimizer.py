"""Optimized rulesets mean the same as those that they come from, re-read from their texts.

A pass is held by vectors (``vectors/optimizer/PASS/NAME.before.nft`` and ``.after.nft``), and by
packets for drawn dumps that it changes. After a change that is meant, write the ``after`` files
anew: ``python -m tests.property.test_optimizer``.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import attrs
import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import Family, iptables, nft
from vpccni_nft import strategies as own
from vpccni_nft.lowering.depth import MOST_CHAINS
from vpccni_nft.nft.statements import targets
from vpccni_nft.optimizer import PASSES, optimize
from vpccni_nft.optimizer.calls import Calls
from vpccni_nft.optimizer.pipeline import Pass
from vpccni_nft.simulate.sample import Packet, chains_of, differences, run

from ..support.agreement import ALIKE, Sides
from ..support.corpus import NODES, TRANSLATED, allowances, ipsets_of, name_of
from ..support.namespaces import Namespace
from ..support.profiles import ALL, FEW, in_turn, share
from ..support.rows import dumps
from ..support.vectors import FOLDER

VECTORS = sorted((FOLDER / "optimizer").glob("*/*.before.nft"))
BY_NAME = {pass_.__name__: pass_ for pass_ in PASSES}

#: For each of the passes: most of what is drawn is for one or two of them.
THIRD = settings(ALL, max_examples=ALL.max_examples // 3)

PACKETS = 60
PER_NODE = 200

Counters = Literal["keep", "zero", "none"]
COUNTERS: tuple[Counters, ...] = ("keep", "zero", "none")

seeds = st.integers(0, 2**16)


def after(pass_: Pass, ruleset: nft.Ruleset) -> nft.Ruleset:
    return nft.Ruleset(tuple(pass_(table, Calls.of(table)) for table in ruleset.tables))


def reread(ruleset: nft.Ruleset) -> nft.Ruleset:
    return nft.parse(nft.serialize(ruleset))


def check(
    before: nft.Ruleset, optimized: nft.Ruleset, family: Family, packets: Sequence[Packet]
) -> None:
    """Send packets through both, as they are read again from their texts."""
    chains, fewer = chains_of(reread(before), family), chains_of(reread(optimized), family)
    for packet in packets:
        found = differences(run(chains, packet), run(fewer, packet))
        if found:
            texts = "\n".join(map(nft.serialize, (before, optimized)))
            raise AssertionError(f"{found}\n{packet}\n{texts}")


def packets_for(text: str, seed: int = 0, count: int = PACKETS) -> dict[Family, list[Packet]]:
    sides = Sides(vpccni_nft.parse(text), "", nft.Ruleset())
    return {family: list(sides.packets(family, count, seed)) for family in sides.families}


# --- passes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_pass_does_what_its_vector_says(path: Path) -> None:
    assert expected_of(path).read_text() == vector_after(path)


@pytest.mark.kernel
@pytest.mark.parametrize("path", VECTORS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_kernel_takes_both_texts_of_a_vector(path: Path, namespace: Namespace) -> None:
    for text in (path.read_text(), expected_of(path).read_text()):
        namespace.load(text)


def vector_after(path: Path) -> str:
    pass_ = BY_NAME[path.parent.name]
    return nft.serialize(after(pass_, nft.parse(path.read_text())))


def expected_of(path: Path) -> Path:
    return path.with_name(path.name.replace(".before.", ".after."))


def test_every_pass_has_vectors_that_it_changes() -> None:
    changed = {
        path.parent.name for path in VECTORS if path.read_text() != expected_of(path).read_text()
    }
    assert changed == set(BY_NAME)


@pytest.mark.parametrize("pass_", PASSES, ids=lambda pass_: pass_.__name__)
def test_a_pass_changes_no_meaning(pass_: Pass) -> None:
    changed = 0

    @given(dumps(), st.sampled_from(COUNTERS), seeds)
    @THIRD
    def check_one(text: str, counters: Counters, seed: int) -> None:
        nonlocal changed
        ruleset = vpccni_nft.translate(text, counters=counters).ruleset
        optimized = after(pass_, ruleset)
        hypothesis.assume(optimized != ruleset)
        changed += 1
        for family, packets in packets_for(text, seed).items():
            check(ruleset, optimized, family, packets)

    check_one()
    assert changed >= max(1, THIRD.max_examples // 12)


@pytest.mark.parametrize("pass_", PASSES, ids=lambda pass_: pass_.__name__)
def test_a_pass_has_nothing_left_to_do_behind_itself(pass_: Pass) -> None:
    for path in VECTORS:
        if path.parent.name == pass_.__name__:
            once = after(pass_, nft.parse(path.read_text()))
            assert after(pass_, once) == once


# --- all of them ----------------------------------------------------------------------------------


@given(dumps(), st.sampled_from(COUNTERS), seeds)
@ALL
def test_drawn_rows_mean_the_same(text: str, counters: Counters, seed: int) -> None:
    ruleset = vpccni_nft.translate(text, counters=counters).ruleset
    for family, packets in packets_for(text, seed).items():
        check(ruleset, optimize(ruleset), family, packets)


@given(own.rulesets(most_tables=2), st.sampled_from(COUNTERS), seeds)
@ALL
def test_any_drawn_ruleset_means_the_same(
    drawn: iptables.Ruleset, counters: Counters, seed: int
) -> None:
    sides = Sides.of(iptables.save(drawn))
    hypothesis.assume(sides is not None)
    assert sides is not None
    text = iptables.save(sides.before)
    ruleset = vpccni_nft.translate(text, counters=counters, allow=ALIKE).ruleset
    for family, packets in packets_for(text, seed).items():
        check(ruleset, optimize(ruleset), family, packets)


@given(own.node_configs(), seeds)
@FEW
def test_a_drawn_node_means_the_same(config: own.NodeConfig, seed: int) -> None:
    text = own.node_dump(config)
    translation = vpccni_nft.translate(text, optimize=True)
    faithful = vpccni_nft.translate(text).ruleset
    for family, packets in packets_for(text, seed).items():
        check(faithful, translation.ruleset, family, packets)


@functools.cache
def translations(path: Path, counters: Counters) -> tuple[vpccni_nft.Translation, ...]:
    """The translation of a dump as it is, and optimized."""
    translate = functools.partial(
        vpccni_nft.translate,
        path.read_text(),
        allow=allowances(path.read_text()),
        ipset_save=ipsets_of(path),
        counters=counters,
    )
    return translate(), translate(optimize=True)


DUMPS = [
    pytest.param(path, counters, id=f"{name_of(path)}-{counters}")
    for path in share(TRANSLATED, 5)
    for counters in in_turn(path, ("keep", "none"))
]


@pytest.mark.parametrize(("path", "counters"), DUMPS)
def test_a_dump_means_the_same(path: Path, counters: Counters) -> None:
    plain, optimized = (one.ruleset for one in translations(path, counters))
    before = vpccni_nft.parse(path.read_text(), ipset_save=ipsets_of(path))
    sides = Sides(before, "", plain)
    for family in sides.families:
        check(plain, optimized, family, list(sides.packets(family, PER_NODE)))


@pytest.mark.kernel
@pytest.mark.parametrize(("path", "counters"), DUMPS)
def test_the_kernel_takes_an_optimized_dump_twice(
    path: Path, counters: Counters, namespace: Namespace
) -> None:
    _, optimized = translations(path, counters)
    script = optimized.script()
    namespace.load(script)
    once = namespace.list_ruleset()
    namespace.load(script)
    assert namespace.list_ruleset() == once


def test_a_script_that_is_read_again_is_the_optimized_ruleset() -> None:
    for path in NODES:
        _, optimized = translations(path, "keep")
        assert reread(optimized.ruleset) == optimized.ruleset


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_what_is_optimized_again_stays_as_it_is(path: Path) -> None:
    once = translations(path, "keep")[1].ruleset
    assert [len(table.sets) for table in optimize(once).tables] == [
        len(table.sets) for table in once.tables
    ]


# --- what the user sees ---------------------------------------------------------------------------


def services(count: int, extra: str = "") -> str:
    rules = "".join(
        f"-A KUBE-SERVICES -d 172.20.{number // 256}.{number % 256}/32 -p tcp -m comment "
        f'--comment "shop/s{number}" -m tcp --dport 80 -j KUBE-SVC-{number}\n'
        for number in range(count)
    )
    chains = "".join(f":KUBE-SVC-{number} - [0:0]\n" for number in range(count))
    ends = "".join(
        f"-A KUBE-SVC-{number} -p tcp -j DNAT --to-destination 10.0.{number // 256}.{number % 256}"
        f":8080\n"
        for number in range(count)
    )
    return (
        "# Generated by iptables-save\n*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
        f":KUBE-SERVICES - [0:0]\n{chains}-A PREROUTING -j KUBE-SERVICES\n"
        f"-A OUTPUT -j KUBE-SERVICES\n{rules}{extra}{ends}COMMIT\n"
    )


def test_services_are_one_lookup_however_many_there_are() -> None:
    for count in (10, 400):
        (table,) = vpccni_nft.translate(services(count), optimize=True).ruleset.tables
        (portals,) = (chain for chain in table.chains if chain.name == "KUBE-SERVICES")
        assert len(portals.rules) == 1
        (found,) = table.sets
        assert (found.name, len(found.elements), found.counts) == ("KUBE-SERVICES", count, True)


def test_nothing_is_optimized_without_the_option() -> None:
    (table,) = vpccni_nft.translate(services(10)).ruleset.tables
    assert not table.sets


def test_elements_go_on_from_the_counters_of_the_dump() -> None:
    text = services(3).replace("-A KUBE-SERVICES -d 172.20.0.1/32", "[7:420] -A KUBE-SERVICES -d "
                               "172.20.0.1/32")  # fmt: skip
    assert (
        "172.20.0.1 . tcp . 80 counter packets 7 bytes 420"
        in vpccni_nft.translate(text, optimize=True).script()
    )


def test_json_is_refused_where_it_would_lose_counts() -> None:
    text = services(3).replace("-A KUBE-SERVICES", "[7:420] -A KUBE-SERVICES")
    translation = vpccni_nft.translate(text, optimize=True)
    with pytest.raises(vpccni_nft.Refused, match="O001"):
        translation.script("json")
    zeroed = vpccni_nft.translate(text, optimize=True, counters="zero")
    assert json.loads(zeroed.script("json"))
    assert json.loads(vpccni_nft.translate(text).script("json"))


@pytest.mark.kernel
def test_elements_count_what_their_rules_counted(fresh_namespace: Namespace) -> None:
    """The kernel is asked, because the model believes what nft_lookup.c says."""
    text = (
        "# Generated by iptables-save\n*filter\n:OUTPUT ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n"
        + "".join(
            f"-A OUTPUT -d 127.0.0.{number}/32 -p udp -m udp --dport 9 -j {'AB'[number % 2]}\n"
            for number in range(1, 5)
        )
        + "".join(f"-A OUTPUT -s 127.0.0.{number}/32 -j ACCEPT\n" for number in range(1, 5))
        + "-A A -s 10.0.0.1/32 -j ACCEPT\n-A B -s 10.0.0.1/32 -j ACCEPT\nCOMMIT\n"
    )
    fresh_namespace.run("ip", "link", "set", "lo", "up")
    fresh_namespace.load(vpccni_nft.translate(text, optimize=True).script())
    send = "for i in 1 2 3; do echo x > /dev/udp/127.0.0.2/9; done"
    fresh_namespace.run("bash", "-c", send)
    listed = fresh_namespace.list_ruleset()
    assert "127.0.0.2 . udp . 9 counter packets 3 " in listed
    assert "127.0.0.3 . udp . 9 counter packets 0 " in listed
    # The answers that nobody listens come from the other address.
    assert "127.0.0.1 counter packets 3 " in listed


def test_a_path_of_jumps_that_would_be_too_long_gets_no_helper_chains() -> None:
    length = MOST_CHAINS - 1
    names = [f"C{number}" for number in range(length)]
    steps = "".join(f"-A {one} -j {other}\n" for one, other in itertools.pairwise(names))
    nodeports = "".join(
        f"-A {names[-2]} -p tcp -m tcp --dport {port} -j MARK --set-xmark 0x1/0x1\n"
        f"-A {names[-2]} -p tcp -m tcp --dport {port} -j {names[-1]}\n"
        for port in range(30000, 30006)
    )
    text = (
        "# Generated by iptables-save\n*filter\n:INPUT ACCEPT [0:0]\n"
        + "".join(f":{name} - [0:0]\n" for name in names)
        + f"-A INPUT -j C0\n-A INPUT -s 10.0.0.1/32 -j C0\n{steps}{nodeports}"
        + f"-A {names[-1]} -s 10.0.0.1/32 -j DROP\n"
        + "".join(f"-A INPUT -s 10.0.0.9/32 -j {name}\n" for name in names)
        + "COMMIT\n"
    )
    (table,) = vpccni_nft.translate(text, optimize=True).ruleset.tables
    assert Calls.of(table).depth <= MOST_CHAINS
    assert not any(
        target.startswith(".")
        for chain in table.chains
        for rule in chain.rules
        for step in rule.statements
        for target in targets(step, {one.name: one for one in table.sets})
    )
    shallow = attrs.evolve(table, chains=tuple(one for one in table.chains if one.hook))
    assert Calls.of(attrs.evolve(shallow, chains=(nft.Chain("c"),), sets=())).depth == 0


def test_every_line_of_a_node_has_a_place_in_the_output() -> None:
    for path in NODES:
        for translation in translations(path, "keep") or ():
            rules = {
                number
                for number, line in enumerate(path.read_text().splitlines(), start=1)
                if re.match(r"(\[\d+:\d+\] )?-A ", line)
            }
            entries = translation.source_map()
            assert {entry["line"] for entry in entries} == rules
            assert all(
                leads_somewhere(translation.ruleset, place)
                for entry in entries
                for place in places(entry)
            )
            assert all(map(places, entries))  # no rule that counts is dropped


def places(entry: dict[str, object]) -> list[dict[str, int | str]]:
    found = entry["places"]
    assert isinstance(found, list)
    return found


def leads_somewhere(ruleset: nft.Ruleset, place: dict[str, int | str]) -> bool:
    (table,) = (
        table
        for table in ruleset.tables
        if (table.family.value, table.name) == (place["family"], place["table"])
    )
    if "chain" in place:
        (chain,) = (chain for chain in table.chains if chain.name == place["chain"])
        return place["rule"] in range(len(chain.rules))
    (found,) = (one for one in table.sets if one.name == place.get("map", place.get("set")))
    return place["element"] in range(len(found.elements))


def test_a_line_that_became_an_element_leads_to_it() -> None:
    text = services(3)
    translation = vpccni_nft.translate(text, optimize=True)
    line = text.splitlines().index(next(one for one in text.splitlines() if "shop/s1" in one)) + 1
    (entry,) = (entry for entry in translation.source_map() if entry["line"] == line)
    assert places(entry) == [
        {"family": "ip", "table": "vpccni-nat", "map": "KUBE-SERVICES", "element": 1}
    ]


def test_the_work_grows_with_the_number_of_rules_and_no_faster() -> None:
    """Rows with keys that overlap, with one key for all, with fields in turns, and a good one."""

    def steps_for(count: int) -> int:
        rows = [
            "".join("-A R -p tcp -m tcp --dport 80 -j A\n" for _ in range(count)),
            "".join(
                f"-A R -d 10.{number // 512}.{number // 2 % 256}.0/24 -j {'AB'[number % 2]}\n"
                for number in range(count)
            ),
            "".join(
                f"-A R {('-s 10.0.0.1', '-p udp')[number % 2]} -j {'AB'[number % 2]}\n"
                for number in range(count)
            ),
            services(count).split("-A OUTPUT -j KUBE-SERVICES\n")[1].split("-A KUBE-SVC")[0],
        ]
        text = (
            services(count).split("-A PREROUTING")[0]
            + ":R - [0:0]\n:A - [0:0]\n:B - [0:0]\n-A PREROUTING -j R\n-A PREROUTING -j "
            + f"KUBE-SERVICES\n{''.join(rows)}-A A -s 10.0.0.1/32 -j ACCEPT\n"
            + "-A B -s 10.0.0.1/32 -j ACCEPT\nCOMMIT\n"
        )
        ruleset = vpccni_nft.translate(text).ruleset
        steps = 0

        def count_calls(_frame: object, event: str, _argument: object) -> None:
            nonlocal steps
            steps += event == "call"

        traced(count_calls, lambda: optimize(ruleset))
        return steps

    assert steps_for(1200) < 2.5 * steps_for(600)


def traced(watch: Callable[[object, str, object], None], work: Callable[[], object]) -> object:
    sys.setprofile(watch)
    try:
        return work()
    finally:
        sys.setprofile(None)


if __name__ == "__main__":
    for vector in VECTORS:
        expected_of(vector).write_text(vector_after(vector))
