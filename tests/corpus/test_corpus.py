"""Whole dumps in, whole rulesets out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import iptables

from ..support.corpus import GENERAL, NODES, REFUSED, WITH_SETS, allowances, ipsets_of, name_of
from ..support.kernel_objects import expected_objects, listed_objects
from ..support.namespaces import Namespace


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


def test_every_node_that_names_sets_has_their_elements() -> None:
    assert [path for path in NODES if "-m set" in path.read_text()] == WITH_SETS


@pytest.mark.parametrize("path", WITH_SETS, ids=name_of)
def test_sets_are_exact_with_their_elements(path: Path) -> None:
    dump, sets = path.read_text(), ipsets_of(path)
    translation = vpccni_nft.translate(dump, ipset_save=sets)
    codes = {found.code.name for found in translation.diagnostics if found.refuses}
    assert codes == set(allowances(dump)) - {"T103"}
    script = vpccni_nft.translate(dump, ipset_save=sets, allow=sorted(codes)).script()
    members = re.findall(r"^add \S+ (\S+)$", sets or "", re.MULTILINE)
    assert len(members) > 5
    assert [member for member in members if member not in script] == []


@pytest.mark.kernel
@pytest.mark.parametrize("path", NODES, ids=name_of)
def test_the_kernel_takes_a_node_twice_and_as_json(path: Path, namespace: Namespace) -> None:
    dump = path.read_text()
    translation = vpccni_nft.translate(dump, allow=allowances(dump), ipset_save=ipsets_of(path))
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
    refusing = {found.code.name for found in translation.diagnostics if found.refuses}
    assert refusing == REFUSED.get(path.stem, set())
    if translation.refused:
        assert all(found.message and found.span for found in translation.diagnostics)
        with pytest.raises(vpccni_nft.Refused):
            translation.script()
    else:
        assert json.loads(translation.script("json"))


@pytest.mark.kernel
@pytest.mark.parametrize(
    "path",
    [path for path in GENERAL if re.match("istio|firewalld|tool-f2b|tool-wg", path.stem)],
    ids=name_of,
)
def test_the_kernel_takes_the_dumps_of_other_tools_whole(path: Path, namespace: Namespace) -> None:
    translation = vpccni_nft.translate(path.read_text())
    assert not translation.refused
    namespace.load(translation.script())
    assert expected_objects(translation) == listed_objects(namespace)
