"""What commands found, in the formats that other programs show: SARIF, JUnit, GitHub's commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .findings import Findings

#: What ``--output-format`` may be, beside ``text`` and ``json``.
FORMATS = ("sarif", "github", "junit")


def text_of(found: Findings, form: str) -> str:
    """All of it in one of ``FORMATS``."""
    if form == "sarif":
        from .sarif import log_of

        return json.dumps(log_of(found), indent=2) + "\n"
    if form == "junit":
        from .junit import report_of

        return report_of(found)
    from .github import lines_of

    return "".join(f"{line}\n" for line in lines_of(found))
