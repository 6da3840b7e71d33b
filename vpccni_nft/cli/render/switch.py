"""What a change of modes did, as text or as JSON: what a change board signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.render import as_dict
from .verify import dict_of as dict_of_answer
from .verify import lines_of_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...core.diagnostics import Diagnostic
    from ...node.kube_proxy.churn import ServiceChange
    from ...node.kube_proxy.on_node import OnNode
    from ...proof.answers import Answer


def lines_of(
    before: OnNode,
    after: OnNode,
    changed: Sequence[ServiceChange],
    answer: Answer,
    names: tuple[str, str],
) -> Iterator[str]:
    """The modes, the Services that changed, and the answer."""
    yield f"kube-proxy: {_mode(before)} before, {_mode(after)} after"
    yield f"Services: {_count(before)} ports before, {_count(after)} after"
    if changed:
        yield f"  {len(changed)} of them changed; both sides are compared with those of after:"
    yield from (f"    {_line(one)}" for one in changed)
    yield ""
    yield from lines_of_answer(answer, *names)


def _mode(found: OnNode) -> str:
    form = f" (as of Kubernetes {found.form.value})" if found.form else ""
    return f"{found.mode.value} mode{form}"


def _count(found: OnNode) -> int:
    return sum(len(proxy.services) for proxy in found.proxies.values())


def _line(one: ServiceChange) -> str:
    name = f"{one.name} {one.protocol} ({one.family.title})"
    if one.what in {"added", "removed"}:
        return f"{name}: {one.what}"
    parts = [f"its {field.replace('_', ' ')} changed" for field in one.fields]
    parts += [f"without {endpoint}" for endpoint in one.gone]
    parts += [f"with {endpoint}" for endpoint in one.new]
    return f"{name}: {', '.join(parts) or 'another order of endpoints'}"


def dict_of(
    before: OnNode,
    after: OnNode,
    changed: Sequence[ServiceChange],
    left: Sequence[Diagnostic],
    answer: Answer,
) -> dict[str, Any]:
    """The keys are stable."""
    return {
        "before": _dict_of_node(before),
        "after": _dict_of_node(after),
        "changes": [
            {
                "service": one.name,
                "protocol": one.protocol,
                "family": one.family.value,
                "what": one.what,
                "gone": list(one.gone),
                "new": list(one.new),
                "fields": list(one.fields),
            }
            for one in changed
        ],
        "leftovers": [as_dict(one) for one in left],
        **dict_of_answer(answer),
    }


def _dict_of_node(found: OnNode) -> dict[str, Any]:
    return {
        "mode": found.mode.value,
        "form": found.form.value if found.form else None,
        "services": _count(found),
    }
