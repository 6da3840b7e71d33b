"""What all tests share."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

from .support.namespaces import Namespace, cannot_run, why_not

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None)
settings.register_profile("nightly", max_examples=5000, deadline=None)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "quick")
)

_why_not = functools.cache(why_not)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A fresh namespace; where there can be none the test says why, and in CI it fails."""
    if reason := _why_not():
        cannot_run(reason)
    with Namespace() as fresh:
        yield fresh


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the tests in ``tests/kernel`` have tried."""
    totals: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, value in report.user_properties:
                    if name.startswith("tally "):
                        totals[name.removeprefix("tally ")] += value
    if totals:
        parts = ", ".join(f"{value:,} {name}" for name, value in totals.items())
        terminalreporter.write_line(f"packets in the kernel: {parts}")
