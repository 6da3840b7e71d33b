"""What is done to an nft text before it is parsed: variables, and tables of other families.

``define`` and ``$name`` are replaced by what they stand for, in the scope of their block
(nftables: src/parser_bison.y, common_block and variable_expr). Commands for tables of the families
bridge, arp and netdev are taken out as they are: their rules are not read. Lines keep their
numbers, and every place is found again in the text as it was given.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import attrgetter

import attrs

from ..core.diagnostics import NFT_SYNTAX, Problem
from ..core.span import Source, Span
from ..nft.names import KEYWORDS
from ..nft.words import OtherFamily

_TOKEN = re.compile(
    r"(?P<string>\"[^\"\n]*\"?)|(?P<remark>#[^\n]*)|(?P<joined>\\\r?\n)|(?P<line>\n)"
    r"|(?P<mark>[{};])|\$(?P<variable>[A-Za-z_.][A-Za-z0-9_./-]*)?"
    r"|(?P<blank>[ \t\r]+)|(?P<equals>=+)|(?P<word>[^\s{};\"#$=]+)"
)

#: Where nothing of this is in a text, it is parsed as it is.
_WANTED = re.compile(rf"\$|\b(?:define|redefine|undefine|include|{'|'.join(OtherFamily)})\b")

_VERBS = "add|create|insert|replace|delete|destroy|flush|rename|list|reset"
_OBJECTS = (
    "table|chain|rule|set|map|element|flowtable|counter|quota|limit|secmark|synproxy"
    r"|ct[ \t]+(?:helper|timeout|expectation)"
)
_OTHER = re.compile(
    rf"(?:(?P<verb>{_VERBS})[ \t]+)?(?:(?P<object>{_OBJECTS})[ \t]+)?"
    rf"(?P<family>{'|'.join(OtherFamily)})[ \t]+(?P<name>[A-Za-z_.][A-Za-z0-9_./-]*)"
)

#: Keywords that can be a value.
_VALUES = frozenset(
    "tcp udp udplite esp ah icmp igmp icmpv6 comp dccp sctp redirect snat dnat original reply"
    " ip ip6 ether arp".split()
)
_NO_VALUES = KEYWORDS - _VALUES

#: The most characters that variables may add to a text: each can stand for two of another one.
_MOST = 1 << 24

#: What a name stands behind; there nft takes the quotes of a variable off.
_NAMED_BEHIND = frozenset({"jump", "goto", "policy", "priority"})
_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_./-]*")
_PLAIN = re.compile(r"\"([A-Za-z_.][A-Za-z0-9_./-]*)\"")


@attrs.frozen
class OtherCommand:
    """A command for a table of another family."""

    family: OtherFamily
    name: str
    verb: str  #: empty: a table as it is listed
    object: str
    text: str  #: with the variables replaced, without remarks
    span: Span


@attrs.frozen
class _Piece:
    """A stretch of a line, and the one that it stands for."""

    start: int
    end: int
    source_start: int
    source_end: int
    replaced: bool = False


@attrs.frozen
class ParsedText:
    """A text for the parser."""

    source: Source  #: as it was given
    content: str
    others: tuple[OtherCommand, ...] = ()
    _pieces: dict[int, list[_Piece]] = attrs.Factory(dict)

    @classmethod
    def of(cls, source: Source) -> ParsedText:
        """Replace what has to be replaced. Raises Problem where a variable is not known."""
        content = "\n".join((*source.lines, ""))
        if not _WANTED.search(content):
            return cls(source, content)
        return _Expander(source, content).expanded()

    def span(self, line: int, start: int, end: int) -> Span:
        """Where a stretch of the parser's text stands in the given one."""
        pieces = self._pieces.get(line)
        if pieces is None:
            return Span(self.source, line, start, end)
        ends_at = attrgetter("end")
        first = pieces[min(bisect_right(pieces, start, key=ends_at), len(pieces) - 1)]
        last = pieces[min(bisect_left(pieces, end, key=ends_at), len(pieces) - 1)]
        begins = first.source_start + (0 if first.replaced else start - first.start)
        ends = last.source_end if last.replaced else last.source_start + end - last.start
        length = len(self.source.lines[line - 1]) if line <= len(self.source.lines) else 0
        begins = max(1, min(begins, length + 1))
        return Span(self.source, line, begins, max(begins + 1, min(ends, length + 1)))


@attrs.define
class _Expander:
    source: Source
    content: str
    out: list[str] = attrs.Factory(list)
    pieces: dict[int, list[_Piece]] = attrs.Factory(dict)
    others: list[OtherCommand] = attrs.Factory(list)
    scopes: list[dict[str, str]] = attrs.Factory(lambda: [{}])
    line: int = 1
    column: int = 1  #: in what is given
    written: int = 1  #: the column in what is made
    added: int = 0  #: characters that variables stood for

    def expanded(self) -> ParsedText:
        tokens = list(_TOKEN.finditer(self.content))
        at, begins, before = 0, True, ""
        while at < len(tokens):
            token = tokens[at]
            if begins and token["word"] in {"define", "redefine", "undefine"}:
                at = self._define(tokens, at)
                continue
            if begins and token["word"] == "include":
                hint = "give all files in their order, or what nft list ruleset prints"
                raise self._problem(token, "files that are included are not read", hint)
            if (
                begins
                and len(self.scopes) == 1
                and (head := _OTHER.match(token.string, token.start()))
            ):
                at = self._other(tokens, at, head)
                continue
            if token["mark"] == "{":
                self.scopes.append({})
            elif token["mark"] == "}" and len(self.scopes) > 1:
                self.scopes.pop()
            self._write(token, self._value(token, before))
            if not (token["blank"] or token["joined"]):
                begins = bool(token["line"] or token["mark"] or token["remark"])
                before = token[0] if token["word"] or token["mark"] else ""
            at += 1
        text = "".join(self.out)
        return ParsedText(self.source, text, tuple(self.others), self.pieces)

    def _value(self, token: re.Match[str], before: str) -> str:
        """What stands in the place of a token."""
        if token["string"] and before == "prefix":
            # nft refuses a name that it does not know, but lists what another program wrote.
            return re.sub(
                r"\$([A-Za-z0-9_.-]*)",
                lambda name: self._look_up(token, name[1]) if self._knows(name[1]) else name[0],
                token[0],
            )
        if not token[0].startswith("$"):
            return token[0]
        value = self._look_up(token, token["variable"] or "")
        if before in {"{", ","} or before.endswith(","):
            inner = value.strip()
            if inner.startswith("{") and inner.endswith("}") and inner[1:-1].strip():
                return inner[1:-1].strip()  # sets in a set are one
        if before in _NAMED_BEHIND and (quoted := _PLAIN.fullmatch(value)):
            return quoted[1]
        return value

    def _knows(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def _look_up(self, token: re.Match[str], name: str) -> str:
        for scope in reversed(self.scopes):
            if name in scope:
                self.added += len(scope[name])
                if self.added > _MOST:
                    raise self._problem(token, "the variables make this text too long")
                return scope[name]
        raise self._problem(token, f"there is no variable “{name[:40]}” here")

    def _define(self, tokens: list[re.Match[str]], at: int) -> int:
        """Take a definition in, and leave its lines empty; the answer is where it ends."""
        verb, end = tokens[at]["word"], self._end_of_statement(tokens, at)
        words = [one for one in tokens[at + 1 : end] if not (one["blank"] or one["joined"])]
        if not words or not _NAME.fullmatch(words[0][0]):
            raise self._problem(tokens[at], "the name of the variable is missing")
        name, scope = words[0][0], self.scopes[-1]
        if verb == "undefine":
            scope.pop(name, None)
        else:
            if verb == "define" and name in scope:
                raise self._problem(words[0], f"the variable {name} is defined already")
            if len(words) < 3 or words[1][0] != "=":
                raise self._problem(words[0], "the variable has no value")
            behind = next(at_ for at_ in range(at, end) if tokens[at_] is words[1]) + 1
            scope[name] = self._initializer(tokens[behind:end])
        for token in tokens[at:end]:
            self._write(token, "\n" if "\n" in token[0] else "")
        return end

    def _initializer(self, tokens: list[re.Match[str]]) -> str:
        """The text behind the equals sign, in one line."""
        text, before = "", ""
        for token in tokens:
            if token["word"] in _NO_VALUES:
                raise self._problem(token, f"“{token[0][:40]}” is a keyword, which has no value")
            if token["blank"] or token["joined"] or token["line"] or token["remark"]:
                text += " "
            else:
                text += self._value(token, before)
                before = token[0]
        return text.strip()

    def _end_of_statement(self, tokens: list[re.Match[str]], at: int) -> int:
        """The token that ends a statement: a line end or a semicolon outside of all braces."""
        depth = 0
        for number in range(at, len(tokens)):
            token = tokens[number]
            if token["mark"] == "{":
                depth += 1
            elif token["mark"] == "}":
                if not depth:
                    return number
                depth -= 1
            elif not depth and (token["line"] or token["mark"] == ";" or token["remark"]):
                return number
        return len(tokens)

    def _other(self, tokens: list[re.Match[str]], at: int, head: re.Match[str]) -> int:
        """Take a command for a table of another family out; the answer is where it ends."""
        end = self._end_of_statement(tokens, at)
        start = self._span(tokens[at])
        words: list[str] = []
        before = ""
        for token in tokens[at:end]:
            if token["remark"]:
                continue
            words.append(" " if token["blank"] or token["joined"] else self._value(token, before))
            if not token["blank"]:
                before = token[0]
        lines = (" ".join(line.split()) for line in "".join(words).split("\n"))
        text = "\n".join(line for line in lines if line)
        place = f"\x01{len(self.others)}"
        for number, token in enumerate(tokens[at:end]):
            kept = "\n" if "\n" in token[0] else ""
            self._write(token, kept if number else place)
        object_ = " ".join((head["object"] or "rule").split())
        self.others.append(
            OtherCommand(
                OtherFamily(head["family"]), head["name"], head["verb"] or "", object_, text, start
            )
        )
        return end

    def _write(self, token: re.Match[str], text: str) -> None:
        """Put a text in the place of a token."""
        self.out.append(text)
        given = token[0]
        if text != given or self.written != self.column:
            row = self.pieces.setdefault(self.line, [_Piece(1, self.written, 1, self.column)])
            row.append(
                _Piece(self.written, self.written + len(text.rstrip("\n")), self.column,
                       self.column + len(given.rstrip("\n")), text != given)
            )  # fmt: skip
        if "\n" in given:
            self.line, self.column, self.written = self.line + 1, 1, 1
        else:
            self.column += len(given)
            self.written += len(text)

    def _span(self, token: re.Match[str]) -> Span:
        return Span(self.source, self.line, self.column, self.column + len(token[0].rstrip("\n")))

    def _problem(self, token: re.Match[str], message: str, hint: str = "") -> Problem:
        start = self.content.rfind("\n", 0, token.start()) + 1
        line = self.content.count("\n", 0, token.start()) + 1
        column = token.start() - start + 1
        span = Span(self.source, line, column, column + max(1, len(token[0].rstrip("\n"))))
        return Problem(NFT_SYNTAX, message, span=span, hint=hint)
