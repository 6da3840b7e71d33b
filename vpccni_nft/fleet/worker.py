"""The process that examines nodes: a line of JSON in for each, a line of JSON out."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from .examine import FleetSettings, examine
from .report import FAILED, Report, new_report
from .switch import answer_task


def main() -> None:
    """Answer until the input ends, which it does when the process that asks is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def _answer(task: dict[str, Any]) -> Report:
    try:
        if "step" in task:
            return answer_task(task)
        settings = FleetSettings(**{**task["settings"], "allow": tuple(task["settings"]["allow"])})
        return examine(task["texts"], settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other nodes go on
        return new_report(FAILED, f"{type(error).__name__}: {error}"[:1000])


if __name__ == "__main__":
    main()
