"""The CNI's connmark rules as they are on a node.

Each rule is one that the CNI writes, and no other one leads to its chains: else they are refused,
as another program's rule there would not be where the CNI's next release looks for its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import OTHER_CNI_RULES, Diagnostic, Refused
from ...core.values import Family
from ...extensions.matches.comment import Comment
from ...iptables.ast import Goto, Jump
from ...nft import statements as s
from ...text.iptables_save import rule_line
from ...text.nft_script import rule_text
from ..native import uncascaded
from .connmark import (
    BASE,
    CHAIN,
    LOCAL,
    MARKING,
    PRIORITY,
    TABLE,
    Connmark,
    restore_text,
    restores_by_bit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ... import iptables, nft
    from ...core.span import Span

_CHAINS = re.compile(r"AWS-CONNMARK-CHAIN-\d+")
_JUMP = re.compile(rf"-i (?P<prefix>[^\s+]+)\+ -j {CHAIN}")
_RESTORE = re.compile(
    r"-j CONNMARK --restore-mark --nfmask (?P<mark>0x[0-9a-f]+) --ctmask (?P=mark)"
)
_RETURN = re.compile(r"(?:-d (?P<network>\S+) )?-j RETURN")
_SET = re.compile(r"-j CONNMARK --set-xmark (?P<mark>0x[0-9a-f]+)/(?P=mark)")
_COMMENT = "AWS, CONNMARK"

_NATIVE_JUMP = re.compile(rf'iifname "(?P<prefix>[^"*\\]+)\*" jump {MARKING}')
_NATIVE_RETURN = re.compile(r"ip daddr (?P<network>[\d./]+) return")
_NATIVE_SET = re.compile(r"ct mark set ct mark \| (?P<mark>0x[0-9a-f]+)")


def is_connmark(chain: str) -> bool:
    """Whether a chain of iptables has the CNI's connmark rules."""
    return _CHAINS.fullmatch(chain) is not None


def has_table(ruleset: nft.Ruleset) -> bool:
    """Whether the CNI has a table of its own."""
    return any((one.family, one.name) == (Family.IP, TABLE) for one in ruleset.tables)


# --- iptables -----------------------------------------------------------------------------------


def read_iptables(dump: iptables.Ruleset) -> Connmark | None:
    """The rules in iptables; None where all that is there is the CNI's chain, and that is empty.

    So it is with ``AWS_VPC_K8S_CNI_EXTERNALSNAT``. Raises Refused (M303).
    """
    tables = [table for table in uncascaded(dump).tables if table.family is Family.IP]
    chains = {chain.name: chain.rules for table in tables for chain in _nats(table)}
    leading = [rule for table in tables for chain in table.chains for rule in _leading(chain)]
    restores = [rule for rule in chains.get("PREROUTING", ()) if is_restore(rule)]
    if CHAIN not in chains:
        raise refused("there are no connmark rules of the CNI in iptables")
    if not (leading or restores or any(chains[name] for name in chains if is_connmark(name))):
        return None
    prefix = _only(leading, _JUMP, f"leads to {CHAIN}")["prefix"]
    mark = _only(restores, _RESTORE, "restores the mark")["mark"]
    order = [id(rule) for rule in chains["PREROUTING"]]
    if id(leading[0]) not in order or order.index(id(restores[0])) < order.index(id(leading[0])):
        raise refused(f"the mark is restored ahead of {CHAIN}", restores[0].span)
    networks, set_mark = _marking(chains[CHAIN])
    if set_mark != mark:
        raise refused(f"{set_mark} is set in {CHAIN}, and {mark} restored", restores[0].span)
    return Connmark(prefix, int(mark, 16), networks)


def _nats(table: iptables.Table) -> Sequence[iptables.Chain]:
    return table.chains if table.name == "nat" else ()


def _leading(chain: iptables.Chain) -> Iterator[iptables.Rule]:
    """The rules that lead to the CNI's chains."""
    for rule in chain.rules:
        if isinstance(rule.target, Jump | Goto) and is_connmark(rule.target.chain):
            yield rule


def is_restore(rule: iptables.Rule) -> bool:
    """Whether a rule is the CNI's that restores the mark, by its comment."""
    return any(isinstance(one, Comment) and one.text == _COMMENT for one in rule.matches)


def _only(rules: Sequence[iptables.Rule], form: re.Pattern[str], what: str) -> re.Match[str]:
    if len(rules) != 1:
        number = f"each of {len(rules)} rules" if rules else "no rule"
        raise refused(f"{number} {what}, and the CNI has one", rules[-1].span if rules else None)
    if found := form.fullmatch(_text(rules[0])):
        return found
    raise refused(f"this is not the rule of the CNI that {what}", rules[0].span)


def _marking(rules: Sequence[iptables.Rule]) -> tuple[tuple[str, ...], str]:
    """The networks that a chain returns for, and the mark that it then sets."""
    marked = _SET.fullmatch(_text(rules[-1])) if rules else None
    if marked is None:
        raise refused(f"the chain {CHAIN} does not end with the CNI's mark")
    networks = []
    for rule in rules[:-1]:
        found = _RETURN.fullmatch(_text(rule))
        if found is None:
            raise refused(f"the CNI does not write this rule in {CHAIN}", rule.span)
        networks.append(found["network"] or "0.0.0.0/0")
    return tuple(networks), marked["mark"]


def _text(rule: iptables.Rule) -> str:
    """A rule without counters and comments."""
    matches = tuple(one for one in rule.matches if not isinstance(one, Comment))
    plain = attrs.evolve(rule, matches=matches, counters=None)
    return rule_line("", plain).removeprefix("-A  ")


# --- nft ----------------------------------------------------------------------------------------


def read_table(ruleset: nft.Ruleset) -> Connmark:
    """The rules of the CNI's table. Raises Refused (M303)."""
    tables = (one for one in ruleset.tables if (one.family, one.name) == (Family.IP, TABLE))
    table = next(tables, None)
    if table is None:
        raise refused(f"there is no table ip {TABLE} of the CNI")
    chains = {chain.name: chain for chain in table.chains}
    if {*chains} != {BASE, MARKING} or table.sets or table.objects or table.flags:
        raise refused(f"the table {TABLE} has other chains or sets than the CNI writes")
    hook = chains[BASE].hook
    where = hook and (hook.type, hook.name, hook.priority, hook.policy)
    if where != ("nat", "prerouting", PRIORITY, "accept") or chains[MARKING].hook:
        raise refused(f"the chain {BASE} is not where the CNI has it: nat prerouting, {PRIORITY}")
    base, marking = ([_native_text(rule) for rule in chains[one].rules] for one in (BASE, MARKING))
    found = _NATIVE_SET.fullmatch(marking[-1]) if marking else None
    returns = [_NATIVE_RETURN.fullmatch(text) for text in marking[:-1]]
    jump = _NATIVE_JUMP.fullmatch(base[1]) if base[0:1] == [LOCAL] and base[1:] else None
    if not found or not jump or not all(returns):
        raise refused(f"the chains of the table {TABLE} have other rules than the CNI writes")
    mark = int(found["mark"], 16)
    if base[2:] not in ([restore_text(mark)], restores_by_bit(mark)):
        raise refused(f"the chain {BASE} does not restore the mark as the CNI does")
    return Connmark(jump["prefix"], mark, tuple(_network(one["network"]) for one in returns if one))


def _native_text(rule: nft.Rule) -> str:
    """A rule without counters and its comment."""
    kept = tuple(one for one in rule.statements if not isinstance(one, s.Counter))
    return rule_text(attrs.evolve(rule, statements=kept, comment=""))


def _network(text: str) -> str:
    return text if "/" in text else f"{text}/32"


def refused(message: str, span: Span | None = None) -> Refused:
    """That the rules are not understood."""
    hint = "let aws-node of v1.16.1 or later write its rules once, and give a dump of then"
    return Refused([Diagnostic(OTHER_CNI_RULES, message, span, hint if span else "")])
