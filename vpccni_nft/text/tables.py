"""Has Lark make the tables of a grammar, as data that ``lalr.py`` parses by."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from .lalr import END

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator
    from pathlib import Path

    from .lalr import Reduction, Tables

#: Something of a grammar, as Lark serializes it.
Known = dict[str, Any]

T = TypeVar("T", bound="Hashable")


def make_tables(grammar: Path, *, placeholders: bool, everywhere: Collection[str]) -> Tables:
    """The tables of a grammar; they depend on nothing but it.

    Where placeholders are wanted, a ``[part]`` that is missing leaves None in its place. The lexer
    looks for the terminals ``everywhere`` in each state.
    """
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    lark = Lark.open(
        str(grammar), parser="lalr", lexer="contextual", maybe_placeholders=placeholders
    )
    # What Lark.save writes, and what Lark's stand-alone parsers are made of.
    data, known = lark.memo_serialize([TerminalDef, Rule])
    lexer, parser = data["parser"]["lexer_conf"], data["parser"]["parser"]
    terminals = sorted(_Terminal.of(known[one["@"]]) for one in lexer["terminals"])
    names = [terminal.name for terminal in terminals]
    symbols = _Numbers[str]([*names, END, *sorted({*parser["tokens"].values()} - {*names, END})])
    (start,), (end,) = parser["start_states"].values(), parser["end_states"].values()
    states, rules = _Numbers[int]([start]), _Numbers[tuple[int, int, int]]()
    sets, reductions = _Numbers[tuple[int, ...]](), _Numbers[str]()
    rows: list[tuple[list[int], list[int]]] = []
    for state in states:  # which grows meanwhile, in an order that the grammar decides
        found = parser["states"][state].items()
        row = {symbols[parser["tokens"][token]]: action for token, action in found}
        following: list[int] = []
        complete: dict[int, list[int]] = {}
        for symbol, (completes, what) in sorted(row.items()):
            if completes:
                rule = known[what["@"]]
                reduction = json.dumps(_reduction(rule, placeholders=placeholders))
                whole = (
                    symbols[rule["origin"]["name"]],
                    len(rule["expansion"]),
                    reductions[reduction],
                )
                complete.setdefault(rules[whole], []).append(symbol)
            else:
                following += (symbol, states[what])
        before = [number for rule, on in complete.items() for number in (rule, sets[tuple(on)])]
        rows.append((following, before))
    return {
        "symbols": [*symbols],
        "patterns": [terminal.pattern for terminal in terminals],
        "words": [terminal.word for terminal in terminals],
        "within": {
            str(number): found
            for number, terminal in enumerate(terminals)
            if (found := [at for at, other in enumerate(terminals) if terminal.holds(other)])
        },
        "ignored": sorted(symbols[name] for name in lexer["ignore"]),
        "everywhere": sorted(symbols[name] for name in everywhere),
        "rules": [[*rule] for rule in rules],
        "reductions": [json.loads(reduction) for reduction in reductions],
        "sets": [[*one] for one in sets],
        "states": rows,
        "start": states[start],
        "end": states[end],
    }


class _Numbers(Generic[T]):
    """Numbers things from 0 on, as they come."""

    def __init__(self, things: Collection[T] = ()) -> None:
        self._things = [*things]
        self._numbers = {thing: number for number, thing in enumerate(things)}

    def __getitem__(self, thing: T) -> int:
        if thing not in self._numbers:
            self._numbers[thing] = len(self._things)
            self._things.append(thing)
        return self._numbers[thing]

    def __iter__(self) -> Iterator[T]:
        return iter(self._things)


class _Terminal(NamedTuple):
    """Terminals sort as Lark's lexer tries them."""

    rank: int
    width: int
    length: int
    name: str
    pattern: str
    word: str

    @classmethod
    def of(cls, known: Known) -> _Terminal:
        pattern, value = known["pattern"], known["pattern"]["value"]
        if pattern["flags"]:
            raise NotImplementedError(f"the lexer knows no flags of patterns: {known['name']}")
        word = value if pattern["__type__"] == "PatternStr" else ""
        return cls(
            -known["priority"],
            -_width(pattern),
            -len(value),
            str(known["name"]),
            re.escape(value) if word else value,
            word,
        )

    def holds(self, other: _Terminal) -> bool:
        """Whether this has a pattern that the only word of another one fits."""
        if self.word or not other.word or self.rank != other.rank:
            return False
        found = re.match(self.pattern, other.word)
        return found is not None and found[0] == other.word


def _width(pattern: Known) -> int:
    """The length of the longest word that a pattern fits."""
    return len(pattern["value"]) if pattern["__type__"] == "PatternStr" else pattern["_width"][1]


def _reduction(rule: Known, *, placeholders: bool) -> Reduction:
    """What Lark makes of the children of a rule."""
    expansion, options = rule["expansion"], rule["options"]
    absent = options["empty_indices"] if placeholders else ()
    gaps = [len(gap) for gap in "".join(str(int(one)) for one in absent).split("0")]
    gaps += [0] * (len(expansion) + 1 - len(gaps))
    kept: list[tuple[int, bool, int]] = []
    missing = 0
    for number, symbol in enumerate(expansion):
        missing += gaps[number]
        is_terminal = symbol["__type__"] == "Terminal"
        if options["keep_all_tokens"] or not (is_terminal and symbol["filter_out"]):
            spread = not is_terminal and symbol["name"].startswith("_")
            kept.append((number, spread, missing))
            missing = 0
    missing += gaps[-1]
    as_they_are = [(number, False, 0) for number in range(len(expansion))]
    return {
        "data": rule["alias"] or options["template_source"] or rule["origin"]["name"],
        "single": options["expand1"] and not rule["alias"],
        "kept": None if kept == as_they_are and not missing else kept,
        "missing": missing,
    }
