"""A trace as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.values import Address
from ..model.packet import ANEW, Binding, Event, Verdict
from .packet_text import KEY_OF, field_text
from .sample import AT_ROUTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.values import Family
    from .trace import FieldChange, Step, Trace


def lines_of(trace: Trace, *, all_rules: bool = False) -> Iterator[str]:
    """A trace, a line a rule that fits (or any rule), with what it changes under it."""
    family = trace.packet.family
    shown = [step for step in trace.steps if step.fits or all_rules or step.does_something]
    if not trace.steps:
        yield (
            f"  nothing on the path {trace.packet.hook}"
            if trace.packet.on_path
            else (f"  nothing at the hook {trace.packet.hook}")
        )
    wide = max((len(_place(step)) for step in shown if step.kind == "rule"), default=0)
    for step in shown:
        yield from _step_lines(step, family, wide, all_rules=all_rules)
    yield f"  outcome: {'; '.join(_outcome(trace, family))}"


def _step_lines(step: Step, family: Family, wide: int, *, all_rules: bool) -> Iterator[str]:
    match step.kind:
        case "hook":
            yield f"  at {step.text}:"
        case "chain":
            yield f"  {step.table} {step.chain} ({step.text})"
        case "skip":
            why = "nat chains see the first packet of a connection that is not bound yet"
            yield f"  {step.table} {step.chain} ({step.text}): not called: {why}"
        case "policy":
            yield f"    policy {step.text}"
        case "between":
            yield "  between the chains, conntrack and the kernel"
        case _:
            sign = ("= " if step.fits else "  ") if all_rules else ""
            yield f"    {_place(step):>{wide}} {sign}{'  ' * step.depth}{step.text}"
    indent = " " * (5 + wide + 2 * step.depth + 2)
    for line in _effects(step, family):
        yield f"{indent}-> {line}"


def _place(step: Step) -> str:
    return str(step.line) if step.line else f"{step.chain} {step.number}"


def _effects(step: Step, family: Family) -> Iterator[str]:
    if step.binding:
        yield binding_text(step.binding, family)
    for change in step.changes:
        yield _change(change, family)
    for event in step.events:
        yield event_text(event, family)
    if step.verdict:
        yield value_text("verdict", step.verdict, family)


def _change(change: FieldChange, family: Family) -> str:
    before, after = (
        field_text(change.field, value, family) for value in (change.before, change.after)
    )
    return f"{KEY_OF.get(change.field, change.field)} {before} to {after}"


def _outcome(trace: Trace, family: Family) -> Iterator[str]:
    yield value_text("verdict", trace.outcome.verdict, family)
    for binding in trace.outcome.bindings:
        yield binding_text(binding, family)
    for change in trace.changes:
        yield _change(change, family)


def value_text(name: str, value: object, family: Family) -> str:
    """What of an outcome differs, by what it is: a verdict, bindings, events, or a field."""
    match value:
        case Verdict(kind, reason):
            return f"{kind} with {reason}" if reason else kind
        case int() if name == ANEW:
            return "yes" if value else "no"
        case int():
            return field_text(name.removesuffix(AT_ROUTING), value, family)
        case tuple():
            return ", ".join(_item_text(item, family) for item in value) or "none"
        case _:
            raise TypeError(f"no part of an outcome: {value!r}")


def _item_text(item: object, family: Family) -> str:
    match item:
        case Binding():
            return binding_text(item, family)
        case Event():
            return event_text(item, family)
        case _:
            raise TypeError(f"no part of an outcome: {item!r}")


def binding_text(binding: Binding, family: Family) -> str:
    """What a NAT rule asks for, in nft's words."""
    target = ""
    if binding.addresses:
        target = "-".join(str(Address(family, end)) for end in dict.fromkeys(binding.addresses))
    if binding.ports:
        ports = "-".join(str(end) for end in dict.fromkeys(binding.ports))
        target += f" port {ports}" if target else f"port {ports}"
    to = f" to {target}" if target else ""
    return " ".join((f"{binding.kind}{to}", *sorted(binding.flags)))


def _key_text(value: int, family: Family) -> str:
    """A part of a set's key: what is as large as an address is taken for one."""
    is_address = 0xFFFF < value <= family.all_ones
    return str(Address(family, value)) if is_address else str(value)


def event_text(event: Event, family: Family) -> str:
    """A side effect."""
    words = [str(part) for part in event.details if part not in ("", None, ())]
    words += [f"at {event.at}"] if event.at else []
    if event.kind in {"add", "update", "delete", "spend"} and event.arguments:
        keys = " . ".join(_key_text(key, family) for key in event.arguments)
        return f"{event.kind} {' '.join(words)}: {keys}"
    return " ".join((event.kind, *words))
