"""Read an nft ruleset: what ``nft list ruleset`` prints, or a script that defines whole tables.

Whatever the objects cannot hold is refused: nothing of the text is passed over but remarks, and
with these the handles that ``nft -a`` prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from lark import Token, UnexpectedInput, UnexpectedToken

from ..core.diagnostics import NFT_SYNTAX, Diagnostic, Problem, Refused
from ..core.span import Source, Span
from ..core.values import Family
from ..nft.ast import PRIORITIES, Chain, Counter, Hook, Map, Ruleset, Set, Table
from . import nft_types as types
from .grammar import ruleset_parser
from .nft_expressions import ExpressionReader
from .nft_rules import RuleReader
from .nft_words import Words, branches, first_token, tokens, word_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..nft.ast import Rule
    from .nft_expressions import Types
    from .nft_words import Branch

_TYPES = frozenset({"filter", "nat", "route"})
_HOOKS = frozenset({"prerouting", "input", "forward", "output", "postrouting"})
_POLICIES = frozenset({"accept", "drop"})
_FLAGS = frozenset({"constant", "dynamic", "interval", "timeout"})


def parse(text: str | bytes, name: str = "<string>") -> Ruleset:
    """Read a ruleset, or raise Refused with every place that cannot be read."""
    source = Source.of(text, name)
    try:
        tree = ruleset_parser().parse("\n".join((*source.lines, "")))
    except UnexpectedInput as error:
        raise Refused([_explain(error, source)]) from None
    reader = _Reader(Words(source))
    reader.read(tree)
    if reader.diagnostics:
        raise Refused(reader.diagnostics)
    return Ruleset(tuple(draft.finish() for draft in reader.tables.values()))


@attrs.define
class _TableDraft:
    family: Family
    name: str
    place: Token
    comment: str = ""
    chains: list[Chain] = attrs.Factory(list)
    sets: list[Set] = attrs.Factory(list)
    counters: list[Counter] = attrs.Factory(list)
    filled: bool = False  #: whether its block was read
    deleted: bool = False  #: whether it is deleted and was not added since

    def finish(self) -> Table:
        return Table(
            self.family,
            self.name,
            tuple(self.chains),
            tuple(self.sets),
            tuple(self.counters),
            self.comment,
        )


@attrs.define
class _SetDraft:
    """A set while its lines are read."""

    fields: dict[str, object] = attrs.Factory(dict)
    key: Types | None = None
    data: Types | None = None  #: of a map; None: verdicts
    elements: Branch | None = None


@attrs.define
class _Reader:
    words: Words
    diagnostics: list[Diagnostic] = attrs.Factory(list)
    tables: dict[tuple[Family, str], _TableDraft] = attrs.Factory(dict)

    def read(self, tree: Branch) -> None:
        for command in branches(tree):
            try:
                self._command(command)
            except Problem as problem:
                self._report(problem)
        for table in self.tables.values():
            if table.deleted:
                message = f"the table {table.name} is deleted and not added again"
                self._report(self.words.problem(table.place, message))

    def _report(self, problem: Problem) -> None:
        self.diagnostics.append(problem.at(None))

    def _command(self, tree: Branch) -> None:
        head, *block = branches(tree)
        *family_word, name_word = tokens(head)
        family = Family.IP
        if family_word:
            try:
                family = Family(str(family_word[0]))
            except ValueError:
                message = f"tables of the family {family_word[0][:40]} are not read"
                raise self.words.problem(
                    family_word[0], message, "only tables of the families ip and ip6 are"
                ) from None
        name = self.words.name(name_word)
        draft = self.tables.get((family, name))
        if draft is None:
            draft = self.tables[family, name] = _TableDraft(family, name, name_word)
        if tree.data == "delete_table":
            if draft.filled:
                raise self.words.problem(name_word, f"the table {name} is deleted after its block")
            draft.deleted = True
            return
        draft.deleted = False
        if block:
            if draft.filled:
                raise self.words.problem(name_word, f"the table {name} stands here twice")
            draft.filled = True
            self._fill(draft, block[0])

    def _fill(self, table: _TableDraft, block: Branch) -> None:
        seen: set[tuple[str, str]] = set()
        for item in branches(block):
            try:
                if item.data == "comment":
                    table.comment = self._comment(item, table.comment)
                    continue
                word = tokens(item)[0]
                kind = "set" if item.data == "map" else str(item.data)
                name = self.words.name(word)
                if (kind, name) in seen:
                    raise self.words.problem(word, f"{name} stands here twice")
                seen.add((kind, name))
                if item.data == "chain":
                    table.chains.append(self._chain(item, name, table.family))
                elif item.data == "counter_object":
                    table.counters.append(self._counter(item, name, table.family))
                else:
                    table.sets.append(self._set(item, name, table.family))
            except Problem as problem:
                self._report(problem)

    def _comment(self, tree: Branch, before: str) -> str:
        (word,) = tokens(tree)
        if before:
            raise self.words.problem(word, "there is a comment already")
        return self.words.string(word)

    # --- chains ---------------------------------------------------------------------------------

    def _chain(self, tree: Branch, name: str, family: Family) -> Chain:
        reader = RuleReader(self.words, family)
        rules: list[Rule] = []
        hook: Hook | None = None
        policy: Token | None = None
        comment = ""
        for item in branches(tree):
            try:
                if item.data == "rule":
                    rules.append(reader.rule(item))
                elif item.data == "comment":
                    comment = self._comment(item, comment)
                elif item.data == "hook":
                    if hook:
                        raise self.words.problem(tokens(item)[0], "the chain has a hook already")
                    hook = self._hook(item)
                else:
                    if policy is not None:
                        raise self.words.problem(tokens(item)[0], "the chain has a policy already")
                    policy = self._one_of(tokens(item)[0], _POLICIES, "policy")
            except Problem as problem:
                self._report(problem)
        if policy is not None:
            if not hook:
                raise self.words.problem(policy, "a chain without a hook has no policy")
            hook = attrs.evolve(hook, policy=str(policy))
        return Chain(name, tuple(rules), hook, comment)

    def _hook(self, tree: Branch) -> Hook:
        kind, name = tokens(tree)
        return Hook(
            str(self._one_of(kind, _TYPES, "type of chains")),
            str(self._one_of(name, _HOOKS, "hook of ip and ip6")),
            self._priority(branches(tree)[0]),
        )

    def _priority(self, tree: Branch) -> int:
        first, *rest = tokens(tree)
        if first.type == "SIGNED":
            return self._signed(first)
        if first[0].isdigit():
            base = self.words.integer(first, 31)
        else:
            base = self.words.look_up(first, PRIORITIES, "priority of ip and ip6")
        if not rest:
            return base
        if first[0].isdigit():
            raise self.words.problem(rest[0], "only a named priority is added to")
        if len(rest) == 1:
            return base + self._signed(rest[0])
        offset = self.words.integer(rest[1], 31)
        return base + offset if str(rest[0]) == "+" else base - offset

    def _signed(self, token: Token) -> int:
        return -self.words.integer(token.update(value=token[1:]), 31)

    def _one_of(self, token: Token, known: Iterable[str], what: str) -> Token:
        if str(token) not in known:
            raise self.words.problem(token, f"“{token[:40]}” is not a known {what}")
        return token

    # --- sets, maps and counters ----------------------------------------------------------------

    def _counter(self, tree: Branch, name: str, family: Family) -> Counter:
        packets, octets, comment = 0, 0, ""
        counted = False
        for item in branches(tree):
            if item.data == "comment":
                comment = self._comment(item, comment)
                continue
            if counted:
                raise self.words.problem(tokens(item)[0], "the counter has a value already")
            counted = True
            packets, octets = ExpressionReader(self.words, family).counted(item)
        return Counter(name, packets, octets, comment)

    def _set(self, tree: Branch, name: str, family: Family) -> Set:
        place = tokens(tree)[0]
        reader = ExpressionReader(self.words, family)
        draft = _SetDraft()
        is_map = tree.data == "map"
        seen: set[str] = set()
        for item in branches(tree):
            kind = (
                str(item.data).replace("typeof", "type").removeprefix("map_").removeprefix("set_")
            )
            if kind in seen:
                word = first_token(item)
                raise self.words.problem(
                    place if word is None else word, "the set has this line already"
                )
            seen.add(kind)
            self._set_item(draft, item, reader)
        if draft.key is None or is_map != ("data" in draft.fields):
            raise self.words.problem(place, f"the type of {name} is missing")
        if draft.elements is not None and not is_map:
            draft.fields["elements"] = reader.elements(draft.elements, draft.key)
        elif draft.elements is not None:
            draft.fields["elements"] = reader.pairs(draft.elements, draft.key, draft.data)
        return (Map if is_map else Set)(name, **draft.fields)  # type: ignore[arg-type]

    def _set_item(self, draft: _SetDraft, item: Branch, reader: ExpressionReader) -> None:
        fields, kind = draft.fields, str(item.data)
        if kind == "comment":
            fields["comment"] = self._comment(item, "")
        elif kind == "timeout":
            fields["timeout"] = self.words.seconds(tokens(item)[0])
        elif kind == "size":
            fields["size"] = self.words.integer(tokens(item)[0])
        elif kind == "set_flags":
            flags = tokens(item)
            fields["flags"] = tuple(str(self._one_of(flag, _FLAGS, "flag")) for flag in flags)
        elif kind == "auto_merge":
            fields["auto_merge"] = True
        elif kind == "counts":
            fields["counts"] = True
        elif kind == "elements_item":
            draft.elements = branches(item)[0]
        else:
            self._set_types(draft, branches(item), reader)
            if kind in {"map_type", "map_typeof"}:
                fields["data"] = "verdict" if draft.data is None else _joined(draft.data)

    def _set_types(self, draft: _SetDraft, trees: list[Branch], reader: ExpressionReader) -> None:
        key_tree, *data_trees = trees
        draft.key = self._types(key_tree, reader)
        draft.fields["type"] = _joined(draft.key)
        for data_tree in data_trees:
            if [str(word) for word in tokens(data_tree)] != ["verdict"]:
                draft.data = self._types(data_tree, reader)

    def _types(self, tree: Branch, reader: ExpressionReader) -> Types:
        if tree.data == "type":
            return tuple(
                self.words.look_up(word, types.TYPES, "type of sets") for word in tokens(tree)
            )
        _, found = reader.expression(tree)
        if not all(type_.name for type_ in found):
            raise self.words.problem(word_of(tree), "a set of these has a type without a name")
        return found


def _joined(found: Types) -> str:
    return " . ".join(type_.name for type_ in found)


def _explain(error: UnexpectedInput, source: Source) -> Diagnostic:
    """Say where reading stopped."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return _cut_short(source)
    number, start = error.line, error.column
    if number > len(source.lines):
        return _cut_short(source)
    line = source.lines[number - 1]
    rest = line[start - 1 : start + 80].split(maxsplit=1)
    word = rest[0] if rest and not line[start - 1].isspace() else ""
    if not word:
        end = Span(source, number, start, start + 1)
        return Diagnostic(NFT_SYNTAX, "the line ends where something is missing", end)
    hint = ""
    if word == "xt":
        hint = "this table is iptables-nft's own: read it by iptables-nft-save"
    span = Span(source, number, start, start + len(word))
    if word.startswith('"'):
        return Diagnostic(NFT_SYNTAX, "a quote is not expected here, or not closed", span)
    return Diagnostic(NFT_SYNTAX, f"“{word[:40]}” is not expected here", span, hint)


def _cut_short(source: Source) -> Diagnostic:
    number = max(len(source.lines), 1)
    if not source.lines:
        source = Source(source.name, ("",))
    column = len(source.lines[number - 1]) + 1
    span = Span(source, number, column, column + 1)
    return Diagnostic(NFT_SYNTAX, "the text ends where more is expected", span)
