"""SARIF 2.1.0, which code scanning and editors show (https://docs.oasis-open.org/sarif/sarif)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...core.exit_codes import MEANINGS
from ...core.pages import page_of
from ...core.version import __version__
from .findings import CODES, TITLES

if TYPE_CHECKING:
    from .findings import Findings, Remark

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log_of(found: Findings) -> dict[str, Any]:
    """A log with one run; it has the rules that results name, with their pages as help."""
    results = list(found.all)
    names = list(dict.fromkeys(one.rule for one in results))
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "vpccni-nft",
                        "version": __version__,
                        "rules": list(map(_rule, names)),
                    }
                },
                "automationDetails": {"id": f"vpccni-nft/{found.command}/"},
                "invocations": [
                    {
                        # The command did its work, whatever it found.
                        "executionSuccessful": True,
                        "exitCode": int(found.exit_code),
                        "exitCodeDescription": MEANINGS[found.exit_code],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, names) for one in results],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    if name not in CODES:
        return {"id": name, "shortDescription": {"text": TITLES[name]}}
    code, page = CODES[name], page_of(CODES[name])
    return {
        "id": name,
        "shortDescription": {"text": code.title},
        "help": {"text": page, "markdown": page},
        "properties": {"tags": [code.kind.value]},
    }


def _result(one: Remark, names: list[str]) -> dict[str, Any]:
    text = one.message if not one.hint else f"{one.message}\n{one.hint}"
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": names.index(one.rule),
        "level": one.level.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": _place(one)}] if one.file else [],
    }
    if one.accepted:
        result["suppressions"] = [{"kind": "external", "justification": one.accepted}]
    return result


def _place(one: Remark) -> dict[str, Any]:
    assert one.file
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(one.file)}}
    if one.line:
        region = {"startLine": one.line, "startColumn": one.column or 1}
        if one.end_column:
            region["endColumn"] = one.end_column
        place["region"] = region
    return place
