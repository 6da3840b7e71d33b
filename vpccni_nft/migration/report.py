"""A plan as a page for those who decide about it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import attrs

from .. import nft
from ..core.diagnostics import IPSET_COPIED, Kind
from ..core.render import printable
from .tables import nft_table_of
from .writers import KEPT_CHAINS, writes_again

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..node.detection import BackEnd
    from .neighbours import Turn
    from .plan import Plan


#: What a block of Markdown must have more of around it.
_TICKS = re.compile("`+")


@attrs.frozen(kw_only=True)
class Origin:
    """Where and when a plan was made, as ``plan.json`` has it, and by what."""

    host: str
    made: str
    kernel: str
    version: str


def report(plan: Plan, origin: Origin, directory: Path) -> str:
    """The page, as Markdown, for a plan that goes to a directory."""
    return "\n".join(printable(line) for line in _lines(plan, origin, directory)) + "\n"


def _lines(plan: Plan, origin: Origin, directory: Path) -> Iterator[str]:
    yield "# Move rules of this node to nftables"
    yield ""
    yield from _node(plan, origin)
    yield from _moves(plan)
    yield from _writers(plan)
    yield from _overlap(plan)
    yield from _approximations(plan)
    yield from _proof(plan)
    yield from _steps(shlex.quote(str(directory.absolute())))
    yield from _after_restart(shlex.quote(str(directory.absolute())))
    yield from _rules(plan)


def _node(plan: Plan, origin: Origin) -> Iterator[str]:
    found = plan.detection
    yield "| | |"
    yield "|---|---|"
    yield f"| planned on the host | {origin.host} |"
    yield f"| date | {origin.made} |"
    yield f"| kernel | {origin.kernel} |"
    yield f"| iptables | {plan.node.iptables_version or 'unknown: planned from files'} |"
    yield f"| vpccni-nft | {origin.version} |"
    yield f"| whose rules move | {plan.choice.owner} |"
    yield f"| rules that move | {sum(plan.rules.values())} |"
    yield ""
    yield "## The node as it is"
    yield ""
    yield "| agent | back end |"
    yield "|---|---|"
    yield f"| kubelet | {_names(found.kubelet)} |"
    yield f"| kube-proxy | {_names(found.kube_proxy)} |"
    yield f"| the VPC CNI | {_names(found.cni)} |"
    yield ""


def _names(back_ends: tuple[BackEnd, ...]) -> str:
    return ", ".join(end.value for end in back_ends) or "unknown"


def _moves(plan: Plan) -> Iterator[str]:
    yield "## What moves"
    yield ""
    yield "| table | rules | to | policies that become ACCEPT |"
    yield "|---|---|---|---|"
    for moved in plan.tables:
        to = f"table {moved.table.family.value} {moved.nft_table}"
        policies = ", ".join(moved.policies) or "none"
        yield f"| {moved.name} | {len(moved.rules)} | {to} | {policies} |"
    yield ""
    yield "| owner | rules that move | rules that stay |"
    yield "|---|---|---|"
    for owner in dict.fromkeys((*plan.rules, *plan.stay)):
        yield f"| {owner} | {plan.rules.get(owner, 0)} | {plan.stay.get(owner, 0)} |"
    yield ""
    yield f"The empty chains {', '.join(sorted(KEPT_CHAINS))}"
    yield "stay where they are: agents look at them. Each rule is deleted by itself. Nothing is"
    yield "flushed, and rules that are not in this plan are not touched."
    yield ""


def _writers(plan: Plan) -> Iterator[str]:
    yield "## Who would put rules back"
    yield ""
    if not plan.writers:
        yield "No known owner."
    for owner in plan.writers:
        yield f"- {owner}: {writes_again(owner)}. From then on the copy that moves is stale, and"
        yield f"  runs first. `--force-owner {owner}` says that this is taken care of."
    yield ""


def _overlap(plan: Plan) -> Iterator[str]:
    yield "## What is there twice, for how long"
    yield ""
    yield "From apply until cleanup is done with a table, its rules are there twice: in the new"
    yield "table and in iptables. That lasts while cleanup runs: seconds. If something fails,"
    yield "it lasts while the way back runs."
    yield ""
    if plan.overlaps:
        yield "These act twice meanwhile. You said that this is accepted:"
        yield ""
        yield from (f"- {one.message}" for one in plan.overlaps)
    else:
        yield "That is harmless: it is proved, table by table and for every packet, that both"
        yield "together do what one of them does. No rule acts twice."
    yield ""
    yield "Counters go on from the numbers in the dump. What comes between the dump and apply is"
    yield "not in the new ones."
    yield ""


def _approximations(plan: Plan) -> Iterator[str]:
    yield "## Approximations"
    yield ""
    allowed = [one for one in plan.translation.diagnostics if one.code.kind is Kind.APPROXIMATION]
    if not allowed:
        yield "None."
    for one in allowed:
        place = f"{one.span.source.name}:{one.span.line}: " if one.span else ""
        yield f"- {one.code}, {one.code.title}: {place}{one.message}"
    yield ""
    if any(one.code is IPSET_COPIED for one in plan.translation.diagnostics):
        yield "Rules name ipsets. The new tables have them as they were when the plan was made:"
        yield "what is added to an ipset or removed from it later, the new tables do not have."
        yield ""


def _proof(plan: Plan) -> Iterator[str]:
    yield "## The proof"
    yield ""
    yield "Equivalent: every packet is treated the same before, during and after, at"
    yield f"{', '.join(plan.hooks) or 'no hook'}. It rests on:"
    yield ""
    yield from (f"- {assumption}" for assumption in plan.assumptions)
    if plan.neighbours:
        tables = ", ".join(dict.fromkeys(plan.neighbours))
        yield f"- base chains of {tables} are close to moved ones; it is proved beside them,"
        yield f"  {_ORDERS[plan.choice.turn]}"
    yield ""


_ORDERS: dict[Turn | None, str] = {
    None: "in every order that those of one priority can have",
    "first": "with those of iptables ahead of theirs at the same priority, as you said",
    "last": "with those of iptables behind theirs at the same priority, as you said",
}


def _steps(directory: str) -> Iterator[str]:
    yield "## How it is done"
    yield ""
    yield "Try it first in namespaces, where no packet of the node goes:"
    yield ""
    yield from _block(f"sudo vpccni-nft migrate rehearse {directory}")
    yield "Move, and wait 15 minutes for the confirmation. Where a step fails, or no confirmation"
    yield "comes in time, it goes back by itself:"
    yield ""
    yield from _block(f"sudo vpccni-nft migrate run {directory} --confirm-timeout 900")
    yield "| step | what it does |"
    yield "|---|---|"
    yield "| preflight | looks for programs, proves the plan for the rules as they are now |"
    yield "| apply | loads `apply.nft`, one transaction |"
    yield "| cleanup | deletes the rules that are replaced, one transaction a table |"
    yield "| verify | reads everything back and proves it |"
    yield ""
    yield "Confirm, from another session on the node:"
    yield ""
    yield from _block(f"sudo vpccni-nft migrate confirm {directory}")
    yield "Go back, before or after that. The moved rules are put back between the rules that they"
    yield "stood between, in iptables as it is then, and the new tables are removed. Nothing is"
    yield "changed unless that is proved to mean the same; `--print` shows the edit first:"
    yield ""
    yield from _block(f"sudo vpccni-nft migrate rollback {directory}")


def _block(*lines: str) -> Iterator[str]:
    runs = (len(run) for line in lines for run in _TICKS.findall(line))
    fence = "`" * max(3, 1 + max(runs, default=0))
    yield fence
    yield from lines
    yield fence
    yield ""


def _after_restart(directory: str) -> Iterator[str]:
    yield "## When the machine is started again"
    yield ""
    yield "The kernel then has neither the new tables nor the rules of iptables. Agents and boot"
    yield "scripts write their rules as they always do, a script that wrote the moved rules"
    yield "included: the node is as if it had never been moved. The move stays only if that script"
    yield "is changed to load the new tables instead:"
    yield ""
    yield from _block(f"nft -f {directory}/apply.nft")
    yield "`migrate status` says what is in place after a restart. `migrate rollback` removes"
    yield "tables that were loaded in this way."
    yield ""


def _rules(plan: Plan) -> Iterator[str]:
    """What a reader compares: the rules that go, and what does their part."""
    yield "## The rules, before and after"
    yield ""
    for moved in plan.tables:
        yield f"### {moved.name}"
        yield ""
        yield f"Deleted from the table {moved.table.name} of {moved.program}:"
        yield ""
        yield from _block(*(f"-P {chain} DROP" for chain in moved.policies), *moved.rules)
        yield f"Loaded instead, as the table {moved.table.family.value} {moved.nft_table}:"
        yield ""
        table = nft_table_of(plan.translation.ruleset, moved)
        yield from _block(*nft.serialize(table).expandtabs(4).splitlines())
