"""Objects of a table that rules name: limits, quotas, synproxies, and what conntrack is given.

Counters are in ``ast.py``. What nft has no such object for is a ValueError at construction.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable

import attrs

from ..core.values import TableFamily
from .names import checked, checked_string
from .statements import Limit, Quota, Synproxy
from .words import ObjectKind


def _policy(states: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(states)


@attrs.frozen(kw_only=True)
class NamedObject(abc.ABC):
    """What all of them have."""

    name: str = attrs.field(kw_only=False)
    comment: str = ""

    def __attrs_post_init__(self) -> None:
        checked(self.name)
        checked_string(self.comment)

    @property
    @abc.abstractmethod
    def kind(self) -> ObjectKind:
        """What rules call it by, beside its name."""


@attrs.frozen(kw_only=True)
class NamedStatement(NamedObject):
    """A limit, quota or synproxy that all rules that name it share."""

    statement: Limit | Quota | Synproxy

    @property
    def kind(self) -> ObjectKind:
        """That of the statement."""
        match self.statement:
            case Limit():
                return ObjectKind.LIMIT
            case Quota():
                return ObjectKind.QUOTA
            case Synproxy():
                return ObjectKind.SYNPROXY


@attrs.frozen(kw_only=True)
class Flowtable(NamedObject):
    """Connections whose packets go from one device to another past all hooks but ingress."""

    priority: int
    devices: tuple[str, ...] = ()
    offload: bool = False  #: whether devices may do it themselves
    counts: bool = False  #: whether conntrack counts such packets

    @property
    def kind(self) -> ObjectKind:
        """A flowtable."""
        return ObjectKind.FLOWTABLE


@attrs.frozen(kw_only=True)
class CtHelper(NamedObject):
    """A helper for connections of one protocol: net/netfilter/nft_ct.c, nft_ct_helper_obj_eval."""

    helper: str  #: the kernel's name for it, such as ``ftp``
    protocol: str  #: ``tcp`` or ``udp``
    l3proto: TableFamily | None = None  #: None: the table's

    @property
    def kind(self) -> ObjectKind:
        """A helper."""
        return ObjectKind.CT_HELPER


@attrs.frozen(kw_only=True)
class CtTimeout(NamedObject):
    """Times after which a connection of one protocol is forgotten, by its state."""

    protocol: str
    l3proto: TableFamily | None = None
    policy: tuple[tuple[str, int], ...] = attrs.field(default=(), converter=_policy)  #: seconds

    @property
    def kind(self) -> ObjectKind:
        """A timeout."""
        return ObjectKind.CT_TIMEOUT


@attrs.frozen(kw_only=True)
class CtExpectation(NamedObject):
    """A connection that is expected beside one that is there."""

    protocol: str
    dport: int
    timeout: int  #: seconds
    size: int  #: the most that are expected at once
    l3proto: TableFamily | None = None

    @property
    def kind(self) -> ObjectKind:
        """An expectation."""
        return ObjectKind.CT_EXPECTATION
