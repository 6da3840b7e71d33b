"""Mutants: mistakes that a translation could make, each put into a right one on purpose.

A mistake is made wherever it can be, as a translator would make it. Each says by its name what is
wrong then; a mutant that changes nothing in a ruleset does not apply to it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from vpccni_nft import nft
from vpccni_nft.core.values import Address, mask_of_length
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s

from .profiles import NIGHTLY, SCALE

Steps = tuple[s.Statement, ...]
Chains = dict[str, nft.Chain]

FULL = 0xFFFFFFFF


@attrs.frozen
class Mutant:
    name: str
    change: Callable[[nft.Ruleset], nft.Ruleset]

    def apply(self, ruleset: nft.Ruleset) -> nft.Ruleset | None:
        """The ruleset with the mistake; None where it changes nothing."""
        changed = self.change(ruleset)
        return None if changed == ruleset else changed

    def __str__(self) -> str:
        return self.name


MUTANTS: list[Mutant] = []


def _add(name: str, change: Callable[[nft.Ruleset], nft.Ruleset]) -> None:
    assert name not in {mutant.name for mutant in MUTANTS}
    MUTANTS.append(Mutant(name, change))


# --- where a mistake is made --------------------------------------------------------------------


def chains(name: str) -> Callable[[Any], Any]:
    """A mistake about a chain: it gives the chain that is there instead."""

    def decorate(change: Callable[[nft.Chain, Chains], nft.Chain]) -> Any:
        def in_ruleset(ruleset: nft.Ruleset) -> nft.Ruleset:
            return nft.Ruleset(tuple(map(in_table, ruleset.tables)))

        def in_table(table: nft.Table) -> nft.Table:
            named = {chain.name: chain for chain in table.chains}
            return attrs.evolve(table, chains=tuple(change(one, named) for one in table.chains))

        _add(name, in_ruleset)
        return change

    return decorate


def hooks(name: str) -> Callable[[Any], Any]:
    """A mistake about a base chain's hook."""

    def decorate(change: Callable[[nft.Hook], nft.Hook]) -> Any:
        @chains(name)
        def in_chain(chain: nft.Chain, _named: Chains) -> nft.Chain:
            return attrs.evolve(chain, hook=change(chain.hook)) if chain.hook else chain

        return change

    return decorate


def rules(name: str) -> Callable[[Any], Any]:
    """A mistake about a rule's steps; None where there is no rule any more."""

    def decorate(change: Callable[[Steps, Chains], Steps | None]) -> Any:
        @chains(name)
        def in_chain(chain: nft.Chain, named: Chains) -> nft.Chain:
            found = ((rule, change(rule.statements, named)) for rule in chain.rules)
            kept = (attrs.evolve(rule, statements=new) for rule, new in found if new is not None)
            return attrs.evolve(chain, rules=tuple(kept))

        return change

    return decorate


def steps(name: str) -> Callable[[Any], Any]:
    """A mistake about one step: it gives the step that is there instead, or None for none.

    Steps that the change says nothing about (NotImplemented) stay.
    """

    def decorate(change: Callable[[Any], Any]) -> Any:
        @rules(name)
        def in_rule(statements: Steps, _named: Chains) -> Steps:
            found = ((step, change(step)) for step in statements)
            news = (step if new is NotImplemented else new for step, new in found)
            return tuple(new for new in news if new is not None)

        return change

    return decorate


def literals(name: str) -> Callable[[Any], Any]:
    """A mistake about what a match compares with; in sets, about each of the elements."""

    def decorate(change: Callable[[Any, Any], Any]) -> Any:
        def changed(left: x.Expression, right: x.Expression) -> x.Expression:
            if isinstance(right, x.AnonymousSet):
                return x.AnonymousSet(tuple(changed(left, one) for one in right.elements))
            found: x.Expression = change(left, right)
            return right if found is NotImplemented else found

        @steps(name)
        def in_step(step: Any) -> Any:
            if isinstance(step, s.Match):
                return attrs.evolve(step, right=changed(step.left, step.right))
            return NotImplemented

        return change

    return decorate


def texts(name: str, pattern: str, replacement: str) -> None:
    """A mistake in the script's text."""
    _add(name, lambda ruleset: nft.parse(re.sub(pattern, replacement, nft.serialize(ruleset))))


def turned(name: str, sign: str, other: str, *lefts: type | x.Expression) -> None:
    """A comparison's sign mistaken for another, where one of these is compared."""

    @steps(name)
    def in_step(step: Any) -> Any:
        match step:
            case s.Match(left, operator, right) if operator == sign and _is_of(left, lefts):
                return s.Match(left, other, right)
        return NotImplemented


def _is_of(left: x.Expression, wanted: tuple[type | x.Expression, ...]) -> bool:
    inner = left.left if isinstance(left, x.Binary) else left
    return any(isinstance(inner, one) if isinstance(one, type) else inner == one for one in wanted)


def verdicts(name: str, old: type[s.Verdict], make: Callable[[Any], s.Verdict | None]) -> None:
    """A verdict mistaken for another."""

    @steps(name)
    def in_step(step: Any) -> Any:
        return make(step) if isinstance(step, old) else NotImplemented


# --- what iptables-restore-translate gets wrong ------------------------------------------------

MARK, CT_MARK = x.Meta("mark"), x.Ct("mark")
RESTORE = re.compile(r"\.restore-mark-(0x[0-9a-f]+)")


@steps("restoring one bit of the mark wipes all others")
def _(step: Any) -> Any:
    if isinstance(step, s.Jump) and (found := RESTORE.fullmatch(step.chain)):
        return s.Set(MARK, x.Binary("&", CT_MARK, x.Hex(int(found[1], 16))))
    return NotImplemented


def _rest(step: s.Statement, named: Chains) -> tuple[nft.Rule, ...] | None:
    """The rules of the helper chain of a negated list of states that has DNAT in it."""
    if isinstance(step, s.Jump) and step.chain.startswith("."):
        helper = named[step.chain].rules
        returns = [rule for rule in helper if rule.statements[-1:] == (s.Return(),)]
        if returns and "dnat" in str(returns[-1].statements):
            return helper
    return None


@rules("of a negated list of states, only DNAT is left, and without the negation")
def _(statements: Steps, named: Chains) -> Steps:
    helper = _rest(statements[-1], named) if statements else None
    if helper is None:
        return statements
    return (*statements[:-1], s.Match(x.Ct("status"), "in", x.Flags(("dnat",))),
            *helper[-1].statements)  # fmt: skip


@rules("of a negated list of states, only DNAT is left")
def _(statements: Steps, named: Chains) -> Steps:
    helper = _rest(statements[-1], named) if statements else None
    if helper is None:
        return statements
    return (*statements[:-1], s.Match(x.Ct("status"), "!", x.Flags(("dnat",))),
            *helper[-1].statements)  # fmt: skip


@rules("a negated list of states with DNAT becomes one line, wrong without an entry")
def _(statements: Steps, named: Chains) -> Steps:
    helper = _rest(statements[-1], named) if statements else None
    if helper is None:
        return statements
    tests = (
        attrs.evolve(step, operator="!")
        for rule in helper[:-1]
        for step in rule.statements
        if isinstance(step, s.Match)
    )
    return (*statements[:-1], *tests, *helper[-1].statements)


@steps("a mark is set as mark ^ VALUE & ~MASK, where & binds first")
def _(step: Any) -> Any:
    match step:
        case s.Set(key, x.Binary("^", x.Binary("&", _, x.Hex(kept)), x.Hex(value))):
            return s.Set(key, x.Binary("^", key, x.Hex(value & kept)))
        case s.Set(key, x.Binary("|", _, x.Hex(value))):
            return s.Set(key, x.Binary("^", key, x.Hex(value & ~value)))
    return NotImplemented


@rules("of a source type and a destination type, only the first is left")
def _(statements: Steps, _named: Chains) -> Steps:
    types = [step for step in statements if _is_fib(step)]
    return tuple(step for step in statements if step not in types[1:])


def _is_fib(step: s.Statement) -> bool:
    return isinstance(step, s.Match) and isinstance(step.left, x.Fib)


@steps("the test for the protocol is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Meta("l4proto"), "==", _):
            return None
    return NotImplemented


@rules("rules that change a set are left out")
def _(statements: Steps, _named: Chains) -> Steps | None:
    return None if any(isinstance(step, s.UpdateSet) for step in statements) else statements


@chains("every rule is there twice")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=tuple(rule for rule in chain.rules for _ in "12"))


# --- addresses and ports ------------------------------------------------------------------------


def _prefix(address: Address, length: int) -> x.Expression:
    value = address.value & mask_of_length(address.family, length)
    return x.Prefix(Address(address.family, value), length)


@literals("a prefix is one bit longer")
def _(_left: Any, right: Any) -> Any:
    match right:
        case x.Prefix(address, length) if length < address.family.bits:
            return _prefix(address, length + 1)
    return NotImplemented


@literals("a prefix is one bit shorter")
def _(_left: Any, right: Any) -> Any:
    match right:
        case x.Prefix(address, length) if length > 1:
            return _prefix(address, length - 1)
    return NotImplemented


@literals("a single address becomes two")
def _(_left: Any, right: Any) -> Any:
    match right:
        case x.Host(address):
            return _prefix(address, address.family.bits - 1)
    return NotImplemented


def _ports_moved(low: int, high: int) -> Callable[[Any, Any], Any]:
    def change(left: Any, right: Any) -> Any:
        match left, right:
            case x.Payload(_, "sport" | "dport"), x.Range(x.Number(first), x.Number(last)):
                ends = max(0, first + low), min(0xFFFF, last + high)
                return x.Range(*map(x.Number, ends)) if ends[0] <= ends[1] else right
        return NotImplemented

    return change


literals("a range of ports begins one too low")(_ports_moved(-1, 0))
literals("a range of ports begins one too high")(_ports_moved(+1, 0))
literals("a range of ports ends one too low")(_ports_moved(0, -1))
literals("a range of ports ends one too high")(_ports_moved(0, +1))


@literals("a port is one too high")
def _(left: Any, right: Any) -> Any:
    match left, right:
        case x.Payload(_, "sport" | "dport"), x.Number(port) if port < 0xFFFF:
            return x.Number(port + 1)
    return NotImplemented


@steps("the last of several ports is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Payload() as left, sign, x.AnonymousSet((*some, _))) if some:
            return s.Match(left, sign, x.AnonymousSet(tuple(some)))
    return NotImplemented


HEADERS = (x.Payload("ip", "saddr"), x.Payload("ip", "daddr"),
           x.Payload("ip6", "saddr"), x.Payload("ip6", "daddr"))  # fmt: skip

turned("the negation of an address is lost", "!=", "==", *HEADERS)
turned("the negation of an interface is lost", "!=", "==", x.Meta("iifname"), x.Meta("oifname"))
turned("the negation of a mark is lost", "!=", "==", MARK)
turned("the negation of an address type is lost", "!=", "==", x.Fib)
turned("an address type is negated", "==", "!=", x.Fib)
turned("the negation of a protocol is lost", "!=", "==", x.Meta("l4proto"))
turned("the negation of a list of states is lost", "!", "in", x.Ct("state"))
turned("a list of states is negated", "in", "!", x.Ct("state"))
turned("a list of states must all be there", "in", "==", x.Ct("state"))
turned("the negation of a list of statuses is lost", "!", "in", x.Ct("status"))
turned("random numbers that are too high are taken", "<", ">=", x.Meta)
turned("the negation of a chance is lost", ">=", "<", x.Meta)


def _swapped(name: str, one: str, other: str) -> None:
    names = {one: other, other: one}

    @steps(name)
    def in_step(step: Any) -> Any:
        match step:
            case s.Match(x.Payload(protocol, field), _, _) if field in names:
                return attrs.evolve(step, left=x.Payload(protocol, names[field]))
            case s.Match(x.Meta(key), _, _) if key in names:
                return attrs.evolve(step, left=x.Meta(names[key]))
            case s.Match(x.Ct(key, direction), _, _) if direction in names:
                return attrs.evolve(step, left=x.Ct(key, names[direction]))
            case s.UpdateSet(_, _, x.Payload(protocol, field)) if field in names:
                return attrs.evolve(step, key=x.Payload(protocol, names[field]))
        return NotImplemented


_swapped("source and destination address are swapped", "saddr", "daddr")
_swapped("source and destination port are swapped", "sport", "dport")
_swapped("the interfaces that it came by and leaves by are swapped", "iifname", "oifname")
_swapped("the directions of a connection are swapped", "original", "reply")


@literals("a wildcard of interfaces is taken for a name")
def _(_left: Any, right: Any) -> Any:
    return attrs.evolve(right, wildcard=False) if isinstance(right, x.Interface) else NotImplemented


@literals("an interface's name is taken for a wildcard")
def _(_left: Any, right: Any) -> Any:
    return attrs.evolve(right, wildcard=True) if isinstance(right, x.Interface) else NotImplemented


@steps("the interface of an address type is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Fib((end, "iif" | "oif"), "type"), _, _):
            return attrs.evolve(step, left=x.Fib((end,), "type"))
    return NotImplemented


@steps("the code of an ICMP message is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Payload("icmp" | "icmpv6", "code"), _, _):
            return None
    return NotImplemented


@steps("all flags of TCP are compared, not those of the mask")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Binary("&", x.Payload("tcp", "flags") as left, _), _, _):
            return attrs.evolve(step, left=left)
    return NotImplemented


# --- hooks --------------------------------------------------------------------------------------

MANGLE, NAT = -150, -100


@hooks("the table mangle runs after the table nat")
def _(hook: nft.Hook) -> nft.Hook:
    return attrs.evolve(hook, priority=150) if hook.priority == MANGLE else hook


@hooks("the table mangle runs before connections are known")
def _(hook: nft.Hook) -> nft.Hook:
    return attrs.evolve(hook, priority=-250) if hook.priority == MANGLE else hook


@hooks("the table raw runs after connections are known")
def _(hook: nft.Hook) -> nft.Hook:
    return attrs.evolve(hook, priority=-199) if hook.priority == -300 else hook


def _moved(name: str, old: str, new: str) -> None:
    @hooks(name)
    def in_hook(hook: nft.Hook) -> nft.Hook:
        # The kernel has no nat chains where packets are passed on, and routes only in output.
        moves = hook.name == old and hook.type == "filter"
        return attrs.evolve(hook, name=new) if moves else hook


_moved("what comes to the node is tested where packets are passed on", "input", "forward")
_moved("what is passed on is tested where packets come to the node", "forward", "input")
_moved("what the node sends is tested where packets leave", "output", "postrouting")


def _retyped(name: str, old: str, new: str) -> None:
    @hooks(name)
    def in_hook(hook: nft.Hook) -> nft.Hook:
        return attrs.evolve(hook, type=new) if hook.type == old else hook


_retyped("a changed mark does not lead to a new route", "route", "filter")
_retyped("nat chains see every packet of a connection", "nat", "filter")


@hooks("a policy that drops becomes one that accepts")
def _(hook: nft.Hook) -> nft.Hook:
    return attrs.evolve(hook, policy="accept")


@hooks("a policy that accepts becomes one that drops")
def _(hook: nft.Hook) -> nft.Hook:
    return attrs.evolve(hook, policy="drop")


# --- verdicts and the order of rules ------------------------------------------------------------

verdicts("a rejected packet is dropped", s.Reject, lambda _: s.Drop())
_OTHER_REASONS = {"icmp": "net-unreachable", "icmpv6": "no-route", "tcp": "reset"}

verdicts(
    "a rejected packet has another reason",
    s.Reject,
    lambda verdict: attrs.evolve(verdict, reason=_OTHER_REASONS[verdict.protocol]),
)
verdicts("a dropped packet is rejected", s.Drop, lambda _: s.Reject("icmp", "port-unreachable"))
verdicts("a dropped packet is accepted", s.Drop, lambda _: s.Accept())
verdicts("a dropped packet goes on", s.Drop, lambda _: None)
verdicts("an accepted packet is dropped", s.Accept, lambda _: s.Drop())
verdicts("an accepted packet goes on", s.Accept, lambda _: None)
verdicts("an accepted packet returns", s.Accept, lambda _: s.Return())
verdicts("a packet that returns is accepted", s.Return, lambda _: s.Accept())
verdicts("a packet that returns goes on", s.Return, lambda _: None)
verdicts("a jump does not come back", s.Jump, lambda verdict: s.Goto(verdict.chain))
verdicts("a goto comes back", s.Goto, lambda verdict: s.Jump(verdict.chain))
verdicts("a jump is lost", s.Jump, lambda _: None)


@chains("the last rule of a chain is lost")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=chain.rules[:-1])


@chains("the first rule of a chain is lost")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=chain.rules[1:])


@chains("the last two rules of a chain are swapped")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=(*chain.rules[:-2], *reversed(chain.rules[-2:])))


@chains("the rules of a chain are turned round")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=chain.rules[::-1])


@chains("the chains that help a rule are empty")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=()) if chain.name.startswith(".") else chain


@rules("the first condition of a rule is lost")
def _(statements: Steps, _named: Chains) -> Steps:
    return statements[1:] if statements and isinstance(statements[0], s.Match) else statements


# --- counters, logs and sets --------------------------------------------------------------------


@steps("counters are lost")
def _(step: Any) -> Any:
    return None if isinstance(step, s.Counter) else NotImplemented


@rules("a packet is counted twice")
def _(statements: Steps, _named: Chains) -> Steps:
    return tuple(step for one in statements for step in (one,) * (1 + isinstance(one, s.Counter)))


def _with_counter_at(statements: Steps, place: int) -> Steps:
    counters = tuple(step for step in statements if isinstance(step, s.Counter))
    others = tuple(step for step in statements if not isinstance(step, s.Counter))
    return (*others[:place], *counters, *others[place:])


@rules("a packet is counted before it is tested")
def _(statements: Steps, _named: Chains) -> Steps:
    return _with_counter_at(statements, 0)


@rules("a packet is counted after the verdict, so not at all")
def _(statements: Steps, _named: Chains) -> Steps:
    return _with_counter_at(statements, len(statements))


@steps("named counters are lost")
def _(step: Any) -> Any:
    return None if isinstance(step, s.NamedCounter) else NotImplemented


@steps("another counter of the table counts")
def _(step: Any) -> Any:
    return s.NamedCounter("other") if isinstance(step, s.NamedCounter) else NotImplemented


def _logs(name: str, **changes: Any) -> None:
    @steps(name)
    def in_step(step: Any) -> Any:
        return attrs.evolve(step, **changes) if isinstance(step, s.Log) else NotImplemented


_logs("the prefix of a log is lost", prefix="")
_logs("the level of a log is lost", level="")
_logs("the flags of a log are lost", flags=())


@steps("nothing is logged")
def _(step: Any) -> Any:
    return None if isinstance(step, s.Log) else NotImplemented


@steps("what is added to a set is taken out of it")
def _(step: Any) -> Any:
    match step:
        case s.UpdateSet("update", name, key):
            return s.UpdateSet("delete", name, key)
    return NotImplemented


@steps("a set is not changed")
def _(step: Any) -> Any:
    return None if isinstance(step, s.UpdateSet) else NotImplemented


@steps("a set is asked for the opposite")
def _(step: Any) -> Any:
    match step:
        case s.Match(left, sign, x.SetReference() as right):
            return s.Match(left, {"==": "!=", "!=": "=="}[sign], right)
    return NotImplemented


@steps("a set is asked for a whole address where it holds networks")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Binary("&", x.Payload() as left, _), _, x.SetReference()):
            return attrs.evolve(step, left=left)
    return NotImplemented


# --- marks --------------------------------------------------------------------------------------


@steps("the mask of a test of a mark is lost")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Binary("&", x.Meta("mark") | x.Ct("mark") as left, _), _, _):
            return attrs.evolve(step, left=left)
    return NotImplemented


@steps("a mark is compared with one bit more")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Binary("&", x.Meta("mark") as left, x.Hex(mask)), _, _) if mask != FULL:
            more = mask | ~mask & -~mask
            return attrs.evolve(step, left=x.Binary("&", left, x.Hex(more & FULL)))
    return NotImplemented


def _operators(name: str, old: str, new: str) -> None:
    @steps(name)
    def in_step(step: Any) -> Any:
        match step:
            case s.Set(key, x.Binary(operator, left, right)) if operator == old:
                return s.Set(key, x.Binary(new, left, right))
        return NotImplemented


_operators("bits of a mark are set where they flip", "^", "|")
_operators("bits of a mark flip where they are set", "|", "^")
_operators("bits of a mark flip where they are cleared", "&", "^")


@steps("the whole mark is set where some of its bits are")
def _(step: Any) -> Any:
    match step:
        case s.Set(key, x.Binary("|" | "^", _, value)):
            return s.Set(key, value)
    return NotImplemented


@steps("bits of a mark are not cleared before others are set")
def _(step: Any) -> Any:
    match step:
        case s.Set(key, x.Binary("^", x.Binary("&", inner, _), value)):
            return s.Set(key, x.Binary("^", inner, value))
    return NotImplemented


@chains("restoring clears always, then sets: wrong without an entry")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    if not RESTORE.fullmatch(chain.name):
        return chain
    first, second, *others = chain.rules
    cleared = attrs.evolve(second, statements=second.statements[1:])
    return attrs.evolve(chain, rules=(cleared, first, *others))


@chains("restoring sets, then clears always")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    if not RESTORE.fullmatch(chain.name):
        return chain
    first, second, *others = chain.rules
    return attrs.evolve(
        chain, rules=(first, attrs.evolve(second, statements=second.statements[1:]), *others)
    )


@chains("restoring only sets")
def _(chain: nft.Chain, _named: Chains) -> nft.Chain:
    return attrs.evolve(chain, rules=chain.rules[:1]) if RESTORE.fullmatch(chain.name) else chain


@steps("the packet's mark and the connection's are swapped where a mark is set")
def _(step: Any) -> Any:
    match step:
        case s.Set(x.Meta("mark") | x.Ct("mark") as key, x.Binary(operator, inner, right)):
            other = CT_MARK if key == MARK else MARK
            return s.Set(other, x.Binary(operator, other if inner == key else inner, right))
        case s.Set(x.Meta("mark"), x.Hex() as value):
            return s.Set(CT_MARK, value)
        case s.Set(x.Ct("mark"), x.Hex() as value):
            return s.Set(MARK, value)
    return NotImplemented


# --- NAT ----------------------------------------------------------------------------------------


def _nats(name: str, change: Callable[[s.Nat], s.Nat]) -> None:
    @steps(name)
    def in_step(step: Any) -> Any:
        return change(step) if isinstance(step, s.Nat) else NotImplemented


@steps("the first of the new addresses is left out")
def _(step: Any) -> Any:
    match step:
        case s.Nat(address=x.Range(x.Host(first), last)) if x.Host(first) != last:
            second = x.Host(attrs.evolve(first, value=first.value + 1))
            return attrs.evolve(step, address=x.Range(second, last))
    return NotImplemented


@steps("only the first of the new addresses is left")
def _(step: Any) -> Any:
    match step:
        case s.Nat(address=x.Range(first, _)):
            return attrs.evolve(step, address=first)
    return NotImplemented


@steps("only the first of the new ports is left")
def _(step: Any) -> Any:
    match step:
        case s.Nat(port=x.Range(first, _)):
            return attrs.evolve(step, port=first)
    return NotImplemented


_nats("the new port is lost", lambda nat: attrs.evolve(nat, port=None) if nat.address else nat)
_nats("the flags of NAT are lost", lambda nat: attrs.evolve(nat, flags=()))


def _renamed(old: str, new: str) -> Callable[[s.Nat], s.Nat]:
    def changed(nat: s.Nat) -> s.Nat:
        if nat.kind != old:
            return nat
        if new in {"masquerade", "redirect"}:
            return attrs.evolve(nat, kind=new, address=None, prefix=False)
        return attrs.evolve(nat, kind=new)

    return changed


_nats("a source is masqueraded where its address is given", _renamed("snat", "masquerade"))
_nats("a destination is redirected where its address is given", _renamed("dnat", "redirect"))
_nats("the destination is bound where the source is", _renamed("snat", "dnat"))


@steps("a destination's port is one too high")
def _(step: Any) -> Any:
    match step:
        case s.Nat(port=x.Number(port)) if port < 0xFFFF:
            return attrs.evolve(step, port=x.Number(port + 1))
    return NotImplemented


@steps("a new address is one too high")
def _(step: Any) -> Any:
    match step:
        case s.Nat(address=x.Host(address)) if address.value < address.family.all_ones:
            return attrs.evolve(step, address=x.Host(Address(address.family, address.value + 1)))
    return NotImplemented


# --- chance and tracking ------------------------------------------------------------------------


@steps("half as many packets are chosen by chance")
def _(step: Any) -> Any:
    match step:
        case s.Match(left, "<" | ">=" as sign, x.Number(threshold)):
            return s.Match(left, sign, x.Number(threshold // 2))
    return NotImplemented


@steps("the next packet of a round is chosen")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Numgen(modulus) as left, sign, x.Number(place)):
            return s.Match(left, sign, x.Number((place + 1) % modulus))
    return NotImplemented


@steps("packets are tracked all the same")
def _(step: Any) -> Any:
    return None if isinstance(step, s.Notrack) else NotImplemented


@steps("the number of a zone is wrong")
def _(step: Any) -> Any:
    match step:
        case s.Set(x.Ct("zone") as key, x.Number(zone)):
            return s.Set(key, x.Number(zone ^ 1))
    return NotImplemented


@steps("the direction of a zone is lost")
def _(step: Any) -> Any:
    match step:
        case s.Set(x.Ct("zone"), value):
            return s.Set(x.Ct("zone"), value)
    return NotImplemented


@steps("packets that are not tracked get a zone")
def _(step: Any) -> Any:
    match step:
        case s.Match(x.Ct("state"), "!", x.Flags(("untracked",))):
            return None
    return NotImplemented


# --- the script ---------------------------------------------------------------------------------

texts("several ports are written as a range", r"\{ (\d+), (?:[^{}]*, )?(\d+) \}", r"\1-\2")
texts("a sign for “is not” is not written", r" != ", " ")
texts("the star of a wildcard is not written", r'\*"', '"')
texts("prefixes are not written", r"((?:ip|ip6) [sd]addr (?:!= )?[0-9a-f.:]+)/\d+", r"\1")
texts("masks of marks are not written", r"mark & 0x[0-9a-f]+ ==", "mark")
texts("a port that follows an address is not written", r"(dnat to [0-9.]+):\d+", r"\1")
texts("every hexadecimal digit after the first is lost", r"0x([0-9a-f])[0-9a-f]*", r"0x\1")


def sampled(shares: range) -> list[Mutant]:
    """The mutants of some fourths of all; by name, so that one that is new moves no other."""
    return [mutant for mutant in MUTANTS if zlib.crc32(mutant.name.encode()) % 4 in shares]


#: Every mutant goes through the model, and through the proof or the kernel; nightly through both.
REFUSED = {"a packet is counted after the verdict, so not at all"}  #: by the kernel
REPLAYED = [one for one in (MUTANTS if SCALE > 1 else sampled(range(1))) if one.name not in REFUSED]
PROVED = [one for one in MUTANTS if NIGHTLY or one not in REPLAYED]


def applicable(ruleset: nft.Ruleset) -> Iterator[tuple[Mutant, nft.Ruleset]]:
    """The mutants that change something, and what comes of each."""
    for mutant in MUTANTS:
        changed = mutant.apply(ruleset)
        if changed is not None:
            yield mutant, changed
