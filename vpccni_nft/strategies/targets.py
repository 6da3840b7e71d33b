"""The nodes of every target that is known; they know of no place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import AddressRange, Family
from ..extensions.shared.set_names import Members
from ..extensions.targets import connmark, reject
from ..extensions.targets.ct import Ct, Notrack
from ..extensions.targets.log import PREFIX_LENGTH, Log
from ..extensions.targets.mark import SetMark
from ..extensions.targets.nat import Dnat, Masquerade, NatFlags, NatRange, Redirect, Snat
from ..extensions.targets.set import SetTarget
from ..extensions.targets.verdicts import Accept, Drop, Return
from ..iptables import Target
from .extra_targets import EXTRA_TARGETS
from .values import (
    FULL,
    ByFamily,
    address_ranges,
    marks,
    masked_marks,
    perhaps,
    port_numbers,
    port_ranges,
    texts,
    words,
)


def _alone(node: type[Target]) -> ByFamily[Target]:
    """A target that has no options."""
    return lambda _family: st.builds(node)


def _connection_marks(_family: Family) -> SearchStrategy[Target]:
    shift = st.one_of(st.just(0), st.just(0), st.integers(-31, 31))
    copies = st.sampled_from((connmark.Mode.SAVE, connmark.Mode.RESTORE))
    same = st.builds(
        lambda mode, mask: connmark.Connmark(mode=mode, ctmask=mask, nfmask=mask), copies, marks
    )
    mask = st.one_of(st.just(FULL), marks)
    return st.one_of(
        st.builds(
            connmark.Connmark,
            mode=st.just(connmark.Mode.SET),
            value=marks,
            ctmask=mask,
            shift=shift,
        ),
        st.builds(connmark.Connmark, mode=copies, ctmask=mask, nfmask=mask, shift=shift),
        same,
    )


def _tracking(_family: Family) -> SearchStrategy[Target]:
    names = st.one_of(st.just(""), words(15))
    events = st.sampled_from(("", "", "new,destroy", "reply"))
    nothing = st.just("")
    zone = st.one_of(st.integers(1, 0xFFFF), st.none())
    direction = st.sampled_from(("", "original", "reply"))

    def with_(
        notrack: SearchStrategy[bool], words_: SearchStrategy[str], lists: SearchStrategy[str]
    ) -> SearchStrategy[Ct]:
        options: dict[str, SearchStrategy[Any]] = {
            "notrack": notrack,
            "helper": words_,
            "timeout": words_,
            "events": lists,
            "expectation_events": lists,
        }
        return st.one_of(
            st.builds(Ct, **options), st.builds(Ct, zone=zone, direction=direction, **options)
        )

    return st.one_of(with_(st.booleans(), names, events), with_(st.booleans(), nothing, nothing))


def nat_ranges(
    family: Family, *, alone: bool, based: bool, lone_address: bool = True
) -> SearchStrategy[NatRange]:
    """``alone``: ports without an address; ``based``: ports that are shifted."""
    where: SearchStrategy[AddressRange | None] = address_ranges(family)
    base = st.one_of(st.none(), st.none(), port_numbers) if based else st.none()
    forms = [st.builds(NatRange, where, port_ranges, base)]
    if lone_address:
        forms.append(st.builds(NatRange, where))
    if alone:
        forms.append(st.builds(NatRange, st.none(), port_ranges, base))
    return st.one_of(*forms)


def _nat_flags(*, fully: bool, persistent: bool) -> SearchStrategy[NatFlags]:
    yes_or_no, no = st.booleans(), st.just(False)
    return st.builds(
        NatFlags,
        random=yes_or_no,
        fully_random=yes_or_no if fully else no,
        persistent=yes_or_no if persistent else no,
    )


def _dnat(family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=False, persistent=True)
    return st.builds(Dnat, nat_ranges(family, alone=True, based=True), flags)


def _snat(family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=True, persistent=True)
    return st.builds(Snat, nat_ranges(family, alone=True, based=False), flags)


def _masquerade(_family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=True, persistent=False)
    return st.builds(Masquerade, perhaps(port_ranges), flags)


def _redirect(_family: Family) -> SearchStrategy[Target]:
    flags = _nat_flags(fully=False, persistent=False)
    return st.builds(Redirect, perhaps(port_ranges), flags)


def _log(_family: Family) -> SearchStrategy[Target]:
    flag = st.booleans()
    return st.builds(
        Log,
        prefix=st.one_of(st.just(""), texts(PREFIX_LENGTH)),
        level=st.integers(0, 7),
        tcp_sequence=flag,
        tcp_options=flag,
        ip_options=flag,
        uid=flag,
        macdecode=flag,
    )


def _set_changes(_family: Family) -> SearchStrategy[Target]:
    ways = st.lists(st.sampled_from(("src", "dst")), min_size=1, max_size=6).map(tuple)
    names = st.one_of(st.sampled_from(("blocked", "seen")), words(31))
    members = st.builds(Members, names, ways)
    seconds = perhaps(st.one_of(st.integers(0, 60), st.integers(0, FULL)))
    flag = st.booleans()
    mapped = {"map_mark": flag, "map_priority": flag, "map_queue": flag}
    return st.one_of(
        st.builds(SetTarget, add=members, exist=flag, timeout=seconds, delete=perhaps(members)),
        st.builds(SetTarget, delete=members),
        st.builds(SetTarget, map=members, delete=perhaps(members), **mapped).filter(
            lambda node: node.map_mark or node.map_priority or node.map_queue
        ),
    )


def _set_marks(_family: Family) -> SearchStrategy[Target]:
    return st.builds(SetMark, masked_marks)


def _reject(family: Family) -> SearchStrategy[Target]:
    kinds = [kind for kind in reject.KINDS.values() if kind.family in (family, None)]
    return st.builds(reject.Reject, perhaps(st.sampled_from(kinds)))


#: The strategy for the node of every room of ``extensions.TARGETS``.
TARGETS: Mapping[type[Target], ByFamily[Target]] = MappingProxyType(
    {
        Accept: _alone(Accept),
        connmark.Connmark: _connection_marks,
        Ct: _tracking,
        Dnat: _dnat,
        Drop: _alone(Drop),
        Log: _log,
        Masquerade: _masquerade,
        Notrack: _alone(Notrack),
        Redirect: _redirect,
        reject.Reject: _reject,
        Return: _alone(Return),
        SetMark: _set_marks,
        SetTarget: _set_changes,
        Snat: _snat,
        **EXTRA_TARGETS,
    }
)
