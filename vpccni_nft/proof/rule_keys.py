"""The rules of long chains by the values that they ask for.

A rule asks for a value of a field if nothing comes of it for any other packet: it does not fit, and
changes, counts and remembers nothing. That is seen from its meaning, so no matter how it is
written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.lookup import KeyIndex, RuleIndex
from ..model.packet import NoMeaning
from .context import ProofContext
from .terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..core.values import Family
    from ..model.hook import Program
    from .budget import Budget
    from .term import Term

#: How many rules a chain has at least that is worth an index.
_FEWEST = 16

#: A table of so many rules has indices of all chains.
_SMALL = 1000


def index_rules(programs: Iterable[Program], family: Family, budget: Budget) -> None:
    """Make the indices of all long chains, for packets of a family. Raises GaveUp."""
    setting = ProofContext(Terms(), family, "forward", fragments=True, counters=True)
    for program in programs:
        count = sum(len(program.rules(chain)) for chain in program.names)
        fewest = 2 if count <= _SMALL else _FEWEST
        for chain in program.names:
            budget.check_time()
            if len(program.rules(chain)) >= fewest:
                program.indices.rules[family, chain] = _index(setting, program, chain)


def _index(setting: ProofContext, program: Program, chain: str) -> RuleIndex:
    numbers = range(len(program.rules(chain)))
    keys = [rule_key(setting, program, chain, number) for number in numbers]
    fields = tuple(sorted({field for key in keys for field in key}))
    places = {field: place for place, field in enumerate(fields)}
    return RuleIndex(
        fields, KeyIndex.of({places[field]: key[field] for field in key} for key in keys)
    )


def rule_key(setting: ProofContext, program: Program, chain: str, number: int) -> dict[str, int]:
    """The value of each field that a packet must have for anything to come of a rule.

    What a rule means may hang on the hook: then it asks for nothing here.
    """
    terms = setting.terms
    setting.hook_reads.seen = False
    happens: list[Term] = []

    def watch(_rule: object, _live: Term, fits: Term) -> None:
        happens.append(fits)

    def call(_program: object, _chain: str, _state: object, where: Term) -> Term:
        happens.append(where)
        return terms.false

    state = setting.start(call)
    state.watch = watch
    try:
        live, back = program.rule(chain, number, state, setting.reachable)
    except NoMeaning:
        return {}
    if setting.hook_reads.seen or not happens:
        return {}
    logs = (state.verdicts, state.bindings, state.events, state.uses)
    happens += [when for log in logs for when, _ in log]
    happens += [
        terms.not_(terms.same(state.fields[name], word))
        for name, word in setting.fields.items()
        if state.fields[name] is not word
    ]
    happens += [back, terms.all(setting.reachable, terms.not_(live))]
    keys = [dict(_exact(one)) for one in happens if one is not terms.false]
    if not keys:
        return {}
    return {
        field: value
        for field, value in keys[0].items()
        if all(key.get(field) == value for key in keys)
    }


def _exact(condition: Term) -> Iterator[tuple[str, int]]:
    """The fields of which a condition compares all bits."""
    waiting = [condition]
    while waiting:
        part = waiting.pop()
        if part.kind == "and":
            waiting.extend(part.terms)
        elif part.kind == "bits":
            word, mask, value = part.parts
            if word.kind == "variable" and mask == (1 << word.width) - 1:
                yield word.parts[0], value
