"""What is public: the list of names, which is the promise of the library."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import iptables, nft, strategies
from vpccni_nft.extensions.public import node_classes
from vpccni_nft.nft import expressions, objects, statements

ROOT = Path(vpccni_nft.__file__).parents[1]

#: The names of the package itself; adding one is a decision, taking one away a new major version.
PACKAGE = {
    "Detection", "Diagnostic", "Different", "Equivalent", "Family", "Refused", "Translation",
    "Unknown", "__version__", "detect", "explain", "inventory", "iptables", "nft", "optimizer",
    "parse", "translate", "verify",
}  # fmt: skip

#: What the pages show from elsewhere, which is public by its page.
BY_PAGE = {
    "vpccni_nft.fleet", "vpccni_nft.node", "vpccni_nft.node.extraction", "vpccni_nft.node.files",
    "vpccni_nft.node.partition", "vpccni_nft.optimizer", "vpccni_nft.replay", "vpccni_nft.suite",
}  # fmt: skip


def test_the_package_offers_these_names() -> None:
    assert set(vpccni_nft.__all__) == PACKAGE


@pytest.mark.parametrize("module", [vpccni_nft, iptables, nft, strategies])
def test_every_name_is_there_once(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []


def test_nft_has_every_class_of_its_language_in_one_namespace() -> None:
    made = [
        name
        for module in (expressions, statements, objects)
        for name, value in vars(module).items()
        if isinstance(value, type)
        and not name.startswith("_")
        and value.__module__.startswith(module.__name__)
        and name != "NamedObject"
    ]
    assert set(made) <= set(nft.__all__)
    assert [name for name in made if getattr(nft, name).__module__.endswith(".ast")] == []


def test_iptables_has_every_match_and_target_by_one_name() -> None:
    assert not set(iptables.__all__) & node_classes().keys()
    assert all(getattr(iptables, name) is value for name, value in node_classes().items())
    assert {"Dnat", "Conntrack", "NatRange", "Comment"} <= set(dir(iptables))
    for name in node_classes():
        assert not name.startswith("_")


@pytest.mark.parametrize("module", [vpccni_nft, iptables, nft])
def test_other_names_are_not_there(module: object) -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_pages_show_nothing_else() -> None:
    shown = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        shown |= set(re.findall(r"^(?:from|import) (vpccni_nft[\w.]*)", text, re.MULTILINE))
    public = {f"vpccni_nft{one}" for one in ("", ".iptables", ".nft", ".strategies")}
    assert shown <= public | BY_PAGE
    for name in shown:
        import_module(name)
