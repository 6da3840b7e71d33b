"""From the tree of one line to the nodes of iptables."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from lark import Token, Tree

from ..core.diagnostics import (
    BAD_OPTION,
    BAD_VALUE,
    UNKNOWN_MATCH,
    UNKNOWN_OPTION,
    UNKNOWN_TARGET,
    Problem,
)
from ..core.span import Source, Span
from ..core.values import Negatable, Network, parse_integer
from ..extensions import MATCHES, TARGETS
from ..extensions.options import Evidence, Option, Options, Word, convert_word
from ..extensions.words import unquote
from ..iptables import ast
from ..iptables.protocols import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.diagnostics import Code, Diagnostic
    from ..extensions.extension import Extension

T = TypeVar("T")

#: JSON's readers take no larger number; no counter of a kernel comes near.
LARGEST_COUNT = 2**63 - 1

Branch = Tree[Token]


@attrs.define
class LineBuilder:
    """Builds what one line says; problems go to ``diagnostics`` and building goes on."""

    source: Source
    line: int
    diagnostics: list[Diagnostic]
    evidence: Evidence = attrs.Factory(Evidence)

    def span(self, token: Token) -> Span:
        """A token's place."""
        start = token.column or 1
        return Span(self.source, self.line, start, start + len(token))

    def whole(self) -> Span:
        """The line, without the blanks around it."""
        text = self.source.lines[self.line - 1]
        stripped = text.strip()
        start = text.find(stripped) + 1
        return Span(self.source, self.line, start, start + len(stripped))

    def rule(self, tree: Branch) -> tuple[str, ast.Rule]:
        """The name of the chain that an ``-A`` line names, and its rule."""
        bracketed, chain, *items = tree.children
        rule = _Draft()
        if isinstance(bracketed, Token):
            rule.counters = self.bracketed_counters(bracketed)
        for item in items:
            assert isinstance(item, Tree)
            try:
                self._item(rule, item)
            except Problem as problem:
                self.diagnostics.append(problem.at(self.whole()))
        return unquote(str(chain)), rule.finish(self.whole())

    def counters(self, tokens: Sequence[object]) -> ast.Counters:
        """Read the numbers of packets and of bytes."""
        packets, numbers = (
            convert_word(Word(str(token), self.span(token)), _parse_count)
            for token in tokens
            if isinstance(token, Token)
        )
        return ast.Counters(packets, numbers)

    def bracketed_counters(self, token: Token) -> ast.Counters:
        """Read ``[packets:bytes]``."""
        return convert_word(Word(str(token), self.span(token)), _parse_bracketed)

    def _item(self, rule: _Draft, tree: Branch) -> None:
        kind = tree.data.split("__")[-1]
        if tree.data.startswith("matches__"):
            match, span = self._extension(tree, MATCHES, ast.UnknownMatch, UNKNOWN_MATCH)
            rule.matches.append((match, span))
        elif tree.data.startswith("targets__") or kind == "goto":
            if rule.target:
                raise Problem(BAD_OPTION, "a rule has one target", span=self._tree_span(tree))
            rule.target = self._target(tree, kind)
        elif kind == "stray":
            option = self._option(_branches(tree)[0])
            raise Problem(
                UNKNOWN_OPTION,
                f"{option.name} belongs to no match",
                span=option.span,
                hint="iptables-save prints the match before its options, as in -m tcp --dport 80",
            )
        elif kind == "counters":
            rule.counters = self.counters(tree.children)
        else:
            self._base(rule, kind, tree)

    def _base(self, rule: _Draft, kind: str, tree: Branch) -> None:
        """One option of the base specification; ``kind`` is a field of the rule."""
        option = self._option(tree)
        if kind in rule.base:
            raise Problem(BAD_OPTION, f"{option.name} stands here twice", span=option.span)
        value: object = True
        if kind in {"source", "destination"}:
            value = convert_word(option.words[0], Network.parse)
            self.evidence.families.append((value.family, option.words[0].span))
        elif kind in {"in_interface", "out_interface"}:
            value = convert_word(option.words[0], _parse_interface)
        elif kind == "protocol":
            value = convert_word(option.words[0], parse_protocol)
            rule.protocol_name = option.words[0].text
            if value == 0:  # "all": iptables tests nothing and prints nothing
                if option.negated:
                    raise Problem(BAD_VALUE, "no packet is of no protocol", span=option.span)
                return
        rule.base[kind] = Negatable(value, option.negated)

    def _target(self, tree: Branch, kind: str) -> tuple[ast.Target, Span]:
        if kind == "goto":
            return ast.Goto(unquote(str(_tokens(tree)[0]))), self._tree_span(tree)
        if kind == "jump" and len(tree.children) == 1:
            return ast.Jump(unquote(str(_tokens(tree)[0]))), self._tree_span(tree)
        return self._extension(tree, TARGETS, ast.UnknownTarget, UNKNOWN_TARGET)

    def _extension(
        self,
        tree: Branch,
        registry: Mapping[str, Extension[Any]],
        unknown: type[T],
        code: Code,
    ) -> tuple[T, Span]:
        """Give the options to the extension's room; keep the words where there is no room."""
        name, *branches = tree.children
        assert isinstance(name, Token)
        options = tuple(self._option(branch) for branch in branches if isinstance(branch, Tree))
        span = self._tree_span(tree)
        extension = registry.get(unquote(str(name)))
        try:
            if not extension:
                raise Problem(
                    code,
                    f"{unquote(str(name))} is not known",
                    span=self.span(name),
                    hint="vpccni-nft extensions lists the matches and targets that are",
                )
            _refuse_foreign_options(str(name), _branches(tree), options)
            given = Options(str(name), options, span, self.evidence)
            return extension.build(given), span
        except Problem as problem:
            self.diagnostics.append(problem.at(span))
            return unknown(str(name), tuple(map(str, _all_tokens(branches)))), span  # type: ignore[call-arg]

    def _option(self, tree: Branch) -> Option:
        """An option with its words; the tree's tokens are ``[!] NAME WORD...``."""
        tokens = _tokens(tree)
        negated = tokens[0].type.endswith(("NOT", "NOT_BASE"))
        name, *words = tokens[negated:]
        return Option(
            str(name),
            tuple(Word(unquote(str(word)), self.span(word)) for word in words),
            negated,
            self.span(tokens[0]).to(self.span(tokens[-1])),
        )

    def _tree_span(self, tree: Branch) -> Span:
        tokens = list(_all_tokens([tree]))
        return self.span(tokens[0]).to(self.span(tokens[-1]))


@attrs.define
class _Draft:
    """A rule while its line is read."""

    base: dict[str, Negatable[Any]] = attrs.Factory(dict)
    matches: list[tuple[ast.Match, Span]] = attrs.Factory(list)
    target: tuple[ast.Target, Span] | None = None
    counters: ast.Counters | None = None
    protocol_name: str = ""

    def finish(self, span: Span) -> ast.Rule:
        target, target_span = self.target or (None, None)
        return ast.Rule(
            **self.base,
            matches=tuple(match for match, _ in self.matches),
            target=target,
            counters=self.counters,
            span=span,
            match_spans=tuple(span for _, span in self.matches),
            target_span=target_span,
            protocol_name=self.protocol_name,
        )


def _parse_bracketed(text: str) -> ast.Counters:
    return ast.Counters(*map(_parse_count, text.strip("[]").split(":")))


def _parse_count(text: str) -> int:
    """A decimal number, whatever it begins with."""
    return parse_integer(text.lstrip("0") or "0", LARGEST_COUNT)


def _parse_interface(text: str) -> ast.Interface:
    """Interface names have at most 15 bytes (IFNAMSIZ); a plus at the end is a wildcard."""
    if not text or len(text.encode("utf-8", "surrogateescape")) > 15:
        raise ValueError("an interface's name has 1 to 15 characters")
    wildcard = text.endswith("+")
    return ast.Interface(text[:-1] if wildcard else text, wildcard)


def _refuse_foreign_options(
    owner: str, branches: Sequence[Branch], options: Sequence[Option]
) -> None:
    for branch, option in zip(branches, options, strict=True):
        if branch.data.endswith("foreign_option"):
            raise Problem(
                UNKNOWN_OPTION, f"{owner} has no option {option.name} here", span=option.span
            )


def _branches(tree: Branch) -> list[Branch]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _tokens(tree: Branch) -> list[Token]:
    return [child for child in tree.children if isinstance(child, Token)]


def _all_tokens(nodes: Sequence[Token | Branch]) -> list[Token]:
    """The tokens below some nodes, in their order."""
    return list(
        itertools.chain.from_iterable(
            [node] if isinstance(node, Token) else _all_tokens(node.children) for node in nodes
        )
    )
