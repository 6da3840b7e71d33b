"""string: whether the packet has some text.

Kernel: net/netfilter/xt_string.c and lib/ts_*.c.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import NO_NFT_FORM
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.headers import changing
from ...model.oracle import Oracle, OracleKind
from .. import kinds as k
from ..extension import Extension
from ..forms import number
from ..option_table import Form, Option, OptionTable, exactly_one
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.values import Negatable
    from ...model.effects import View
    from ...nft import statements as s
    from ..context import Context

#: Bytes of a pattern and letters of an algorithm (XT_STRING_MAX_*).
MOST_BYTES, MOST_LETTERS = 128, 15
#: Where the search ends if nothing is said of it.
END = 0xFFFF

#: The pieces of ``--hex-string``: bytes between bars, a letter behind a backslash, or a letter.
_HEX = re.compile(r"\|([0-9A-Fa-f ]*)\||\\(.)|([^|\\])", re.DOTALL)


@attrs.frozen(kw_only=True)
class String(Match):
    """``-m string`` with ``--string`` or ``--hex-string``, and where to look for it."""

    pattern: Negatable[bytes]
    algorithm: str
    start: int = 0
    end: int = END
    ignores_case: bool = False

    def __attrs_post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError("--to is before --from")


def _parse_text(text: str) -> bytes:
    return _checked(text.encode("utf-8", "surrogateescape"))


def _parse_hexadecimal(text: str) -> bytes:
    pieces = list(_HEX.finditer(text))
    if sum(len(piece[0]) for piece in pieces) != len(text):
        raise ValueError(f"“{text}” is not text with |hexadecimal digits| in it")
    return _checked(
        b"".join(
            bytes.fromhex(piece[1])
            if piece[1] is not None
            else (piece[2] or piece[3]).encode("utf-8", "surrogateescape")
            for piece in pieces
        )
    )


def _checked(pattern: bytes) -> bytes:
    if not 1 <= len(pattern) <= MOST_BYTES:
        raise ValueError(f"a pattern has 1 to {MOST_BYTES} bytes")
    return pattern


def _parse_algorithm(text: str) -> str:
    if not 1 <= len(text) <= MOST_LETTERS:
        raise ValueError(f"an algorithm's name has 1 to {MOST_LETTERS} letters")
    return text


def meaning(node: String, view: View) -> Test:
    """The text is somewhere in that part of the packet."""
    case = " in any case" if node.ignores_case else ""
    sought = (node.pattern.value, case, node.start, node.end, node.algorithm)
    found = view.says(Oracle(OracleKind.HAS_TEXT, parameters=sought), *changing(view.state))
    return Test(view.negate(found, negated=node.pattern.negated))


def lower(node: String, context: Context) -> tuple[s.Match, ...]:
    """There is no form for it."""
    why = "nft does not search packets for text"
    if node.end != END:
        why += (
            "; and the meaning of --to depends on the kernel: since Linux 6.6 the text must end"
            " before it, in older ones it only has to begin there"
        )
    raise context.refuse(why, "u32 compares bytes at a fixed offset, and can be translated")


_OFFSETS = k.Several(k.OneOf(END, k.Integers(0, END)), 2, 2).map(sorted)
_DRAW = k.Build(
    lambda ends, **fields: String(start=ends[0], end=ends[1], **fields),
    k.OneOf([0, END], _OFFSETS),
    pattern=k.negatable(
        k.Among((b"abc", b'a "b\\c', b"\x00\xff", b"a\\", b"|61|")) | k.Octets(1, MOST_BYTES)
    ),
    algorithm=k.Among(("bm", "kmp")),
    ignores_case=k.FLAG,
)


def _quoted(pattern: bytes) -> str:
    escaped = re.sub(r'(["\\\\])', r"\\\1", pattern.decode())
    return f'"{escaped}"'


def _pattern(*, printable: bool) -> Callable[[String], Negatable[bytes] | None]:
    """What cannot be printed makes all of the pattern hexadecimal."""

    def show(node: String) -> Negatable[bytes] | None:
        pattern = node.pattern.value
        is_printable = all(0x20 <= byte <= 0x7E for byte in pattern)
        return node.pattern if (is_printable and not pattern.endswith(b"\\")) is printable else None

    return show


_TEXT = Form("TEXT", _parse_text, _quoted)
_HEXADECIMAL = Form("|HEX|", _parse_hexadecimal, lambda pattern: f'"|{pattern.hex()}|"')

EXTENSION = Extension(
    name="string",
    node=String,
    options=OptionTable.of(
        Option("--string", _TEXT, "pattern", negatable=True, show=_pattern(printable=True)),
        Option(
            "--hex-string", _HEXADECIMAL, "pattern", negatable=True, show=_pattern(printable=False)
        ),
        Option("--algo", Form("NAME", _parse_algorithm), "algorithm", required=True),
        Option("--from", number(END), "start"),
        Option("--to", number(END), "end"),
        Option("--icase", field="ignores_case"),
        exactly_one("--string", "--hex-string"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=_DRAW,
    aim=lambda node, draft: draft.answer_all(
        lambda view: meaning(node, view), not node.pattern.negated
    ),
    nft="none: nft does not search packets for text",
    codes=(NO_NFT_FORM,),
)
