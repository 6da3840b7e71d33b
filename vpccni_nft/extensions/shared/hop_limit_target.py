"""What the targets TTL and HL share: a change of how many hops a packet may still go.

Kernel: net/netfilter/xt_HL.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Family, parse_integer
from ...model.effects import Effect
from ...nft import expressions as x
from ...nft import statements as s

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..options import Options

#: The field by family.
FIELDS = {Family.IP: x.Payload("ip", "ttl"), Family.IP6: x.Payload("ip6", "hoplimit")}

LARGEST = 0xFF


@attrs.frozen
class Change:
    """One of the options ``--ttl-set``, ``--ttl-inc`` and ``--ttl-dec``, or those of HL."""

    kind: str  #: ``set``, ``inc`` or ``dec``
    amount: int

    @classmethod
    def build(cls, name: str, options: Options) -> Change:
        """Read the option; ``name`` is what it begins with."""
        kinds = {f"--{name}-{kind}": kind for kind in ("set", "inc", "dec")}
        option = options.exclusive(*kinds)
        amount = options.required(option, lambda text: parse_integer(text, LARGEST))
        return cls(kinds[option], amount)

    def save(self, name: str) -> tuple[str, ...]:
        """Write the option."""
        return (f"--{name}-{self.kind}", str(self.amount))

    def meaning(self, view: View) -> Effect:
        """Where a sum would be out of eight bits it stops at the end."""
        state, algebra = view.state, view.state.algebra
        old, amount = state.fields["ttl"], state.word("ttl", self.amount)
        match self.kind:
            case "set":
                new = amount
            case "inc":
                fits = state.between("ttl", 0, LARGEST - self.amount)
                full = state.word("ttl", LARGEST)
                new = algebra.ite(fits, algebra.bvadd(old, amount, 8), full)
            case _:
                fits = state.between("ttl", self.amount, LARGEST)
                less = algebra.bvadd(old, state.word("ttl", -self.amount), 8)
                new = algebra.ite(fits, less, state.word("ttl", 0))
        return Effect(assignments=((algebra.true, "ttl", new),))

    def lower(self, family: Family, name: str, context: Context) -> tuple[s.Statement, ...]:
        """Set the field; nft has no sums."""
        if context.family is not family:
            raise context.refuse(f"{name} is for {family.title} only")
        if self.kind != "set":
            raise context.refuse("nft cannot add to a field or take away from it")
        return (s.Set(FIELDS[family], x.Number(self.amount)),)
