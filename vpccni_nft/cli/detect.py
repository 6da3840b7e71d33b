"""Show what was detected about a node, as text or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..core.diagnostics import NFT_SYNTAX, NOT_A_DUMP
from ..core.render import as_dict, printable
from ..node.detection import detect_sources
from ..node.live import read_node
from .files import one_standard_input, read_sources, write_output
from .report import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..core.span import Source
    from ..node.detection import BackEnd, Detection

DETECTED, WRONG, UNREADABLE, UNKNOWN = 0, 1, 2, 3

_AGENTS = (("kubelet", "kubelet"), ("kube-proxy", "kube_proxy"), ("vpc-cni", "cni"))


def detect_files(
    dumps: Mapping[str, str | None], nft: str | None, version: str | None, *, as_json: bool
) -> int:
    """Detect from files, or from this node where none is given; the answer is the exit code."""
    given = {name: file for name, file in dumps.items() if file is not None}
    one_standard_input(*given.values(), nft)
    if given or nft is not None or version is not None:
        sources = {name: _read(file) for name, file in given.items()}
        ruleset = None if nft is None else _read(nft)
    else:
        sources, ruleset, version = read_node()
    found = detect_sources(sources, ruleset, version or "")
    if as_json:
        write_output(json.dumps(_report(found), indent=2) + "\n", "-")
    else:
        write_output("".join(f"{printable(line)}\n" for line in lines_of(found)), "-")
        show(found.diagnostics, notes=True)
    return _exit_code(found)


def _read(file: str) -> Source:
    return read_sources((file,))[0]


def _exit_code(found: Detection) -> int:
    codes = {one.code for one in found.diagnostics}
    if codes & {NOT_A_DUMP, NFT_SYNTAX}:
        return UNREADABLE
    if any(one.refuses for one in found.diagnostics):
        return WRONG
    return DETECTED if found.known else UNKNOWN


def lines_of(found: Detection) -> Iterator[str]:
    """The answer for people: the agents, then the evidence."""
    for title, field in _AGENTS:
        yield f"{title:<12}{_names(getattr(found, field))}"
    if found.next_start:
        yield f"{'next start':<12}a CNI that starts now writes to {found.next_start.value}"
    if found.evidence:
        yield ""
    for one in found.evidence:
        place = f" ({one.span.source.name}:{one.span.line})" if one.span else ""
        yield f"{one.agent:<12}{one.back_end.value:<16}{one.what}{place}"


def _names(back_ends: tuple[BackEnd, ...]) -> str:
    return ", ".join(end.value for end in back_ends) or "unknown"


def _report(found: Detection) -> dict[str, Any]:
    """The keys are stable."""
    return {
        **{field: [end.value for end in getattr(found, field)] for _, field in _AGENTS},
        "next_start": found.next_start.value if found.next_start else None,
        "evidence": [
            {
                "agent": one.agent,
                "back_end": one.back_end.value,
                "what": printable(one.what),
                "file": printable(one.span.source.name) if one.span else None,
                "line": one.span.line if one.span else None,
            }
            for one in found.evidence
        ],
        "diagnostics": [as_dict(one) for one in found.diagnostics],
    }
