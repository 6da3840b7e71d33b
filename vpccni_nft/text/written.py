"""Lines that people write for iptables-restore, in the words in which iptables-save prints them.

``-p tcp --dport ssh -s 10.0.0.1,10.0.0.2`` becomes the two rules that the kernel would have, each
with its ``-m tcp``. What comes out is read as any other line is, so that a rule has one way to its
node; every word keeps the place of the one that it comes from.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, TypeVar

import attrs

from ..core.diagnostics import BAD_OPTION, BAD_VALUE, SYNTAX, UNKNOWN_MATCH, UNKNOWN_OPTION, Problem
from ..core.span import Source, Span
from ..core.values import Family
from ..extensions import MATCHES, TARGETS
from ..extensions.option_table import Option, Shorthand
from ..iptables import protocols
from .restore_words import Argument, Unresolved, Word, argument, has_value, rest_of, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.diagnostics import Code
    from ..extensions.extension import Extension

T = TypeVar("T")

#: The matches that a protocol loads where an option is not known, by its number.
_IMPLIED = {
    protocols.TCP: "tcp", protocols.UDP: "udp", protocols.ICMP: "icmp",
    protocols.ICMPV6: "icmp6", protocols.SCTP: "sctp", protocols.DCCP: "dccp",
    protocols.ESP: "esp", protocols.AH: "ah", protocols.IPCOMP: "ipcomp",
    protocols.MOBILITY: "mh",
}  # fmt: skip

#: Other names of matches.
_MATCH_NAMES = {
    "icmpv6": "icmp6", "ipv6-icmp": "icmp6", "ipv6-mh": "mh", "mobility-header": "mh"
}  # fmt: skip

#: The base specification, in the order in which it is printed.
_BASE = ("-s", "-d", "-i", "-o", "-p", "-f")

_COUNTERS = re.compile(r"\[\d+:\d+\]", re.ASCII)

#: An IPv4 address that lacks its last parts, which are zeros then.
_SHORT_ADDRESS = re.compile(r"(\d+(?:\.\d+){0,2})(/.*)?", re.ASCII)

#: What a line does to a table.
COMMANDS = frozenset({"-A", "-I", "-D", "-R", "-C", "-N", "-X", "-F", "-Z", "-P"})

_RULE_COMMANDS = frozenset({"-A", "-I", "-D", "-R", "-C"})
_NUMBERED = frozenset({"-I", "-D", "-R", "-Z"})
_CHAIN_MAY_LACK = frozenset({"-F", "-X", "-Z"})


@attrs.frozen
class WrittenCommand:
    """What a line does: a command, its chain, and the rules that it gives, one after the other."""

    name: str  #: ``-A`` and the like
    chain: str  #: empty where the command is for all chains
    number: int | None = None  #: of a rule, from 1
    policy: str = ""
    counters: tuple[str, str] | None = None
    family: Family | None = None  #: the only one that the line is for
    rules: tuple[tuple[Word, ...], ...] = ()  #: the words of ``-A`` lines


@attrs.define
class _Loaded:
    """A match or the target, with its options so far."""

    sign: Word  #: ``-m`` or ``-j``
    name: Word
    extension: Extension[object]
    names: dict[str, Option | Shorthand]
    options: list[tuple[Word, ...]] = attrs.Factory(list)


def read_line(source: Source, number: int, text: str, family: Family | None) -> WrittenCommand:
    """What a line says; ``family`` is the table's. Raises Problem where it cannot be read so."""
    words = split(text)
    if not words:
        raise Problem(SYNTAX, "a quote is opened here and never closed")
    reader = _LineReader(source, number, words, family)
    return reader.read()


@attrs.define
class _LineReader:
    source: Source
    number: int
    words: list[Word]
    family: Family | None
    at: int = 0
    command: str = ""
    chain: str = ""
    place: int | None = None
    policy: str = ""
    counters: tuple[Word, Word] | None = None
    bracketed: Word | None = None
    only: Family | None = None
    base: dict[str, tuple[Word, ...]] = attrs.Factory(dict)
    jump: tuple[Word, ...] = ()
    loaded: list[_Loaded] = attrs.Factory(list)
    protocol: int = 0
    negation: Word | None = None

    def read(self) -> WrittenCommand:
        """Take the words one after the other."""
        if _COUNTERS.fullmatch(self.words[0].text):
            self.bracketed = self.words[0]
            self.at = 1
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if word.text == "--" and self.at == len(self.words):
                break
            found: Argument | None = self._argument(word)
            while found:
                self._take(found)
                found = self._resolved(word, rest_of, found)
        if self.negation:
            raise self._problem(SYNTAX, "the line ends behind a “!”", self.negation)
        if self.command not in COMMANDS:
            raise Problem(SYNTAX, "the line has no command that changes a table")
        return WrittenCommand(
            self.command,
            self.chain,
            self.place,
            self.policy,
            self._counters(),
            self.only,
            tuple(self._rules()) if self._has_rule() else (),
        )

    def _has_rule(self) -> bool:
        return self.command in _RULE_COMMANDS and not (
            self.command == "-D" and self.place is not None
        )

    def _counters(self) -> tuple[str, str] | None:
        return (self.counters[0].text, self.counters[1].text) if self.counters else None

    def _problem(self, code: Code, message: str, word: Word) -> Problem:
        return Problem(code, message, span=Span(self.source, self.number, word.start, word.end))

    # --- options ---

    def _argument(self, word: Word) -> Argument:
        newest_first = [one.names for one in reversed(self.loaded)]
        same = [(name, option.name) for names in newest_first for name, option in names.items()]
        implied = _IMPLIED.get(self.protocol)
        if implied and self._is_new(implied):
            try:
                return argument(word, newest_first, same)
            except Unresolved:
                self._load(MATCHES[implied], Word("-m", word.start, word.end), implied, word)
                return self._argument(word)
        return self._resolved(word, argument, word, newest_first, same)

    def _resolved(self, word: Word, find: Callable[..., T], *arguments: object) -> T:
        try:
            return find(*arguments)
        except Unresolved:
            raise self._problem(
                UNKNOWN_OPTION, f"{word.text} is no option here, or the beginning of several", word
            ) from None

    def _is_new(self, match: str) -> bool:
        """Whether the match is there for the family, and not loaded yet."""
        fits = self.family is None or MATCHES[match].placement.family in {None, self.family}
        return fits and not any(one.name.text == match for one in self.loaded)

    def _load(self, extension: Extension[object], sign: Word, name: str, word: Word) -> None:
        named = attrs.evolve(word, text=name)
        self.loaded.append(_Loaded(sign, named, extension, extension.options.spelled()))

    def _take(self, found: Argument) -> None:
        name, word = found.name, found.word
        if not name:
            if word.text != "!":
                raise self._problem(SYNTAX, f"“{word.text[:40]}” is not expected here", word)
            if self.negation:
                raise self._problem(SYNTAX, "“!” stands here twice", word)
            self.negation = word
            return
        negated, self.negation = self.negation, None
        if name.startswith("--"):
            self._take_option(found, negated)
            return
        value = self._value(found) if has_value(name) else None
        if name in _BASE:
            self._take_base(name, word, value, negated)
            return
        if negated:
            raise self._problem(BAD_OPTION, f"{name} cannot be negated", negated)
        self._take_other(name, word, value)

    def _value(self, found: Argument) -> Word:
        if found.attached is not None:
            if found.name == "-p":
                raise self._problem(BAD_VALUE, "iptables wants a blank behind -p", found.word)
            return attrs.evolve(found.word, text=found.attached)
        return self._next(found.word)

    def _next(self, word: Word) -> Word:
        if self.at == len(self.words):
            raise self._problem(SYNTAX, "the line ends where a value is missing", word)
        self.at += 1
        return self.words[self.at - 1]

    def _may_follow(self) -> bool:
        """Whether the next word is no option (xs_has_arg)."""
        return self.at < len(self.words) and self.words[self.at].text[:1] not in {"-", "!"}

    def _take_base(self, name: str, word: Word, value: Word | None, negated: Word | None) -> None:
        if name in self.base:
            raise self._problem(BAD_OPTION, f"{name} is given twice", word)
        sign = attrs.evolve(word, text=name)
        values = () if value is None else (value,)
        if name == "-p" and value:
            try:
                self.protocol = protocols.parse_protocol(value.text)
            except ValueError as error:
                raise self._problem(BAD_VALUE, str(error), value) from None
        self.base[name] = (*(() if negated is None else (negated,)), sign, *values)

    def _take_other(self, name: str, word: Word, value: Word | None) -> None:
        if name in COMMANDS:
            self._take_command(name, word, value)
        elif name == "-m" and value:
            match = _MATCH_NAMES.get(value.text, value.text)
            extension = MATCHES.get(match)
            if not extension:
                raise self._problem(UNKNOWN_MATCH, f"{value.text} is not known", value)
            self._load(extension, attrs.evolve(word, text="-m"), match, value)
        elif name in {"-j", "-g"} and value:
            self._take_jump(name, word, value)
        elif name == "-c" and value:
            packets, comma, octets = value.text.partition(",")
            first = attrs.evolve(value, text=packets)
            second = attrs.evolve(value, text=octets) if comma else self._next(word)
            self.counters = first, second
        elif name in {"-4", "-6"}:
            self.only = Family.IP if name == "-4" else Family.IP6
        elif name != "-v":
            raise self._problem(UNKNOWN_OPTION, f"iptables-restore takes no {name} here", word)

    def _take_jump(self, name: str, word: Word, value: Word) -> None:
        if self.jump:
            raise self._problem(BAD_OPTION, "a rule has one target", word)
        self.jump = attrs.evolve(word, text=name), value
        extension = TARGETS.get(value.text) if name == "-j" else None
        if extension:
            self._load(extension, self.jump[0], value.text, value)

    def _take_command(self, name: str, word: Word, value: Word | None) -> None:
        if self.command:
            raise self._problem(BAD_OPTION, "a line has one command", word)
        self.command = name
        if value is None and name in _CHAIN_MAY_LACK and self._may_follow():
            value = self._next(word)
        self.chain = value.text if value else ""
        if name == "-P":
            self.policy = self._next(word).text
        elif name in _NUMBERED and self._may_follow():
            self.place = self._rule_number(self._next(word))
        if name == "-R" and self.place is None:
            raise self._problem(BAD_OPTION, "-R needs the number of a rule", word)

    def _rule_number(self, word: Word) -> int:
        if not word.text.isascii() or not word.text.isdigit() or not 0 < int(word.text) < 1 << 31:
            raise self._problem(BAD_VALUE, f"“{word.text}” is not the number of a rule", word)
        return int(word.text)

    def _take_option(self, found: Argument, negated: Word | None) -> None:
        owner = next((one for one in reversed(self.loaded) if found.name in one.names), None)
        word = found.word
        if owner is None:
            raise self._problem(UNKNOWN_OPTION, f"iptables-restore takes no {found.name}", word)
        option = owner.names[found.name]
        count = option.words if isinstance(option, Shorthand) else option.form.words
        values = [] if found.attached is None else [attrs.evolve(word, text=found.attached)]
        optional = isinstance(option, Option) and option.form.optional
        while len(values) < count and (not optional or self._may_follow()):
            values.append(self._next(word))
        if isinstance(option, Option):
            written = [attrs.evolve(word, text=option.name), *values]
        else:
            try:
                texts = option.written_out(*(value.text for value in values))
            except ValueError as error:
                raise self._problem(BAD_VALUE, str(error), (values or [word])[0]) from None
            last = values[-1].end if values else word.end
            written = [Word(text, word.start, last) for text in texts]
        if negated:
            written.insert(0, negated)
        if written:
            owner.options.append(tuple(written))

    # --- the rules ---

    def _rules(self) -> Iterator[tuple[Word, ...]]:
        """One for each pair of addresses: the sources one after the other, with each destination.

        Raises Problem where several are negated, which iptables does not take.
        """
        pairs = itertools.product(self._addresses("-s"), self._addresses("-d"))
        for source, destination in pairs:
            yield tuple(map(_quoted, self._rule({"-s": source, "-d": destination})))

    def _addresses(self, name: str) -> list[tuple[Word, ...]]:
        given = self.base.get(name)
        if not given:
            return [()]
        *sign, value = given
        texts = value.text.split(",")
        if len(texts) > 1 and len(sign) > 1:
            raise self._problem(BAD_OPTION, "several addresses cannot be negated", value)
        return [(*sign, attrs.evolve(value, text=_full_address(text))) for text in texts]

    def _rule(self, addresses: dict[str, tuple[Word, ...]]) -> Iterator[Word]:
        first = self.words[0]
        if self.bracketed:
            yield self.bracketed
        yield attrs.evolve(first, text="-A")
        yield attrs.evolve(first, text=self.chain)
        for name in _BASE:
            yield from addresses.get(name, self.base.get(name, ()))
        if self.counters:
            yield attrs.evolve(self.counters[0], text="-c")
            yield from self.counters
        for one in self.loaded:
            if one.sign.text == "-m":
                yield from self._extension(one)
        target = next((one for one in self.loaded if one.sign.text == "-j"), None)
        yield from self._extension(target) if target else self.jump

    def _extension(self, one: _Loaded) -> Iterator[Word]:
        yield one.sign
        yield one.name
        completed = one.extension.options.completed
        given = {words[words[0].text == "!"].text: words for words in one.options}
        if not completed or not self.family or len(given) < len(one.options):
            yield from itertools.chain.from_iterable(one.options)
            return
        plain = {
            name: tuple(word.text for word in words[1 + (words[0].text == "!") :])
            for name, words in given.items()
        }
        for name, texts in completed(plain, self.family).items():
            if plain.get(name) == texts:
                yield from given[name]
            else:
                near = given[name][0] if name in given else one.name
                yield from (attrs.evolve(near, text=text) for text in (name, *texts))


def _full_address(text: str) -> str:
    found = _SHORT_ADDRESS.fullmatch(text)
    if not found:
        return text
    missing = 3 - found[1].count(".")
    return found[1] + ".0" * missing + (found[2] or "")


def _quoted(word: Word) -> Word:
    """A word as it stands in a line."""
    text = word.text
    if text and not any(char in ' \t"' for char in text):
        return word
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return attrs.evolve(word, text=f'"{escaped}"')
