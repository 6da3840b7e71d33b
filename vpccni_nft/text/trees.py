"""What a parser makes of a text: a tree of words, or the place where it cannot go on."""

from __future__ import annotations


class Token(str):
    """A word of a text, the terminal of the grammar that it is, and where it stands, from 1 on."""

    __slots__ = ("column", "line", "type")

    type: str
    line: int
    column: int

    @classmethod
    def at(cls, text: str, type_: str, line: int, column: int) -> Token:
        """A word at its place."""
        token = cls(text)
        token.type, token.line, token.column = type_, line, column
        return token

    def reading(self, text: str) -> Token:
        """The same word, read as another text."""
        return Token.at(text, self.type, self.line, self.column)


class Branch:
    """What a rule of the grammar took: words, and what other rules took."""

    __slots__ = ("children", "data")

    def __init__(self, data: str, children: list[Token | Branch]) -> None:
        self.data = data  #: the rule
        self.children = children

    def __repr__(self) -> str:
        return f"Branch({self.data!r}, {self.children!r})"

    def words(self) -> list[Token]:
        """All words, in their order."""
        # No recursion: rules may stand in rules, however deep the text has them.
        found: list[Token] = []
        stack: list[Token | Branch] = [self]
        while stack:
            node = stack.pop()
            if isinstance(node, Branch):
                stack += reversed(node.children)
            elif node is not None:  # nothing stands in the place of a part that may be missing
                found.append(node)
        return found


class UnparsableError(Exception):
    """The grammar does not take a text: here something else is expected."""

    def __init__(self, line: int, column: int, *, at_end: bool = False) -> None:
        super().__init__(f"not expected at {line}:{column}")
        self.line = line
        self.column = column
        self.at_end = at_end  #: whether the text ends too early
