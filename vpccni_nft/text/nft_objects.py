"""From the tree of a table's object to the object: limits, quotas, synproxies, conntrack's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..core.values import Family, WideFamily
from ..nft import objects as o
from ..nft.words import ObjectKind
from .nft_rules import NftRuleReader
from .nft_words import branches, first_token, tokens, word_of
from .trees import Branch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.values import TableFamily
    from .nft_words import Words
    from .trees import Token

#: The objects by their node in the grammar.
OBJECTS: Mapping[str, ObjectKind] = {
    "limit_object": ObjectKind.LIMIT,
    "quota_object": ObjectKind.QUOTA,
    "synproxy_object": ObjectKind.SYNPROXY,
    "ct_helper": ObjectKind.CT_HELPER,
    "ct_timeout": ObjectKind.CT_TIMEOUT,
    "ct_expectation": ObjectKind.CT_EXPECTATION,
    "flowtable": ObjectKind.FLOWTABLE,
}

_FAMILIES: Mapping[str, TableFamily] = {one.value: one for one in (*Family, *WideFamily)}


@attrs.frozen
class ObjectReader:
    """Reads the objects of a table of one family."""

    words: Words
    family: TableFamily

    def read(self, tree: Branch, place: Token) -> o.NamedObject:
        """An object; ``place`` is its name."""
        found = self._items(tree)
        comment = self.words.comment(word_of(found["comment"])) if "comment" in found else ""
        make: Callable[[Mapping[str, Branch], Token, str], o.NamedObject]
        kind = OBJECTS[tree.data]
        if kind in {ObjectKind.LIMIT, ObjectKind.QUOTA, ObjectKind.SYNPROXY}:
            make = self._statement
        else:
            make = getattr(self, f"_{tree.data}")
        return self.words.build(place, lambda: make(found, place, comment))

    def _items(self, tree: Branch) -> dict[str, Branch]:
        """What stands in the block, by what it is; the options of a synproxy together."""
        found: dict[str, Branch] = {}
        options: list[Token | Branch] = []
        for item in branches(tree)[1:]:
            if item.data.startswith("synproxy"):
                options.append(item)
                continue
            if item.data in found:
                word = first_token(item) or tokens(branches(tree)[0])[-1]
                raise self.words.problem(word, "this is given twice")
            found[item.data] = item
            if item.data == "helper_type":
                found["l4proto"] = branches(item)[0]
        if tree.data == "synproxy_object":
            found["synproxy"] = Branch("synproxy", options)
        return found

    def _statement(self, found: Mapping[str, Branch], name: Token, comment: str) -> o.NamedObject:
        reader = NftRuleReader(self.words, self.family, lambda *_: "")
        for kind, read in (
            ("limit_value", reader.limit),
            ("quota_value", reader.quota),
            ("synproxy", reader.synproxy),
        ):
            if kind in found:
                return o.NamedStatement(str(name), comment=comment, statement=read(found[kind]))
        raise self.words.problem(name, f"{name} has no value")

    def _ct_helper(self, found: Mapping[str, Branch], name: Token, comment: str) -> o.NamedObject:
        if "helper_type" not in found:
            raise self.words.problem(name, "the type of the helper is missing")
        word = tokens(found["helper_type"])[0]
        helper = self.words.string(word) if word.type == "STRING" else str(word)
        return o.CtHelper(
            str(name),
            comment=comment,
            helper=helper,
            protocol=self._protocol(found, name),
            l3proto=self._l3proto(found),
        )

    def _ct_timeout(self, found: Mapping[str, Branch], name: Token, comment: str) -> o.NamedObject:
        pairs = branches(found["timeout_policy"]) if "timeout_policy" in found else []
        policy = [
            (state.removesuffix(":"), self.words.seconds(time))
            for state, time in map(tokens, pairs)
        ]
        return o.CtTimeout(
            str(name),
            comment=comment,
            protocol=self._protocol(found, name),
            l3proto=self._l3proto(found),
            policy=policy,
        )

    def _ct_expectation(
        self, found: Mapping[str, Branch], name: Token, comment: str
    ) -> o.NamedObject:
        for wanted in ("ct_dport", "timeout", "size"):
            if wanted not in found:
                what = wanted.removeprefix("ct_")
                raise self.words.problem(name, f"the expectation has no {what}")
        return o.CtExpectation(
            str(name),
            comment=comment,
            protocol=self._protocol(found, name),
            dport=self.words.integer(word_of(found["ct_dport"]), 16),
            timeout=self.words.seconds(word_of(found["timeout"])),
            size=self.words.integer(word_of(found["size"]), 8),
            l3proto=self._l3proto(found),
        )

    def _protocol(self, found: Mapping[str, Branch], name: Token) -> str:
        if "l4proto" not in found:
            raise self.words.problem(name, "the protocol is missing")
        return str(tokens(found["l4proto"])[-1])

    def _l3proto(self, found: Mapping[str, Branch]) -> TableFamily | None:
        """The family, where it is not the table's own."""
        if "l3proto" not in found:
            return None
        family = self.words.look_up(tokens(found["l3proto"])[-1], _FAMILIES, "family")
        return None if family is self.family else family
