"""What a proof can come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ..core.diagnostics import Diagnostic
    from ..core.values import Family
    from .counterexample import Counterexample


@attrs.frozen
class Equivalent:
    """Every packet is treated alike."""

    hooks: tuple[tuple[Family, str], ...]  #: where something could differ
    assumptions: tuple[str, ...]  #: what that rests on, as sentences


@attrs.frozen
class Different:
    """Some packets are not treated alike."""

    #: For each hook those that fit different rules.
    counterexamples: tuple[Counterexample, ...]


@attrs.frozen
class Unknown:
    """Nobody knows: no difference is found, and no proof either."""

    reasons: tuple[Diagnostic, ...]


Answer = Equivalent | Different | Unknown
