"""A plan as a page for those who decide about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.diagnostics import IPSET_COPIED, Kind
from ..core.render import printable
from .writers import KEPT_CHAINS, writes_again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..node.detection import BackEnd
    from .neighbours import Turn
    from .plan import Plan


def report(plan: Plan, version: str) -> str:
    """The page, as Markdown."""
    return "\n".join(printable(line) for line in _lines(plan, version)) + "\n"


def _lines(plan: Plan, version: str) -> Iterator[str]:
    yield "# Move rules of this node to nftables"
    yield ""
    yield f"Written by vpccni-nft {version}. Whose rules: {plan.choice.owner}."
    yield ""
    yield from _node(plan)
    yield from _moves(plan)
    yield from _writers(plan)
    yield from _overlap(plan)
    yield from _approximations(plan)
    yield from _proof(plan)
    yield from _steps()


def _node(plan: Plan) -> Iterator[str]:
    found = plan.detection
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
        yield f"- {owner}: {writes_again(owner)}. You said that this is taken care of"
        yield f"  (`--force-owner {owner}`)."
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


def _steps() -> Iterator[str]:
    yield "## How it is done"
    yield ""
    yield "`vpccni-nft migrate run DIR` does all of it and goes back by itself where a step fails,"
    yield "or where no confirmation comes in time:"
    yield ""
    yield "| step | what it does |"
    yield "|---|---|"
    yield "| preflight | looks for programs, proves the plan for the rules as they are now |"
    yield "| apply | loads `apply.nft`, one transaction |"
    yield "| cleanup | deletes the rules that are replaced, one transaction a table |"
    yield "| verify | reads everything back and proves it |"
    yield ""
    yield "`vpccni-nft migrate rollback DIR` puts the moved rules back between the rules that they"
    yield "stood between, in iptables as it is then, and removes the new tables. It changes nothing"
    yield "unless that is proved to mean the same. `--print` shows the edit first."
