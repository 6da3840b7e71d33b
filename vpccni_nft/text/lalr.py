"""Parses texts by the tables of a grammar, which ``tables.py`` has Lark make.

An LALR parser, whose lexer looks in each state for the terminals that may stand there: Lark's own,
as ``tests/property/test_lalr.py`` shows, but that it is there at once. Of the thousands of states
that the options of all matches and targets make, a text sees a few dozen. So what Lark makes of
each is data, and becomes a state where it is first entered.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypedDict

from .trees import Branch, Token, UnparsableError

#: The terminal that stands behind a text.
END = "$END"


class Tables(TypedDict):
    """What is known of a grammar, as JSON has it. Symbols, rules and states are numbers."""

    #: Terminals come first, in the order in which the lexer tries them.
    symbols: list[str]
    patterns: list[str]  #: of each terminal, a regular expression
    words: list[str]  #: of each terminal, the only word that it is; empty where there are others
    #: By the number of a terminal: those whose only word its pattern fits as well.
    within: dict[str, list[int]]
    ignored: list[int]  #: terminals between words
    everywhere: list[int]  #: terminals that the lexer looks for in each state
    rules: list[list[int]]  #: of each, its symbol, how many children it takes, and its reduction
    reductions: list[Reduction]
    sets: list[list[int]]  #: of symbols
    #: Of each state: symbols with the states behind them, and rules with the set of symbols before
    #: which they are complete.
    states: list[tuple[list[int], list[int]]]
    start: int
    end: int


class Reduction(TypedDict):
    """What becomes of the children of a rule that is complete."""

    data: str  #: the name of the tree
    single: bool  #: whether a single child stands for the tree
    #: The children that the tree keeps: the number of each, whether its own stand in its place, and
    #: how many missing ones come before it. None where it keeps all as they are.
    kept: list[tuple[int, bool, int]] | None
    missing: int  #: how many missing ones come behind the last


class _State(NamedTuple):
    #: By the name of a symbol: the state that comes next or, as -1 - number, a complete rule.
    actions: dict[str, int]
    pattern: re.Pattern[str]  #: of the next word; its groups are terminals
    #: By terminals with patterns: the terminals that some of their words are alone.
    narrower: dict[str, dict[str, str]]


class Parser:
    """Parses the texts of one grammar."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._states: dict[int, _State] = {}
        self._ignored = {tables["symbols"][number] for number in tables["ignored"]}

    @property
    def words(self) -> frozenset[str]:
        """The words that the grammar spells out."""
        return frozenset(filter(None, self._tables["words"]))

    def parse(self, text: str) -> Branch:
        """The tree of a text. Raises UnparsableError."""
        states, values = [self._tables["start"]], list[Token | Branch]()
        place, line, line_start = 0, 1, 0
        while place < len(text):
            state = self._state(states[-1])
            found = state.pattern.match(text, place)
            if found is None:
                raise UnparsableError(line, place - line_start + 1)
            type_, word = found.lastgroup or "", found[0]
            if type_ not in self._ignored:
                type_ = state.narrower.get(type_, {}).get(word, type_)
                token = Token.at(word, type_, line, place - line_start + 1)
                if not self._take(token, type_, states, values):
                    raise UnparsableError(line, token.column)
            place = found.end()
            if "\n" in word:
                line += word.count("\n")
                line_start = place - len(word) + word.rindex("\n") + 1
        if not self._take(Token(), END, states, values):
            raise UnparsableError(line, place - line_start + 1, at_end=True)
        (tree,) = values
        assert isinstance(tree, Branch)
        return tree

    def _take(
        self, token: Token, type_: str, states: list[int], values: list[Token | Branch]
    ) -> bool:
        """Complete the rules that end before a token, then take it; False where it cannot come."""
        tables = self._tables
        while True:
            action = self._state(states[-1]).actions.get(type_)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                values.append(token)
                return True
            origin, size, reduction = tables["rules"][-1 - action]
            children = values[len(values) - size :]
            del states[len(states) - size :], values[len(values) - size :]
            values.append(_reduced(tables["reductions"][reduction], children))
            states.append(self._state(states[-1]).actions[tables["symbols"][origin]])
            if states[-1] == tables["end"] and type_ == END:
                return True

    def _state(self, number: int) -> _State:
        state = self._states.get(number)
        if state is None:
            state = self._states[number] = self._read(number)
        return state

    def _read(self, number: int) -> _State:
        tables = self._tables
        symbols, words = tables["symbols"], tables["words"]
        following, complete = tables["states"][number]
        actions = dict(zip(following[::2], following[1::2], strict=True))
        for rule, before in zip(complete[::2], complete[1::2], strict=True):
            actions |= dict.fromkeys(tables["sets"][before], -1 - rule)
        terminals = {one for one in actions if one < len(words)}
        terminals.update(tables["ignored"], tables["everywhere"])
        within = {
            one: terminals.intersection(tables["within"].get(str(one), ())) for one in terminals
        }
        tried = sorted(terminals.difference(*within.values()))
        return _State(
            {symbols[symbol]: action for symbol, action in actions.items()},
            re.compile("|".join(f"(?P<{symbols[one]}>{tables['patterns'][one]})" for one in tried)),
            {
                symbols[one]: {words[other]: symbols[other] for other in others}
                for one, others in within.items()
                if others
            },
        )


def _reduced(reduction: Reduction, children: list[Any]) -> Any:
    """What a rule with these children becomes."""
    if reduction["kept"] is not None:
        taken, children = children, []
        for number, spread, missing in reduction["kept"]:
            child = taken[number]
            children += [None] * missing
            if not spread:
                children.append(child)
            elif children:
                children += child.children
            else:
                children = child.children  # of a long list all but the last one: not to be copied
        children += [None] * reduction["missing"]
    if reduction["single"] and len(children) == 1:
        return children[0]
    return Branch(reduction["data"], children)
