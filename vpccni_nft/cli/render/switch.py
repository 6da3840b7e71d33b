"""What a change of modes did, as text or as JSON: what a change board signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ...core.version import __version__
from ...node.origin import RecordOrigin
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


@attrs.frozen
class ChangeRecords:
    """What an answer is about, beside the rules: what a change board asks for."""

    before: RecordOrigin
    after: RecordOrigin
    names: tuple[str, str]  #: of the files
    order: str  #: in which order base chains of one priority run, as it was given
    accepted: tuple[str, ...]  #: catalogues and files

    @property
    def doubts(self) -> Iterator[str]:
        """What a reader has to know before they sign."""
        one, other = self.before, self.after
        if one.host and other.host and one.host != other.host:
            yield f"the records are of two hosts: {one.host} and {other.host}"
        if one.taken and other.taken and one.taken > other.taken:
            yield f"the record of after was taken first: {other.taken}"

    def lines(self) -> Iterator[str]:
        """The head of the page."""
        if self.before != RecordOrigin() or self.after != RecordOrigin():
            yield f"before: {printable(str(self.before))}"
            yield f"after:  {printable(str(self.after))}"
        yield from (f"  {paint('note:', 'note')} {printable(doubt)}" for doubt in self.doubts)

    def to_dict(self) -> dict[str, Any]:
        """The keys are stable."""
        return {
            "writer": f"vpccni-nft {__version__}",
            "files": list(self.names),
            "before": attrs.asdict(self.before),
            "after": attrs.asdict(self.after),
            "order": self.order,
            "accept": list(self.accepted),
            "notes": list(self.doubts),
        }


def lines_of(found: Switch, answer: Answer, about: ChangeRecords) -> Iterator[str]:
    """Where the records are from, the modes, the Services that changed, and the answer."""
    before, after, changed = found.was, found.now, found.changes
    yield from about.lines()
    yield f"kube-proxy: {_mode(before)} before, {_mode(after)} after"
    yield f"Services: {before.count} ports before, {after.count} after"
    if changed:
        yield f"  {len(changed)} of them changed; both sides are compared with those of after:"
    yield from (f"    {_line(one)}" for one in changed)
    yield from (f"  {paint('not known:', 'unknown')} {doubt}" for doubt in found.doubts)
    yield ""
    yield from lines_of_answer(answer, *about.names)
    yield f"  order of base chains of one priority: {printable(about.order)}"
    if not found.leftovers:
        yield "  nothing is left over of the mode that was left"


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


def dict_of(found: Switch, answer: Answer, about: ChangeRecords) -> dict[str, Any]:
    """The keys are stable."""
    return {
        "about": about.to_dict(),
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
