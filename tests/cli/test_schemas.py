"""What commands print as JSON is as the published schemas say, and so is ``to_dict``."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import vpccni_nft
from vpccni_nft.fleet import report as fleet_report

from ..support.command import run
from ..support.corpus import FOLDER
from ..support.dumps import APPROXIMATE, DUMP, WRONG
from ..support.schemas import SCHEMAS, fits

NODE = FOLDER / "vpccni" / "v1.23-nft-default.save"
PACKET = "iif=eni1 saddr=10.0.3.4 daddr=8.8.8.8 dport=443"


def printed(*arguments: str, stdin: str = "") -> object:
    return json.loads(run(*arguments, stdin=stdin).out)


def test_lists_are_as_their_schemas_say() -> None:
    assert fits("code", printed("code", "--json"))
    assert fits("extensions", printed("extensions", "--json"))


def test_what_is_found_of_a_node_is_as_its_schema_says(tmp_path: Path) -> None:
    assert fits("inventory", printed("inventory", str(NODE), "--json"))
    assert fits("detect", printed("detect", "--iptables-nft-save", str(NODE), "--json"))
    places = tmp_path / "map"
    assert run("translate", str(NODE), "--allow", "T104", "--map", str(places)).code == 0
    assert fits("source-map", json.loads(places.read_text()))


@pytest.mark.parametrize("text", [DUMP, WRONG, APPROXIMATE])
def test_objects_give_what_commands_print(text: str) -> None:
    found = vpccni_nft.translate(text, name="<stdin>")
    assert found.to_dict() == printed("check", "--json", stdin=text)
    for one in found.diagnostics:
        shown = one.to_dict()
        names = ("file", "line", "column", "end_column", "message", "hint", "refuses", "allowed")
        assert shown == {name: getattr(one, name) for name in names} | {
            "code": one.code.name,
            "kind": one.kind.value,
        }


def test_answers_are_as_commands_print_them(tmp_path: Path) -> None:
    (tmp_path / "before").write_text(DUMP)
    (tmp_path / "after").write_text(other := DUMP.replace("10.0.0.0/8", "10.0.0.0/9"))
    sides = ("--before", str(tmp_path / "before"), "--after", str(tmp_path / "after"))
    answer = vpccni_nft.verify(DUMP, other).to_dict()
    assert fits("verify", answer)
    assert answer == printed("verify", *sides, "--json")
    text = NODE.read_text()
    walked = vpccni_nft.explain(text, PACKET).to_dict()
    assert fits("explain", walked)
    walked["sides"] = [side | {"name": ""} for side in walked["sides"]]
    shown = printed("explain", str(NODE), "--packet", PACKET, "--json")
    assert isinstance(shown, dict)
    assert walked == shown | {"sides": [side | {"name": ""} for side in shown["sides"]]}
    assert fits("inventory", vpccni_nft.inventory(text).to_dict())
    assert fits("detect", vpccni_nft.detect(iptables_nft_save=text).to_dict())


def test_a_schema_is_strict() -> None:
    found = vpccni_nft.translate(DUMP).to_dict()
    for wrong in (found | {"more": 1}, {"refused": True}, found | {"refused": "yes"}):
        with pytest.raises(AssertionError):
            fits("check", wrong)


def test_a_node_without_an_answer_is_as_its_schema_says() -> None:
    for answer in fleet_report.ANSWERS:
        report = fleet_report.new_report(answer, "why")
        assert fits("fleet-line", fleet_report.of_node("a", {}, None, None, report))


def test_every_schema_is_one() -> None:
    for path in SCHEMAS.glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
