"""Forms of rules, as ``owners`` writes them, against rules as iptables-save prints them."""

from __future__ import annotations

import re
from functools import cache

_SIGNS = {
    "<net>": r"[0-9a-f.:]+/\d+",
    "<address>": r"\[?[0-9a-f.:]*[0-9a-f]\]?",
    "<if>": r"[^\s+]+",
    "<prefix>": r"(?P<prefix>[^\s+]+)",
    "<n>": r"\d+",
    "<mark>": r"(?P<mark>0x[0-9a-f]+)",
    "<hex>": r"[0-9a-f]+",
    "<host>": r"(?P<host>[0-9a-f.:]+/(?:32|128))",
    "<link>": r"(?P<link>[^\s+]+)",
    "<chain>": r"\S+",
    "<set>": r"\S+",
    "...": r".*",
    "[": "(?:",
    "]": ")?",
    "{": "(?:",
    "|": "|",
    "}": ")",
}

_WORD = re.compile("|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True))))


@cache
def compiled(form: str) -> re.Pattern[str]:
    r"""A form as a regular expression for a whole line.

    What stands twice under one sign must be the same both times, where the sign has a name.

    >>> bool(compiled("-A FORWARD[ -i <if>] -j {DROP|REJECT}").fullmatch("-A FORWARD -j DROP"))
    True
    """
    named: set[str] = set()
    parts = []
    end = 0
    for found in _WORD.finditer(form):
        parts += [re.escape(form[end : found.start()]), _sign(found[0], named)]
        end = found.end()
    return re.compile("".join([*parts, re.escape(form[end:])]))


def _sign(sign: str, named: set[str]) -> str:
    if sign in named:
        return f"(?P={sign[1:-1]})"
    if "(?P<" in _SIGNS[sign]:
        named.add(sign)
    return _SIGNS[sign]
