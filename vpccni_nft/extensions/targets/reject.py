"""REJECT: drop the packet and notify its sender.

Kernel: net/ipv4/netfilter/ipt_REJECT.c and net/ipv6/netfilter/ip6t_REJECT.c, in the filter table
only; nf_reject_ipv4.c and nf_reject_ipv6.c build the answers, for nft too. A TCP reset needs
``-p tcp``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import BAD_PLACE
from ...core.values import Family
from ...iptables.ast import Target
from ...iptables.protocols import TCP
from ...model.effects import Effect
from ...model.packet import Verdict
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE, Placement

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context
    from ..option_table import Written


@attrs.frozen
class Kind:
    """One kind of answer."""

    name: str  #: as iptables-save prints it
    family: Family | None  #: None: both
    reason: str  #: nft's word


#: The answers by iptables' names. What the kernel has besides, iptables cannot ask for.
KINDS = {
    kind.name: kind
    for kind in (
        Kind("icmp-net-unreachable", Family.IP, "net-unreachable"),
        Kind("icmp-host-unreachable", Family.IP, "host-unreachable"),
        Kind("icmp-proto-unreachable", Family.IP, "prot-unreachable"),
        Kind("icmp-port-unreachable", Family.IP, "port-unreachable"),
        Kind("icmp-net-prohibited", Family.IP, "net-prohibited"),
        Kind("icmp-host-prohibited", Family.IP, "host-prohibited"),
        Kind("icmp-admin-prohibited", Family.IP, "admin-prohibited"),
        Kind("icmp6-no-route", Family.IP6, "no-route"),
        Kind("icmp6-adm-prohibited", Family.IP6, "admin-prohibited"),
        Kind("icmp6-addr-unreachable", Family.IP6, "addr-unreachable"),
        Kind("icmp6-port-unreachable", Family.IP6, "port-unreachable"),
        Kind("icmp6-policy-fail", Family.IP6, "policy-fail"),
        Kind("icmp6-reject-route", Family.IP6, "reject-route"),
        Kind("tcp-reset", None, "reset"),
    )
}

_ICMP = {Family.IP: "icmp", Family.IP6: "icmpv6"}

#: What the kernel sends for each kind, in the words of verdicts: ICMP_NET_UNREACH, ICMP_HOST_ANO,
#: ICMP_PKT_FILTERED, ICMPV6_NOROUTE and so on. Not taken from ``KINDS``, which lowering uses.
_ANSWERS = {
    "icmp-net-unreachable": "icmp net-unreachable",
    "icmp-host-unreachable": "icmp host-unreachable",
    "icmp-proto-unreachable": "icmp prot-unreachable",
    "icmp-port-unreachable": "icmp port-unreachable",
    "icmp-net-prohibited": "icmp net-prohibited",
    "icmp-host-prohibited": "icmp host-prohibited",
    "icmp-admin-prohibited": "icmp admin-prohibited",
    "icmp6-no-route": "icmpv6 no-route",
    "icmp6-adm-prohibited": "icmpv6 admin-prohibited",
    "icmp6-addr-unreachable": "icmpv6 addr-unreachable",
    "icmp6-port-unreachable": "icmpv6 port-unreachable",
    "icmp6-policy-fail": "icmpv6 policy-fail",
    "icmp6-reject-route": "icmpv6 reject-route",
    "tcp-reset": "tcp reset",
}
_USUAL_ANSWERS = {Family.IP: "icmp port-unreachable", Family.IP6: "icmpv6 port-unreachable"}


@attrs.frozen
class Reject(Target):
    """``-j REJECT [--reject-with KIND]``."""

    kind: Kind | None = None  #: None: port unreachable, of the table's family


def _parse_kind(text: str) -> Kind:
    if text not in KINDS:
        raise ValueError(f"“{text}” is not one of {', '.join(KINDS)}")
    return KINDS[text]


#: The other names of the answers, by these.
_ALIASES = {
    "icmp-net-unreachable": "net-unreach", "icmp-host-unreachable": "host-unreach",
    "icmp-proto-unreachable": "proto-unreach", "icmp-port-unreachable": "port-unreach",
    "icmp-net-prohibited": "net-prohib", "icmp-host-prohibited": "host-prohib",
    "icmp-admin-prohibited": "admin-prohib", "tcp-reset": "tcp-rst",
    "icmp6-no-route": "no-route", "icmp6-adm-prohibited": "adm-prohibited",
    "icmp6-addr-unreachable": "addr-unreach", "icmp6-port-unreachable": "port-unreach",
    "icmp6-policy-fail": "policy-fail", "icmp6-reject-route": "reject-route",
}  # fmt: skip
_USUAL = {Family.IP: "icmp-port-unreachable", Family.IP6: "icmp6-port-unreachable"}


def _completed(given: Written, family: Family) -> Written:
    """The first answer of the family that begins so; ports are unreachable where there is none."""
    (text,) = given.get("--reject-with", (_USUAL[family],))
    for kind in KINDS.values():
        names = (kind.name, _ALIASES[kind.name])
        if kind.family in (family, None) and any(name.startswith(text.lower()) for name in names):
            text = kind.name
            break
    return {"--reject-with": (text,)}


def meaning(node: Reject, view: View) -> Effect:
    """The answer that goes with the kind, then NF_DROP."""
    answer = _ANSWERS[node.kind.name] if node.kind else _USUAL_ANSWERS[view.state.family]
    return Effect(verdict=Verdict("reject", answer))


def lower(node: Reject, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    if not node.kind:
        return (s.Reject(_ICMP[context.family], "port-unreachable"),)
    if node.kind.family:
        return (s.Reject(_ICMP[node.kind.family], node.kind.reason),)
    return (s.Reject("tcp", node.kind.reason),)


def _needs(node: Reject, _family: Family) -> Placement:
    """reject_tg_check."""
    if node.kind and not node.kind.family:
        return Placement(protocols=(TCP,), subject=f"REJECT with {node.kind.name}")
    return ANYWHERE


def _draw(family: Family) -> k.ValueKind:
    kinds = [kind for kind in KINDS.values() if kind.family in (family, None)]
    return k.Build(Reject, k.maybe(k.Among(kinds)))


EXTENSION = Extension(
    name="REJECT",
    node=Reject,
    options=OptionTable.of(
        Option("--reject-with", Form("KIND", _parse_kind, lambda kind: kind.name), "kind"),
        completed=_completed,
    ),
    meaning=meaning,
    lower=lower,
    placement=Placement(tables=("filter",)),
    needs=_needs,
    draw=k.OfFamily(_draw),
    nft="reject with icmp|icmpv6 type KIND; reject with tcp reset",
    codes=(BAD_PLACE,),
)
