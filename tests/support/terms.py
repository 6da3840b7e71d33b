"""What the terms of a hook are worth for one packet."""

from __future__ import annotations

from typing import Any

import attrs

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Concrete
from vpccni_nft.model.hook import Outcome, run_hook
from vpccni_nft.model.packet import ACCEPT, FIELDS, HOOKS, State, width
from vpccni_nft.proof.term import LOG, Term, postorder
from vpccni_nft.proof.terms import Terms
from vpccni_nft.simulate.sample import Packet, chains_of


@attrs.define
class InCase:
    """What terms are worth for one packet, in one world."""

    packet: Packet
    world: Concrete = attrs.field(init=False)
    known: dict[Term, Any] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.world = Concrete(self.packet.seed, self.packet.answers)

    def value(self, term: Term) -> Any:
        for one in postorder(term, self.known):
            self.known[one] = self._value(one, [self.known[part] for part in one.terms])
        return self.known[term]

    def _value(self, term: Term, parts: list[Any]) -> Any:  # noqa: PLR0912 - one a kind of term
        world = self.world
        rest = [part for part in term.parts if not isinstance(part, Term)]
        match term.kind:
            case "true" | "false":
                return term.kind == "true"
            case "variable" if term.width == LOG:
                return 0  # nothing has happened yet
            case "variable":
                return self.packet.fields[rest[0]]
            case "then":
                return parts[0] + 1  # as ``Concrete.history`` counts
            case "const":
                return rest[0]
            case "ask":
                # The interpreter leaves a history out in which nothing has happened.
                asked = zip(term.terms, parts, strict=True)
                arguments = tuple(part for one, part in asked if one.width != LOG or part)
                return world.ask(rest[0], arguments, term.width)
            case "not":
                return not parts[0]
            case "and":
                return all(parts)
            case "bits":
                return parts[0] & rest[0] == rest[1]
            case "up to":
                return parts[0] <= rest[0]
            case "ule":
                return world.ule(*parts)
            case "masked":
                return parts[0] & rest[0] ^ rest[1]
            case "extract":
                return world.extract(parts[0], rest[0], term.width)
            case "concat":
                return world.concat(parts[0], parts[1], list(term.terms)[1].width)
            case "bvadd":
                return world.bvadd(parts[0], parts[1], term.width)
            case _:
                return getattr(world, term.kind)(*parts)


def outcome_of(state: State, case: InCase) -> Outcome:
    """What the terms of a hook say of one packet."""
    verdicts = [verdict for when, verdict in state.verdicts if case.value(when)]
    return Outcome(
        verdicts[0] if verdicts else ACCEPT,
        tuple(binding for when, binding in state.bindings if case.value(when)),
        {field: case.value(term) for field, term in state.fields.items()},
        tuple(
            attrs.evolve(event, arguments=tuple(map(case.value, event.arguments)))
            for when, event in state.events
            if case.value(when)
        ),
    )


def has_meaning(ruleset: nft.Ruleset) -> bool:
    """Go through every hook of a ruleset with any packet; NoMeaning where a rule has none."""
    for family in Family:
        for hook in HOOKS:
            terms = Terms()
            packet = {field: terms.variable(field, width(field, family)) for field in FIELDS}
            # Nothing has been said of how conntrack is to see a packet that comes to a hook.
            packet["ct_template"] = terms.const(0, 1)
            run_hook(terms, family, hook, chains_of(ruleset, family), packet)
    return True
