"""The forms of values that options of several matches and targets have."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ..core.values import Address, MaskedMark, Network, PortRange, parse_integer
from ..iptables.services import port_of
from .option_table import Form, Shorthand
from .shared.words import quote

if TYPE_CHECKING:
    from collections.abc import Callable

Names = tuple[str, ...]


def number(
    largest: int = 0xFFFFFFFF, *, smallest: int = 0, text: Callable[[int], str] = str
) -> Form[int]:
    """A number, printed in decimal unless there is another way."""

    def parse(word: str) -> int:
        value = parse_integer(word, largest)
        if value < smallest:
            raise ValueError(f"this must be at least {smallest}")
        return value

    return Form(
        "NUMBER", parse if smallest else functools.partial(parse_integer, largest=largest), text
    )


NUMBER = number()


def choice(*names: str, fold: Callable[[str], str] = str) -> Form[str]:
    """One of these words; ``fold`` makes one of another spelling."""

    def parse(word: str) -> str:
        name = fold(word)
        if name not in names:
            raise ValueError(f"“{word}” is not one of {', '.join(names)}")
        return name

    return Form("|".join(names), parse)


def parse_list(text: str, names: Names) -> Names:
    """Read a list with commas, in any order and case; the result has the order of ``names``."""
    given = {word.upper() for word in text.split(",")}
    if unknown := given.difference(names):
        raise ValueError(f"“{min(unknown)}” is not one of {', '.join(names)}")
    return tuple(name for name in names if name in given)


def list_of(names: Names) -> Form[Names]:
    """Some of these words in capitals, with commas."""
    return Form("NAME[,NAME...]", lambda text: parse_list(text, names), ",".join)


def text_of(
    subject: str, most: int, *, least: int = 0, text: Callable[[str], str | Names] = quote
) -> Form[str]:
    """Any text of so many bytes."""
    size = f"{least} to {most}" if least else f"at most {most}"

    def parse(word: str) -> str:
        if not least <= len(word.encode("utf-8", "surrogateescape")) <= most:
            raise ValueError(f"{subject} has {size} bytes")
        return word

    return Form("TEXT", parse, text)


#: Any text, in quotes where iptables-save puts some, and any word that is printed as it is.
TEXT, WORD = Form("TEXT", str, quote), Form("NAME", str)

ADDRESS = Form("ADDRESS", Address.parse)


def _network_text(network: Network) -> str:
    return str(network).removesuffix(f"/{network.family.bits}")


#: Networks, a single address without its length.
NETWORK = Form("ADDRESS[/MASK]", Network.parse, _network_text)


def _parse_prefix(text: str) -> Network:
    network = Network.parse(text)
    if network.length is None:
        raise ValueError("a prefix has a mask without gaps")
    return network


def _prefix_text(network: Network) -> str:
    return f"{Address(network.family, network.address)}/{network.length}"


#: Networks with a length, which is always printed.
PREFIX = Form("ADDRESS/LENGTH", _parse_prefix, _prefix_text)


def parse_ports(text: str, separator: str = ":") -> PortRange:
    """Ports by their numbers, or by the names of services."""
    return PortRange.parse(separator.join(map(port_of, text.split(separator))), separator)


PORTS = Form(
    "PORT[:PORT]",
    parse_ports,
    lambda ports: ports.format(":"),
)


def _mark_text(mark: MaskedMark) -> str:
    return f"{mark.value:#x}" if mark.mask == 0xFFFFFFFF else f"{mark.value:#x}/{mark.mask:#x}"


def _full_mark_text(mark: MaskedMark) -> str:
    return f"{mark.value:#x}/{mark.mask:#x}"


#: Marks to compare, without a full mask, and marks to set, always with one.
MARK = Form("VALUE[/MASK]", MaskedMark.parse, _mark_text)
NEW_MARK = Form("VALUE[/MASK]", MaskedMark.parse, _full_mark_text)


def _set_xmark(value: int, mask: int) -> tuple[str, ...]:
    return "--set-xmark", f"{value:#x}/{mask:#x}"


def _set_mark(text: str) -> tuple[str, ...]:
    mark = MaskedMark.parse(text)
    return _set_xmark(mark.value, mark.value | mark.mask)


#: Other ways to set a mark (libxt_MARK.c, libxt_CONNMARK.c).
MARK_SHORTHANDS = (
    Shorthand("--set-mark", _set_mark),
    Shorthand("--or-mark", lambda text: _set_xmark(bits := parse_integer(text), bits)),
    Shorthand("--xor-mark", lambda text: _set_xmark(parse_integer(text), 0)),
    Shorthand("--and-mark", lambda text: _set_xmark(0, parse_integer(text) ^ 0xFFFFFFFF)),
)


def named_mark(subject: str, zero: str) -> Form[MaskedMark]:
    """Masked numbers that a node may have names for; ``zero`` is the name that every node has."""

    def parse(text: str) -> MaskedMark:
        if text == zero:
            return MaskedMark(0)
        if not text[:1].isdigit():
            raise ValueError(
                f"“{text}” is a name that only the node knows: write the {subject}'s number"
            )
        return MaskedMark.parse(text)

    def text(mark: MaskedMark) -> str:
        return zero if mark == MaskedMark(0) else _mark_text(mark)

    return Form("VALUE[/MASK]", parse, text)
