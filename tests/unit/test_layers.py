"""Who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs
import pytest

import vpccni_nft
from vpccni_nft.extensions import MATCHES, TARGETS

from ..support.imports import loaded_after

PACKAGE = Path(vpccni_nft.__file__).parent
NAME = PACKAGE.name

#: The rooms from the bottom up: each imports only itself and what stands before it. There are no
#: exceptions: where an import points the wrong way, the thing stands in the wrong room.
ROOMS = (
    "core",
    "ipset",
    "iptables",
    "nft",
    "model",
    "extensions",
    "text",
    "lowering",
    "optimizer",
    "semantics",
    "translation",
    "simulate",
    "proof",
    "node",
    "replay",
    "migration",
    "fleet",
    "report",
    "strategies",
    "suite",
    "api",
    "cli",
    ".",  # the package itself, which offers what is public
    "__main__",
)

#: Rooms that never import each other, although one stands above the other: a mistake that both
#: share would prove itself.
INDEPENDENT = [
    ("iptables", "nft"),
    ("lowering", "semantics"),
    ("optimizer", "extensions"),
    ("semantics.iptables", "nft"),
    ("semantics.nft", "iptables"),
    ("semantics.nft_literals", "iptables"),
    ("semantics.nft_values", "iptables"),
    ("semantics.nft_comparisons", "iptables"),
    ("semantics.nft_host", "iptables"),
]

#: Everything from elsewhere, and the places that it is for; attrs is everywhere.
ELSEWHERE = {
    "attrs": ("",),
    "lark": ("text.tables",),
    "click": ("cli",),
    "rich": ("cli",),
    "joblib": ("fleet.parallel",),
    "distributed": ("fleet.parallel",),
    "ray": ("fleet.parallel",),
    "jinja2": ("report.page",),
    "z3": ("proof.symbolic",),
    "hypothesis": ("strategies", "suite"),
    "pytest": ("suite",),
}

#: The modules that import by a name that is not written out: the languages and the rooms, when
#: they are first used.
COMPUTED = {".", "extensions", "extensions.public", "nft"}


def modules() -> dict[str, Path]:
    """Every module by its name within the package; ``.`` is the package itself."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__") or "."] = path
    return found


MODULES = modules()

EXTENSIONS = [
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


@attrs.frozen
class Read:
    """What the tests here want of a module's text."""

    imports: tuple[ast.Import | ast.ImportFrom, ...]
    names: frozenset[str]  #: all names and attributes


@cache
def read(path: Path) -> Read:
    """Kept, because several tests look at each module, and going through its nodes takes long."""
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    return Read(
        tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)),
        frozenset(node.id for node in nodes if isinstance(node, ast.Name))
        | {node.attr for node in nodes if isinstance(node, ast.Attribute)},
    )


def _imported(module: str) -> Iterator[str]:
    path = MODULES[module]
    dotted = [NAME, *(part for part in module.split(".") if part)]
    package = dotted if path.name == "__init__.py" else dotted[:-1]
    for node in read(path).imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _nearest(dotted: str) -> str:
    """The module that a name is of: itself, or the one that it is taken from."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted or "."


def room_of(module: str) -> str:
    return module.partition(".")[0] or "."


def test_the_list_names_every_room() -> None:
    assert {room_of(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_rooms_before_its_own(module: str) -> None:
    place = ROOMS.index(room_of(module))
    above = {name for name in imports(module)[0] if ROOMS.index(room_of(name)) > place}
    assert above == set()


@pytest.mark.parametrize("module", ROOMS)
def test_a_room_says_what_is_in_it(module: str) -> None:
    text = ast.get_docstring(ast.parse(MODULES[module].read_text()))
    assert text, f"{module} has no docstring"


@pytest.mark.parametrize("rooms", INDEPENDENT, ids=" and ".join)
def test_two_rooms_never_import_each_other(rooms: tuple[str, str]) -> None:
    one, other = rooms
    found = {
        (module, name)
        for module in MODULES
        for name in imports(module)[0]
        if (under(module, one) and under(name, other))
        or (under(module, other) and under(name, one))
    }
    assert found == set()


def test_extensions_are_found() -> None:
    assert {"extensions.matches.comment", "extensions.targets.verdicts"} <= set(EXTENSIONS)


@pytest.mark.parametrize("module", EXTENSIONS)
def test_an_extension_imports_no_other_room_and_not_the_list_of_them(module: str) -> None:
    inside, _ = imports(module)
    assert not inside.intersection(EXTENSIONS)
    assert not inside & {"extensions", "extensions.matches", "extensions.targets"}


@pytest.mark.parametrize(
    "module", [name for name in MODULES if under(name, "extensions") and name not in EXTENSIONS]
)
def test_nothing_beside_the_rooms_imports_rooms(module: str) -> None:
    inside, _ = imports(module)
    assert not inside.intersection(EXTENSIONS)


def test_the_list_of_rooms_names_each_of_them() -> None:
    listed = {
        f"extensions.{registry.folder}.{registry[name].node.__module__.rpartition('.')[2]}"
        for registry in (MATCHES, TARGETS)
        for name in registry
    }
    assert listed == set(EXTENSIONS)


def test_a_translation_loads_only_the_rooms_that_the_dump_names() -> None:
    dump = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    loaded = loaded_after(f"import vpccni_nft; vpccni_nft.translate({dump!r}).script()")
    assert f"{NAME}.extensions.targets.verdicts" in loaded
    assert f"{NAME}.extensions.targets.nat" not in loaded


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
    computing = {"__import__", "import_module", "importlib", "exec", "eval"}
    computing &= read(MODULES[module]).names
    assert bool(computing) is (module in COMPUTED)


def test_the_page_of_the_architecture_lists_the_rooms_in_their_order() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The rooms")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \| \S", table, re.MULTILINE)
    assert listed == [room for room in ROOMS if room not in {".", "__main__"}]


HEAVY = {"lark", "click", "rich", "hypothesis", "z3", "joblib"}


def test_importing_the_package_loads_no_library_but_attrs() -> None:
    loaded = loaded_after("import vpccni_nft")
    assert "vpccni_nft" in loaded
    assert not loaded & HEAVY
    later = [f"{NAME}.{part}" for part in ("text", "lowering", "extensions", "cli")]
    assert {name for name in loaded for part in later if under(name, part)} == set()


def test_both_languages_are_there_after_the_import_and_load_no_library() -> None:
    loaded = loaded_after(
        "import vpccni_nft\n"
        "vpccni_nft.nft.Ruleset, vpccni_nft.iptables.Ruleset\n"
        "for name in vpccni_nft.__all__: getattr(vpccni_nft, name)"
    )
    assert {"vpccni_nft.nft", "vpccni_nft.iptables"} <= loaded
    assert not loaded & HEAVY


def test_translating_loads_neither_a_library_nor_the_command_line() -> None:
    vpccni_nft.translate("*raw")  # the tables of the grammar are there
    loaded = loaded_after("import vpccni_nft; vpccni_nft.translate('*raw')")
    assert not loaded & HEAVY
    assert not {name for name in loaded if under(name, "vpccni_nft.cli")}


#: A node's own words; the parts of the language that it does not use are not to load.
USUAL = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.1.0.1:443
COMMIT
"""

#: What takes the most of the time of a small translation: attrs compiles each class when it loads.
MOST_CLASSES = 185


def test_a_translation_loads_what_it_uses() -> None:
    vpccni_nft.translate(USUAL)  # the tables of the grammar are there
    loaded = loaded_after(
        f"import vpccni_nft; vpccni_nft.translate({USUAL!r}).script()\n"
        "import sys, attrs\n"
        "ours = [one for name, one in [*sys.modules.items()] if name.startswith('vpccni_nft')]\n"
        "made = {cls for one in ours for cls in vars(one).values()\n"
        "        if isinstance(cls, type) and attrs.has(cls)}\n"
        f"assert 50 < len(made) <= {MOST_CLASSES}, len(made)"
    )
    unused = (
        "semantics", "simulate", "proof", "node", "optimizer", "ipset", "model.hook",
        "extensions.aiming", "extensions.matches.set", "text.written", "text.ipset_save",
        "text.nft_json", "text.nft_reader", "text.tables",
    )  # fmt: skip
    assert {one for one in loaded for part in unused if under(one, f"{NAME}.{part}")} == set()


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_the_command_line_loads_neither_a_language_nor_what_a_command_does(argument: str) -> None:
    loaded = loaded_after(
        f"import sys; sys.argv[1:] = [{argument!r}]; sys.stdout = sys.stderr\n"
        "from vpccni_nft.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stdout = sys.__stdout__"
    )
    assert f"{NAME}.cli.commands" in loaded
    assert not loaded & {*HEAVY, "tempfile", "traceback"} - {"click"}
    rooms = {one.removeprefix(f"{NAME}.").partition(".")[0] for one in loaded if under(one, NAME)}
    assert rooms <= {NAME, "cli", "core", "api", "translation", "lowering", "node"}
    assert f"{NAME}.lowering.ruleset" not in loaded


# --- the tests ------------------------------------------------------------------------------------

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS))
)
def test_no_module_of_the_tests_imports_a_test(path: Path) -> None:
    """What two test files need stands in ``tests/support``, so that each can be read alone."""
    names = [
        name
        for node in read(path).imports
        for name in (
            *(alias.name for alias in node.names),
            *([node.module or ""] if isinstance(node, ast.ImportFrom) else []),
        )
    ]
    parts = {part for name in names for part in name.split(".")}
    assert not {part for part in parts if part.startswith("test_")}
