"""Without a dump there is nothing to test: the suite says so, and pytest ends as it does then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: What is to be given.
HOW = (
    "vpccni_nft.suite: nothing to test; give a dump:"
    " pytest --pyargs vpccni_nft.suite --vpccni-iptables-save node.save"
)

_HERE = Path(__file__).parent


def _has_dump(config: pytest.Config) -> bool:
    return bool(config.getoption("vpccni_iptables_save", default=None))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the suite out where no dump is given."""
    if _has_dump(config):
        return
    own = [item for item in items if item.path.parent == _HERE]
    items[:] = [item for item in items if item.path.parent != _HERE]
    if own:
        config.hook.pytest_deselected(items=own)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what is missing."""
    if not _has_dump(config):
        terminalreporter.write_line(HOW)
