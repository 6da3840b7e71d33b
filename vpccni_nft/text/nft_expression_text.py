"""Write nft expressions: keys, literals, sets and their elements.

Names, comments and prefixes are safe by construction: lowering makes them, and ``quoted`` refuses
what a quoted nft string cannot hold (nft has no escape for a quote).
"""

from __future__ import annotations

from functools import singledispatch

from ..nft import expressions as x
from ..nft import statements as s

#: The protocols that nft's own grammar names; others need /etc/protocols, so they are numbers.
PROTOCOL_NAMES = {
    1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 50: "esp", 51: "ah",
    58: "icmpv6", 108: "comp", 132: "sctp", 136: "udplite",
}  # fmt: skip


def quoted(text: str) -> str:
    """A quoted string, or ValueError where nft has no way to write it."""
    if '"' in text or not text.isprintable():
        raise ValueError(f"nft cannot write {text!r} as a string")
    return f'"{text}"'


def duration(seconds: int) -> str:
    """A time; nft takes no large number of seconds alone.

    >>> duration(10800), duration(100000000)
    ('10800s', '1157d9h46m40s')
    """
    if seconds < 1_000_000:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h{minutes}m{seconds}s"


@singledispatch
def expression_text(expression: x.Expression) -> str:
    """An expression, as nft reads it."""
    raise TypeError(f"no text for {expression!r}")


@expression_text.register(x.Payload)
def _(e: x.Payload) -> str:
    return f"{e.protocol} {e.field}"


@expression_text.register(x.Meta)
def _(e: x.Meta) -> str:
    # The interfaces' names are keywords of their own; other keys want the word before them.
    return e.key if e.key in {"iifname", "oifname"} else f"meta {e.key}"


@expression_text.register(x.Ct)
def _(e: x.Ct) -> str:
    return f"ct {e.direction} {e.key}" if e.direction else f"ct {e.key}"


@expression_text.register(x.ExtensionHeader)
def _(e: x.ExtensionHeader) -> str:
    return f"{e.name} {e.field}" if e.field else f"exthdr {e.name}"


@expression_text.register(x.RawPayload)
def _(e: x.RawPayload) -> str:
    return f"@{e.base},{e.offset},{e.length}"


@expression_text.register(x.TcpOption)
def _(e: x.TcpOption) -> str:
    return f"tcp option {e.name} {e.field}".rstrip()


@expression_text.register(x.RawTcpOption)
def _(e: x.RawTcpOption) -> str:
    return f"tcp option @{e.number},{e.offset},{e.length}"


@expression_text.register(x.SctpChunk)
def _(e: x.SctpChunk) -> str:
    return f"sctp chunk {e.name} {e.field}".rstrip()


@expression_text.register(x.IpOption)
def _(e: x.IpOption) -> str:
    return f"ip option {e.name} {e.field}".rstrip()


@expression_text.register(x.Inner)
def _(e: x.Inner) -> str:
    inside = e.inside if isinstance(e.inside, str) else expression_text(e.inside)
    return f"{e.tunnel} {inside}"


@expression_text.register(x.Fib)
def _(e: x.Fib) -> str:
    return f"fib {' . '.join(e.flags)} {e.result}"


@expression_text.register(x.Rt)
def _(e: x.Rt) -> str:
    return f"rt {e.key}"


@expression_text.register(x.Socket)
def _(e: x.Socket) -> str:
    return f"socket {e.key}"


@expression_text.register(x.Ipsec)
def _(e: x.Ipsec) -> str:
    number = f" spnum {e.number}" if e.number else ""
    return f"ipsec {e.direction}{number} {e.key}"


@expression_text.register(x.Osf)
def _(e: x.Osf) -> str:
    return f"osf ttl {e.ttl} {e.key}" if e.ttl else f"osf {e.key}"


@expression_text.register(x.Hash)
def _(e: x.Hash) -> str:
    seed = "" if e.seed is None else f" seed {e.seed:#x}"
    return f"jhash {expression_text(e.key)} mod {e.modulus}{seed}{_offset(e)}"


@expression_text.register(x.SymmetricHash)
def _(e: x.SymmetricHash) -> str:
    return f"symhash mod {e.modulus}{_offset(e)}"


@expression_text.register(x.Numgen)
def _(e: x.Numgen) -> str:
    return f"numgen {e.mode} mod {e.modulus}{_offset(e)}"


def _offset(e: x.Hash | x.SymmetricHash | x.Numgen) -> str:
    return f" offset {e.offset}" if e.offset else ""


@expression_text.register(x.Binary)
def _(e: x.Binary) -> str:
    left = expression_text(e.left)
    if isinstance(e.left, x.Binary) and e.left.operator.binding < e.operator.binding:
        left = f"({left})"
    return f"{left} {e.operator} {operand_text(e.right)}"


def operand_text(expression: x.Expression) -> str:
    """What stands behind an operator: flags are joined with bars."""
    if isinstance(expression, x.Flags) and len(expression.names) > 1:
        return f"({' | '.join(expression.names)})"
    return expression_text(expression)


@expression_text.register(x.Concat)
def _(e: x.Concat) -> str:
    return " . ".join(map(element_text, e.parts))


@expression_text.register(x.Lookup)
def _(e: x.Lookup) -> str:
    return f"{expression_text(e.key)} map {expression_text(e.map)}"


@expression_text.register(x.Number)
def _(e: x.Number) -> str:
    return str(e.value)


@expression_text.register(x.Hex)
def _(e: x.Hex) -> str:
    return f"{e.value:#x}"


@expression_text.register(x.Symbol)
def _(e: x.Symbol) -> str:
    return e.name


@expression_text.register(x.String)
def _(e: x.String) -> str:
    # nft would take a star at the end for a wildcard.
    text = f"{e.value[:-1]}\\*" if e.value.endswith("*") else e.value
    return quoted(text)


@expression_text.register(x.Mac)
def _(e: x.Mac) -> str:
    return e.value.to_bytes(6, "big").hex(":")


@expression_text.register(x.Protocol)
def _(e: x.Protocol) -> str:
    return PROTOCOL_NAMES.get(e.number, str(e.number))


@expression_text.register(x.Host)
def _(e: x.Host) -> str:
    return str(e.address)


@expression_text.register(x.Prefix)
def _(e: x.Prefix) -> str:
    return f"{e.address}/{e.length}"


@expression_text.register(x.Range)
def _(e: x.Range) -> str:
    if isinstance(e.low, x.Protocol) and isinstance(e.high, x.Protocol):
        # A name swallows the dash.
        return f"{e.low.number}-{e.high.number}"
    return f"{expression_text(e.low)}-{expression_text(e.high)}"


@expression_text.register(x.Interface)
def _(e: x.Interface) -> str:
    return quoted(interface_pattern(e))


def interface_pattern(interface: x.Interface) -> str:
    """The name as nft matches it: a star at the end is a wildcard unless it is escaped."""
    if interface.wildcard:
        return f"{interface.name}*"
    if interface.name.endswith("*"):
        return f"{interface.name[:-1]}\\*"
    return interface.name


@expression_text.register(x.Flags)
def _(e: x.Flags) -> str:
    return ",".join(e.names)


@expression_text.register(x.AnonymousSet)
def _(e: x.AnonymousSet) -> str:
    return f"{{ {', '.join(map(element_text, e.elements))} }}"


def element_text(element: x.Expression) -> str:
    """An element of a set, where a comma would end it."""
    if isinstance(element, x.Flags):
        return " | ".join(element.names)
    return expression_text(element)


@expression_text.register(x.CatchAll)
def _(_catch_all: x.CatchAll) -> str:
    return "*"


@expression_text.register(x.Element)
def _(e: x.Element) -> str:
    words = [element_text(e.key)]
    if e.counter is not None:
        words.append("counter packets {} bytes {}".format(*e.counter))
    if e.timeout is not None:
        words.append(f"timeout {duration(e.timeout)}")
    if e.expires is not None:
        seconds, milliseconds = divmod(e.expires, 1000)
        words.append(f"expires {seconds}s{milliseconds}ms")
    if e.comment:
        words.append(f"comment {quoted(e.comment)}")
    return " ".join(words)


@expression_text.register(x.Pair)
def _(e: x.Pair) -> str:
    value = e.value
    text = verdict_text(value) if isinstance(value, s.Verdict) else element_text(value)
    return f"{element_text(e.key)} : {text}"


@expression_text.register(x.SetReference)
def _(e: x.SetReference) -> str:
    return f"@{e.name}"


def verdict_text(verdict: s.Verdict) -> str:
    """A verdict, as a statement and as the value of an element have it."""
    match verdict:
        case s.Jump(chain):
            return f"jump {chain}"
        case s.Goto(chain):
            return f"goto {chain}"
        case _:
            return _VERDICTS[type(verdict)]


_VERDICTS: dict[type[s.Verdict], str] = {
    s.Accept: "accept", s.Drop: "drop", s.Return: "return", s.Continue: "continue",
}  # fmt: skip
