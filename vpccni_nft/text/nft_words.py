"""Words of an nft ruleset with their places: names, numbers, times, strings."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import attrs

from ..core.diagnostics import NFT_MISSING, NFT_SYNTAX, Problem
from ..core.values import parse_integer
from ..nft.names import checked_string
from .nft_references import Missing, Reference
from .trees import Branch, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..core.span import Span
    from ..nft import expressions as x
    from .nft_source import ParsedText
    from .nft_types import Reading


T = TypeVar("T")

#: What ``nft -a`` prints behind a rule.
_HANDLE = re.compile(r"#\s*handle\s+([0-9]{1,20})\s*", re.ASCII)

#: Why a remark is no remark.
LOST = (
    "nft before 1.0.6, or built without xtables, lists extensions of iptables so: read the table by"
    " iptables-nft-save; a remark of your own goes on a line of its own"
)

_NAME = re.compile(r"(?!\.$)[A-Za-z_.][A-Za-z0-9_./-]{0,254}", re.ASCII)
_TIME = re.compile(
    r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,15})s)?(?:(\d{1,18})ms)?",
    re.ASCII,
)
_MILLISECONDS = (604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)


@attrs.frozen
class Words:
    """Reads tokens; what does not fit is a Problem at the token's place."""

    text: ParsedText
    #: What was named since it was last taken.
    _named: list[Reference] = attrs.Factory(list)

    def refer(self, kind: str, token: Token, name: str) -> str:
        """Note that an object of the table is named; the answer is the name."""
        self._named.append(Reference((kind, name), self.span(token)))
        return name

    def take_references(self) -> list[Reference]:
        """What was named since the last time."""
        found = list(self._named)
        self._named.clear()
        return found

    def refer_again(self, references: Iterable[Reference]) -> None:
        """Note what was taken before."""
        self._named.extend(references)

    def span(self, token: Token) -> Span:
        """Where a token stands."""
        return self.text.span(token.line, token.column, token.column + len(token))

    def problem(self, token: Token, message: str, hint: str = "") -> Problem:
        """A problem with a token."""
        return Problem(NFT_SYNTAX, message, span=self.span(token), hint=hint)

    def convert(self, token: Token, read: Callable[[str], T]) -> T:
        """What a reader makes of a token."""
        return self.build(token, lambda: read(str(token)))

    def build(self, token: Token | None, make: Callable[[], T]) -> T:
        """An object; what does not fit it is a Problem at the place of a token."""
        try:
            return make()
        except ValueError as error:
            if token is None:
                raise
            problem = self.problem(token, shortened(str(error), token))
            if isinstance(error, Missing):
                problem.code = NFT_MISSING
            raise problem from None

    def value(self, token: Token, reading: Reading) -> x.Expression:
        """A literal of a data type."""
        if token.type not in {"STRING", "QUOTED_RANGE"}:
            return self.convert(token, reading.read)
        if not reading.quoted:
            raise self.problem(token, "this is not quoted here")
        text = self.string(token).replace('"-"', "..")
        return self.convert(token, lambda _: reading.read(text))

    def look_up(self, token: Token, known: Mapping[str, T], what: str) -> T:
        """What is known under a word."""
        try:
            return known[str(token)]
        except KeyError:
            raise self.problem(token, f"“{printed(token)}” is not a known {what}") from None

    def handle(self, token: Token) -> int:
        """The handle in a remark behind a rule: nothing else may stand there."""
        found = _HANDLE.fullmatch(token)
        if not found:
            raise self.problem(
                token, "a remark ends this rule, and hides what stands behind it", LOST
            )
        return int(found[1])

    def name(self, token: Token) -> str:
        """The name of a table, chain, set or counter."""
        if not _NAME.fullmatch(token):
            raise self.problem(token, f"“{printed(token)}” is not a name")
        return str(token)

    def integer(self, token: Token, bits: int = 32) -> int:
        """A number."""
        return self.convert(token, lambda text: parse_integer(text, (1 << bits) - 1))

    def milliseconds(self, token: Token) -> int:
        """A stretch of time: ``1d2h3m4s5ms``, or seconds without a unit."""
        if re.fullmatch(r"\d{1,15}", token, re.ASCII):
            return int(token) * 1000
        match = _TIME.fullmatch(token)
        if not match:
            raise self.problem(token, f"“{printed(token)}” is not a time")
        return sum(
            int(amount) * unit
            for amount, unit in zip(match.groups("0"), _MILLISECONDS, strict=True)
        )

    def seconds(self, token: Token) -> int:
        """A stretch of time in whole seconds."""
        seconds, rest = divmod(self.milliseconds(token), 1000)
        if rest:
            raise self.problem(token, f"“{token}” is not a whole number of seconds")
        return seconds

    def string(self, token: Token) -> str:
        """What stands between quotes."""
        text = str(token)[1:-1]
        if not text.isprintable():
            raise self.problem(token, "the string has characters that cannot be printed")
        return text

    def comment(self, token: Token) -> str:
        """A comment between quotes."""
        return self.build(token, lambda: checked_string(self.string(token)))


def shortened(message: str, token: Token) -> str:
    """A message that does not repeat a long word whole."""
    return message if len(message) <= 200 else f"“{printed(token)}” is not expected here"


def printed(token: Token) -> str:
    """A word for a message."""
    return token if len(token) <= 40 else f"{token[:40]}…"


def tokens(tree: Branch) -> list[Token]:
    """The words of a node itself."""
    return [child for child in tree.children if isinstance(child, Token)]


def branches(tree: Branch) -> list[Branch]:
    """The nodes below a node."""
    return [child for child in tree.children if isinstance(child, Branch)]


def first_token(tree: Branch) -> Token | None:
    """The first word of a node, or None where it is of keywords alone."""
    # No recursion: rules may stand in rules, however deep the text has them.
    stack: list[Token | Branch] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Token):
            return node
        stack += reversed(node.children)
    return None


def word_of(tree: Branch) -> Token:
    """The first word of a node that has one."""
    word = first_token(tree)
    assert word is not None
    return word


def with_remarks(tree: Branch) -> Iterator[tuple[Branch, Token | None]]:
    """What stands in a block, each with the remark behind it."""
    for item, behind in pairwise((*tree.children, None)):
        if isinstance(item, Branch):
            yield item, behind if isinstance(behind, Token) else None
