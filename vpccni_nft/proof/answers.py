"""What a proof can come to."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, cast

import attrs

if TYPE_CHECKING:
    from ..core.diagnostics import Diagnostic
    from ..core.values import Family
    from .acceptance import AcceptedClass
    from .classes import DifferenceClass
    from .counterexample import Counterexample


class HookStatus(enum.Enum):
    """What is known of a hook or a path."""

    EQUAL = "equal"  #: every packet is treated the same
    ACCEPTED = "accepted"  #: every packet but those of which the caller accepts what differs
    DIFFERENT = "different"  #: a packet is shown that is not
    UNDECIDED = "undecided"  #: neither is known


@attrs.frozen
class HookAnswer:
    """What is known of one hook or one path."""

    family: Family
    hook: str  #: its name, or that of the path
    status: HookStatus
    #: Why it is not decided; of one that differs, why there may be differences that are not shown.
    reasons: tuple[Diagnostic, ...] = ()
    #: In which orders base chains ran, as a sentence; empty where there is one order only.
    order: str = ""


class _AsDict:
    """What every answer can."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON, as ``verify --json`` prints it (``docs/schemas/verify.json``)."""
        from .report import dict_of_answer

        return dict_of_answer(cast("Answer", self))


@attrs.frozen
class Equivalent(_AsDict):
    """Every packet is treated the same, but for what is accepted."""

    hooks: tuple[tuple[Family, str], ...]  #: where something could differ
    assumptions: tuple[str, ...]  #: what that rests on, as sentences
    #: What the caller accepts: of these packets it is not said that they are treated the same.
    accepted: tuple[AcceptedClass, ...] = ()
    #: Those hooks that are not equal by themselves: what another hook of each path makes up for.
    unequal: tuple[tuple[Family, str], ...] = ()
    paths: tuple[HookAnswer, ...] = ()  #: where paths were compared: all of them


@attrs.frozen
class Different(_AsDict):
    """Some packets are not treated the same."""

    #: One of each class.
    counterexamples: tuple[Counterexample, ...]
    hooks: tuple[HookAnswer, ...] = ()  #: all of them, in their order
    #: Everything that is not known besides.
    reasons: tuple[Diagnostic, ...] = ()
    #: What differs, as classes; where a hook has no reasons, every packet that differs is of one.
    classes: tuple[DifferenceClass, ...] = ()
    accepted: tuple[AcceptedClass, ...] = ()  #: what the caller accepts besides
    paths: tuple[HookAnswer, ...] = ()  #: where paths were compared: all of them, in their order
    #: What is known of the node, and which packets are looked at for that, as sentences.
    assumptions: tuple[str, ...] = ()


@attrs.frozen
class Unknown(_AsDict):
    """Unknown: no difference was found, and no proof either."""

    reasons: tuple[Diagnostic, ...]
    hooks: tuple[HookAnswer, ...] = ()  #: those that were looked at, in their order
    accepted: tuple[AcceptedClass, ...] = ()  #: what the caller accepts
    paths: tuple[HookAnswer, ...] = ()  #: where paths were compared: all of them, in their order


Answer = Equivalent | Different | Unknown
