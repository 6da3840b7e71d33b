"""What the tests with packets share: whether they can run, and the sum of what they try."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from ..support.limits import why_not
from ..support.namespaces import cannot_run
from ..support.packets import Tally


@pytest.fixture(autouse=True, scope="session")
def can_send_packets() -> None:
    """Where packets cannot be sent the test says why, and in CI it fails."""
    if reason := why_not():
        cannot_run(reason)


@pytest.fixture
def add(record_property: Callable[[str, object], None]) -> Callable[[Tally], None]:
    """Adds what a test has tried to the sum of the run."""

    def record(tally: Tally) -> None:
        for name, value in attrs.asdict(tally).items():
            record_property(f"tally {name}", value)

    return record
