"""What nft lists is read, and the kernel has the same again after it is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vpccni_nft import nft

from ..support.corpus import NODES, name_of
from ..support.namespaces import Namespace
from ..support.nft_texts import NATIVE, translated
from ..support.profiles import share


def steady(listing: str) -> str:
    """A listing without what changes by itself: how long elements stay."""
    return re.sub(r" expires \S+", "", listing)


@pytest.mark.kernel
@pytest.mark.parametrize("path", share(NODES, 2), ids=name_of)
def test_the_listing_of_a_node_is_read_and_loaded_again(path: Path, namespace: Namespace) -> None:
    namespace.load(nft.serialize(translated(path)))
    listing = namespace.list_ruleset()
    namespace.load(nft.serialize(nft.parse(listing)))
    assert namespace.list_ruleset() == listing


@pytest.mark.kernel
@pytest.mark.parametrize("path", share(NODES, 2), ids=name_of)
def test_the_listing_of_a_node_is_the_same_with_handles(path: Path, namespace: Namespace) -> None:
    namespace.load(nft.serialize(translated(path)))
    listed = nft.parse(namespace.list_ruleset())
    assert nft.parse(namespace.run("nft", "-a", "list", "ruleset")) == listed
    assert nft.parse(namespace.run("nft", "-s", "list", "ruleset")) == listed


def loadable(path: Path) -> str:
    """A native ruleset without what nft prints of iptables extensions, but cannot read."""
    return re.sub(r"xt match \w+ *", "", path.read_text())


def test_there_are_native_rulesets() -> None:
    assert len(NATIVE) >= 7


@pytest.mark.kernel
@pytest.mark.parametrize("path", NATIVE, ids=lambda path: path.stem)
def test_a_native_ruleset_is_read_and_loaded_again(path: Path, namespace: Namespace) -> None:
    namespace.load(loadable(path))
    listing = namespace.list_ruleset()
    from_listing = nft.parse(listing)
    namespace.load(nft.serialize(from_listing))
    assert steady(namespace.list_ruleset()) == steady(listing)
    namespace.load(nft.serialize(nft.parse(loadable(path))))
    assert steady(namespace.list_ruleset()) == steady(listing)
    with_handles = nft.parse(namespace.run("nft", "-a", "list", "ruleset"))
    assert without_times(with_handles) == without_times(from_listing)


def without_times(ruleset: nft.Ruleset) -> nft.Ruleset:
    return nft.parse(steady(nft.serialize(ruleset)))


#: A line that nft 1.0.6 does not take from JSON: comments but those of rules and elements.
_COMMENT_LINE = re.compile(r'^\s*comment ".*"\n', re.MULTILINE)
_ELEMENT_COUNTER = re.compile(r"(elements = .*) counter packets \d+ bytes \d+")


@pytest.mark.kernel
@pytest.mark.parametrize(
    "path", [path for path in NATIVE if path.stem != "sets-and-maps"], ids=lambda path: path.stem
)
def test_a_native_ruleset_is_the_same_by_json(path: Path, namespace: Namespace) -> None:
    ruleset = nft.parse(loadable(path))
    namespace.load(nft.serialize(ruleset))
    listing = namespace.list_ruleset()
    namespace.load(json.dumps(nft.as_json(ruleset)), form="json")
    assert _of_json(namespace.list_ruleset()) == _of_json(listing)


def _of_json(listing: str) -> str:
    return _ELEMENT_COUNTER.sub(r"\1", _COMMENT_LINE.sub("", steady(listing)))
