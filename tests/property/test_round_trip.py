"""What is parsed and saved stays the same; what is translated, the kernel takes."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from contextlib import suppress
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import vpccni_nft
from vpccni_nft import Family, extensions, iptables
from vpccni_nft import strategies as own
from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.extensions.targets.queue import Nfqueue, Queue
from vpccni_nft.extensions.targets.tee import Tee

from ..support.as_json import as_json
from ..support.kernel_objects import expected_objects, listed_objects
from ..support.namespaces import LoadError, Namespace, cannot_run
from ..support.printed import PRINTED, rules_of

ROOMS = [room.node for room in (*extensions.MATCHES.values(), *extensions.TARGETS.values())]

#: Loading is slow: a part of the profile's examples is enough for each room.
FEW = settings(
    max_examples=max(1, settings().max_examples // 40), suppress_health_check=list(HealthCheck)
)
SOME = settings(FEW, max_examples=max(1, settings().max_examples // 10))
ALL = settings(suppress_health_check=list(HealthCheck))

each_room = pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)


def as_ruleset(*tables: iptables.Table) -> iptables.Ruleset:
    return iptables.Ruleset(tables)


# --- the strategies themselves ------------------------------------------------------------------


def test_every_room_has_a_strategy() -> None:
    assert set(own.MATCHES) == {room.node for room in extensions.MATCHES.values()}
    assert set(own.TARGETS) == {room.node for room in extensions.TARGETS.values()}


@each_room
def test_every_field_of_a_node_takes_several_values(room: type[Any]) -> None:
    seen: dict[str, set[str]] = {field.name: set() for field in attrs.fields(room)}

    def without_another() -> list[str]:
        return [name for name, values in seen.items() if len(values) < 2]

    def is_enough(node: Any) -> bool:
        for name, values in seen.items():
            values.add(str(getattr(node, name)))
        return not without_another()

    first = settings(
        ALL, max_examples=300, derandomize=True, database=None, phases=[Phase.generate]
    )
    with suppress(NoSuchExample):
        hypothesis.find(own.nodes_of_room(room, Family.IP), is_enough, settings=first)
    assert without_another() == []


# --- parse and save -----------------------------------------------------------------------------


@given(own.rulesets())
@ALL
def test_a_ruleset_that_is_saved_and_parsed_is_the_same(ruleset: iptables.Ruleset) -> None:
    assert vpccni_nft.parse(iptables.save(ruleset)) == ruleset


@given(own.rulesets())
@ALL
def test_saving_what_was_parsed_gives_the_same_text(ruleset: iptables.Ruleset) -> None:
    text = iptables.save(ruleset)
    assert iptables.save(vpccni_nft.parse(text)) == text


@each_room
def test_the_node_of_a_room_is_the_same_after_a_round_trip(room: type[Any]) -> None:
    @given(own.tables_of_room(room))
    @SOME
    def check(table: iptables.Table) -> None:
        ruleset = as_ruleset(table)
        assert vpccni_nft.parse(iptables.save(ruleset)) == ruleset

    check()


@given(st.lists(own.unknown_matches, max_size=2), st.none() | own.unknown_targets)
def test_what_has_no_room_keeps_its_words(
    matches: list[iptables.Match], target: iptables.Target | None
) -> None:
    rule = iptables.Rule(matches=tuple(matches), target=target)
    zero = iptables.Counters(0, 0)
    chain = iptables.Chain("INPUT", iptables.Policy.ACCEPT, (rule,), zero)
    ruleset = as_ruleset(iptables.Table(Family.IP, "filter", (chain,)))
    assert vpccni_nft.parse(iptables.save(ruleset)) == ruleset


# --- iptables itself ----------------------------------------------------------------------------

LEGACY = {
    Family.IP: ("iptables-legacy-restore", "iptables-legacy-save"),
    Family.IP6: ("ip6tables-legacy-restore", "ip6tables-legacy-save"),
}


@pytest.mark.kernel
def test_iptables_prints_the_same_text(fresh_namespace: Namespace) -> None:
    if missing := [name for names in LEGACY.values() for name in names if not shutil.which(name)]:
        cannot_run(f"these programs are missing: {', '.join(missing)}")
    seen: Counter[str] = Counter()

    @given(st.data())
    @SOME
    def check(data: st.DataObject) -> None:
        family = data.draw(own.families)
        name = data.draw(st.sampled_from(tuple(own.BUILT_IN)))
        table = data.draw(own.tables(family, name, PRINTED, most_rules=2))
        text = iptables.save(as_ruleset(table))
        restore, save = LEGACY[family]
        try:
            fresh_namespace.run(restore, script=text)
        except LoadError as error:
            seen["refused"] += 1
            hypothesis.note(str(error))
            return
        seen["accepted"] += 1
        assert rules_of(fresh_namespace.run(save, "-t", name)) == rules_of(text)

    check()
    assert seen["accepted"] >= seen["refused"]


# --- the kernel's nft ---------------------------------------------------------------------------


def translated(text: str) -> vpccni_nft.Translation | None:
    """The translation of those rules that have one; None where something else is refused."""
    lines = text.split("\n")
    while True:
        translation = vpccni_nft.translate("\n".join(lines), allow=APPROXIMATIONS)
        if not translation.refused:
            return translation
        refused = {
            found.span.line for found in translation.diagnostics if found.refuses and found.span
        }
        rules = [line for line in refused if re.match(r"(\[\d+:\d+\] )?-A ", lines[line - 1])]
        if not rules:
            return None
        for line in sorted(rules, reverse=True):
            del lines[line - 1]


def check_that_the_kernel_takes(namespace: Namespace, ruleset: iptables.Ruleset) -> bool:
    """Both forms of the translation load and list alike; false where there is no translation."""
    translation = translated(iptables.save(ruleset))
    if translation is None:
        return False
    script = translation.script()
    hypothesis.note(script)
    namespace.load(f"flush ruleset\n{script}")
    listed = namespace.list_ruleset()
    # nft takes some JSON that it cannot read for an empty text: nothing may be left to list.
    namespace.load("flush ruleset\n")
    if json := as_json(translation):
        namespace.load(json, form="json")
        assert namespace.list_ruleset() == listed
    else:
        namespace.load(script)
    assert expected_objects(translation) == listed_objects(namespace)
    return True


#: What a kernel can be built without.
QUEUES = (Nfqueue, Queue)


def is_loadable(node: iptables.Match | iptables.Target) -> bool:
    """Whether a fresh namespace has all that nft looks up for a node."""
    return not isinstance(node, Tee) or node.device in {"", "lo"}


def loadable(namespace: Namespace) -> own.Taste:
    """Every room of which this kernel knows the statements."""
    without = () if namespace.takes("queue to 0") else QUEUES
    return own.Taste(
        rooms=own.EVERYTHING.rooms.difference(without),
        wanted=is_loadable,
    )


@pytest.mark.kernel
@each_room
def test_the_kernel_takes_the_translation_of_a_room(room: type[Any], namespace: Namespace) -> None:
    taste = loadable(namespace)
    if room not in taste.rooms:
        pytest.skip("this kernel is built without nft_queue")

    @given(own.tables_of_room(room, taste))
    @FEW
    def check(table: iptables.Table) -> None:
        assert check_that_the_kernel_takes(namespace, as_ruleset(table))

    check()


@pytest.mark.kernel
def test_the_kernel_takes_the_translation_of_a_ruleset(namespace: Namespace) -> None:
    @given(own.rulesets(loadable(namespace), most_tables=2))
    @SOME
    def check(ruleset: iptables.Ruleset) -> None:
        assert check_that_the_kernel_takes(namespace, ruleset)

    check()


@pytest.mark.kernel
@pytest.mark.parametrize("order", own.Order)
def test_the_kernel_takes_a_cascade_that_is_not_refused(
    order: own.Order, namespace: Namespace
) -> None:
    @given(own.families.flatmap(lambda family: own.cascades(family, order)))
    @FEW
    def check(table: iptables.Table) -> None:
        check_that_the_kernel_takes(namespace, as_ruleset(table))

    check()
