"""Read an nft ruleset: what ``nft list ruleset`` prints, or a script that defines whole tables.

Whatever the objects cannot hold is refused: nothing of the text is passed over but remarks, and
with these the handles that ``nft -a`` prints.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
from lark import Token, Tree, UnexpectedInput, UnexpectedToken

from ..core.diagnostics import NFT_SYNTAX, Diagnostic, Problem, Refused
from ..core.span import Source, Span
from ..core.values import Family, TableFamily, WideFamily
from ..nft.ast import PRIORITIES, Chain, Counter, Hook, Map, Ruleset, Set, Table
from ..nft.expressions import Pair
from ..nft.words import ChainType, HookName, Policy, SetFlag
from . import nft_types as types
from .grammar import ruleset_parser
from .nft_expressions import ExpressionReader
from .nft_references import check_references
from .nft_rules import NftRuleReader
from .nft_words import LOST, Words, branches, first_token, tokens, word_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..nft.ast import Rule
    from ..nft.datatypes import KeyType
    from .nft_expressions import Readings
    from .nft_references import References
    from .nft_words import Branch


#: A table by its family and name.
TableKey = tuple[TableFamily, str]


#: The families of tables that are read, by nft's words.
_FAMILIES: Mapping[str, TableFamily] = {one.value: one for one in (*Family, *WideFamily)}


@attrs.frozen
class Loaded:
    """What is there when texts have been loaded one after the other."""

    ruleset: Ruleset
    #: The tables of which something was deleted or flushed; what was there before is not known.
    cleared: frozenset[TableKey]
    cleared_all: bool  #: whether there was a ``flush ruleset``


def parse(text: str | bytes, name: str = "<string>") -> Ruleset:
    """Read a ruleset, or raise Refused with every place that cannot be read."""
    return load((Source.of(text, name),)).ruleset


def load(sources: Iterable[Source]) -> Loaded:
    """Read texts as ``nft -f`` loads them, one after the other, where nothing was before.

    A table that stands there already is added to: rules go behind those of its chains, elements to
    those of its sets. Raises Refused with every place that cannot be read, or that nft refuses.
    """
    reader = _Reader()
    for source in sources:
        reader.read(source)
    drafts = reader.tables.values()
    ruleset = Ruleset(tuple(draft.finish() for draft in drafts))
    if not reader.diagnostics:  # what cannot be read may be what is missing
        for table, draft in zip(ruleset.tables, drafts, strict=True):
            reader.diagnostics += check_references(table, draft.references)
    if reader.diagnostics:
        raise Refused(reader.diagnostics)
    return Loaded(ruleset, frozenset(reader.cleared), reader.cleared_all)


@attrs.define
class _TableDraft:
    family: TableFamily
    name: str
    comment: str = ""
    chains: dict[str, Chain] = attrs.Factory(dict)
    sets: dict[str, Set] = attrs.Factory(dict)
    counters: dict[str, Counter] = attrs.Factory(dict)
    references: References = attrs.Factory(dict)

    def finish(self) -> Table:
        return Table(
            self.family,
            self.name,
            tuple(self.chains.values()),
            tuple(self.sets.values()),
            tuple(self.counters.values()),
            self.comment,
        )


@attrs.define
class _SetDraft:
    """A set while its lines are read."""

    fields: dict[str, object] = attrs.Factory(dict)
    key: Readings | None = None
    data: Readings | None = None  #: of a map; None: verdicts
    elements: Branch | None = None


@attrs.define
class _Reader:
    words: Words = attrs.field(init=False)  #: of the text at hand
    diagnostics: list[Diagnostic] = attrs.Factory(list)
    tables: dict[TableKey, _TableDraft] = attrs.Factory(dict)
    cleared: set[TableKey] = attrs.Factory(set)
    cleared_all: bool = False

    def read(self, source: Source) -> None:
        self.words = Words(source)
        self.diagnostics += _lost_rules(source)
        try:
            tree = ruleset_parser().parse("\n".join((*source.lines, "")))
        except UnexpectedInput as error:
            self.diagnostics.append(_explain(error, source))
            return
        for command in branches(tree):
            try:
                self._command(command)
            except Problem as problem:
                self._report(problem)

    def _report(self, problem: Problem) -> None:
        self.diagnostics.append(problem.at(None))

    def _command(self, tree: Branch) -> None:
        if tree.data == "flush_ruleset":
            self.tables.clear()
            self.cleared_all = True
            return
        head, *block = branches(tree)
        *family_word, name_word = tokens(head)
        chain_word = None
        if tree.data == "flush_chain":
            *family_word, name_word, chain_word = tokens(head)
        family = self._family(*family_word)
        name = self.words.name(name_word)
        key = (family, name)
        if tree.data not in {"table", "add_table"}:
            self._clear(str(tree.data), key, name_word, chain_word)
            return
        draft = self.tables.setdefault(key, _TableDraft(family, name))
        if block:
            self._fill(draft, block[0])

    def _family(self, word: Token | None = None) -> TableFamily:
        return Family.IP if word is None else self.words.look_up(word, _FAMILIES, "family")

    def _clear(self, command: str, key: TableKey, place: Token, chain_word: Token | None) -> None:
        """Delete a table, or the rules of its chains or of one chain."""
        self.cleared.add(key)
        draft = self.tables.get(key)
        if draft is None:
            if command != "destroy_table":
                raise self.words.problem(place, f"there is no table {key[1]} here")
            return
        if command in {"delete_table", "destroy_table"}:
            del self.tables[key]
            return
        if chain_word is not None and str(chain_word) not in draft.chains:
            raise self.words.problem(chain_word, f"there is no chain {chain_word[:40]} here")
        for name, chain in draft.chains.items():
            if chain_word is None or name == chain_word:
                draft.chains[name] = attrs.evolve(chain, rules=())
                draft.references.pop(("chain", name), None)

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
                    raise self.words.problem(word, f"{name} is given twice")
                seen.add((kind, name))
                if item.data == "chain":
                    self._add_chain(table, item, name)
                elif item.data == "counter_object":
                    table.counters.setdefault(name, self._counter(item, name, table.family))
                else:
                    self._add_set(table, item, name)
                named = table.references.setdefault((kind, name), [])
                named += self.words.take_references()
            except Problem as problem:
                self._report(problem)

    def _add_chain(self, table: _TableDraft, tree: Branch, name: str) -> None:
        """Add a chain, or rules to the one that is there (nf_tables_api.c, nf_tables_updchain)."""
        chain, policy = self._chain(tree, name, table.family)
        there = table.chains.get(name)
        if there:
            hook = there.hook
            if chain.hook and _place(chain.hook) != (hook and _place(hook)):
                message = f"the chain {name} is there already with another hook"
                raise self.words.problem(tokens(tree)[0], message)
            if hook and policy:
                hook = attrs.evolve(hook, policy=policy)
            rules = (*there.rules, *chain.rules)
            chain = attrs.evolve(there, rules=rules, hook=hook)
        table.chains[name] = chain

    def _add_set(self, table: _TableDraft, tree: Branch, name: str) -> None:
        """Add a set or map, or elements to the one that is there."""
        found = self._set(tree, name, table.family)
        there = table.sets.get(name)
        if there:
            if attrs.evolve(found, elements=there.elements, comment=there.comment) != there:
                message = f"{name} is there already as another set"
                raise self.words.problem(tokens(tree)[0], message)
            elements = tuple(dict.fromkeys((*there.elements, *found.elements)))
            keys = [one.key if isinstance(one, Pair) else one for one in elements]
            if len(set(keys)) < len(keys):
                message = f"an element of {name} is there already with another value"
                raise self.words.problem(tokens(tree)[0], message)
            found = attrs.evolve(there, elements=elements)
        table.sets[name] = found

    def _comment(self, tree: Branch, before: str) -> str:
        (word,) = tokens(tree)
        if before:
            raise self.words.problem(word, "there is a comment already")
        return self.words.comment(word)

    # --- chains ---------------------------------------------------------------------------------

    def _chain(self, tree: Branch, name: str, family: TableFamily) -> tuple[Chain, str]:
        """A chain, and its policy where one is said."""
        reader = NftRuleReader(self.words, family)
        rules: list[Rule] = []
        hook: Hook | None = None
        policy: Token | None = None
        comment = ""
        for item, remark in _with_remarks(tree):
            try:
                if item.data == "rule":
                    rules.append(reader.rule(item))
                    if remark is not None:
                        self.words.require_handle(remark)
                elif item.data == "comment":
                    comment = self._comment(item, comment)
                elif item.data == "hook":
                    if hook:
                        raise self.words.problem(tokens(item)[0], "the chain has a hook already")
                    hook = self._hook(item)
                else:
                    if policy is not None:
                        raise self.words.problem(tokens(item)[0], "the chain has a policy already")
                    policy = self._one_of(tokens(item)[0], Policy, "policy")
            except Problem as problem:
                self._report(problem)
        if policy is not None:
            if not hook:
                raise self.words.problem(policy, "a chain without a hook has no policy")
            hook = attrs.evolve(hook, policy=str(policy))
        return Chain(name, tuple(rules), hook, comment), "" if policy is None else str(policy)

    def _hook(self, tree: Branch) -> Hook:
        kind, name = tokens(tree)
        self._one_of(kind, ChainType, "type of chains")
        self._one_of(name, HookName, "hook of ip and ip6")
        priority = self._priority(branches(tree)[0])
        return self.words.build(name, lambda: Hook(str(kind), str(name), priority))

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

    def _counter(self, tree: Branch, name: str, family: TableFamily) -> Counter:
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

    def _set(self, tree: Branch, name: str, family: TableFamily) -> Set:
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
        make = Map if is_map else Set
        return self.words.build(place, lambda: make(name, **draft.fields))  # type: ignore[arg-type]

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
            fields["flags"] = tuple(str(self._one_of(flag, SetFlag, "flag")) for flag in flags)
        elif kind == "auto_merge":
            fields["auto_merge"] = True
        elif kind == "counts":
            fields["counts"] = True
        elif kind == "elements_item":
            draft.elements = branches(item)[0]
        else:
            self._set_types(draft, branches(item), reader)
            if kind in {"map_type", "map_typeof"}:
                fields["data"] = "verdict" if draft.data is None else _key(draft.data)

    def _set_types(self, draft: _SetDraft, trees: list[Branch], reader: ExpressionReader) -> None:
        key_tree, *data_trees = trees
        if data_trees and data_trees[0].data == "data_intervals":
            del data_trees[0]
            draft.fields["data_intervals"] = True
        draft.key = self._types(key_tree, reader)
        draft.fields["type"] = _key(draft.key)
        for data_tree in data_trees:
            if [str(word) for word in tokens(data_tree)] != ["verdict"]:
                draft.data = self._types(data_tree, reader)

    def _types(self, tree: Branch, reader: ExpressionReader) -> Readings:
        if tree.data == "type":
            return tuple(
                self.words.look_up(word, types.DECLARED, "type of sets") for word in tokens(tree)
            )
        _, found = reader.expression(tree)
        if not all(found_.type.name in types.DECLARED for found_ in found):
            raise self.words.problem(word_of(tree), "a set of these has a type without a name")
        return found


def _with_remarks(tree: Branch) -> Iterator[tuple[Branch, Token | None]]:
    """What stands in a block, each with the remark behind it."""
    for item, behind in pairwise((*tree.children, None)):
        if isinstance(item, Tree):
            yield item, behind if isinstance(behind, Token) else None


#: A rule that begins with an extension, as nft lists it where it does not know how to.
_LOST = re.compile(r"\s*(#\s*xt_\w+|#.*\bcounter packets [0-9]+ bytes [0-9]+)", re.ASCII)


def _lost_rules(source: Source) -> Iterator[Diagnostic]:
    """Remarks that stand in the place of whole rules."""
    for number, line in enumerate(source.lines, 1):
        if (found := _LOST.match(line)) and not line.startswith("#"):
            span = Span(source, number, found.start(1) + 1, len(line) + 1)
            yield Diagnostic(NFT_SYNTAX, "a remark hides a rule", span, LOST)


def _place(hook: Hook) -> tuple[object, ...]:
    return hook.type, hook.name, hook.priority


def _key(found: Readings) -> KeyType:
    return tuple(reading.type for reading in found)


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
