"""What all tests share."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator

import pytest

from .support import profiles  # noqa: F401 - loads the profile before any test asks for settings
from .support.namespaces import Namespace, cannot_run, why_not

_why_not = functools.cache(why_not)


@pytest.fixture(scope="session")
def shared_namespace() -> Iterator[Namespace]:
    """A namespace for all tests of a worker; where there can be none they say why they skip."""
    if reason := _why_not():
        cannot_run(reason)
    with Namespace() as shared:
        yield shared


@pytest.fixture
def namespace(shared_namespace: Namespace) -> Namespace:
    """A namespace without rules of nft, for a test that does nothing but load some and list them.

    Where it cannot be made the test is skipped, and in CI it fails.
    """
    shared_namespace.load("flush ruleset\n")
    return shared_namespace


@pytest.fixture
def fresh_namespace() -> Iterator[Namespace]:
    """A namespace of the test's own, for one that leaves more than rules of nft behind."""
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
