"""What nft rules mean. Kernel: net/netfilter/nf_tables_core.c, nft_do_chain.

A rule is a row of steps; a match that is false, or an expression that has no value, ends it.
"""

from __future__ import annotations

import itertools
import re
from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..nft import ast, names
from ..nft import expressions as x
from ..nft import statements as s
from .effects import View
from .hook import BaseChain
from .nft_values import compare, evaluate
from .packet import DROP, STATE_BITS, Binding, Event, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .algebra import Bool

#: Helper chains are part of the chain whose rule jumps to them, when places are named.
_HELPER = re.compile(r"\.(.+)")

#: What a chain of conntrack's zone directions is called, and its number.
ZONE_DIRECTIONS = {"": 0, "original": 1, "reply": 2}

#: One step of one rule: chain, rule and step by number.
Step = tuple[str, int, int]


def base_chains(table: ast.Table) -> Iterator[BaseChain]:
    """The chains of a table that the kernel calls."""
    chains = {chain.name: chain for chain in table.chains}
    places: dict[Step, str] = {}
    for chain in table.chains:
        if not chain.name.startswith("."):
            _name_places(chain, chains, names.unspell(chain.name), itertools.count(), places)
    meaning = _Meaning(chains, {set_.name: set_ for set_ in table.sets}, places)
    for chain in table.chains:
        if hook := chain.hook:
            drops = hook.policy == "drop"
            run = partial(meaning.run, chain)
            yield BaseChain(hook.name, hook.priority, hook.type, drops, run)


def _name_places(
    chain: ast.Chain,
    chains: Mapping[str, ast.Chain],
    home: str,
    seen: Iterator[int],
    places: dict[Step, str],
) -> None:
    """Name the places of random draws and counters as ``semantics.iptables`` does.

    A helper chain's steps count where its rule jumps to it.
    """
    for number, rule in enumerate(chain.rules):
        for index, step in enumerate(rule.statements):
            if isinstance(step, s.Match) and _draws(step.left):
                places[chain.name, number, index] = f"{home} draw {next(seen)}"
            elif isinstance(step, s.Jump | s.Goto) and _HELPER.fullmatch(step.chain):
                _name_places(chains[step.chain], chains, home, seen, places)


def _draws(expression: x.Expression) -> bool:
    """Whether the value is drawn or counted anew each time."""
    inner = expression.left if isinstance(expression, x.Binary) else expression
    return isinstance(inner, x.Numgen) or inner == x.Meta("random")


@attrs.frozen
class _Meaning:
    chains: Mapping[str, ast.Chain]
    sets: Mapping[str, ast.Set]
    places: Mapping[Step, str]

    def run(self, chain: ast.Chain, state: State, where: Bool) -> Bool:
        """Go through a chain; the answer is where it comes back to its caller."""
        algebra = state.algebra
        live, back = where, algebra.false
        for number, rule in enumerate(chain.rules):
            if algebra.impossible(live):
                break
            fits, verdict = self._run_steps(chain.name, number, rule, state, live)
            if state.watch:
                state.watch(rule, live, fits)
            if algebra.impossible(fits):
                continue
            match verdict:
                case None:
                    pass
                case s.Jump(name):
                    returned = self.run(self.chains[name], state, fits)
                    live = algebra.any(algebra.all(live, algebra.no(fits)), returned)
                case s.Goto(name):
                    back = algebra.any(back, self.run(self.chains[name], state, fits))
                    live = algebra.all(live, algebra.no(fits))
                case s.Return():
                    back = algebra.any(back, fits)
                    live = algebra.all(live, algebra.no(fits))
                case _:
                    _decide(state, fits, verdict)
                    live = algebra.all(live, algebra.no(fits))
        return algebra.any(live, back)

    def _run_steps(
        self, chain: str, number: int, rule: ast.Rule, state: State, live: Bool
    ) -> tuple[Bool, s.Statement | None]:
        """Do one step after the other; the answer is where the end is reached, and what ends it."""
        fits = live
        for index, step in enumerate(rule.statements):
            if state.algebra.impossible(fits):
                break
            if isinstance(step, s.Verdict | s.Nat):
                return fits, step
            view = View(state, self.places.get((chain, number, index), ""))
            fits = state.algebra.all(fits, self._step(step, view, fits))
        return fits, None

    def _step(self, step: s.Statement, view: View, when: Bool) -> Bool:
        """Do one step where a condition holds; the answer is where the rule goes on."""
        state = view.state
        match step:
            case s.Match():
                return compare(step, view, self.sets)
            case s.Counter():
                state.happen(when, Event("count"))
            case s.NamedCounter(name):
                state.happen(when, Event("count", (names.unspell(name),)))
            case s.Log(prefix, level, flags):
                state.happen(when, Event("log", (prefix, level, tuple(sorted(flags)))))
            case s.Notrack():
                _notrack(state, when)
            case s.UpdateSet(operation, name, key):
                value = evaluate(key, view)
                happens = state.algebra.all(when, value.there)
                event = Event(operation, (names.unspell(name),), (value.word,))
                state.happen(happens, event)
                return value.there
            case s.Set(key, expression):
                return _set(key, expression, view, when)
            case _:
                raise TypeError(f"no meaning for {step!r}")
        return state.algebra.true


def _set(key: x.Expression, expression: x.Expression, view: View, when: Bool) -> Bool:
    """Give a key a value (nft_meta_set_eval, nft_ct_set_eval): nothing happens without an entry."""
    state, algebra = view.state, view.state.algebra
    value = evaluate(expression, view)
    when = algebra.all(when, value.there)
    match key:
        case x.Meta("mark"):
            state.assign(when, "mark", value.word)
        case x.Ct("mark"):
            state.assign(algebra.all(when, state.has_entry), "ct_mark", value.word)
        case x.Ct("zone", direction):
            fresh = algebra.all(when, algebra.no(state.has_entry), state.is_("ct_template", 0))
            state.assign(fresh, "ct_zone", value.word)
            number = state.word("ct_zone_direction", ZONE_DIRECTIONS[direction])
            state.assign(fresh, "ct_zone_direction", number)
            state.assign(fresh, "ct_template", state.word("ct_template", 1))
            state.assign(fresh, "ct_state", state.word("ct_state", STATE_BITS["new"]))
        case _:
            raise TypeError(f"no meaning for a change of {key!r}")
    return value.there


def _notrack(state: State, when: Bool) -> None:
    """Only where nothing is known of the packet yet (nft_notrack_eval)."""
    algebra = state.algebra
    fresh = algebra.all(when, algebra.no(state.has_entry))
    state.assign(fresh, "ct_state", state.word("ct_state", STATE_BITS["untracked"]))


def _decide(state: State, when: Bool, verdict: s.Statement) -> None:
    match verdict:
        case s.Accept():
            pass  # ends this base chain alone
        case s.Drop():
            state.decide(when, DROP)
        case s.Reject(protocol, reason):
            state.decide(when, Verdict("reject", f"{protocol} {reason}"))
        case s.Nat(kind, address, port, flags):
            state.bind(when, Binding(kind, _bounds(address), _bounds(port), frozenset(flags)))
        case _:
            raise TypeError(f"no meaning for {verdict!r}")


def _bounds(literal: x.Expression | None) -> tuple[int, int] | None:
    match literal:
        case None:
            return None
        case x.Range(low, high):
            return _number(low), _number(high)
        case _:
            return _number(literal), _number(literal)


def _number(literal: x.Expression) -> int:
    match literal:
        case x.Number(value) | x.Hex(value):
            return value
        case x.Host(address):
            return address.value
        case x.Prefix(address, _):
            raise TypeError(f"a prefix is no bound: {address}")
        case _:
            raise TypeError(f"not a number: {literal!r}")
