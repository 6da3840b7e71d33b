"""Mistakes in what rules do: counters, logs, sets, marks and NAT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from vpccni_nft import nft
from vpccni_nft.core.values import Address
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s

from .base import (
    CT_MARK,
    FULL,
    MARK,
    RESTORE,
    Chains,
    Steps,
    chains,
    rules,
    steps,
)

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
            case s.Assign(key, x.Binary(operator, left, right)) if operator == old:
                return s.Assign(key, x.Binary(new, left, right))
        return NotImplemented


_operators("bits of a mark are set where they flip", "^", "|")
_operators("bits of a mark flip where they are set", "|", "^")
_operators("bits of a mark flip where they are cleared", "&", "^")


@steps("the whole mark is set where some of its bits are")
def _(step: Any) -> Any:
    match step:
        case s.Assign(key, x.Binary("|" | "^", _, value)):
            return s.Assign(key, value)
    return NotImplemented


@steps("bits of a mark are not cleared before others are set")
def _(step: Any) -> Any:
    match step:
        case s.Assign(key, x.Binary("^", x.Binary("&", inner, _), value)):
            return s.Assign(key, x.Binary("^", inner, value))
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
        case s.Assign(x.Meta("mark") | x.Ct("mark") as key, x.Binary(operator, inner, right)):
            other = CT_MARK if key == MARK else MARK
            return s.Assign(other, x.Binary(operator, other if inner == key else inner, right))
        case s.Assign(x.Meta("mark"), x.Hex() as value):
            return s.Assign(CT_MARK, value)
        case s.Assign(x.Ct("mark"), x.Hex() as value):
            return s.Assign(MARK, value)
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
