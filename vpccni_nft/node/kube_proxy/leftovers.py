"""What is still on a node of a mode that it has left, and of what was tried on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...core.diagnostics import LEFT_OVER, Diagnostic
from ...iptables.ast import Goto, Jump
from ...nft.names import TABLE_PREFIX
from ..vpc_cni.connmark import TABLE as CNI_TABLE
from ..vpc_cni.read import has_table, is_connmark
from .on_node import Mode, Parts
from .read_iptables import is_kube_proxys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ... import iptables
    from ...proof.side import Side

#: Chains of portmap for one container each: a rule leads there while the container runs.
_OF_CONTAINERS = re.compile(r"CNI-(?:DN|SN)-[0-9a-f]+")


def leftovers(after: Side, left: Mode) -> tuple[Diagnostic, ...]:
    """What is there of the mode that kube-proxy has left, and of others' that lead nowhere."""
    parts = Parts.of(after)
    found = [*_of_moves(parts), *_orphans(parts.dump), *_of_the_cni(parts)]
    if not all(map(parts.families, Mode)):
        return tuple(found)
    if left is Mode.IPTABLES:
        return (*_of_iptables_mode(parts.dump), *found)
    message = "the table kube-proxy of the nftables mode is still there"
    return (Diagnostic(LEFT_OVER, message, hint="kube-proxy --cleanup removes it"), *found)


def _of_iptables_mode(dump: iptables.Ruleset) -> Iterator[Diagnostic]:
    for table in dump.tables:
        chains = [one for one in table.chains if is_kube_proxys(one.name) and one.rules]
        rules = sum(len(chain.rules) for chain in chains)
        if chains:
            yield Diagnostic(
                LEFT_OVER,
                f"{rules} rules of kube-proxy's iptables mode are still in the {table.family.title}"
                f" table {table.name}, such as those of {chains[0].name}",
                chains[0].rules[0].span,
                "kube-proxy --cleanup removes them, or a reboot does",
            )


def _of_moves(parts: Parts) -> Iterator[Diagnostic]:
    for table in parts.native.tables:
        if table.name.startswith(TABLE_PREFIX):
            yield Diagnostic(
                LEFT_OVER,
                f"the table {table.name} has copies of rules, which no agent keeps up to date",
                hint="vpccni-nft migrate rollback undoes a move",
            )


def _of_the_cni(parts: Parts) -> Iterator[Diagnostic]:
    """Connmark rules in iptables beside the CNI's table, which does the same: the CNI has one."""
    for table in parts.dump.tables:
        for chain in table.chains:
            if has_table(parts.native) and chain.rules and is_connmark(chain.name):
                yield Diagnostic(
                    LEFT_OVER,
                    f"the CNI's connmark rules are in {chain.name} and in its table {CNI_TABLE}",
                    chain.rules[0].span,
                    "aws-node of v1.23 deletes those in iptables when it starts; an earlier one"
                    f" leaves the table: nft delete table ip {CNI_TABLE}",
                )


def _orphans(dump: iptables.Ruleset) -> Iterator[Diagnostic]:
    for table in dump.tables:
        led_to = {
            rule.target.chain
            for chain in table.chains
            for rule in chain.rules
            if isinstance(rule.target, Jump | Goto)
        }
        for chain in table.chains:
            if _OF_CONTAINERS.fullmatch(chain.name) and chain.name not in led_to:
                yield Diagnostic(
                    LEFT_OVER,
                    f"no rule leads to {chain.name}, the chain of a container's ports",
                    chain.span,
                    f"iptables -t {table.name} -F {chain.name}, then -X {chain.name}",
                )
