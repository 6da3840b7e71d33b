"""Read nft texts: what ``nft list ruleset`` prints, and the commands of ``nft -f``.

Whatever the objects cannot hold is refused: nothing of a text is passed over but remarks, and
tables of the families bridge, arp and netdev are kept as they are. What nft or the kernel refuses
is refused at its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import NFT_MISSING, NFT_SYNTAX, Diagnostic, Problem, Refused
from ..core.span import Source, Span
from ..core.typed import trusted
from ..core.values import Family, TableFamily, WideFamily
from ..nft.ast import OtherChain, OtherTable, Ruleset
from ..nft.words import OtherFamily
from .grammar import ruleset_parser
from .mistaken import not_nft
from .nft_blocks import BlockReader
from .nft_drafts import NftTableDraft
from .nft_objects import OBJECTS, ObjectReader
from .nft_outline import IPTABLES_TABLES
from .nft_references import check_loops, check_ports
from .nft_source import ParsedText
from .nft_words import LOST, Words, branches, first_token, tokens, with_remarks, word_of
from .trees import UnparsableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..nft.objects import NamedObject
    from .nft_drafts import NftChainDraft, SetDraft
    from .nft_references import Reference
    from .trees import Branch, Token


#: A table by its family and name.
TableKey = tuple[TableFamily, str]

#: The families of tables that are read, by nft's words.
_FAMILIES: Mapping[str, TableFamily] = {one.value: one for one in (*Family, *WideFamily)}

_BY_HANDLE = "name it, or put what nft -a list ruleset prints before it"


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


@trusted()
def load(sources: Iterable[Source]) -> Loaded:
    """Read texts as ``nft -f`` loads them, one after the other, where nothing was before.

    A table that stands there already is added to: rules go behind those of its chains, elements to
    those of its sets. Raises Refused with every place that cannot be read, or that nft refuses.
    """
    reader = _Reader()
    for source in sources:
        reader.read(source)
    # What cannot be read may be what is missing.
    if found := reader.diagnostics or reader.missing:
        raise Refused(found)
    tables = tuple(draft.finish() for draft in reader.tables.values())
    others = tuple(reader.others.values())
    return Loaded(Ruleset(tables, others), frozenset(reader.cleared), reader.cleared_all)


@attrs.define
class _Reader:
    words: Words = attrs.field(init=False)  #: of the text at hand
    text: ParsedText = attrs.field(init=False)
    diagnostics: list[Diagnostic] = attrs.Factory(list)
    missing: list[Diagnostic] = attrs.Factory(list)
    tables: dict[TableKey, NftTableDraft] = attrs.Factory(dict)
    others: dict[tuple[OtherFamily, str], OtherTable] = attrs.Factory(dict)
    cleared: set[TableKey] = attrs.Factory(set)
    cleared_all: bool = False
    #: Chains get their new names when the text is loaded: until then they have the old ones.
    renames: list[tuple[NftTableDraft, Token, str]] = attrs.Factory(list)

    def read(self, source: Source) -> None:
        """Load one text."""
        self.diagnostics += _lost_rules(source)
        try:
            self.text = ParsedText.of(source)
            tree = ruleset_parser().parse(self.text.content)
        except Problem as problem:
            self._report(problem)
            return
        except UnparsableError as error:
            self.diagnostics.append(_not_nft(source) or _explain(error, self.text))
            return
        self.words = Words(self.text)
        for command, remark in with_remarks(tree):
            try:
                self._command(command, remark)
            except Problem as problem:
                self._report(problem)
        self._rename_all()
        # It is one transaction: what leads in a circle meanwhile is not looked at.
        if not self.diagnostics and not self.missing:
            for table in self.tables.values():
                self.diagnostics += (*check_loops(table), *check_ports(table))

    def _report(self, problem: Problem) -> None:
        self._note(problem.at(None))

    def _note(self, found: Diagnostic) -> None:
        (self.missing if found.code is NFT_MISSING else self.diagnostics).append(found)

    def _command(self, tree: Branch, remark: Token | None) -> None:
        run: Callable[[Branch], None] = getattr(self, f"_{tree.data}")
        last = branches(tree)[-1] if branches(tree) else None
        if remark is not None and last is not None and last.data == "rule":
            self.words.handle(remark)
        run(tree)

    # --- what a command names -------------------------------------------------------------------

    def _names(self, given: Branch | list[Token], count: int) -> tuple[TableFamily, list[Token]]:
        """The family, and the names of a table and of an object in it."""
        words = given if isinstance(given, list) else tokens(given)
        family: TableFamily = Family.IP
        if len(words) == count + 1:
            family = self.words.look_up(words.pop(0), _FAMILIES, "family")
        if len(words) != count:
            message = "a name is missing here" if len(words) < count else "a name is too much here"
            raise self.words.problem(words[-1], message)
        for word in words:
            self.words.name(word)
        return family, words

    def _table(self, family: TableFamily, name: Token) -> NftTableDraft:
        """A table that has to be there."""
        found = self.tables.get((family, str(name)))
        if found is None:
            raise self._missing(name, f"there is no table {family.value} {name}")
        return found

    def _missing(self, place: Token, message: str) -> Problem:
        problem = self.words.problem(place, message)
        problem.code = NFT_MISSING
        return problem

    def _reader(self, table: NftTableDraft) -> BlockReader:
        return BlockReader(self.words, table.family, self._note, table.fresh_name)

    def _require(self, table: NftTableDraft, references: Iterable[Reference]) -> None:
        """What is named has to be there at once, and no base chain (nft_verdict_init)."""
        for one in references:
            kind, name = one.key
            if kind == "chain" and name in table.chains and table.chains[name].hook:
                message = f"the base chain {name} can only be called by the kernel"
                self._note(Diagnostic(NFT_SYNTAX, message, one.place))
            elif not table.has(one.key):
                message = f"the table {table.name} has no {kind} {name}"
                self._note(Diagnostic(NFT_MISSING, message, one.place))

    # --- add and create -------------------------------------------------------------------------

    def _make(self, tree: Branch) -> None:
        *verb, made = branches(tree)
        anew = bool(verb) and str(word_of(verb[0])) == "create"
        if not verb and made.data in {"table", "chain"} and len(branches(made)) == 1:
            # nft takes it, but so ends a listing that is cut off.
            word = tokens(branches(made)[0])[-1]
            hint = f"write add {made.data} where it has no block"
            raise self.words.problem(word, f"the block of this {made.data} is missing", hint)
        if anew:
            self._require_bare(made)
        if made.data == "table":
            self._make_table(made, anew=anew)
            return
        if made.data == "add_rule":
            if anew:
                raise self.words.problem(word_of(verb[0]), "rules are added, not created")
            self._place_rule(made, before=False)
            return
        family, (table_name, name) = self._names(branches(made)[0], 2)
        table = self._table(family, table_name)
        if made.data == "element_command":
            self._add_elements(table, name, branches(made)[1], anew=anew)
            return
        kind = _kind(made)
        if anew and table.has((kind, str(name))):
            raise self.words.problem(name, f"there is a {kind} {name} already")
        self._require(table, self._add_object(table, made, name))

    def _require_bare(self, tree: Branch) -> None:
        """Refuse what nft 1.0.6 passes over, and newer releases do not (measured, 1.1.3)."""
        block = branches(tree)[1:] if tree.data in {"set", "map"} else []
        if tree.data in {"table", "chain"} and len(branches(tree)) > 1:
            block = branches(branches(tree)[1])
        for item in block:
            if item.data in {"rule", "elements_item", "chain", "set", "map", "counter_object"}:
                word = first_token(item) or tokens(branches(tree)[0])[-1]
                message = "some releases of nft pass over this in the block of create"
                raise self.words.problem(word, message, "write add in place of create")

    def _make_table(self, tree: Branch, *, anew: bool) -> None:
        names, *block = branches(tree)
        family, (word,) = self._names(names, 1)
        key = (family, str(word))
        if anew and key in self.tables:
            raise self.words.problem(word, f"there is a table {family.value} {word} already")
        there = key in self.tables
        table = self.tables.setdefault(key, NftTableDraft(*key))
        table.flags = ()  # as the command says, also of a table that is there (nf_tables_updtable)
        if block:
            self._fill(table, block[0], there=there)

    def _fill(self, table: NftTableDraft, block: Branch, *, there: bool) -> None:
        """What stands in the block of a table; a comment stays as it was where one was."""
        reader, comment, flags = self._reader(table), "", False
        seen: set[tuple[str, str]] = set()
        named: list[Reference] = []
        for item in branches(block):
            try:
                if item.data == "comment":
                    comment = reader.comment(item, comment)
                    continue
                if item.data == "table_flags":
                    if flags:
                        raise self.words.problem(tokens(item)[0], "the table has flags already")
                    flags, table.flags = True, reader.table_flags(item)
                    continue
                (name, *more) = tokens(branches(item)[0])
                if more:
                    raise self.words.problem(more[0], "a name is too much here")
                kind = _kind(item)
                if (kind, str(name)) in seen:
                    raise self.words.problem(name, f"{name} is given twice")
                seen.add((kind, str(name)))
                named += self._add_object(table, item, name)
            except Problem as problem:
                self._report(problem)
        if not there:
            table.comment = comment
        self._require(table, named)

    def _add_object(self, table: NftTableDraft, tree: Branch, name: Token) -> list[Reference]:
        """Add a chain, set or counter, or what is new of it; the answer is what it names."""
        reader, word = self._reader(table), self.words.name(name)
        self.words.take_references()
        if tree.data == "chain":
            return self._add_chain(table, tree, name, reader)
        if tree.data == "counter_object":
            table.counters.setdefault(word, reader.counter(tree, word))
            return []
        if tree.data in OBJECTS:
            key = (OBJECTS[tree.data].value, word)
            object_: NamedObject
            if tree.data == "flowtable":
                object_ = reader.flowtable(tree, name)
            else:
                object_ = ObjectReader(self.words, table.family).read(tree, name)
            there = table.objects.setdefault(key, object_)
            # A quota that is there takes new bytes, a limit nothing: neither is looked into.
            if there != object_:
                raise self.words.problem(name, f"there is another {key[0]} {word} already")
            return []
        found = reader.set_(tree, name)
        named = self.words.take_references()
        self.words.build(name, lambda: table.add_set(found, named))
        return named

    def _add_chain(
        self, table: NftTableDraft, tree: Branch, name: Token, reader: BlockReader
    ) -> list[Reference]:
        """Add a chain, or rules to the one that is there."""
        block = branches(tree)[1:]
        found, policy = reader.chain(block[0], str(name)) if block else (None, None)
        chain = table.chains.get(str(name))
        if chain is None:
            chain = table.new_chain(str(name))
            if found:
                chain.hook, chain.comment = found.hook, found.comment
            if policy is not None and chain.hook is None:
                raise self.words.problem(policy, "a chain without a hook has no policy")
        elif found:
            there = chain
            said = "" if policy is None else str(policy)
            hook = found.hook
            self.words.build(name, lambda: there.update(hook, said))
        rules = found.rules if found else []
        for rule in rules:
            table.insert(chain, len(chain.rules), rule)
        return [one for rule in rules for one in rule.all_references]

    def _add_elements(self, table: NftTableDraft, name: Token, tree: Branch, *, anew: bool) -> None:
        set_ = self.words.build(name, lambda: table.set_(str(name)))
        self.words.take_references()
        elements = self._reader(table).elements(tree, set_.declared)
        named = self.words.take_references()
        place = word_of(tree)
        self.words.build(place, lambda: table.add_elements(set_, elements, named, anew=anew))
        self._require(table, named)

    # --- rules ----------------------------------------------------------------------------------

    def _insert(self, tree: Branch) -> None:
        self._place_rule(tree, before=True)

    def _place_rule(self, tree: Branch, *, before: bool) -> None:
        """Put a rule at the end or the beginning of a chain, or behind or before another rule."""
        place_tree, rule_tree = branches(tree)
        table, chain = self._chain(branches(place_tree)[0])
        at = 0 if before else len(chain.rules)
        for one in branches(place_tree)[1:]:
            at = self._position(chain, one) + (0 if before else 1)
        rule = self._reader(table).rule(rule_tree)
        table.insert(chain, at, rule)
        self._require(table, rule.all_references)

    def _replace(self, tree: Branch) -> None:
        place_tree, rule_tree = branches(tree)
        names, *places = branches(place_tree)
        table, chain = self._chain(names)
        if not places:
            raise self.words.problem(tokens(names)[-1], "which rule is replaced is not said")
        at = self._position(chain, places[0])
        self.cleared.add((table.family, table.name))
        handle = chain.rules[at].handle
        rule = self._reader(table).rule(rule_tree)
        table.take(chain, at)
        table.insert(chain, at, attrs.evolve(rule, handle=handle))
        self._require(table, rule.all_references)

    def _chain(self, names: Branch) -> tuple[NftTableDraft, NftChainDraft]:
        family, (table_name, name) = self._names(names, 2)
        table = self._table(family, table_name)
        return table, self.words.build(name, lambda: table.chain(str(name)))

    def _position(self, chain: NftChainDraft, tree: Branch) -> int:
        """The rule that an index or a handle stands for."""
        kind, number = word_of(branches(tree)[0]), tokens(tree)[0]
        value = self.words.integer(number, 64)
        if str(kind) == "index":
            return self.words.build(number, lambda: chain.at_index(value))
        try:
            return self.words.build(number, lambda: chain.at_handle(value))
        except Problem as problem:
            problem.hint = _BY_HANDLE
            raise

    # --- delete, destroy, flush and rename ------------------------------------------------------

    def _remove(self, tree: Branch) -> None:
        verb, kind_tree, *rest = branches(tree)
        whatever = str(word_of(verb)) == "destroy"
        try:
            if kind_tree.data == "element_command":
                self._remove_elements(kind_tree, whatever=whatever)
            else:
                names, *places = rest
                kind = " ".join(map(str, tokens(kind_tree)))
                self._remove_object(kind, names, places)
        except Problem as problem:
            if not whatever or problem.code is not NFT_MISSING or problem.hint:
                raise

    def _remove_elements(self, tree: Branch, *, whatever: bool) -> None:
        family, (table_name, name) = self._names(branches(tree)[0], 2)
        table = self._table(family, table_name)
        set_ = self.words.build(name, lambda: table.set_(str(name)))
        self.cleared.add((table.family, table.name))
        keys = self._reader(table).keys(branches(tree)[1], set_.declared)
        place = word_of(branches(tree)[1])
        self.words.build(place, lambda: table.remove_elements(set_, keys, whatever=whatever))

    def _remove_object(self, kind: str, names: Branch, places: list[Branch]) -> None:
        if kind == "rule":
            table, chain = self._chain(names)
            if not places:
                raise self.words.problem(tokens(names)[-1], "which rule is deleted is not said")
            table.take(chain, self._position(chain, places[0]))
            self.cleared.add((table.family, table.name))
            return
        if places:
            raise self.words.problem(
                tokens(places[0])[0], f"no {kind} is known by its handle", _BY_HANDLE
            )
        if kind == "table":
            family, (word,) = self._names(names, 1)
            self.cleared.add((family, str(word)))
            self._table(family, word)
            del self.tables[family, str(word)]
            return
        family, (table_name, name) = self._names(names, 2)
        self.cleared.add((family, str(table_name)))
        table = self._table(family, table_name)
        self.words.build(name, lambda: table.remove(kind, str(name)))

    def _flush(self, tree: Branch) -> None:
        kind, *rest = branches(tree)
        if kind.data == "flush_ruleset":
            self._flush_ruleset(kind)
            return
        word, (names,) = str(word_of(kind)), rest
        family, (table_name, *objects) = self._names(names, 1 if word == "table" else 2)
        self.cleared.add((family, str(table_name)))
        table = self._table(family, table_name)
        if word == "table":
            for chain in table.chains.values():
                table.flush(chain)
            return
        (name,) = objects
        if word == "chain":
            table.flush(self.words.build(name, lambda: table.chain(str(name))))
            return
        maps = word == "map"
        set_: SetDraft = self.words.build(name, lambda: table.set_(str(name), maps=maps))
        table.remove_elements(set_, None)

    def _flush_ruleset(self, tree: Branch) -> None:
        words = tokens(tree)
        if not words:
            self.tables.clear()
            self.others.clear()
            self.cleared_all = True
            return
        (word,) = words
        if str(word) in set(OtherFamily):
            self.others = {key: one for key, one in self.others.items() if key[0] != str(word)}
            return
        family = self.words.look_up(word, _FAMILIES, "family")
        for key in [key for key in self.tables if key[0] is family]:
            del self.tables[key]
        # What else of the family was there is not known.
        self.cleared |= {(family, name) for name in IPTABLES_TABLES}

    def _rename(self, tree: Branch) -> None:
        words = tokens(branches(tree)[0])
        if len(words) < 3:
            raise self.words.problem(words[-1], "a name is missing here")
        *names, new = words
        family, (table_name, name) = self._names(names, 2)
        table = self._table(family, table_name)
        to = self.words.name(new)
        self.cleared.add((table.family, table.name))
        self.words.build(name, lambda: table.chain(str(name)))
        # nf_tables_updchain: a name that a chain is to get is taken, too.
        is_wanted = any(one is table and name == to for one, _, name in self.renames)
        if to in table.chains or is_wanted:
            raise self.words.problem(name, f"there is a chain {to} already")
        self.renames.append((table, name, to))

    def _rename_all(self) -> None:
        """Give chains their new names (nf_tables_commit, NFT_MSG_NEWCHAIN)."""
        for table, name, new in self.renames:
            if str(name) not in table.chains:
                continue  # deleted meanwhile
            try:
                table.rename(str(name), new)
            except ValueError as error:
                self._report(self.words.problem(name, str(error)))
        self.renames.clear()

    # --- tables that are not read ---------------------------------------------------------------

    def _other(self, tree: Branch) -> None:
        (word,) = tokens(tree)
        number = int(word[1:])
        if number >= len(self.text.others):
            raise self.words.problem(word, "this character is not expected here")
        command = self.text.others[number]
        key = (command.family, command.name)
        if command.verb in {"delete", "destroy"} and command.object == "table":
            if self.others.pop(key, None) is None and command.verb == "delete":
                message = f"there is no table {command.family} {command.name}"
                raise Problem(NFT_MISSING, message, span=command.span)
            return
        there = self.others.get(key)
        if there is None and command.object != "table":
            message = f"there is no table {command.family} {command.name}"
            raise Problem(NFT_MISSING, message, span=command.span)
        text = (*(there.text if there else ()), *command.text.split("\n"))
        self.others[key] = OtherTable(
            command.family, command.name, tuple(_other_chains(text)), text
        )


def _kind(tree: Branch) -> str:
    """What references call what is made."""
    if tree.data in OBJECTS:
        return OBJECTS[tree.data].value
    return {"map": "set", "counter_object": "counter"}.get(tree.data, str(tree.data))


#: A base chain in a table that is not read; devices stand between its hook and its priority.
_OTHER_CHAIN = re.compile(r"\btype (\w+) hook (\w+)\b(.*?)\bpriority\b")


def _other_chains(text: Iterable[str]) -> Iterator[OtherChain]:
    for kind, hook, between in _OTHER_CHAIN.findall(" ".join(text)):
        names = re.sub(r"\bdevices?\b|[={},\"]", " ", between).split()
        yield OtherChain(kind, hook, tuple(names))


#: A rule that begins with an extension, as nft lists it where it does not know how to.
_LOST = re.compile(r"\s*(#\s*xt_\w+|#.*\bcounter packets [0-9]+ bytes [0-9]+)", re.ASCII)


def _lost_rules(source: Source) -> Iterator[Diagnostic]:
    """Remarks that stand in the place of whole rules."""
    for number, line in enumerate(source.lines, 1):
        if (found := _LOST.match(line)) and not line.startswith("#"):
            span = Span(source, number, found.start(1) + 1, len(line) + 1)
            yield Diagnostic(NFT_SYNTAX, "a remark hides a rule", span, LOST)


def _not_nft(source: Source) -> Diagnostic | None:
    """Say what a text is that is in no language of nft's; None where it is an nft ruleset."""
    found = not_nft(source)
    return Diagnostic(NFT_SYNTAX, found.message, found.span, found.hint) if found else None


def _explain(error: UnparsableError, text: ParsedText) -> Diagnostic:
    """Say where reading stopped."""
    source = text.source
    if error.at_end or error.line > len(source.lines):
        return _cut_short(source)
    number, start = error.line, text.span(error.line, error.column, error.column + 1).start
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
