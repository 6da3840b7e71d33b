"""What was detected about a node, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...node.detection import BackEnd, Detection

_AGENTS = (("kubelet", "kubelet"), ("kube-proxy", "kube_proxy"), ("vpc-cni", "cni"))


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
