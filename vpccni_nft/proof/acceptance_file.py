"""Files of what is accepted: TOML, a table ``[[accept]]`` for each difference."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import attrs

from ..core.diagnostics import BAD_ACCEPTANCE, CATALOGUE, Diagnostic, Refused
from ..core.span import Source, Span
from ..model.path import RECEIVED
from ..simulate.packet_text import KEY_OF, place_word
from ..simulate.report import value_text
from .acceptance import Acceptance, Acceptances, Case
from .changes import BY_BINDINGS, RESTORED, Deviation
from .conditions import BadCondition, Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .classes import DifferenceClass

_HEADER = re.compile(r"\s*\[\[\s*accept\s*\]\]")
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = re.compile(r" \(at end of document\)$")

#: The key for bits of the mark that only the rules look at.
_INTERNAL = "internal-mark"

#: Fields whose bits each mean something.
_MARKS = frozenset({"mark", "ct_mark"})


def title_of(code: object) -> str:
    """What a code of the catalogue is called: an acceptance with a code needs no other name."""
    return next((one.title for one in CATALOGUE if one.name == code), "")


#: The keys of a case, and those of a table, which is a case and may have more of them.
_OF_CASE = ("condition", "before", "after")
_KEYS = ("name", *_OF_CASE, "why", "until", "also", "code", "both-ways")
#: What each table has.
_NEEDED = ("name", "why", *_OF_CASE)


def parse_acceptances(source: Source) -> Acceptances:
    """Read a file of what is accepted. Raises Refused with every problem."""
    reader = _Reader(source)
    found = reader.read()
    if reader.problems:
        raise Refused(reader.problems)
    return found


def acceptance_text(found: DifferenceClass) -> str:
    """A class as a table of such a file; empty where the words of a file do not say it.

    A name and a reason are left to the caller of the program.
    """
    if not found.is_whole:
        return ""
    packet = found.example.plain.packet
    where = "" if packet.path is RECEIVED else f"{place_word(packet)} "
    conditions = [f"{where}{text}".strip() for text in found.texts or ("",)]
    ends = [_end(found, side) for side in (0, 1)]
    lines = ["[[accept]]", 'name = "…"', 'why = "…"']
    if len(conditions) == 1:
        lines.append(f"condition = {_quoted(conditions[0])}")
    else:
        lines += ["condition = [", *(f"  {_quoted(one)}," for one in conditions), "]"]
    for side, end in zip(("before", "after"), ends, strict=True):
        if end.keys() == {"verdict"}:
            lines.append(f"{side} = {_quoted(end['verdict'])}")
        else:
            parts = (f"{name} = {_quoted(value)}" for name, value in end.items())
            lines.append(f"{side} = {{ {', '.join(parts)} }}")
    text = "".join(f"{line}\n" for line in lines)
    try:
        parse_acceptances(Source.of(text))
    except Refused:
        return ""
    return text


def _end(found: DifferenceClass, side: int) -> dict[str, str]:
    """What differs on a side, by name; of marks the bits that differ."""
    end = {}
    differences = found.example.differences
    for name, both in differences.items():
        if name in BY_BINDINGS and "bindings" in differences:
            continue
        if name in _MARKS and isinstance(both[0], int) and isinstance(both[1], int):
            mask = both[0] ^ both[1]
            end[KEY_OF[name]] = f"{(both[0], both[1])[side] & mask:#x}/{mask:#x}"
        elif name == "events":
            # An event is accepted with any key that it has.
            texts = value_text(name, both[side], found.family).split(", ")
            end[name] = ", ".join(text.partition(": ")[0] for text in texts)
        else:
            end[KEY_OF.get(name, name)] = value_text(name, both[side], found.family)
    return end


def _quoted(text: str) -> str:
    """A string of TOML, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)


@attrs.define
class _Reader:
    source: Source
    problems: list[Diagnostic] = attrs.Factory(list)

    def read(self) -> Acceptances:
        """Everything in the file; problems are kept."""
        try:
            content = tomllib.loads(self.source.content)
        except tomllib.TOMLDecodeError as error:
            self._refuse_syntax(str(error))
            return Acceptances()
        for key in content.keys() - {"accept", _INTERNAL}:
            known = f"a file has tables [[accept]], and before them {_INTERNAL}"
            self._refuse(f"“{key}” is not known: {known}", 0, key)
        internal = content.get(_INTERNAL, 0)
        if type(internal) is not int or not 0 <= internal < 1 << 32:
            self._refuse(f"{_INTERNAL} is not a number of 32 bits", 0, _INTERNAL)
            internal = 0
        tables = content.get("accept", [])
        if not tables or not isinstance(tables, list):
            self._refuse("the file has no table [[accept]]", 0)
            return Acceptances()
        found = [self._one(number, table) for number, table in enumerate(tables, 1)]
        names = [one.name for one in found if one]
        for number, one in enumerate(found, 1):
            if one and names.count(one.name) > 1 and names.index(one.name) < number - 1:
                self._refuse(f"“{one.name}” is the name of two tables", number, "name")
        return Acceptances(tuple(filter(None, found)), internal=internal)

    def _one(self, number: int, table: Mapping[str, Any]) -> Acceptance | None:
        before = len(self.problems)
        table = {**table, "name": table.get("name") or title_of(table.get("code"))}
        self._check_keys(number, table, _KEYS, _NEEDED)
        for key in ("name", "why", "code"):
            if not isinstance(table.get(key, ""), str):
                self._refuse(f"{key} is not a string", number, key)
        until = table.get("until")
        if until is not None and type(until) is not datetime.date:
            self._refuse("until is not a date, such as 2027-12-31", number, "until")
        if not isinstance(both_ways := table.get("both-ways", False), bool):
            self._refuse("both-ways is not true or false", number, "both-ways")
        also = table.get("also", [])
        if not isinstance(also, list) or not all(isinstance(one, dict) for one in also):
            self._refuse("also is not a list of tables", number, "also")
            also = []
        for one in also:
            self._check_keys(number, one, _OF_CASE, _OF_CASE)
        cases = [self._case(number, one, both_ways=bool(both_ways)) for one in (table, *also)]
        if len(self.problems) > before:
            return None
        whole = tuple(filter(None, cases))
        return Acceptance(table["name"], whole, table["why"], until, table.get("code", ""))

    def _check_keys(
        self, number: int, table: Mapping[str, Any], known: Sequence[str], needed: Sequence[str]
    ) -> None:
        for key in table.keys() - set(known):
            self._refuse(f"“{key}” is not known; the keys are {', '.join(known)}", number, key)
        for key in needed:
            if not table.get(key):
                self._refuse(f"{key} is missing", number)

    def _case(self, number: int, table: Mapping[str, Any], *, both_ways: bool) -> Case | None:
        condition = self._condition(number, table.get("condition"))
        changes = tuple(self._changes(number, table.get("before"), table.get("after")))
        return Case(condition, changes, both_ways) if condition else None

    def _condition(self, number: int, given: object) -> Condition | None:
        """A condition: one text, or a list of texts any of which is enough."""
        texts = [given] if isinstance(given, str) else given
        if not texts:
            return None
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            self._refuse("condition is neither a string nor a list of strings", number, "condition")
            return None
        try:
            return Condition.parse("\n".join(texts))
        except BadCondition as error:
            word = "\n".join(texts)[error.start : error.end]
            self._refuse(str(error), number, "condition", word)
            return None

    def _changes(self, number: int, before: object, after: object) -> Iterator[Deviation]:
        """What differs: a verdict, or a table of what it is on either side."""
        ends = []
        for side, given in (("before", before), ("after", after)):
            end = {"verdict": given} if isinstance(given, str) else given
            if not isinstance(end, dict) or not all(isinstance(one, str) for one in end.values()):
                if given is not None:
                    message = f"{side} is neither a verdict nor a table of strings"
                    self._refuse(message, number, side)
                return
            ends.append(end)
        one, other = ends
        if one.keys() != other.keys():
            only = ", ".join(sorted(one.keys() ^ other.keys()))
            self._refuse(
                f"before and after are of the same things; {only} is in one", number, "after"
            )
            return
        for key in one:
            if one[key] == other[key] != RESTORED:
                self._refuse(f"{key} is the same before and after", number, "after", key)
            try:
                yield Deviation.parse(key, one[key], other[key])
            except ValueError as error:
                self._refuse(str(error), number, "before", key)

    def _refuse_syntax(self, message: str) -> None:
        """What tomllib says, at the place that it names."""
        if place := _PLACE.search(message):
            line, start = int(place[1]), int(place[2])
        else:
            line, start = max(1, len(self.source.lines)), 1
        message = _AT_END.sub("", _PLACE.sub("", message))
        if self.source.lines:
            line = min(line, len(self.source.lines))
            end = max(start + 1, len(self.source.lines[line - 1]) + 1)
            span = Span(self.source, line, start, end)
        else:
            span = None
        self.problems.append(Diagnostic(BAD_ACCEPTANCE, message[:1].lower() + message[1:], span))

    def _refuse(self, message: str, number: int, key: str = "", word: str = "") -> None:
        span = self._span(number, key, word)
        self.problems.append(Diagnostic(BAD_ACCEPTANCE, message, span))

    def _span(self, number: int, key: str, word: str) -> Span | None:
        """Where a key stands in a table, and a word of its value; else the table's header.

        tomllib gives no places, so the lines are looked through.
        """
        lines = self.source.lines
        if not lines:
            return None
        heads = [at for at, line in enumerate(lines) if _HEADER.match(line)]
        first = heads[number - 1] if 0 < number <= len(heads) else 0
        last = heads[number] if number and number < len(heads) else len(lines)
        inside = range(first, last)
        name = re.escape(key)
        place = re.compile(rf"""\s*(?:"?{name}"?\s*[=.]|\[+\s*(?:accept\s*\.\s*)?{name}\s*\])""")
        starts = [(at, found) for at in inside if key and (found := place.match(lines[at]))]
        if not starts:
            text = lines[first].rstrip()
            return Span(self.source, first + 1, 1, max(2, len(text) + 1))
        at, found = starts[0]
        for line in range(at, last) if word else ():
            column = lines[line].find(word, found.end() if line == at else 0)
            if column >= 0:
                return Span(self.source, line + 1, column + 1, column + 1 + len(word))
        start = len(lines[at]) - len(lines[at].lstrip()) + 1
        return Span(self.source, at + 1, start, max(start + 1, len(lines[at].rstrip()) + 1))
