"""Who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft.extensions import MATCHES, TARGETS

PACKAGE = Path(vpccni_nft.__file__).parent
NAME = PACKAGE.name

#: What the meanings of both languages share, and nothing of either.
_SHARED = {f"semantics.{part}" for part in ("algebra", "concrete", "effects", "hook", "packet")}

_LANGUAGES = {"core", "iptables", "nft", "extensions"}

_TRANSLATION = {*_LANGUAGES, "parser", "lowering", "translation"}

_PROOF = {*_LANGUAGES, "semantics", "parser", "lowering"}


#: What may be imported from the package, by the importing module or the package that it is in; the
#: longest name that fits decides. ``.`` is the package's own ``__init__``. Not all is there yet.
MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core"},
    "nft": {"core", "nft"},
    "iptables": {"core", "iptables.ast", "iptables.protocols"},
    "semantics": {"core", *_SHARED},
    "semantics.nft": {"core", "nft", "semantics.nft_values", "semantics.nft_host", *_SHARED},
    "semantics.nft_value": _SHARED,
    "semantics.nft_host": {"nft", "semantics.nft_value", *_SHARED},
    "semantics.nft_values": {"core", "nft", "semantics.nft_host", "semantics.nft_value", *_SHARED},
    "extensions": {"core", "iptables.ast", "iptables.protocols", "nft", "extensions", *_SHARED},
    "semantics.iptables": {"core", "iptables.ast", "extensions", *_SHARED},
    "parser": {*_LANGUAGES, "parser"},
    "lowering": {*_LANGUAGES, "lowering"},
    "optimizer": {"core", "nft", "semantics.nft", *_SHARED, "optimizer"},
    "equivalence": {*_PROOF, "equivalence"},
    "semantics.symbolic": {"semantics.terms"},
    "proof": {*_PROOF, "equivalence", "proof"},
    "vpccni": {*_PROOF, "vpccni"},
    "vpccni.moving": {
        *_PROOF,
        "equivalence",
        "optimizer",
        "proof",
        "translation",
        "vpccni",
    },
    "translation": {*_TRANSLATION - {"extensions"}, "optimizer"},
    "verification": {"core", "translation", "proof"},
    ".": {
        "core",
        "iptables",
        "nft",
        "translation",
        "optimizer",
        "equivalence",
        "proof",
        "vpccni",
        "verification",
    },
    "strategies": {*_PROOF, "equivalence", "strategies"},
    "replay": {*_PROOF, "equivalence", "replay"},
    "fleet": {*_PROOF, "translation", "equivalence", "proof", "vpccni", "fleet"},
    "migration": {*_TRANSLATION, "proof", "vpccni", "migration"},
    "suite": {*_PROOF, "translation", "equivalence", "strategies", "suite"},
    "cli": {
        *_TRANSLATION,
        *_SHARED,
        "optimizer",
        "equivalence",
        "proof",
        "vpccni",
        "replay",
        "fleet",
        "migration",
        "cli",
    },
    "__main__": {"cli"},
}

#: The imports that the table forbids and that stand nevertheless, all of them inside functions or
#: in modules that load lazily.
EXCEPTIONS: dict[str, set[str]] = {
    "iptables": {"iptables.saver"},  # the function ``save`` loads what it needs
    "iptables.saver": {"extensions", "extensions.words"},  # each room writes its own options
    "nft": {"parser.nft"},  # so does the function ``parse``
    "translation": {"."},  # the version for the header of a script
    "cli.commands": {"."},  # the version for --version
    "cli.migrate": {"."},  # the version for plans
}

#: Layers that never import each other.
STRANGERS = [("iptables", "nft"), ("lowering", "parser"), ("lowering", "semantics")]

#: Everything from elsewhere, and the places that it is for; attrs is everywhere.
ELSEWHERE = {
    "attrs": ("",),
    "lark": ("parser",),
    "click": ("cli",),
    "rich": ("cli",),
    "joblib": ("fleet.survey",),
    "distributed": ("cli.fleet",),
    "ray": ("cli.fleet",),
    "z3": ("semantics.symbolic",),
    "hypothesis": ("strategies", "suite"),
    "pytest": ("suite",),
}

#: The modules that import by a name that is not written out: the languages and the rooms, when
#: they are first used.
COMPUTED = {".", "extensions"}


def modules() -> dict[str, Path]:
    """Every module by its name within the package; ``.`` is the package itself."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__") or "."] = path
    return found


MODULES = modules()

ROOMS = [
    name for name in MODULES if name.startswith(("extensions.matches.", "extensions.targets."))
]


def under(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


@cache
def imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a module imports from the package, and what from elsewhere, wherever in its text."""
    inside: set[str] = set()
    outside: set[str] = set()
    for dotted in _imported(module):
        top, _, rest = dotted.partition(".")
        if top == NAME:
            inside.add(_nearest(rest))
        elif top not in sys.stdlib_module_names:
            outside.add(top)
    return frozenset(inside), frozenset(outside)


def _imported(module: str) -> Iterator[str]:
    path = MODULES[module]
    dotted = [NAME, *(part for part in module.split(".") if part)]
    package = dotted if path.name == "__init__.py" else dotted[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _nearest(dotted: str) -> str:
    """The module that a name is of: itself, or the one that it is taken from."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted or "."


def allowed(module: str) -> set[str]:
    places = [place for place in MAY_IMPORT if under(module, place)]
    assert places, f"{module} has no place in MAY_IMPORT"
    return MAY_IMPORT[max(places, key=len)]


def forbidden(module: str) -> set[str]:
    """What a module imports although the table does not allow it."""
    inside, _ = imports(module)
    places = allowed(module)
    return {name for name in inside if not any(under(name, place) for place in places)}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_the_layers_below(module: str) -> None:
    assert forbidden(module) <= EXCEPTIONS.get(module, set())


@pytest.mark.parametrize("module", EXCEPTIONS)
def test_every_exception_is_needed(module: str) -> None:
    assert forbidden(module) == EXCEPTIONS[module]


@pytest.mark.parametrize("layers", STRANGERS, ids=" and ".join)
def test_two_layers_never_import_each_other(layers: tuple[str, str]) -> None:
    found = {
        (module, name)
        for module in MODULES
        for name in imports(module)[0]
        if {module.partition(".")[0], name.partition(".")[0]} == set(layers)
    }
    assert found == set()
    assert set(layers) <= set(MODULES)


def test_there_are_rooms() -> None:
    assert {"extensions.matches.comment", "extensions.targets.return_"} <= set(ROOMS)


@pytest.mark.parametrize("module", ROOMS)
def test_a_room_imports_no_other_room_and_not_the_list_of_them(module: str) -> None:
    inside, _ = imports(module)
    assert not inside.intersection(ROOMS)
    assert not inside & {"extensions", "extensions.matches", "extensions.targets"}


@pytest.mark.parametrize(
    "module", [name for name in MODULES if under(name, "extensions") and name not in ROOMS]
)
def test_nothing_beside_the_rooms_imports_rooms(module: str) -> None:
    inside, _ = imports(module)
    assert not inside.intersection(ROOMS)


def test_the_list_of_rooms_names_each_of_them() -> None:
    listed = {
        f"extensions.{rooms.folder}.{rooms[name].node.__module__.rpartition('.')[2]}"
        for rooms in (MATCHES, TARGETS)
        for name in rooms
    }
    assert listed == set(ROOMS)


def test_a_translation_loads_only_the_rooms_that_the_dump_names() -> None:
    dump = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    loaded = loaded_after(f"import vpccni_nft; vpccni_nft.translate({dump!r}).script()")
    assert f"{NAME}.extensions.targets.drop" in loaded
    assert f"{NAME}.extensions.targets.dnat" not in loaded


@pytest.mark.parametrize("module", MODULES)
def test_a_library_is_imported_in_its_own_places_only(module: str) -> None:
    _, outside = imports(module)
    assert outside <= ELSEWHERE.keys()
    misplaced = {
        library
        for library in outside
        if not any(not place or under(module, place) for place in ELSEWHERE[library])
    }
    assert misplaced == set()


def test_the_libraries_that_a_translation_needs_are_seen() -> None:
    found = {name for module in MODULES for name in imports(module)[1]}
    assert {"attrs", "lark", "click", "rich"} <= found


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_imported_by_a_computed_name(module: str) -> None:
    """Such an import would not be seen here."""
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    computing = names & {"__import__", "import_module", "importlib", "exec", "eval"}
    assert bool(computing) is (module in COMPUTED)


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport json, sys\nprint(json.dumps([*sys.modules]))"],
        cwd=PACKAGE.parent,
        capture_output=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(done.stdout))


HEAVY = {"lark", "click", "rich", "hypothesis", "z3", "joblib"}


def test_importing_the_package_loads_no_library_but_attrs() -> None:
    loaded = loaded_after("import vpccni_nft")
    assert "vpccni_nft" in loaded
    assert not loaded & HEAVY
    later = [f"{NAME}.{part}" for part in ("parser", "lowering", "extensions", "cli")]
    assert {name for name in loaded for part in later if under(name, part)} == set()


def test_both_languages_are_there_after_the_import_and_load_no_library() -> None:
    loaded = loaded_after(
        "import vpccni_nft\n"
        "vpccni_nft.nft.Ruleset, vpccni_nft.iptables.Ruleset\n"
        "for name in vpccni_nft.__all__: getattr(vpccni_nft, name)"
    )
    assert {"vpccni_nft.nft", "vpccni_nft.iptables"} <= loaded
    assert not loaded & HEAVY


def test_translating_loads_the_parser_but_nothing_of_the_command_line() -> None:
    loaded = loaded_after("import vpccni_nft; vpccni_nft.translate('*raw')")
    assert loaded & HEAVY == {"lark"}
    assert not {name for name in loaded if under(name, "vpccni_nft.cli")}
