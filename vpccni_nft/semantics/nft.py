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
from .nft_values import compare, evaluate, evaluate_key, pairs
from .packet import DROP, STATE_BITS, Binding, Event, NoMeaning, State, Verdict

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
            if (chain.name, number, index) in places:
                continue  # a helper that two rules lead to is one place
            if isinstance(step, s.Match) and _draws(step.left):
                places[chain.name, number, index] = f"{home} draw {next(seen)}"
            elif isinstance(step, s.VerdictMap | s.Limit):
                places[chain.name, number, index] = f"{chain.name} rule {number} step {index}"
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
            fits, verdicts = self._run_steps(chain.name, number, rule, state, live)
            if state.watch:
                state.watch(rule, live, fits)
            for when, verdict in verdicts:
                if not algebra.impossible(when):
                    live, back = self._follow(verdict, state, when, live, back)
        return algebra.any(live, back)

    def _follow(
        self, verdict: s.Statement, state: State, when: Bool, live: Bool, back: Bool
    ) -> tuple[Bool, Bool]:
        """Where the chain goes on, and where it comes back, after a verdict."""
        algebra = state.algebra
        gone = algebra.all(live, algebra.no(when))
        match verdict:
            case s.Continue():
                return live, back
            case s.Jump(name):
                return algebra.any(gone, self.run(self.chains[name], state, when)), back
            case s.Goto(name):
                return gone, algebra.any(back, self.run(self.chains[name], state, when))
            case s.Return():
                return gone, algebra.any(back, when)
            case _:
                self._decide(state, when, verdict)
                return gone, back

    def _run_steps(
        self, chain: str, number: int, rule: ast.Rule, state: State, live: Bool
    ) -> tuple[Bool, list[tuple[Bool, s.Statement]]]:
        """Do one step after the other; the answer is where the end is reached, and what ends it."""
        fits = live
        for index, step in enumerate(rule.statements):
            if state.algebra.impossible(fits):
                break
            if isinstance(step, s.Verdict | s.Nat):
                return fits, [(fits, step)]
            view = View(state, self.places.get((chain, number, index), ""))
            if isinstance(step, s.VerdictMap):
                verdicts = self._look_up(step, view, fits)
                return state.algebra.any(*(when for when, _ in verdicts)), verdicts
            fits = state.algebra.all(fits, self._step(step, view, fits))
        return fits, []

    def _look_up(
        self, step: s.VerdictMap, view: View, fits: Bool
    ) -> list[tuple[Bool, s.Statement]]:
        """The verdicts that a map may hold for the packet."""
        found = pairs(step.key, step.map, view, self.sets)
        return [
            (view.state.algebra.all(fits, when), verdict)
            for when, verdict in found
            if isinstance(verdict, s.Verdict)
        ]

    def _decide(self, state: State, when: Bool, verdict: s.Statement) -> None:
        match verdict:
            case s.Accept():
                pass  # ends this base chain alone
            case s.Drop():
                state.decide(when, DROP)
            case s.Reject(protocol, reason):
                state.decide(when, Verdict("reject", f"{protocol} {reason}"))
            case s.Nat():
                for here, binding in self._bindings(verdict, View(state, "")):
                    state.bind(state.algebra.all(when, here), binding)
            case _:
                raise NoMeaning(f"no meaning for {verdict!r}")

    def _bindings(self, nat: s.Nat, view: View) -> Iterator[tuple[Bool, Binding]]:
        """What a NAT statement may ask for: one thing, or what a map holds for the packet."""
        ports, flags = _bounds(nat.port), frozenset(nat.flags)
        if not isinstance(nat.address, x.Lookup):
            yield view.state.algebra.true, Binding(nat.kind, _bounds(nat.address), ports, flags)
            return
        for when, value in pairs(nat.address.key, nat.address.map, view, self.sets):
            if isinstance(value, x.Expression):
                yield when, Binding(nat.kind, _bounds(value), ports, flags)

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
                values = evaluate_key(key, view)
                there = state.algebra.all(*(value.there for value in values))
                words = tuple(value.word for value in values)
                event = Event(operation, (names.unspell(name),), words)
                state.happen(state.algebra.all(when, there), event)
                return there
            case s.Limit(rate, per, burst, over):
                within = view.ask_here(f"within {rate}/{per} burst {burst}", 1)
                return state.algebra.equal(within, state.algebra.word(not over, 1))
            case s.Set(key, expression):
                return _set(key, expression, view, when)
            case _:
                raise NoMeaning(f"no meaning for {step!r}")
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
            raise NoMeaning(f"no meaning for a change of {key!r}")
    return value.there


def _notrack(state: State, when: Bool) -> None:
    """Only where nothing is known of the packet yet (nft_notrack_eval)."""
    algebra = state.algebra
    fresh = algebra.all(when, algebra.no(state.has_entry))
    state.assign(fresh, "ct_state", state.word("ct_state", STATE_BITS["untracked"]))


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
            raise NoMeaning(f"a prefix is no bound: {address}")
        case _:
            raise NoMeaning(f"not a number: {literal!r}")
