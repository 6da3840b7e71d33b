"""What is reported for the examples of codes in ``tests/vectors/codes/CODE.txt``.

An example is one text, or several files, each below its name as head(1) prints it.
"""

from __future__ import annotations

import re

import pytest

import vpccni_nft
from vpccni_nft.core.diagnostics import (
    BAD_ACCEPTANCE,
    CONTRADICTED,
    ELEMENT_COUNTERS,
    LEFT_OVER,
    MOVE_DIFFERS,
    MOVE_UNPROVED,
    NATIVE_TABLE_TAKEN,
    NO_ROOM,
    NO_TIME,
    ORDER_TAKEN,
    OTHER_CNI_RULES,
    OTHER_PROXY_RULES,
    SEARCH_INCOMPLETE,
    TIMED_OUT,
    Code,
    Diagnostic,
    Kind,
)
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Family
from vpccni_nft.lowering import TranslateOptions
from vpccni_nft.migration.edits import InTheWay, no_longer_fits, taking
from vpccni_nft.migration.moves import TableMove
from vpccni_nft.migration.plan import Choice, NodeOutput, plan
from vpccni_nft.migration.saved import SavedTable
from vpccni_nft.node.catalogues import CATALOGUES, catalogue
from vpccni_nft.node.detection import detect_sources
from vpccni_nft.node.extraction import move
from vpccni_nft.node.kube_proxy.leftovers import leftovers
from vpccni_nft.node.kube_proxy.on_node import Mode
from vpccni_nft.node.kube_proxy.read_iptables import read_iptables
from vpccni_nft.node.ownership import inventory
from vpccni_nft.node.partition import take
from vpccni_nft.node.vpc_cni import read as vpc_cni
from vpccni_nft.proof import budget, search
from vpccni_nft.proof import verify as proof
from vpccni_nft.proof.acceptance import Occurs
from vpccni_nft.proof.acceptance_file import parse_acceptances
from vpccni_nft.proof.answers import Different, Equivalent, Unknown
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.symbolic import Solver, Undecided
from vpccni_nft.proof.verify import ProofSettings

_FILE = re.compile(
    r"^==> (?P<name>[^\n]+) <==\n(?P<text>.*?)(?=^==> |\Z)", re.MULTILINE | re.DOTALL
)

#: The dumps of a node as examples call them.
_DUMPS = {
    "legacy.save": "iptables_legacy_save",
    "nft.save": "iptables_nft_save",
    "either.save": "iptables_save",
}


def reported(code: Code, text: str) -> tuple[Diagnostic, ...]:
    """The diagnostics of an example: what its code is about is done with its files."""
    if code.name.startswith("M0"):
        return _detected(text)
    if code in {MOVE_DIFFERS, MOVE_UNPROVED, NATIVE_TABLE_TAKEN, ORDER_TAKEN}:
        return _moved(text)
    if code.name.startswith("M1"):
        return _divided(text)
    if code.name.startswith("M2"):
        return _planned(text)
    if code is LEFT_OVER:
        files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
        side = Side.of([Source.of(text, name) for name, text in files.items()])
        return leftovers(side, Mode.IPTABLES)
    if code is OTHER_PROXY_RULES:
        with pytest.raises(vpccni_nft.Refused) as not_read:
            read_iptables(vpccni_nft.parse(text, name="node.save"), Family.IP)
        return not_read.value.diagnostics
    if code is OTHER_CNI_RULES:
        with pytest.raises(vpccni_nft.Refused) as strange:
            vpc_cni.read_iptables(vpccni_nft.parse(text, name="node.save"))
        return strange.value.diagnostics
    if code.kind is Kind.KNOWN:
        return _known(code, text)
    if code is BAD_ACCEPTANCE:
        with pytest.raises(vpccni_nft.Refused) as unread:
            parse_acceptances(Source.of(text, "accept.toml"))
        return unread.value.diagnostics
    if code is ELEMENT_COUNTERS:
        with pytest.raises(vpccni_nft.Refused) as refused:
            vpccni_nft.translate(text, optimize=True).script("json")
        return refused.value.diagnostics
    return _not_proved(code, text)


def _known(code: Code, text: str) -> tuple[Diagnostic, ...]:
    """What is said of a difference that is accepted."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    name = next(
        one for one in CATALOGUES if code.name in {each.code for each in catalogue(one).each}
    )
    answer = vpccni_nft.verify(*files.values(), family=Family.IP, accept=[name])
    assert isinstance(answer, Equivalent), answer
    return tuple(
        one.diagnostic
        for one in answer.accepted
        if one.acceptance.code == code.name and one.occurs is Occurs.YES
    )


def _detected(text: str) -> tuple[Diagnostic, ...]:
    """What detection says of files in one text, each below its name as head(1) prints it."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    version = files.pop("iptables --version", "")
    ruleset = files.pop("ruleset.nft", None)
    return detect_sources(
        {_DUMPS[name]: Source.of(text, name) for name, text in files.items()},
        Source.of(ruleset, "ruleset.nft") if ruleset else None,
        version,
    ).diagnostics


def _moved(text: str) -> tuple[Diagnostic, ...]:
    """What is said of moving the CNI's rules, beside those of another file if there is one."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    beside = [files["beside.nft"]] if files else []
    dump = files.get("node.save", text)
    return move(dump, "vpc-cni", layout="native", beside=beside, name="node.save").diagnostics


def _divided(text: str) -> tuple[Diagnostic, ...]:
    """What is said of the rules of the CNI, and of taking them."""
    ruleset = vpccni_nft.parse(text, name="node.save")
    try:
        take(ruleset, "vpc-cni")
    except vpccni_nft.Refused as refused:
        return refused.diagnostics
    return inventory(ruleset).diagnostics


def _not_proved(code: Code, text: str) -> tuple[Diagnostic, ...]:
    """Why it is not known whether two sides mean the same."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    before, after = (
        Side.of([Source.of(text, name) for name, text in files.items() if name.startswith(side)])
        for side in ("before", "after")
    )
    settings = ProofSettings(
        timeout=20 if code is TIMED_OUT else None,
        most_terms=100 if code is NO_ROOM else budget.MOST_TERMS,
        most=1 if code is SEARCH_INCOMPLETE else 10,
    )
    with pytest.MonkeyPatch.context() as patch:
        if code is NO_TIME:
            patch.setattr(Solver, "find", _no_answer)
        if code is TIMED_OUT:
            patch.setattr(budget.Budget, "seconds_left", 0)
        if code is NO_ROOM:
            patch.setattr(budget, "_OFTEN", 1)
        if code is CONTRADICTED:
            patch.setattr(search, "counterexample", lambda *_: None)
        answer = proof.verify(before, after, settings)
    assert isinstance(answer, Different if code is SEARCH_INCOMPLETE else Unknown)
    return answer.reasons


def _no_answer(*_: object) -> None:
    raise Undecided


def _planned(text: str) -> tuple[Diagnostic, ...]:
    """What planning says of a node, or of a table that was changed after it."""
    files = {found["name"]: found["text"] for found in _FILE.finditer(text)}
    if "now" in files:
        before, after, now = (
            SavedTable.of("filter", files[name].splitlines()) for name in ("before", "after", "now")
        )
        moving = TableMove(
            name="iptables-legacy.filter", program="iptables-legacy", family=Family.IP,
            table="filter", nft_table="vpccni-filter", before=before, after=after,
        )  # fmt: skip
        with pytest.raises(InTheWay) as found:
            taking(moving, now)
        return (no_longer_fits(moving.name, found.value),)
    files = files or {"legacy.save": text}
    ruleset = files.pop("ruleset.nft", "")
    dumps = {_DUMPS.get(name, "iptables_legacy_save"): text for name, text in files.items()}
    node = NodeOutput(
        dumps={name: Source.of(text, name) for name, text in dumps.items()},
        nft=Source.of(ruleset, "ruleset.nft"),
    )
    owner = "tailscale" if "ts-forward" in text else "all"
    choice = Choice(options=TranslateOptions(), owner=owner, forced=frozenset({"tailscale"}))
    with pytest.raises(vpccni_nft.Refused) as refused:
        plan(node, choice)
    return refused.value.diagnostics
