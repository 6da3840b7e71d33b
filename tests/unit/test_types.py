"""What type checkers know of the library: mypy reads these tests as it reads all of them.

Each class is compared with itself as its own module has it. A name that ``vpccni_nft.iptables`` or
``nft`` gives as Any, or does not give, fails there.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import assert_type

import pytest

import vpccni_nft
from vpccni_nft import iptables, nft
from vpccni_nft.core.values import Negatable
from vpccni_nft.extensions.matches.conntrack import Conntrack
from vpccni_nft.extensions.public import node_classes
from vpccni_nft.extensions.targets.nat import Dnat, NatRange
from vpccni_nft.nft.statements import Jump

from ..support.profiles import NIGHTLY

ROOT = Path(vpccni_nft.__file__).parents[1]
STUB = ROOT / "vpccni_nft/iptables/__init__.pyi"

DUMP = """\
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1
COMMIT
"""


def test_matches_and_targets_have_the_types_of_their_fields() -> None:
    (target,) = vpccni_nft.parse(DUMP, family="ip").find_all(iptables.Dnat)
    assert_type(target, Dnat)
    assert_type(target.to, NatRange)
    match = iptables.Conntrack(states=Negatable(("NEW",)))
    assert_type(match, Conntrack)
    assert_type(match.states, Negatable[tuple[str, ...]] | None)
    assert_type(nft.Jump("x"), Jump)
    assert isinstance(target, Dnat)


def test_the_list_for_type_checkers_is_whole() -> None:
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    places = {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    wanted = {name: getattr(iptables, name).__module__ for name in iptables.__all__}
    wanted |= {name: found.__module__ for name, found in node_classes().items()}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions == {"save"}
    assert wanted.keys() == places.keys() | functions
    assert [name for name in places if not wanted[name].endswith(f".{places[name]}")] == []
    (listed,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert sorted(ast.literal_eval(listed)) == sorted(wanted)


@pytest.mark.skipif(not NIGHTLY, reason="mypy without a cache takes a minute")
@pytest.mark.parametrize("page", ["README.md", "docs/usage.md"])
def test_programs_of_pages_pass_a_strict_type_checker(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    programs = re.findall(r"(?ms)^```python\n(.*?)^```", text)
    assert programs
    for number, program in enumerate(programs):
        (tmp_path / f"program{number}.py").write_text(f'text = ""\n{program}')
    files = sorted(map(str, tmp_path.glob("*.py")))
    command = [sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
