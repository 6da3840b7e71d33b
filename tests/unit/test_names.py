"""A class name stands for one thing in the whole program."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import vpccni_nft

PACKAGE = Path(vpccni_nft.__file__).parent

#: The languages, whose classes are written with their module: ``iptables.Rule``, ``nft.Rule``. The
#: nodes of matches and targets bear the names of what they are, as nft's statements do.
LANGUAGES = ("iptables", "nft", "extensions/matches", "extensions/targets")

#: Names that stand for two things all the same, and why.
ALLOWED: dict[str, str] = {}


def class_names() -> dict[str, set[str]]:
    """The public classes at the top of modules, and the modules that have each."""
    found = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        module = path.relative_to(PACKAGE).with_suffix("").as_posix()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].add(module)
    return found


def is_of_a_language(module: str) -> bool:
    return module.startswith(tuple(f"{room}/" for room in LANGUAGES))


def several() -> dict[str, set[str]]:
    """The names that several classes outside the languages have, and their modules."""
    others = {
        name: {module for module in modules if not is_of_a_language(module)}
        for name, modules in class_names().items()
    }
    return {name: modules for name, modules in others.items() if len(modules) > 1}


def test_a_class_name_means_one_thing() -> None:
    found = several()
    assert {name: found[name] for name in found.keys() - ALLOWED.keys()} == {}


def test_every_exception_is_one() -> None:
    assert ALLOWED.keys() <= several().keys()
