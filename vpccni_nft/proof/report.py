"""The answer of a proof as plain values, for JSON: the keys are stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.render import printable
from ..simulate.as_dict import dict_of_outcome, dict_of_step
from ..simulate.packet_text import KEY_OF, field_text
from ..simulate.report import value_text
from ..simulate.world import answer_sentence
from .answers import Different, Equivalent, HookAnswer, HookStatus, Unknown

if TYPE_CHECKING:
    from ..simulate.trace import Trace
    from .acceptance import AcceptedClass
    from .answers import Answer
    from .classes import DifferenceClass
    from .counterexample import Counterexample


def dict_of_answer(answer: Answer) -> dict[str, Any]:
    """All of an answer."""
    found: dict[str, Any] = {
        "answer": type(answer).__name__.lower(),
        "hooks": [],
        "assumptions": [],
        "packets": [],
        "classes": [],
        "reasons": [],
        "status": [_dict_of_hook(one) for one in hook_answers(answer)],
        "accepted": list(map(dict_of_accepted, answer.accepted)),
        "paths": [_dict_of_hook(one) for one in answer.paths],
    }
    match answer:
        case Equivalent(hooks, assumptions):
            found["hooks"] = [f"{family.value} {hook}" for family, hook in hooks]
            found["assumptions"] = list(assumptions)
        case Different(counterexamples, _, reasons, classes):
            found["assumptions"] = list(answer.assumptions)
            found["packets"] = list(map(_dict_of_example, counterexamples))
            found["classes"] = [dict_of_class(one, number) for number, one in enumerate(classes)]
            found["reasons"] = [one.to_dict() for one in reasons]
        case Unknown(reasons):
            found["reasons"] = [one.to_dict() for one in reasons]
    return found


def hook_answers(answer: Answer) -> tuple[HookAnswer, ...]:
    """What is known of each hook by itself."""
    if not isinstance(answer, Equivalent):
        return answer.hooks
    status = dict.fromkeys(answer.unequal, HookStatus.UNDECIDED)
    for one in answer.accepted:
        status |= dict.fromkeys(one.places, HookStatus.ACCEPTED)
    return tuple(HookAnswer(*place, status.get(place, HookStatus.EQUAL)) for place in answer.hooks)


def _dict_of_hook(hook: HookAnswer) -> dict[str, Any]:
    return {
        "hook": f"{hook.family.value} {hook.hook}",
        "status": hook.status.value,
        "reasons": [one.to_dict() for one in hook.reasons],
        "order": hook.order,
    }


def _dict_of_example(found: Counterexample) -> dict[str, Any]:
    """A packet with its ways; ``kernel`` is for what the kernel says of it, where it is asked."""
    return {
        **dict_of_packet(found),
        "kernel": None,
        "before": _dict_of_trace(found.before),
        "after": _dict_of_trace(found.after),
    }


def _dict_of_trace(walked: Trace) -> dict[str, Any]:
    steps = [dict_of_step(step, walked.packet.family) for step in walked.steps]
    return {"steps": steps, "outcome": dict_of_outcome(walked)}


def dict_of_class(found: DifferenceClass, number: int) -> dict[str, Any]:
    """A class of packets; ``number`` is that of its example among the packets, from 0."""
    sides = zip(("before", "after"), found.example.deciding, strict=True)
    return {
        "family": found.family.value,
        "hook": found.example.hook,
        "on_path": found.example.plain.packet.on_path,
        "packet": number,
        "conditions": [
            [
                {"key": one.key, "value": printable(one.value), "negated": one.negated}
                for one in part
            ]
            for part in found.conditions
        ],
        "texts": [printable(text) for text in found.texts],
        "whole": found.is_whole,
        "like": found.count,
        "deciding": {
            side: [
                {
                    "table": step.table,
                    "chain": step.chain,
                    "number": step.number,
                    "line": step.line,
                    "text": printable(step.text),
                }
                for step in steps
            ]
            for side, steps in sides
        },
    }


def dict_of_accepted(found: AcceptedClass) -> dict[str, Any]:
    """What is accepted, and whether it occurs."""
    said, family = found.acceptance, found.example.family if found.example else None
    return {
        "name": printable(said.name),
        "code": said.code,
        "why": printable(said.why),
        "until": said.until.isoformat() if said.until else None,
        "conditions": [printable(text) for one in said.cases for text in one.condition.texts],
        "occurs": found.occurs.value,
        "hooks": [f"{family.value} {hook}" for family, hook in found.places],
        "family": family.value if family else None,
        "packet": printable(found.example.plain.text) if found.example else None,
    }


def dict_of_packet(found: Counterexample) -> dict[str, Any]:
    """What is needed to see the packet again, and what differs."""
    family, plain = found.family, found.plain
    return {
        "family": family.value,
        "hook": found.hook,
        "on_path": plain.packet.on_path,
        "packet": printable(plain.text),
        "fields": {
            field: field_text(field, value, family) for field, value in plain.hidden.items()
        },
        "answers": [printable(answer_sentence(family, *item)) for item in found.answers.items()],
        "differences": {
            KEY_OF.get(name, name): [value_text(name, value, family) for value in both]
            for name, both in found.differences.items()
        },
    }
