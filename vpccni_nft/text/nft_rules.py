"""From the tree of an nft rule to its statements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family, TableFamily, WideFamily, families_of
from ..nft import expressions as x
from ..nft import statements as s
from ..nft.ast import Rule
from ..nft.words import LogLevel, ObjectKind, Period
from . import nft_types as types
from .nft_expressions import VERDICTS, ExpressionReader
from .nft_words import branches, first_token, printed, tokens, word_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .nft_words import Words
    from .trees import Branch, Token

_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
_EQUALITIES = frozenset({"", "==", "!="})
_PERIODS = frozenset(Period)
_BYTES = {"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20}
_LEVELS = frozenset({"warn", *LogLevel} - {""})
_LOG_FLAGS = {
    "tcp": {"sequence": "tcp sequence", "options": "tcp options"},
    "ip": {"options": "ip options"},
    "": {"skuid": "skuid", "ether": "ether"},
}
#: What ``log flags all`` stands for.
_ALL_LOG_FLAGS = tuple(flag for flags in _LOG_FLAGS.values() for flag in flags.values())

#: What answers a plain ``reject``, by the table's family, and all that can.
_UNREACHABLE: Mapping[TableFamily, str] = {
    Family.IP: "icmp", Family.IP6: "icmpv6", WideFamily.INET: "icmpx",
}  # fmt: skip
_ANSWERS: Mapping[TableFamily, frozenset[str]] = {
    Family.IP: frozenset({"icmp", "tcp"}),
    Family.IP6: frozenset({"icmpv6", "tcp"}),
    WideFamily.INET: frozenset({"icmp", "icmpv6", "icmpx", "tcp"}),
}

#: What of conntrack is set by the name of an object.
_OBJECTS_OF_CT = frozenset(one.value for one in ObjectKind if one.value.startswith("ct "))

#: Numbers in a ``log`` statement, and their bits.
_LOG_NUMBERS = {"log_group": 16, "log_snaplen": 32, "log_threshold": 16}
_QUEUES = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)

#: What may give each packet an address of its own.
_NAT_FIELDS = frozenset({"payload", "numgen", "jhash", "symhash"})

_RATE = re.compile(r"(\d{1,19})/(\w+)", re.ASCII)
#: ADDRESS, ADDRESS/LENGTH or ADDRESS-ADDRESS, and ports.
_PLACE = re.compile(
    r"(?P<low>[0-9.]+|\[[0-9A-Fa-f:.]+\])?"
    r"(?:/(?P<length>[0-9]{1,3})|-(?P<high>[0-9.]+|\[[0-9A-Fa-f:.]+\]))?"
    r"(?P<ports>:[0-9]{1,6}(?:-[0-9]{1,6})?)?",
    re.ASCII,
)


#: How an address of IPv6 begins.
_WITH_COLONS = re.compile(r"\[|[0-9A-Fa-f]*:[0-9A-Fa-f]*:", re.ASCII)


@attrs.frozen
class NftRuleReader:
    """Reads the rules of a table of one family."""

    words: Words
    family: TableFamily
    #: Makes a chain of the rules in a block, and gives its name.
    inner: Callable[[Token, Branch], str]

    @property
    def expressions(self) -> ExpressionReader:
        """The reader of what stands in the statements."""
        return ExpressionReader(self.words, self.family)

    def rule(self, tree: Branch) -> Rule:
        """A rule with its comment."""
        children = branches(tree)
        comment = ""
        if children[-1].data == "comment":
            comment = self.words.comment(word_of(children.pop()))
        start = first_token(tree)
        statements = tuple(self._statement(child) for child in children)
        span = self.words.span(start) if start is not None else None
        return Rule(statements, comment, span)

    def _statement(self, tree: Branch) -> s.Statement:
        if tree.data in VERDICTS:
            return self.expressions.verdict(tree)
        named = tree.data in {"limit", "quota", "synproxy"}  # which tables have as objects, too
        read: Callable[[Branch], s.Statement] = getattr(self, f"{'' if named else '_'}{tree.data}")
        return self.words.build(first_token(tree), lambda: read(tree))

    def _jump_block(self, tree: Branch) -> s.Jump:
        return s.Jump(self.inner(tokens(tree)[0], branches(tree)[0]))

    def _goto_block(self, tree: Branch) -> s.Goto:
        return s.Goto(self.inner(tokens(tree)[0], branches(tree)[0]))

    # --- comparisons ----------------------------------------------------------------------------

    def _match(self, tree: Branch) -> s.Match:
        left_tree, *middle, right_tree = branches(tree)
        left, types_ = self.expressions.expression(left_tree)
        sign = str(word_of(middle[0])) if middle else ""
        sign = _SIGNS.get(sign, sign)
        place = word_of(right_tree)
        if right_tree.data in {"elements", "reference"}:
            if sign not in _EQUALITIES:
                raise self.words.problem(place, f"nothing is “{sign}” a set")
            return s.Match(left, sign or "==", self.expressions.members(right_tree, types_))
        if len(types_) > 1:
            raise self.words.problem(place, "such a key is looked up in a set or a map")
        (type_,) = types_
        if type_.type.is_mask:
            return self._match_flags(left, sign, right_tree, type_)
        if right_tree.data != "value" or sign == "!":
            raise self.words.problem(place, "only flags are compared this way")
        prefix = self.words.build(place, lambda: types.prefix_of_number(place, type_.type))
        if prefix is not None and sign in _EQUALITIES:
            masked = x.Binary("&", left, x.Hex(prefix[1]))
            return s.Match(masked, sign or "==", x.Hex(prefix[0]))
        right = self.words.value(place, type_)
        if sign not in _EQUALITIES and not isinstance(right, x.Number | x.Hex | x.Host):
            raise self.words.problem(place, f"nothing is “{sign}” this")
        return s.Match(left, sign or "==", right)

    def _match_flags(
        self, left: x.Expression, sign: str, tree: Branch, type_: types.Reading
    ) -> s.Match:
        place = word_of(tree)
        if tree.data == "masked":
            flags, mask = branches(tree)
            if isinstance(left, x.Binary) or sign not in _EQUALITIES:
                raise self.words.problem(place, "this comparison does not take a mask")
            value = self.expressions.flags(tokens(flags), type_)
            masked = x.Binary("&", left, self.expressions.flags(tokens(mask), type_))
            return s.Match(masked, sign or "==", value)
        if sign == "" and isinstance(left, x.Binary):
            raise self.words.problem(place, "an operator is missing before this", "write == or !=")
        if tree.data == "any_of" and sign not in {"", "!"}:
            raise self.words.problem(place, f"a list does not go with “{sign}”")
        if sign not in {"", "!", "==", "!="}:
            raise self.words.problem(place, f"nothing is “{sign}” flags")
        # Without a sign any of the flags will do, even where they are joined by bars.
        return s.Match(left, sign or "in", self.expressions.flags(tokens(tree), type_))

    def _vmap(self, tree: Branch) -> s.VerdictMap:
        key_tree, map_tree = branches(tree)
        key, types_ = self.expressions.expression(key_tree)
        return s.VerdictMap(key, self.expressions.verdicts(map_tree, types_))

    # --- other statements -----------------------------------------------------------------------

    def _assign(self, tree: Branch) -> s.Assign | s.UseObject:
        key_tree, value_tree = branches(tree)
        named = " ".join(("ct", *key_tree.words()))
        if named in _OBJECTS_OF_CT and value_tree.data == "value":
            return self._use(ObjectKind(named), word_of(value_tree))
        key, types_ = self.expressions.expression(key_tree)
        if not isinstance(key, x.Meta | x.Ct | x.Payload | x.TcpOption):
            raise self.words.problem(word_of(key_tree), "this cannot be set")
        (type_,) = types_
        if value_tree.data == "expression":
            value, found = self.expressions.expression(value_tree)
            if len(found) > 1:
                raise self.words.problem(word_of(value_tree), "this is not one value")
        elif value_tree.data == "lookup":
            value = self.expressions.lookup(value_tree, (type_,))
        elif value_tree.data in {"any_of", "all_of"}:
            value = self.expressions.flags(tokens(value_tree), type_)
        else:
            value = self.words.value(word_of(value_tree), type_)
        return s.Assign(key, value)

    def _counter(self, tree: Branch) -> s.Counter:
        return s.Counter(*self.expressions.counted(tree))

    def _named_counter(self, tree: Branch) -> s.NamedCounter:
        place = word = word_of(tree)
        if word.type == "STRING":
            word = word.reading(self.words.string(word))
        return s.NamedCounter(self.words.refer("counter", place, self.words.name(word)))

    def _named_limit(self, tree: Branch) -> s.UseObject:
        return self._use(ObjectKind.LIMIT, word_of(tree))

    def _named_quota(self, tree: Branch) -> s.UseObject:
        return self._use(ObjectKind.QUOTA, word_of(tree))

    def _named_synproxy(self, tree: Branch) -> s.UseObject:
        return self._use(ObjectKind.SYNPROXY, word_of(tree))

    def _flow(self, tree: Branch) -> s.UseObject:
        (word,) = tokens(tree)
        name = self.words.refer(ObjectKind.FLOWTABLE.value, word, str(word)[1:])
        return s.UseObject(ObjectKind.FLOWTABLE, name)

    def _use(self, kind: ObjectKind, place: Token) -> s.UseObject:
        """A statement that names an object of the table."""
        word = place
        if place.type == "STRING":
            word = place.reading(self.words.string(place))
        return s.UseObject(kind, self.words.refer(kind.value, place, self.words.name(word)))

    def limit(self, tree: Branch) -> s.Limit:
        """A rate, and what may come at once."""
        found = {branch.data: branch for branch in branches(tree)}
        over, burst = "over" in found, found.get("burst")
        first, *rest = tokens(tree)
        if rest:
            return self._byte_limit(first, rest[0], burst, over=over)
        match = _RATE.fullmatch(first)
        if not match or match[2] not in _PERIODS:
            raise self.words.problem(first, f"“{printed(first)}” is not a rate of packets")
        packets = self._amount(burst, {"packets": 1}, 32) if burst else 5
        return s.Limit(int(match[1]), match[2], packets, over=over)

    def _byte_limit(
        self, number: Token, per: Token, burst: Branch | None, *, over: bool
    ) -> s.Limit:
        """A rate as nft writes it: ``3 kbytes/second``."""
        unit, _, period = per.partition("/")
        if unit not in _BYTES or period not in _PERIODS:
            raise self.words.problem(per, f"“{printed(per)}” is not a rate of bytes")
        rate = self.words.integer(number, 64) * _BYTES[unit]
        octets = self._amount(burst, _BYTES, 32) if burst else 0
        return s.Limit(rate, period, octets, over, "bytes")

    def _amount(self, tree: Branch, units: Mapping[str, int], bits: int) -> int:
        """A number and its unit."""
        number, unit = tokens(tree)[0], word_of(branches(tree)[0])
        return self.words.integer(number, bits) * self.words.look_up(unit, units, "unit here")

    def _ct_count(self, tree: Branch) -> s.CtCount:
        return s.CtCount(self.words.integer(tokens(tree)[0]), over=bool(branches(tree)))

    def _last(self, tree: Branch) -> s.Last:
        (word,) = tokens(tree) or (None,)
        unused = word is None or str(word) == "never"
        return s.Last(None if unused or word is None else self.words.milliseconds(word))

    def _reset_option(self, tree: Branch) -> s.ResetOption:
        return s.ResetOption(str(word_of(tree)))

    def quota(self, tree: Branch) -> s.Quota:
        """A number of bytes."""
        found = {branch.data: branch for branch in branches(tree)}
        unit = self.words.look_up(word_of(found["unit"]), _BYTES, "unit here")
        octets = self.words.integer(tokens(tree)[0], 63) * unit
        used = self._amount(found["used"], _BYTES, 63) if "used" in found else 0
        return s.Quota(octets, "over" in found, used)

    def _reject(self, tree: Branch) -> s.Reject:
        if not tree.children:
            return s.Reject(_UNREACHABLE[self.family], "port-unreachable")
        kind = word_of(branches(tree)[0])
        protocol, (reason,) = str(kind), tokens(tree)
        if protocol not in _ANSWERS[self.family]:
            raise self.words.problem(kind, f"a table of {self.family.value} has no {kind}")
        if protocol == "tcp":
            return s.Reject(protocol, str(reason))
        names = s.REASONS[protocol]
        if str(reason) in names:
            return s.Reject(protocol, str(reason))
        number = self.words.integer(reason, 8)
        by_number = {number: name for name, number in names.items()}
        if number not in by_number:
            raise self.words.problem(reason, f"no reason of {protocol} has this number")
        return s.Reject(protocol, by_number[number])

    def _log(self, tree: Branch) -> s.Log:
        prefix = level = ""
        flags: tuple[str, ...] = ()
        numbers: dict[str, int] = {}
        for option in branches(tree):
            word = word_of(option)
            if option.data in _LOG_NUMBERS and option.data not in numbers:
                numbers[option.data] = self.words.integer(word, _LOG_NUMBERS[option.data])
            elif option.data == "log_flags":
                flags += self._log_flags(option)
            elif option.data == "log_prefix" and not prefix:
                prefix = self.words.string(word)
            elif option.data == "log_level" and not level:
                if str(word) not in _LEVELS:
                    raise self.words.problem(word, f"“{printed(word)}” is not a level of the log")
                level = str(word)
            else:
                raise self.words.problem(word, "this is given twice")
        # The kernel's default, which nft does not list.
        usual = "" if level == "warn" else level
        return s.Log(prefix, usual, flags, *map(numbers.get, _LOG_NUMBERS))

    def _log_flags(self, tree: Branch) -> tuple[str, ...]:
        header, words = "", tokens(tree)
        if below := branches(tree):
            header = str(word_of(branches(below[0])[0]))
            words = tokens(below[0])
        elif str(words[0]) == "all":
            return _ALL_LOG_FLAGS
        return tuple(self.words.look_up(word, _LOG_FLAGS[header], "flag of log") for word in words)

    def _notrack(self, _tree: Branch) -> s.Notrack:
        return s.Notrack()

    def _queue(self, tree: Branch) -> s.Queue:
        flags = tuple(str(word_of(flag)) for below in branches(tree) for flag in branches(below))
        first = last = 0
        for word in tokens(tree):
            found = _QUEUES.fullmatch(word)
            if not found:
                raise self.words.problem(word, f"“{printed(word)}” is not a queue")
            first = self.words.integer(word.reading(found[1]), 16)
            last = self.words.integer(word.reading(found[2] or found[1]), 16)
            if last < first:
                raise self.words.problem(word, "the range ends before it starts")
        return s.Queue(first, last, flags)

    def _dup(self, tree: Branch) -> s.Dup:
        maps, words = branches(tree), tokens(tree)
        if not isinstance(self.family, Family):
            place = word_of(tree)
            raise self.words.problem(place, f"a table of {self.family.value} duplicates no packets")
        own = types.ADDRESS[self.family]
        if maps:
            device = words
            address: x.Expression = self.expressions.lookup(maps[0], (own,))
        else:
            word, *device = words
            address = self.words.value(word, own)
        if not isinstance(address, x.Host | x.Lookup):
            raise self.words.problem(word, "a packet is sent to one address")
        return s.Dup(address, "".join(map(self._device, device)))

    def _device(self, word: Token) -> str:
        """The name of one interface."""
        interface = self.words.value(word, types.INTERFACE)
        if not isinstance(interface, x.Interface) or interface.wildcard:
            raise self.words.problem(word, "this is not the name of one interface")
        return interface.name

    def _tproxy(self, tree: Branch) -> s.Tproxy:
        (word,) = tokens(tree)
        family = self._family_of_address(tree)
        address, port = self._place(word, family)
        if not isinstance(address, x.Host | None) or not isinstance(port, x.Number | None):
            raise self.words.problem(word, "a proxy has one address and one port")
        number = port.value if port else None
        return s.Tproxy(address, number, self._said(family))

    def synproxy(self, tree: Branch) -> s.Synproxy:
        """What a proxy of handshakes offers."""
        numbers: dict[str, int] = {}
        flags: list[str] = []
        for option in branches(tree):
            word = word_of(option)
            if option.data in numbers or str(word) in flags:
                raise self.words.problem(word, "this is given twice")
            if option.data == "synproxy_flag":
                flags.append(str(word))
            else:
                bits = 16 if option.data == "synproxy_mss" else 8
                numbers[option.data] = self.words.integer(word, bits)
        mss, wscale = map(numbers.get, ("synproxy_mss", "synproxy_wscale"))
        return s.Synproxy(mss, wscale, tuple(flags))

    def _update(self, tree: Branch) -> s.UpdateSet:
        operation, key_tree, *options = branches(tree)
        key, _ = self.expressions.expression(key_tree)
        found = {option.data: option for option in options}
        timeout = found.get("timeout")
        limit: s.Limit | s.CtCount | s.Quota | s.Counter | None = None
        if "limit" in found:
            limit = self.limit(found["limit"])
        elif "ct_count" in found:
            limit = self._ct_count(found["ct_count"])
        elif "quota" in found:
            limit = self.quota(found["quota"])
        elif "counter" in found:
            limit = self._counter(found["counter"])
        value: x.Expression | None = None
        if "data" in found:
            value, _ = self.expressions.expression(branches(found["data"])[0])
        return s.UpdateSet(
            str(word_of(operation)),
            self.words.refer("set", tokens(tree)[0], str(tokens(tree)[0])[1:]),
            key,
            self.words.seconds(word_of(timeout)) if timeout else None,
            limit,
            value,
        )

    # --- NAT ------------------------------------------------------------------------------------

    def _nat(self, tree: Branch) -> s.Nat:
        kind, *rest = branches(tree)
        address: x.Expression | None = None
        port: x.Expression | None = None
        flags: tuple[str, ...] = ()
        prefix = False
        family = self._family_of_address(tree)
        words = tokens(tree)
        found = {branch.data: branch for branch in rest}
        if "port_map" in found:
            # Behind a map of addresses the protocol of the ports' map stands as a port would.
            place = tokens(found["nat_port"]) if "nat_port" in found else words
            address, port = self._mapped_port(place, found["port_map"], family)
        elif len(words) > 1:
            raise self.words.problem(words[1], "this is not expected here")
        elif words:
            address, port = self._place(words[0], family)
        for branch in rest:
            if branch.data == "lookup":
                if family is None:
                    message = "it is not said of which family the addresses are"
                    raise self.words.problem(word_of(branch), message, "write ip or ip6 before to")
                own = types.ADDRESS[family]
                address = self.expressions.lookup(branch, (own,), (own, types.PORT))
            elif branch.data == "nat_port" and "port_map" not in found:
                port = self._port_of_map(word_of(branch))
            elif branch.data in _NAT_FIELDS:
                address = self.expressions.field(branch)
            elif branch.data == "nat_flags":
                flags = _nat_flags(branch)
            elif branch.data == "prefix":
                prefix = True
        if prefix and not isinstance(address, x.Lookup):
            address = self._as_prefix(address, tokens(tree)[0])
        return s.Nat(str(word_of(kind)), address, port, flags, prefix, self._said(family))

    def _port_of_map(self, word: Token) -> x.Expression:
        """The port, or a range of them, behind the colon that stands behind a map."""
        text = word.removeprefix(":")
        if not text or ":" in text:
            raise self.words.problem(word, f"“{printed(word)}” is not a port")
        return self.words.convert(word, lambda _: types.PORT.read(text))

    def _family_of_address(self, tree: Branch) -> Family | None:
        """The family of an address that is bound to: the table's, the one said, or its own.

        None where nothing says it.
        """
        for said in (one for one in branches(tree) if one.data == "nat_family"):
            family = Family(str(word_of(said)))
            if family not in families_of(self.family):
                raise self.words.problem(word_of(said), "this is not the family of the table")
            return family
        if isinstance(self.family, Family):
            return self.family
        for word in tokens(tree):
            if not word.startswith(":"):
                return Family.IP6 if _WITH_COLONS.match(word) else Family.IP
        own = (str(word_of(one)) for one in branches(tree) if one.data == "payload")
        return next((Family(header) for header in own if header in {"ip", "ip6"}), None)

    def _said(self, family: Family | None) -> Family | None:
        """The family as the statement has it: that of the table needs no word."""
        return None if isinstance(self.family, Family) else family

    def _as_prefix(self, address: x.Expression | None, word: Token) -> x.Prefix:
        """What ``_as_range`` made a range of, as the network that it is."""
        match address:
            case x.Host(only):
                return x.Prefix(only, only.family.bits)
            case x.Range(x.Host(first), x.Host(last)):
                length = first.family.bits - (first.value ^ last.value).bit_length()
                return x.Prefix(first, length)
        raise self.words.problem(word, f"“{printed(word)}” is not a network")

    def _masquerade(self, tree: Branch) -> s.Nat:
        kind, *rest = branches(tree)
        found = {branch.data: branch for branch in rest}
        address: x.Expression | None = None
        port: x.Expression | None = None
        words = tokens(tree)
        if "port_map" in found:
            address, port = self._mapped_port(words, found["port_map"], None)
        elif words:
            address, port = self._place(words[0], None)
        if address:
            raise self.words.problem(words[0], f"{word_of(kind)} takes ports only")
        flags = _nat_flags(found["nat_flags"]) if "nat_flags" in found else ()
        return s.Nat(str(word_of(kind)), None, port, flags)

    def _mapped_port(
        self, words: list[Token], tree: Branch, family: Family | None
    ) -> tuple[x.Expression | None, x.Lookup]:
        """An address, if there is one, and behind its colon a map: ``10.0.0.1:tcp dport map``."""
        *before, last = words
        text, _, protocol = last.rpartition(":")
        address = None
        if text or before:
            place = before[0] if before else last.reading(text)
            address, port = self._place(place, family)
            if port or (before and text):
                raise self.words.problem(last, "there is a port already")
        (field,) = tokens(tree)
        key = self.words.build(field, lambda: x.Payload(protocol, str(field)))
        types_ = (types.reading(key.place.type[0]),)
        map_ = self.expressions.map(branches(tree)[0], types_, (types.PORT,))
        return address, x.Lookup(key, map_)

    def _place(
        self, word: Token, family: Family | None
    ) -> tuple[x.Expression | None, x.Expression | None]:
        """An address or a range of them, and ports; IPv6 needs brackets only before ports."""
        if family is Family.IP6 and _WITH_COLONS.match(word) and not word.startswith("["):
            return _as_range(self.words.value(word, types.ADDRESS[family])), None
        match = _PLACE.fullmatch(word)
        if not match or (not match["low"] and (match["length"] or match["high"])):
            raise self.words.problem(word, f"“{printed(word)}” is not an address with ports")
        address: x.Expression | None = None
        if match["low"] and family is None:
            raise self.words.problem(word, "no address is expected here")
        if match["low"] and family is not None:
            text = match["low"].strip("[]")
            if match["length"]:
                text += f"/{match['length']}"
            elif match["high"]:
                text += f"-{match['high'].strip('[]')}"
            read = types.ADDRESS[family].read
            address = _as_range(self.words.convert(word, lambda _: read(text)))
        if not match["ports"]:
            return address, None
        ports = match["ports"][1:]
        return address, self.words.convert(word, lambda _: types.PORT.read(ports))


def _as_range(address: x.Expression) -> x.Expression:
    """Nft lists a range that a prefix can say as that prefix."""
    if not isinstance(address, x.Prefix):
        return address
    low = address.address
    last = low.value | (1 << low.family.bits - address.length) - 1
    return x.Range(x.Host(low), x.Host(Address(low.family, last)))


def _nat_flags(tree: Branch) -> tuple[str, ...]:
    return tuple(str(word_of(flag)) for flag in branches(tree))
