"""Every room against its vectors, and every vector against the kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft.extensions import MATCHES, TARGETS

from ..support.as_json import as_json
from ..support.namespaces import Namespace
from ..support.vectors import FOLDER, TRANSLATED, VECTORS, Vector


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_a_rule_becomes_what_its_vector_says(vector: Vector) -> None:
    assert vector.found() == vector.expected


#: Rules as people write them for iptables-restore, and how iptables-save prints them.
BY_HAND = {
    "-A INPUT -p icmp -m icmp --icmp-type echo-request -j ACCEPT":
        "-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT",
    "-A PREROUTING -p tcp -j DNAT --to-destination 10.0.1.5:http":
        "-A PREROUTING -p tcp -j DNAT --to-destination 10.0.1.5:80",
    "-A INPUT -j LOG --log-level warning": "-A INPUT -j LOG",
    "-A OUTPUT -j MARK --set-mark 0x1": "-A OUTPUT -j MARK --set-xmark 0x1/0xffffffff",
}  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_a_rule_is_saved_as_it_was_read(vector: Vector) -> None:
    try:
        ruleset = vpccni_nft.parse(vector.dump)
    except vpccni_nft.Refused:
        assert any(line.startswith("refused P") for line in vector.expected)
    else:
        saved = vpccni_nft.iptables.save(ruleset).splitlines()
        assert BY_HAND.get(vector.rule, vector.rule) in saved


@pytest.mark.kernel
@pytest.mark.parametrize("vector", TRANSLATED, ids=str)
def test_the_kernel_takes_what_a_vector_gives(vector: Vector, namespace: Namespace) -> None:
    translation = vector.translate()
    script = translation.script()
    if re.search(r"\bqueue (flags|to) ", script) and not namespace.takes("queue to 0"):
        pytest.skip("this kernel is built without nft_queue")
    namespace.load(script)
    as_text = _listed(namespace)
    namespace.load(script)
    assert _listed(namespace) == as_text
    if json := as_json(translation):
        namespace.load(json, form="json")
        assert _listed(namespace) == as_text


def test_the_mark_of_a_socket_is_refused_as_json() -> None:
    """nft has it in scripts: ``Expression type socket not allowed in context``."""
    vector = next(one for one in TRANSLATED if "--restore-skmark" in one.rule)
    assert "meta mark set socket mark" in vector.translate().script()
    with pytest.raises(vpccni_nft.Refused, match=r"T001.*“socket mark” from JSON"):
        vector.translate().script("json")


def _listed(namespace: Namespace) -> str:
    """What the kernel has, without the time that is left of timeouts."""
    return re.sub(r" expires \w+", "", namespace.list_ruleset())


def test_none_stands_in_the_table_where_every_rule_is_refused() -> None:
    translated = {(vector.path.parent.name, vector.path.stem) for vector in TRANSLATED}
    for kind, registry in (("matches", MATCHES), ("targets", TARGETS)):
        none = {name for name, room in registry.items() if room.nft.startswith("none: ")}
        assert none == {name for name in registry if (kind, name.lower()) not in translated}


@pytest.mark.parametrize(("kind", "registry"), [("matches", MATCHES), ("targets", TARGETS)])
def test_every_room_has_vectors_and_every_vector_a_room(
    kind: str, registry: dict[str, object]
) -> None:
    files = {path.stem for path in Path(FOLDER / kind).glob("*.txlate")}
    assert files == {name.lower() for name in registry}


def test_no_range_has_one_value_alone() -> None:
    """Before 1.0.3 nft loads none: ``Range has zero or negative size``."""
    alone = re.compile(r"(?<![-\w.:])([0-9a-fx.:]+)-\1(?![-\w.:])")
    found = [line for vector in VECTORS for line in vector.expected if alone.search(line)]
    assert not found
