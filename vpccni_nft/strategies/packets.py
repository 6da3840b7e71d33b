"""Packets that hit a ruleset's rules, as a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ..simulate.pool import Pool

if TYPE_CHECKING:
    from ..core.values import Family
    from ..iptables.ast import Ruleset
    from ..simulate.sample import Packet


def packets_for(
    ruleset: Ruleset, family: Family, *, fragments: bool = False
) -> st.SearchStrategy[Packet]:
    """Packets made of a ruleset's constants and their neighbours; most aim at one of its rules.

    ``fragments`` adds further fragments, which no rule sees where connections are tracked.
    """
    pool = Pool.of(ruleset, family, fragments=fragments)
    # Two numbers are drawn instead of each field: hypothesis takes a hundred times longer than the
    # packet takes through a ruleset. ``simplify`` makes the packet small.
    return st.builds(pool.packet, st.integers(0, len(pool.aims)), st.integers(0, 2**32 - 1))
