"""Where the time goes: ``python -m pytest -p tests.support.cpu_times`` adds up CPU seconds.

Those of processes are counted in the test that waits for their end: of an arena for many tests, in
the last one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

_START = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    item.stash[_START] = sum(os.times()[:4])
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    yield
    item.user_properties.append(("cpu", sum(os.times()[:4]) - item.stash[_START]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    files: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in terminalreporter.stats.get("", []):
        if seconds := dict(report.user_properties).get("cpu"):
            files[report.nodeid.partition("::")[0]] += seconds
            tests[report.nodeid] += seconds
    terminalreporter.write_line(f"{files.total():.1f} CPU seconds")
    for name, seconds in (*files.most_common(30), *tests.most_common(30)):
        terminalreporter.write_line(f"{seconds:8.1f} {name}")
