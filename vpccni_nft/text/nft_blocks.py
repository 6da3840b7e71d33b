"""From the tree of a chain, set or counter of an nft text to what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.diagnostics import Problem
from ..core.values import WideFamily
from ..nft.ast import PRIORITIES, CounterObject, Hook, Map, Set
from ..nft.datatypes import VERDICT, unnamed
from ..nft.objects import Flowtable
from ..nft.words import ChainType, HookName, Policy, SetFlag, SetPolicy, TableFlag
from . import nft_types as types
from .nft_drafts import NftChainDraft, RuleDraft
from .nft_expressions import ExpressionReader
from .nft_rules import NftRuleReader
from .nft_words import branches, first_token, tokens, with_remarks
from .trees import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..core.diagnostics import Diagnostic
    from ..core.values import TableFamily
    from ..nft.datatypes import KeyType
    from ..nft.expressions import Expression
    from .nft_expressions import Readings
    from .nft_words import Words
    from .trees import Branch


#: Chains within chains, as many as the kernel goes into: NFT_JUMP_STACK_SIZE.
DEEPEST = 16


@attrs.define
class _SetLines:
    """A set while its lines are read."""

    fields: dict[str, object] = attrs.Factory(dict)
    key: Readings | None = None
    data: Readings | None = None  #: of a map; None: verdicts
    elements: Branch | None = None


@attrs.frozen
class BlockReader:
    """Reads what stands in the tables of one family."""

    words: Words
    family: TableFamily
    report: Callable[[Diagnostic], None]  #: called for each part that cannot be read
    fresh: Callable[[], str]  #: a name that no chain of the table has
    depth: int = 0  #: of blocks of rules within rules

    def comment(self, tree: Branch, before: str) -> str:
        """A comment, which nothing has two of."""
        (word,) = tokens(tree)
        if before:
            raise self.words.problem(word, "there is a comment already")
        return self.words.comment(word)

    def table_flags(self, tree: Branch) -> tuple[TableFlag, ...]:
        """The flags of a table."""
        return tuple(TableFlag(self._one_of(one, TableFlag, "flag")) for one in tokens(tree))

    # --- chains ---------------------------------------------------------------------------------

    def chain(self, tree: Branch, name: str) -> tuple[NftChainDraft, Token | None]:
        """A chain, and its policy where one is said."""
        chain = NftChainDraft(name)
        policy: Token | None = None
        for item, remark in with_remarks(tree):
            try:
                if item.data == "rule":
                    chain.rules.append(self.rule(item, remark))
                elif item.data == "comment":
                    chain.comment = self.comment(item, chain.comment)
                elif item.data == "hook":
                    if chain.hook:
                        raise self.words.problem(tokens(item)[0], "the chain has a hook already")
                    chain.hook = self._hook(item)
                else:
                    if policy is not None:
                        raise self.words.problem(tokens(item)[0], "the chain has a policy already")
                    policy = self._one_of(tokens(item)[0], Policy, "policy")
            except Problem as problem:
                self.report(problem.at(None))
        if policy is not None and chain.hook:
            chain.hook = attrs.evolve(chain.hook, policy=str(policy))
        return chain, policy

    def rule(self, tree: Branch, remark: Token | None = None) -> RuleDraft:
        """A rule, with the handle that may stand behind it."""
        self.words.take_references()
        own: list[NftChainDraft] = []

        def inner(place: Token, block: Branch) -> str:
            before = self.words.take_references()
            own.append(self._inner(place, block))
            self.words.take_references()
            self.words.refer_again(before)
            return self.words.refer("chain", place, own[-1].name)

        rule = NftRuleReader(self.words, self.family, inner).rule(tree)
        handle = None if remark is None else self.words.handle(remark)
        return RuleDraft(rule, tuple(self.words.take_references()), handle, tuple(own))

    def _inner(self, place: Token, block: Branch) -> NftChainDraft:
        """The chain without a name that a rule jumps to: it gets one here."""
        if self.depth == DEEPEST:
            raise self.words.problem(place, "rules are nested too deep")
        deeper = attrs.evolve(self, depth=self.depth + 1)
        chain, _ = deeper.chain(block, self.fresh())
        return chain

    def _hook(self, tree: Branch) -> Hook:
        kind, name = tokens(tree)
        *devices, priority_tree = branches(tree)
        self._one_of(kind, ChainType, "type of chains")
        known = [one for one in HookName if one is not HookName.INGRESS or self._has_ingress]
        self._one_of(name, known, f"hook of {self.family.value}")
        priority = self._priority(priority_tree)
        names = tuple(map(self._device, devices[0].children)) if devices else ()
        return self.words.build(name, lambda: Hook(str(kind), str(name), priority, devices=names))

    @property
    def _has_ingress(self) -> bool:
        return isinstance(self.family, WideFamily)

    def _device(self, word: Token | Branch) -> str:
        assert isinstance(word, Token)
        return self.words.string(word) if word.type == "STRING" else str(word)

    def flowtable(self, tree: Branch, place: Token) -> Flowtable:
        """A flowtable; ``place`` is its name."""
        found = {item.data: item for item in branches(tree)[1:]}
        if len(found) != len(branches(tree)) - 1 or "flow_hook" not in found:
            raise self.words.problem(place, "a flowtable has one hook, and each line once")
        hook = found["flow_hook"]
        self._one_of(tokens(hook)[0], [HookName.INGRESS], "hook of flowtables")
        flags = tokens(found["table_flags"]) if "table_flags" in found else []
        for flag in flags:
            self._one_of(flag, ["offload"], "flag of flowtables")
        devices = found["devices"].children if "devices" in found else []
        return Flowtable(
            str(place),
            priority=self._priority(branches(hook)[0]),
            devices=tuple(map(self._device, devices)),
            offload=bool(flags),
            counts="counts" in found,
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
        return -self.words.integer(token.reading(token[1:]), 31)

    def _one_of(self, token: Token, known: Iterable[str], what: str) -> Token:
        if str(token) not in known:
            raise self.words.problem(token, f"“{token[:40]}” is not a known {what}")
        return token

    # --- sets, maps and counters ----------------------------------------------------------------

    def counter(self, tree: Branch, name: str) -> CounterObject:
        """A named counter."""
        packets, octets, comment = 0, 0, ""
        counted = False
        for item in branches(tree)[1:]:
            if item.data == "comment":
                comment = self.comment(item, comment)
                continue
            if counted:
                raise self.words.problem(tokens(item)[0], "the counter has a value already")
            counted = True
            packets, octets = ExpressionReader(self.words, self.family).counted(item)
        return CounterObject(name, packets, octets, comment)

    def set_(self, tree: Branch, place: Token) -> Set:
        """A set, or a map; ``place`` is its name."""
        name = str(place)
        reader = ExpressionReader(self.words, self.family)
        draft = _SetLines()
        is_map = tree.data == "map"
        seen: set[str] = set()
        for item in branches(tree)[1:]:
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

    def elements(self, tree: Branch, of: Set) -> tuple[Expression, ...]:
        """Elements of a set or map that is declared elsewhere; of a map also keys alone."""
        reader = ExpressionReader(self.words, self.family)
        key = tuple(map(types.reading, of.type))
        if not isinstance(of, Map):
            return reader.elements(tree, key)
        data = None if of.data == (VERDICT,) else tuple(map(types.reading, of.data))
        return reader.pairs(tree, key, data)

    def keys(self, tree: Branch, of: Set) -> tuple[Expression, ...]:
        """What is to be deleted of a set or map: keys, whatever stands beside them."""
        reader = ExpressionReader(self.words, self.family)
        return reader.keys(tree, tuple(map(types.reading, of.type)))

    def _set_item(self, draft: _SetLines, item: Branch, reader: ExpressionReader) -> None:
        fields, kind = draft.fields, str(item.data)
        if kind == "comment":
            fields["comment"] = self.comment(item, "")
        elif kind == "timeout":
            fields["timeout"] = self.words.seconds(tokens(item)[0])
        elif kind == "size":
            fields["size"] = self.words.integer(tokens(item)[0])
        elif kind == "set_flags":
            flags = tokens(item)
            fields["flags"] = tuple(str(self._one_of(flag, SetFlag, "flag")) for flag in flags)
        elif kind == "gc_interval":
            fields["gc_interval"] = self.words.milliseconds(tokens(item)[0])
        elif kind == "set_policy":
            fields["policy"] = str(self._one_of(tokens(item)[0], SetPolicy, "policy"))
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

    def _set_types(self, draft: _SetLines, trees: list[Branch], reader: ExpressionReader) -> None:
        key_tree, *data_trees = trees
        if data_trees and data_trees[0].data == "data_intervals":
            del data_trees[0]
            draft.fields["data_intervals"] = True
        typeof, draft.key = self._types(key_tree, reader)
        draft.fields["type"] = _key(draft.key)
        data_typeof: Expression | None = None
        for data_tree in data_trees:
            if [str(word) for word in tokens(data_tree)] != ["verdict"]:
                data_typeof, draft.data = self._types(data_tree, reader)
        # Where all types have names, it is one set however it is declared.
        if typeof and unnamed(_key((*draft.key, *(draft.data or ())))):
            draft.fields["typeof"] = typeof
            if data_typeof:
                draft.fields["data_typeof"] = data_typeof

    def _types(self, tree: Branch, reader: ExpressionReader) -> tuple[Expression | None, Readings]:
        if tree.data != "type":
            return reader.expression(tree)
        words = tokens(tree)
        return None, tuple(
            self.words.look_up(word, types.DECLARED, "type of sets") for word in words
        )


def _key(found: Readings) -> KeyType:
    return tuple(reading.type for reading in found)
