"""Tables while their lines are read, and what the commands of iptables-restore do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import BAD_STRUCTURE, BAD_VALUE, POLICY_ASSUMED, Diagnostic, Problem
from ..iptables import ast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..core.span import Span
    from ..core.values import Family
    from .line import NodeBuilder
    from .written import WrittenCommand

#: Bytes of a chain's name.
CHAIN_NAME = 28

#: The chains that the kernel makes with each table, in the order in which they are printed.
BUILT_IN = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}


@attrs.define
class ChainDraft:
    """A chain so far."""

    policy: ast.Policy | None
    counters: ast.Counters | None
    span: Span
    rules: list[ast.Rule] = attrs.Factory(list)


@attrs.define
class TableDraft:
    """A table so far."""

    span: Span
    name: str  #: empty where the lines are those of iptables -S
    builder: NodeBuilder
    generated: str = ""
    family: Family | None = None  #: from the remark before it, or as it was found out
    chains: dict[str, ChainDraft] = attrs.Factory(dict)
    committed: bool = False
    completed: str = ""
    group: int = 0  #: tables of one group came from one dump
    mixed: set[int] = attrs.Factory(set)  #: the lines that name addresses of the other family
    written: bool = False  #: whether a line of it is none that iptables-save prints
    asks_family: bool = False  #: whether what a line of it says depends on the family

    @property
    def is_listing(self) -> bool:
        """Whether its lines are those of iptables -S."""
        return not self.name

    def declare(self, name: str, chain: ChainDraft) -> None:
        """Add a chain. Raises Problem where there is one of this name, or can be none."""
        if name in self.chains:
            first = self.chains[name].span.line
            raise Problem(BAD_STRUCTURE, f"the chain {name} is declared in line {first} already")
        if not name or len(name.encode("utf-8", "surrogateescape")) > CHAIN_NAME:
            raise Problem(
                BAD_VALUE, f"a chain's name has 1 to {CHAIN_NAME} characters", span=chain.span
            )
        self.chains[name] = chain

    def chain(self, name: str, whole: Span) -> ChainDraft:
        """The chain that a rule names; one that the kernel makes need not be declared by hand."""
        chain = self.chains.get(name)
        if chain is None:
            if self.generated or name not in BUILT_IN.get(self.name, ()):
                raise Problem(
                    BAD_STRUCTURE,
                    f"the chain {name} is not declared before this rule",
                    span=whole,
                    hint="is the beginning of the dump missing?",
                )
            chain = self.chains[name] = ChainDraft(ast.Policy.ACCEPT, None, whole)
            self.written = True
            self.builder.diagnostics.append(
                Diagnostic(
                    POLICY_ASSUMED,
                    f"the chain {name} is not declared: its policy is taken for ACCEPT, which it"
                    " has unless something changed it",
                    whole,
                )
            )
        return chain

    def apply(self, command: WrittenCommand, rules: Sequence[ast.Rule], whole: Span) -> None:
        """Do what a line says, as iptables-restore does it. Raises Problem where it cannot."""
        if command.name == "-N":
            self.declare(command.chain, ChainDraft(None, None, whole))
        elif command.name in {"-X", "-F", "-Z"} and not command.chain:
            for name in list(self.chains):
                if command.name != "-X" or self.chains[name].policy is None:
                    self._change(attrs.evolve(command, chain=name), rules, whole)
        else:
            self._change(command, rules, whole)

    def _change(self, command: WrittenCommand, rules: Sequence[ast.Rule], whole: Span) -> None:
        chain = self.chain(command.chain, whole)
        match command.name:
            case "-A" | "-I" | "-R" | "-D" | "-C":
                self._change_rules(chain, command, rules, whole)
            case "-F":
                chain.rules.clear()
            case "-P":
                self._set_policy(chain, command, whole)
            case "-X":
                self._remove(command.chain, whole)
            case _:  # -Z: the kernel keeps the counts that the file itself restores
                pass

    def _change_rules(
        self, chain: ChainDraft, command: WrittenCommand, rules: Sequence[ast.Rule], whole: Span
    ) -> None:
        match command.name:
            case "-A":
                chain.rules += rules
            case "-I":
                for rule in rules:  # each before the last one
                    place = self._place(chain, command, len(chain.rules) + 1, whole)
                    chain.rules.insert(place, rule)
            case "-R":
                if len(rules) != 1:
                    raise Problem(BAD_STRUCTURE, "one rule takes the place of one", span=whole)
                chain.rules[self._place(chain, command, len(chain.rules), whole)] = rules[0]
            case "-D" if command.number is not None:
                del chain.rules[self._place(chain, command, len(chain.rules), whole)]
            case _:  # -D and -C
                for rule in rules:
                    place = _index(chain.rules, rule, whole)
                    if command.name == "-D":
                        del chain.rules[place]

    def _place(self, chain: ChainDraft, command: WrittenCommand, most: int, whole: Span) -> int:
        number = command.number or 1
        if number > most:
            raise Problem(
                BAD_STRUCTURE,
                f"the chain {command.chain} has {len(chain.rules)} rules here",
                span=whole,
            )
        return number - 1

    def _set_policy(self, chain: ChainDraft, command: WrittenCommand, whole: Span) -> None:
        if chain.policy is None:
            raise Problem(BAD_STRUCTURE, f"{command.chain} is no built-in chain", span=whole)
        try:
            chain.policy = ast.Policy(command.policy)
        except ValueError:
            raise Problem(BAD_VALUE, f"“{command.policy}” is not a policy", span=whole) from None

    def _remove(self, name: str, whole: Span) -> None:
        chain = self.chains[name]
        used = any(
            isinstance(rule.target, ast.Jump | ast.Goto) and rule.target.chain == name
            for other in self.chains.values()
            for rule in other.rules
        )
        if chain.policy or chain.rules or used:
            raise Problem(
                BAD_STRUCTURE,
                f"the chain {name} cannot be deleted: it is built in, or has rules, or is in use",
                span=whole,
            )
        del self.chains[name]

    def ordered(self) -> Iterable[tuple[str, ChainDraft]]:
        """The chains as they are printed: those of the kernel's first, the others by name."""
        if not self.written or self.is_listing:
            return self.chains.items()
        built_in = BUILT_IN.get(self.name, ())
        places = {name: place for place, name in enumerate(built_in)}
        return sorted(
            self.chains.items(), key=lambda item: (places.get(item[0], len(places)), item[0])
        )


def _index(rules: Sequence[ast.Rule], rule: ast.Rule, whole: Span) -> int:
    """Where the first rule stands that is the same but for its counters."""
    wanted = attrs.evolve(rule, counters=None)
    for place, other in enumerate(rules):
        if attrs.evolve(other, counters=None) == wanted:
            return place
    raise Problem(BAD_STRUCTURE, "the chain has no such rule here", span=whole)
