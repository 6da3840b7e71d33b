"""Lines that are like one before them but for values that change no more than themselves.

Nearly every line of a large dump is: ``-A KUBE-SEP-XYZ -s 10.0.1.2/32 ... -j KUBE-MARK-MASQ`` comes
thousands of times, with other chains, addresses and comments. The first line of such a form is read
as any other; of those behind it only the values are kept (``Repeat``). Lowering shows what becomes
of the form (``lowering.repeats``); nodes are made of a repeat only where it cannot.

A value stands behind its option, and is of a kind (``_VALUES``) whose values all differ in nothing
but their spelling, which nft's is, too: no network, no range, no zero, no word of either language.
What is of no kind is part of the form.

Where a line has no form yet, it is found by its key: its blanks and its letters from g on, without
what is quoted. So the order of lines does not matter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..iptables import ast
from ..nft.names import KEYWORDS
from .grammar import line_parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Forms of one text that are kept, and those that share a key.
MOST_FORMS = 4096
MOST_OF_KEY = 16

#: Forms that a line is tried as before its key is made.
MOST_FOLLOWERS = 3

_BYTE = "(?:1[0-9]{0,2}|2(?:[0-4][0-9]?|5[0-5]?|[6-9])?|[3-9][0-9]?|0)"
_ADDRESS = rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}"
_PORT = "(?:[1-5][0-9]{0,4}|[6-9][0-9]{0,3}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_NAME = "[A-Za-z][A-Za-z0-9_.-]{0,27}"
_COUNT = "[1-9][0-9]{0,17}"

#: What values look like, with other values of the kind; each has a mark of its own in them.
_KINDS: dict[str, tuple[str, Callable[[int], str]]] = {
    "chain": (_NAME, lambda number: f"VPCCNI-{number}-NFT"),
    "address": (_ADDRESS, lambda number: f"198.{number}.51.{number}"),
    "port": (_PORT, lambda number: f"{60000 + number}"),
    "device": ("[a-z][a-z0-9]{0,14}", lambda number: f"vpccni{number}nft"),
    "count": (_COUNT, lambda number: f"987{number}321"),
    # nft takes 128 bytes of a comment.
    "quoted": (r"[ !#-\[\]-~]{1,128}", lambda number: f"-> vpccni {number}!"),
    "word": ("[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}", lambda number: f"vpccni/{number}:nft"),
}

#: Where a value of each kind stands; the kinds are the names of the groups, but for a number.
_VALUES = (
    rf"(?:^|(?<=\] ))-A (?P<chain_1>{_NAME})(?= |$)"
    rf"|(?<= -[jg] )(?P<chain_2>{_NAME})(?= |$)"
    rf"|(?<= -[sd] )(?P<address_1>{_ADDRESS})(?=/32(?: |$))"
    rf"|(?<= -[io] )(?P<device_1>{_KINDS['device'][0]})(?= |$)"
    rf"|(?<= --[sd]port )(?P<port_1>{_PORT})(?= |$)"
    rf"|(?<= --to-destination )(?P<address_2>{_ADDRESS})(?::(?P<port_2>{_PORT}))?(?= |$)"
    rf'|(?<= --comment ")(?P<quoted_1>{_KINDS["quoted"][0]})(?="(?: |$))'
    rf"|(?<= --comment )(?P<word_1>{_KINDS['word'][0]})(?= |$)"
    rf"|^\[(?P<count_1>{_COUNT}):(?P<count_2>{_COUNT})(?=\] -A )"
)

#: What is not in keys.
_NOT_IN_KEYS = b"0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZ./:-_"

#: For a form of which one line has come.
_ONCE = object()


class RepeatedForm:
    """What lines have in common that differ in values of these kinds alone."""

    def __init__(
        self,
        literals: tuple[str, ...],
        kinds: tuple[str, ...],
        jump: int | None,
        read: Callable[[int, str], ast.Rule],
    ) -> None:
        self.literals = literals  #: what stands before, between and behind the values
        self.kinds = kinds
        self.chain = kinds.index("chain")  #: which value is the rule's chain
        self.jump = jump  #: which one is the chain that the rule jumps or goes to
        self.read = read  #: reads a line of the form that stands for the line of this number
        self.followers: list[RepeatedForm] = []  #: what lines behind such a one are tried as first
        pattern = re.escape(literals[0])
        for kind, literal in zip(kinds, literals[1:], strict=True):
            pattern += f"({_KINDS[kind][0]}){re.escape(literal)}"
        self.pattern = re.compile(pattern)

    def line(self, values: Iterable[str]) -> str:
        """The line of this form that has these values."""
        return "".join(
            [text for pair in zip(self.literals, (*values, ""), strict=True) for text in pair]
        )

    def marks(self, first: int) -> tuple[str, ...]:
        """Values that are in nothing else, nor in one another; others for another number."""
        return tuple(_KINDS[kind][1](first + place) for place, kind in enumerate(self.kinds))


class Repeat(NamedTuple):
    """A rule of a form that rules before it had; it stands in for a rule that is not read."""

    form: RepeatedForm
    values: tuple[str, ...]
    number: int  #: of the line
    callee: str | None  #: the chain that it jumps or goes to

    @property
    def rule(self) -> ast.Rule:
        """What its line says, with all nodes."""
        line = self.form.line(self.values)
        return self.form.read(self.number, line)


class Forms:
    """The forms of a text's lines so far, of one family."""

    def __init__(self, read: Callable[[int, str], ast.Rule]) -> None:
        self._read = read
        self._by_key: dict[bytes, list[RepeatedForm]] = {}
        #: By what stands around the values; None where more than the values may differ.
        self._known: dict[tuple[str, ...], RepeatedForm | object | None] = {}
        self._followers: list[RepeatedForm] = []
        self._values = re.compile(_VALUES)
        self._words = KEYWORDS | line_parser().words

    def find(self, text: str, number: int) -> Repeat | None:
        """What a line repeats."""
        found = self._matched(self._followers, text)
        if found is None:
            found = self._matched(self._by_key.get(_key(text), ()), text)
            if found is None:
                return None
            self._followers[:] = [found[0], *self._followers][:MOST_FOLLOWERS]
        form, values = found
        self._followers = form.followers
        callee = None if form.jump is None else values[form.jump]
        # What the class would do takes three times as long.
        return tuple.__new__(Repeat, (form, values, number, callee))

    def _matched(
        self, forms: Iterable[RepeatedForm], text: str
    ) -> tuple[RepeatedForm, tuple[str, ...]] | None:
        """Which of these a line is of, and its values."""
        for form in forms:
            if found := form.pattern.fullmatch(text):
                values = found.groups()
                if self._words.isdisjoint(values):
                    return form, values
        return None

    def learn(self, text: str, rule: ast.Rule) -> None:
        """Take the form of a line that was read as this rule, the second time that it comes."""
        literals, kinds = self._taken_apart(text)
        if literals not in self._known:
            if len(self._known) < MOST_FORMS:
                self._known[literals] = _ONCE
            return
        form = self._known[literals]
        if form is _ONCE:
            form = self._known[literals] = self._form(literals, kinds, rule)
        if isinstance(form, RepeatedForm):
            alike = self._by_key.setdefault(_key(text), [])
            if form not in alike and len(alike) < MOST_OF_KEY:
                alike.append(form)

    def _taken_apart(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What stands around the values of a line, and the kinds of these."""
        literals, kinds = [], []
        end = 0
        for found in self._values.finditer(text):
            for name, value in found.groupdict().items():
                if value is not None and value not in self._words:
                    start = found.start(name)
                    literals.append(text[end:start])
                    kinds.append(name[:-2])
                    end = start + len(value)
        return (*literals, text[end:]), tuple(kinds)

    def _form(
        self, literals: tuple[str, ...], kinds: tuple[str, ...], rule: ast.Rule
    ) -> RepeatedForm | None:
        """The form of a rule with such a line, or None where more than the values may differ."""
        chains = [place for place, kind in enumerate(kinds) if kind == "chain"]
        jumps = isinstance(rule.target, ast.Jump | ast.Goto)
        around = "".join(literals)
        if (
            len(chains) != 1 + jumps
            or not literals[chains[0]].endswith("-A ")
            or around.count("--comment") > 1
            or '"' in around.replace('--comment ""', "")
        ):
            return None
        return RepeatedForm(literals, kinds, chains[1] if jumps else None, self._read)


def _key(text: str) -> bytes:
    """What lines of a form have in common, and most others have not."""
    before, quote, rest = text.partition('"')
    if quote:
        before += rest.partition('"')[2]
    return before.encode("utf-8", "surrogateescape").translate(None, _NOT_IN_KEYS)


def rule_of(rule: ast.Rule | Repeat) -> ast.Rule:
    """The rule itself."""
    return rule.rule if isinstance(rule, Repeat) else rule
