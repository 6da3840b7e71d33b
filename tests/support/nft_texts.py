"""Texts for the nft reader: around one rule, of nodes, native ones, and refused ones."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.diagnostics import NFT_MISSING, NFT_SYNTAX
from vpccni_nft.core.render import render

from .corpus import FOLDER, allowances

NATIVE = sorted((FOLDER / "native").glob("*.nft"))


def translated(path: Path) -> nft.Ruleset:
    dump = path.read_text()
    return vpccni_nft.translate(dump, allow=allowances(dump)).ruleset


def read_rule(text: str, family: str = "ip") -> nft.Rule:
    sets = "set x { type mark; }\nmap m { type mark : verdict; }\n"
    (table,) = nft.parse(f"table {family} t {{\n{sets}\tchain c {{\n\t\t{text}\n\t}}\n}}\n").tables
    ((rule,),) = (chain.rules for chain in table.chains)
    return rule


def refused(text: str) -> tuple[vpccni_nft.Diagnostic, ...]:
    """The diagnostics, each with a place and a text; no other exception, and no long wait."""
    start = time.perf_counter()
    with pytest.raises(vpccni_nft.Refused) as caught:
        nft.parse(text, name="node.nft")
    assert time.perf_counter() - start < 20
    found = caught.value.diagnostics
    assert found
    for one in found:
        assert one.code in {NFT_SYNTAX, NFT_MISSING}
        assert one.span
        assert json.dumps(one.to_dict())
        assert render(one).startswith("node.nft:")
    return found


#: A table that more is said of.
BASE = """table ip t {
	set s { type mark; elements = { 1 }; }; map m { type mark : mark; elements = { 1 : 2 }; }
	chain c { type filter hook input priority 0; policy drop; accept; }
}
"""


def in_chain(text: str, family: str = "ip") -> str:
    return f"table {family} t {{\n\tchain c {{\n\t\t{text}\n\t}}\n}}\n"
