"""Mistakes in where packets go: hooks, verdicts and the order of rules."""

from __future__ import annotations

import attrs

from vpccni_nft import nft
from vpccni_nft.nft import statements as s

from .base import (
    Chains,
    Steps,
    chains,
    hooks,
    rules,
    verdicts,
)

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
