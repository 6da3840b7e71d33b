"""From the tree of an nft expression, a literal or the elements of a set to their objects."""

from __future__ import annotations

import re
from functools import partial
from operator import and_, or_, xor
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from ..nft import datatypes as t
from ..nft import expressions as x
from ..nft import statements as s
from ..nft.headers import EXTENSION_HEADERS, TCP_OPTIONS
from ..nft.words import BitOperator, IpsecDirection, NumgenMode
from . import nft_types as types
from .nft_words import branches, tokens, word_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..core.values import TableFamily
    from .nft_types import Reading
    from .nft_words import Words
    from .trees import Branch, Token

    Readings = tuple[Reading, ...]

#: How a number is read that is wider than what it is combined with.
WIDE = types.reading(t.integer(32))

#: Longer chains of operators, and longer keys, than any rule has or nft takes.
LONGEST = 16

#: Verdicts by their node in the grammar; jump and goto take a chain.
VERDICTS: Mapping[str, Callable[..., s.Verdict]] = {
    "accept": s.Accept, "drop": s.Drop, "return": s.Return, "continue": s.Continue,
    "jump": s.Jump, "goto": s.Goto,
}  # fmt: skip

_OPERATORS = {"and": "&", "xor": "^", "or": "|", "lshift": "<<", "rshift": ">>"}
_FRAGMENT = x.Payload("ip", "frag-off")

#: What an element can have besides its key and value.
_OPTIONS = frozenset({"comment", "timeout", "expires", "element_counter"})


def _is_number(word: Token) -> bool:
    return re.fullmatch(r"0x[0-9a-fA-F]+|[0-9]+", word, re.ASCII) is not None


_COMPUTE = {BitOperator.AND: and_, BitOperator.XOR: xor, BitOperator.OR: or_}


@attrs.frozen
class ExpressionReader:
    """Reads expressions of a table of one family."""

    words: Words
    family: TableFamily

    # --- what is read ---------------------------------------------------------------------------

    def expression(self, tree: Branch) -> tuple[x.Expression, Readings]:
        """An expression, and the types of what it is compared with."""
        parts = [self._term(term) for term in branches(tree)]
        if len(parts) > LONGEST:
            raise self.words.problem(word_of(tree), "the key has too many parts")
        if len(parts) == 1:
            return parts[0][0], (parts[0][1],)
        return x.Concat(tuple(part for part, _ in parts)), tuple(type_ for _, type_ in parts)

    def field(self, tree: Branch) -> x.Expression:
        """A header's field that stands for a value."""
        return self._field(tree)[0]

    def _term(self, tree: Branch) -> tuple[x.Expression, Reading]:
        field, *rest = branches(tree)
        result, type_ = self._term(field) if field.data == "group" else self._field(field)
        if len(rest) > 2 * LONGEST:
            raise self.words.problem(word_of(tree), "the expression has too many operators")
        signs, operands = rest[::2], rest[1::2]
        operators = [BitOperator(_OPERATORS.get(one, str(one))) for one in map(word_of, signs)]
        at = 0
        while at < len(operators):
            operator, operand = operators[at], operands[at]
            right = self._operand(operand, operator, result, type_)
            right, at = self._closer(right, at, operators, operands, type_)
            made = partial(x.Binary, operator, result, right)
            result = self.words.build(word_of(operand), made)
        return result, type_

    def _closer(
        self,
        left: x.Expression,
        at: int,
        operators: list[BitOperator],
        operands: list[Branch],
        type_: Reading,
    ) -> tuple[x.Expression, int]:
        """An operand with what binds closer behind it, as nft computes both ahead.

        The answer is also where the next operator is.
        """
        own, at = operators[at], at + 1
        while at < len(operators) and operators[at].binding > own.binding:
            word, operator = word_of(operands[at]), operators[at]
            right = self._operand(operands[at], operator, left, type_)
            right, at = self._closer(right, at, operators, operands, type_)
            numbers = isinstance(left, x.Number | x.Hex) and isinstance(right, x.Number | x.Hex)
            if not numbers or operator.is_shift:
                raise self.words.problem(word, "this operator binds closer than the one before it")
            assert isinstance(left, x.Number | x.Hex)
            assert isinstance(right, x.Number | x.Hex)
            left = type(left)(_COMPUTE[operator](left.value, right.value))
        return left, at

    def _operand(
        self, tree: Branch, operator: BitOperator, left: x.Expression, type_: Reading
    ) -> x.Expression:
        if operator.is_shift:
            return x.Number(self.words.integer(word_of(tree), 7))
        if operator is not BitOperator.AND and type_.type.bits < WIDE.type.bits:
            # What is narrower is widened before bits are added to it.
            type_ = WIDE if _is_number(word_of(tree)) else type_
        literal = self.flags(tokens(tree), type_)
        # nft lists this mask in decimal.
        if left == _FRAGMENT and isinstance(literal, x.Number):
            return x.Hex(literal.value)
        if not isinstance(literal, x.Number | x.Hex | x.Host | x.Flags):
            raise self.words.problem(word_of(tree), "this is not a mask")
        return literal

    def _field(self, tree: Branch) -> tuple[x.Expression, Reading]:
        words = tree.words()
        # What has no word of its own is known to the grammar as a whole: rt mtu, osf name.
        place = words[-1] if words else None
        build: Callable[..., x.Expression] = getattr(self, f"_{tree.data}")
        arguments = (tree,) if tree.data in {"jhash", "symhash", "ipsec"} else words
        found = self.words.build(place, lambda: build(*arguments))
        assert found.type is not None
        return found, types.reading(found.type[0])

    def _payload(self, protocol: Token, field: Token) -> x.Expression:
        if str(protocol) == "rt" and str(field) in {"classid", "ipsec"}:
            return x.Rt(str(field))
        if (str(protocol), str(field)) == ("rt", "nexthop"):
            if not isinstance(self.family, Family):
                raise self.words.problem(field, "it is not said of which family the address is")
            return x.Rt(f"{self.family.value} nexthop")
        if str(protocol) in EXTENSION_HEADERS:
            return x.ExtensionHeader(str(protocol), str(field))
        return x.Payload(str(protocol), str(field))

    def _raw_payload(self, word: Token) -> x.RawPayload:
        base, offset, length = str(word)[1:].split(",")
        return x.RawPayload(base, int(offset), int(length))

    def _inner(self, tunnel: Token, *words: Token) -> x.Inner:
        if len(words) == 1:
            return x.Inner(str(tunnel), str(words[0]))
        return x.Inner(str(tunnel), x.Payload(*map(str, words)))

    def _ip_option(self, name: Token, *fields: Token) -> x.IpOption:
        return x.IpOption(str(name), *map(str, fields))

    def _sctp_chunk(self, name: Token, *fields: Token) -> x.SctpChunk:
        return x.SctpChunk(str(name), *map(str, fields))

    def _tcp_option(self, name: Token, *fields: Token) -> x.TcpOption | x.RawTcpOption:
        if name.type == "RAW_OPTION":
            return x.RawTcpOption(*map(int, str(name)[1:].split(",")))
        # Whether an option is there is asked by its number, and listed by its name.
        known = str(name) if fields else str(TCP_OPTIONS.get(str(name), name))
        return self.words.build(name, lambda: x.TcpOption(known, *map(str, fields)))

    def _meta(self, key: Token) -> x.Meta:
        return x.Meta("ipsec" if str(key) == "secpath" else str(key))

    def _ct(self, *words: Token) -> x.Ct:
        *before, key = map(str, words)
        return x.Ct(" ".join((*before[1:], key)), before[0] if before else "")

    def _fib(self, *words: Token) -> x.Fib:
        *flags, result = words
        if len(flags) > LONGEST:
            raise self.words.problem(flags[0], "the key has too many parts")
        # nft from 1.1.5 on lists the question whether there is a route so.
        asked = "oif" if str(result) == "check" else str(result)
        return x.Fib(tuple(map(str, flags)), asked)

    def _exthdr(self, header: Token) -> x.ExtensionHeader:
        return x.ExtensionHeader(str(header))

    def _numgen(self, mode: Token, modulus: Token, *offset: Token) -> x.Numgen:
        kind = self.words.convert(mode, NumgenMode)
        start = self.words.integer(offset[0]) if offset else 0
        return x.Numgen(self.words.integer(modulus), kind, start)

    def _route(self, *words: Token) -> x.Rt:
        return x.Rt(" ".join(map(str, words)) or "mtu")

    def _socket(self, key: Token) -> x.Socket:
        return x.Socket(str(key))

    def _osf(self, *words: Token) -> x.Osf:
        *ttl, key = map(str, words)
        return x.Osf("".join(ttl), key)

    def _ipsec(self, tree: Branch) -> x.Ipsec:
        direction, key = tokens(tree)
        found = {option.data: word_of(option) for option in branches(tree)}
        number = self.words.integer(found["spnum"], 8) if "spnum" in found else 0
        network = f"{found['ct_network']} " if "ct_network" in found else ""
        return x.Ipsec(self.words.convert(direction, IpsecDirection), f"{network}{key}", number)

    def _jhash(self, tree: Branch) -> x.Hash:
        key_tree, *options = branches(tree)
        key, _ = self.expression(key_tree)
        found = {option.data: self.words.integer(word_of(option)) for option in options}
        modulus = self.words.integer(tokens(tree)[0])
        return x.Hash(key, modulus, found.get("seed"), found.get("offset", 0))

    def _symhash(self, tree: Branch) -> x.SymmetricHash:
        offset = [self.words.integer(word_of(option)) for option in branches(tree)]
        return x.SymmetricHash(self.words.integer(tokens(tree)[0]), *offset)

    # --- literals -------------------------------------------------------------------------------

    def flags(self, words: Sequence[Token], type_: Reading) -> x.Expression:
        """Some flags, or the one value of any other type."""
        if len(words) == 1:
            return self.words.value(words[0], type_)
        names: list[str] = []
        for word in words:
            value = self.words.value(word, type_)
            if not isinstance(value, x.Flags):
                raise self.words.problem(word, "only flags can be combined")
            names += value.names
        return x.Flags(tuple(names))

    def _literal(self, words: list[Token], type_: Reading) -> x.Expression:
        """A part of an element; a prefix of a number is the range that it stands for."""
        if len(words) > 1 or words[0].type == "STRING":
            return self.flags(words, type_)
        (word,) = words
        prefix = self.words.build(word, lambda: types.prefix_of_number(word, type_.type))
        if prefix is None:
            return self.words.value(word, type_)
        value, mask = prefix
        return x.Range(x.Hex(value), x.Hex(value | mask ^ (1 << type_.type.bits) - 1))

    def reference(self, tree: Branch) -> x.SetReference:
        """A named set or map."""
        word = word_of(tree)
        return x.SetReference(self.words.refer("set", word, str(word)[1:]))

    def members(self, tree: Branch, types_: Readings) -> x.AnonymousSet | x.SetReference:
        """The elements of an anonymous set, or a reference to a named one."""
        if tree.data == "reference":
            return self.reference(tree)
        return x.AnonymousSet(self.elements(tree, types_))

    def verdicts(self, tree: Branch, types_: Readings) -> x.AnonymousSet | x.SetReference:
        """The same of a verdict map."""
        if tree.data == "reference":
            return self.reference(tree)
        return x.AnonymousSet(self.pairs(tree, types_, None))

    def lookup(self, tree: Branch, *data: Readings) -> x.Lookup:
        """What a map holds for a key: values of one of some types, by how many parts they have."""
        key_tree, map_tree = branches(tree)
        key, types_ = self.expression(key_tree)
        return x.Lookup(key, self.map(map_tree, types_, *data))

    def map(
        self, tree: Branch, types_: Readings, *data: Readings
    ) -> x.AnonymousSet | x.SetReference:
        """A map that is written in the rule, or a reference to a named one."""
        if tree.data == "reference":
            return self.reference(tree)
        parts = len(branches(branches(branches(tree)[0])[-1]))
        fitting = next((one for one in data if len(one) == parts), data[0])
        return x.AnonymousSet(self.pairs(tree, types_, fitting))

    # --- elements -------------------------------------------------------------------------------

    def elements(self, tree: Branch, types_: Readings) -> tuple[x.Expression, ...]:
        """The elements of a set."""
        return tuple(self._element(element, types_) for element in branches(tree))

    def _element(self, tree: Branch, types_: Readings) -> x.Expression:
        *_, last = children = branches(tree)
        if len(children) > 1 and last.data not in _OPTIONS:
            raise self.words.problem(word_of(tree), "an element of a set has no value")
        return self._decorated(children, types_)

    def keys(self, tree: Branch, types_: Readings) -> tuple[x.Expression, ...]:
        """The keys of elements, of which it does not matter what else they have."""
        return tuple(self._key(branches(element)[0], types_) for element in branches(tree))

    def pairs(self, tree: Branch, types_: Readings, data: Readings | None) -> tuple[x.Pair, ...]:
        """The elements of a map; without types of its data, of a verdict map."""
        return tuple(self._pair(element, types_, data) for element in branches(tree))

    def _pair(self, tree: Branch, types_: Readings, data: Readings | None) -> x.Pair:
        *before, last = branches(tree)
        if not before or last.data in _OPTIONS:
            raise self.words.problem(word_of(tree), "an element of a map has a value")
        key = self._decorated(before, types_)
        is_verdict = last.data != "key"
        if is_verdict == (data is not None):
            what = "a verdict" if data is None else "a value, no verdict"
            raise self.words.problem(word_of(tree), f"an element of this map has {what}")
        return x.Pair(key, self.verdict(last) if data is None else self._key(last, data))

    def _decorated(self, children: list[Branch], types_: Readings) -> x.Expression:
        """A key with its comment, timeout and counter."""
        key_tree, *options = children
        key = self._key(key_tree, types_)
        found: dict[str, Branch] = {}
        for option in options:
            if option.data in found:
                raise self.words.problem(word_of(key_tree), f"this element has {option.data} twice")
            found[option.data] = option
        if not found:
            return key
        counter = found.get("element_counter")
        timeout, expires, comment = map(found.get, ("timeout", "expires", "comment"))
        return x.Element(
            key,
            counter=self.counted(counter) if counter else None,
            timeout=self.words.seconds(word_of(timeout)) if timeout else None,
            expires=self.words.milliseconds(word_of(expires)) if expires else None,
            comment=self.words.comment(word_of(comment)) if comment else "",
        )

    def _key(self, tree: Branch, types_: Readings) -> x.Expression:
        parts = branches(tree)
        if len(parts) == 1 and str(word_of(tree)) == "*":
            return x.CatchAll()
        if len(parts) != len(types_):
            message = f"this has {len(parts)} parts instead of {len(types_)}"
            raise self.words.problem(word_of(tree), message)
        literals = tuple(
            self._literal(tokens(part), type_) for part, type_ in zip(parts, types_, strict=True)
        )
        return literals[0] if len(literals) == 1 else x.Concat(literals)

    def counted(self, tree: Branch) -> tuple[int, int]:
        """What stands behind ``counter``: packets and bytes, or nothing."""
        words = tree.words()
        if not words:
            return 0, 0
        packets, octets = words
        return self.words.integer(packets, 64), self.words.integer(octets, 64)

    def verdict(self, tree: Branch) -> s.Verdict:
        """A verdict."""
        names = (self.words.refer("chain", word, self.words.name(word)) for word in tokens(tree))
        return VERDICTS[tree.data](*names)
