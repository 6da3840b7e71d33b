"""A node's own dump against its translation, as re-read from the script."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from .. import iptables
from ..core.span import Source
from ..lowering import TranslateOptions
from ..text.sources import parse_sources
from .dump import SuiteDump

if TYPE_CHECKING:
    from .dump import ChainOf


@functools.cache
def _read(files: tuple[str, ...], allow: tuple[str, ...]) -> SuiteDump:
    return SuiteDump.read(files, TranslateOptions.of(allow=allow))


def _node(config: pytest.Config) -> SuiteDump | None:
    files = config.getoption("vpccni_iptables_save", default=None)
    if not files:
        return None
    try:
        return _read(tuple(files), tuple(config.getoption("vpccni_allow") or ()))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"vpccni-nft: {error}") from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each chain of the dump."""
    if "chain" in metafunc.fixturenames:
        node = _node(metafunc.config)
        metafunc.parametrize("chain", node.chains() if node else (), ids=str)


@pytest.fixture
def node(request: pytest.FixtureRequest) -> SuiteDump:
    """The dump that the options name; without one no test is left (conftest)."""
    found = _node(request.config)
    assert found is not None
    return found


def test_the_dump_has_a_translation(node: SuiteDump) -> None:
    """Nothing is refused."""
    if node.translation.refused:
        pytest.fail(node.refusal, pytrace=False)
    assert node.script == node.translation.ruleset


def test_saving_the_dump_gives_it_back(node: SuiteDump) -> None:
    """What was understood of it is all of it."""
    families = {table.family for table in node.dump.tables}
    for family in families:
        tables = tuple(table for table in node.dump.tables if table.family is family)
        saved = iptables.save(iptables.Ruleset(tables))
        again, diagnostics = parse_sources((Source.of(saved, "what was saved"),), family)
        assert not [found for found in diagnostics if found.refuses]
        assert again.tables == tables


def test_packets_of_a_chain_end_the_same(
    chain: ChainOf, node: SuiteDump, request: pytest.FixtureRequest
) -> None:
    """Packets that aim at the rules of a chain end the same in the dump and in the script."""
    if node.translation.refused:
        pytest.skip("the dump has no translation")
    packets = tuple(node.packets_for(chain, request.config.getoption("vpccni_packets")))
    if not packets:
        pytest.skip("no built-in chain leads to it")
    for packet in packets:
        if node.differ(packet):
            pytest.fail(node.explain(packet), pytrace=False)
