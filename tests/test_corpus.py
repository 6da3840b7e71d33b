"""Whole dumps in, whole rulesets out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import iptables

from .corpus import GENERAL, NODES, allowances, name_of
from .namespaces import Namespace


@pytest.mark.parametrize("path", [*NODES, *GENERAL], ids=name_of)
def test_a_dump_is_saved_byte_for_byte(path: Path) -> None:
    dump = path.read_text()
    if "# source:" in dump or "use 'nft' tool" in dump:
        dump = "".join(line for line in dump.splitlines(keepends=True) if line.startswith(_PRINTED))
    assert iptables.save(vpccni_nft.parse(dump)) == dump


#: What the kernel's rules and iptables-save itself make lines begin with.
_PRINTED = ("# Generated", "# Completed", "*", ":", "-A", "[", "COMMIT")


@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_a_node_has_an_exact_translation_but_for_named_approximations(path: Path) -> None:
    dump = path.read_text()
    needed = allowances(dump)
    codes = {found.code.name for found in vpccni_nft.translate(dump).diagnostics if found.refuses}
    assert codes == set(needed)
    assert not vpccni_nft.translate(dump, allow=needed).refused


@pytest.mark.kernel
@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_kernel_takes_a_node_twice_and_as_json(path: Path, namespace: Namespace) -> None:
    dump = path.read_text()
    translation = vpccni_nft.translate(dump, allow=allowances(dump))
    namespace.load(translation.script())
    once = namespace.list_ruleset()
    namespace.load(translation.script())
    assert namespace.list_ruleset() == once
    namespace.load(translation.script("json"), form="json")
    assert namespace.list_ruleset() == once
    assert expected_objects(translation) == listed_objects(namespace)


@pytest.mark.parametrize("path", GENERAL, ids=name_of)
def test_a_general_dump_is_translated_or_refused_with_a_reason(path: Path) -> None:
    dump = path.read_text()
    translation = vpccni_nft.translate(dump, name=path.name, allow=allowances(dump))
    if translation.refused:
        assert all(found.message and found.span for found in translation.diagnostics)
        with pytest.raises(vpccni_nft.Refused):
            translation.script()
    else:
        assert json.loads(translation.script("json"))


def expected_objects(translation: vpccni_nft.Translation) -> dict[str, int]:
    """How many chains, rules, sets and counters each table should have."""
    return {
        f"{table.family.value} {table.name} {kind}": number
        for table in translation.ruleset.tables
        for kind, number in (
            ("chain", len(table.chains)),
            ("rule", sum(len(chain.rules) for chain in table.chains)),
            ("set", len(table.sets)),
            ("counter", len(table.counters)),
        )
        if number
    }


def listed_objects(namespace: Namespace) -> dict[str, int]:
    """How many the kernel has."""
    found: dict[str, int] = {}
    for entry in namespace.objects():
        for kind, fields in entry.items():
            if kind != "table":
                key = f"{fields['family']} {fields['table']} {kind}"
                found[key] = found.get(key, 0) + 1
    return found
