"""What is parsed and saved stays the same; what is translated, the kernel takes."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import Family, extensions, iptables
from vpccni_nft import strategies as own
from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.core.values import PortRange
from vpccni_nft.extensions.matches.connbytes import ConnBytes
from vpccni_nft.extensions.matches.connlabel import ConnLabel
from vpccni_nft.extensions.matches.conntrack import Conntrack
from vpccni_nft.extensions.matches.hashlimit import Hashlimit
from vpccni_nft.extensions.matches.nfacct import Nfacct
from vpccni_nft.extensions.matches.policy import Policy
from vpccni_nft.extensions.matches.recent import Recent
from vpccni_nft.extensions.matches.sctp import Sctp
from vpccni_nft.extensions.matches.set import MatchSet
from vpccni_nft.extensions.matches.tcp import Tcp
from vpccni_nft.extensions.matches.time import Time
from vpccni_nft.extensions.matches.udp import Udp
from vpccni_nft.extensions.shared.number_ranges import NumberRange
from vpccni_nft.extensions.shared.rates import Rate
from vpccni_nft.extensions.targets.clusterip import ClusterIp
from vpccni_nft.extensions.targets.ct import Ct, Notrack
from vpccni_nft.extensions.targets.idletimer import IdleTimer
from vpccni_nft.extensions.targets.led import Led
from vpccni_nft.extensions.targets.nflog import Nflog
from vpccni_nft.extensions.targets.queue import Nfqueue, Queue
from vpccni_nft.extensions.targets.rateest import Estimate
from vpccni_nft.extensions.targets.reject import Reject
from vpccni_nft.extensions.targets.secmark import SecMark
from vpccni_nft.extensions.targets.set import SetTarget
from vpccni_nft.extensions.targets.tee import Tee
from vpccni_nft.extensions.targets.ulog import Ulog

from ..support.corpus import without_times
from ..support.kernel_objects import expected_objects, listed_objects
from ..support.namespaces import LoadError, Namespace, cannot_run

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

    @given(own.nodes_of_room(room, Family.IP))
    @settings(max_examples=60, derandomize=True, database=None)
    def collect(node: Any) -> None:
        for name, values in seen.items():
            values.add(str(getattr(node, name)))

    collect()
    assert [name for name, values in seen.items() if len(values) < 2] == []


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


def is_printed(node: iptables.Match | iptables.Target) -> bool:
    """Whether the kernel can have this node without other objects, and iptables prints it so."""
    printed = True
    match node:
        case Tcp() | Udp() | Sctp():
            ports = (node.source_port, node.destination_port)
            printed = not any(
                test and test.value == PortRange(0, 0xFFFF) and not test.negated for test in ports
            ) and not (isinstance(node, Sctp) and node.chunk_types)
        case Conntrack(status=status):
            # iptables-save 1.8.9 leaves out a mask with gaps, and so writes another rule.
            networks = (
                node.original_source,
                node.original_destination,
                node.reply_source,
                node.reply_destination,
            )
            printed = all(test is None or test.value.length is not None for test in networks)
            printed &= not (status and "NONE" in status.value and len(status.value) > 1)
        case ConnBytes(count=count):
            # 0:0 is printed as 0, which is read as all numbers.
            printed = count.value != NumberRange(0, 0)
        case Policy(elements=elements):
            ends = (end for one in elements for end in (one.tunnel_source, one.tunnel_destination))
            printed = all(end is None or end.value.length is not None for end in ends)
        case Time(date_stop=date_stop):
            printed = date_stop is not None
        case Recent(mask=mask):
            printed = mask is not None
        case Reject(kind=kind):
            printed = kind is not None
        case Ct():
            names = (node.helper, node.timeout, node.events, node.expectation_events)
            printed = not any(names)
        case MatchSet() | SetTarget() | Nfacct() | Notrack():
            printed = False
        case Hashlimit(rate=rate, interval=interval):
            # iptables-save 1.8.9 prints the rate of a second, which is read as that of its unit.
            printed = interval is None or not isinstance(rate, Rate) or rate.unit == "sec"
        case ConnLabel() | ClusterIp() | IdleTimer() | Led() | SecMark() | Estimate() | Ulog():
            # These need a kernel module, hardware, a policy, a file, or a name that is not taken.
            printed = False
        case Nflog(range=length):
            printed = not length  # iptables warns of it
    return printed


#: Protocols that iptables names by itself; other names depend on /etc/protocols.
PRINTED = own.Taste(
    wanted=is_printed,
    interface_tests=own.perhaps_negated(
        own.interfaces.filter(lambda interface: not interface.is_any)
    ),
    protocols=st.sampled_from((6, 17, 132, 136, 1, 58)),
)


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
        assert _rules(fresh_namespace.run(save, "-t", name)) == _rules(text)

    check()
    assert seen["accepted"] >= seen["refused"]


def _rules(text: str) -> list[str]:
    """The lines without remarks and counters."""
    lines = without_times(text).split("\n")
    return [re.sub(r"\[\d+:\d+\] ?", "", line) for line in lines if not line.startswith("# ")]


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
    namespace.load(translation.script("json"), form="json")
    assert namespace.list_ruleset() == listed
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
