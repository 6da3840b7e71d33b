"""What a change of modes did, as text or as JSON: what a change board signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.exit_codes import ExitCode
from .diagnostics import paint
from .verify import code_of_answer, lines_of_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...node.kube_proxy.churn import ServiceChange
    from ...node.kube_proxy.on_node import OnNode
    from ...node.kube_proxy.switching import Switch
    from ...proof.answers import Answer


def code_of_switch(found: Switch, answer: Answer) -> ExitCode:
    """What a command ends with that has this answer."""
    if found.leftovers:
        return ExitCode.REFUSED
    code = code_of_answer(answer)
    return ExitCode.UNKNOWN if code is ExitCode.DONE and found.doubts else code


def lines_of(found: Switch, answer: Answer, names: tuple[str, str]) -> Iterator[str]:
    """The modes, the Services that changed, and the answer."""
    before, after, changed = found.was, found.now, found.changes
    yield f"kube-proxy: {_mode(before)} before, {_mode(after)} after"
    yield f"Services: {before.count} ports before, {after.count} after"
    if changed:
        yield f"  {len(changed)} of them changed; both sides are compared with those of after:"
    yield from (f"    {_line(one)}" for one in changed)
    yield from (f"  {paint('not known:', 'unknown')} {doubt}" for doubt in found.doubts)
    yield ""
    yield from lines_of_answer(answer, *names)


def _mode(found: OnNode) -> str:
    form = f" (as of Kubernetes {found.form.value})" if found.form else ""
    return f"{found.mode.value} mode{form}"


def _line(one: ServiceChange) -> str:
    if one.what in {"added", "removed"}:
        return f"{one.title}: {one.what}"
    parts = [f"its {field.replace('_', ' ')} changed" for field in one.fields]
    parts += [f"without {endpoint}" for endpoint in one.gone]
    parts += [f"with {endpoint}" for endpoint in one.new]
    return f"{one.title}: {', '.join(parts) or 'another order of endpoints'}"


def dict_of(found: Switch, answer: Answer) -> dict[str, Any]:
    """The keys are stable."""
    return {
        "before": _dict_of_node(found.was),
        "after": _dict_of_node(found.now),
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
            for one in found.changes
        ],
        "not_known": list(found.doubts),
        "leftovers": [one.to_dict() for one in found.leftovers],
        **answer.to_dict(),
    }


def _dict_of_node(found: OnNode) -> dict[str, Any]:
    return {
        "mode": found.mode.value,
        "form": found.form.value if found.form else None,
        "services": found.count,
    }
