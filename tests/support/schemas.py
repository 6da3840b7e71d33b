"""The published schemas of what commands print."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@cache
def _validator(name: str) -> Any:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def fits(name: str, found: object) -> bool:
    """Whether a value is as a schema says; what is wrong with it fails the test."""
    wrong = [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(found)]
    assert not wrong, wrong
    return True
