"""What the tests with packets share: whether they can run, and the sum of what they try."""

from __future__ import annotations

import os
from collections.abc import Callable

import attrs
import pytest

from .agreement import Tally
from .limits import why_not


@pytest.fixture(autouse=True, scope="session")
def can_send_packets() -> None:
    """Where packets cannot be sent the test says why, and in CI it fails."""
    if reason := why_not():
        if os.environ.get("CI"):
            pytest.fail(f"tests with packets must run in CI: {reason}")
        pytest.skip(reason)


@pytest.fixture
def add(record_property: Callable[[str, object], None]) -> Callable[[Tally], None]:
    """Adds what a test has tried to the sum of the run."""

    def record(tally: Tally) -> None:
        for name, value in attrs.asdict(tally).items():
            record_property(f"tally {name}", value)

    return record
