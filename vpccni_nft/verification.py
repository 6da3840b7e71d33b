"""Whether two sides of a node mean the same: texts in, answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core.span import Source
from .translation import IPSET_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .core.values import Family
    from .proof.answers import Answer


def verify(
    before: str | bytes | Iterable[str | bytes],
    after: str | bytes | Iterable[str | bytes],
    *,
    ipset_save: str | bytes | None = None,
    family: Family | None = None,
    allow: Collection[str] = (),
    counters: bool = False,
    seconds: float = 60,
) -> Answer:
    r"""Prove that two sides treat every packet alike, or find one that they do not.

    Each side is one text or several: output of iptables-save, nft rulesets, or both, which stand
    together on a node. ``family`` is what tables are taken for whose family a dump does not tell.
    ``ipset_save`` is the output of ``ipset save``, for rules that name sets. ``allow`` names codes
    of approximations that are taken for exact. With ``counters`` it must be the same rules of both
    sides that count a packet. ``seconds`` is the time for each question to the solver.

    The answer is ``Equivalent`` with what it assumes, ``Different`` with packets, or ``Unknown``
    with reasons. Raises Refused where a text cannot be read, and ImportError without z3-solver
    (``pip install 'vpccni-nft[verify]'``).

    >>> from vpccni_nft import translate
    >>> dump = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    >>> script = translate(dump).script()
    >>> type(verify(dump, script)).__name__
    'Equivalent'
    >>> wrong = verify(dump, script.replace("10.0.0.0/8", "10.0.0.0/9"))
    >>> wrong.counterexamples[0].plain.text
    'hook=output daddr=10.128.0.0'
    """
    from .proof.side import Side
    from .proof.verify import Settings
    from .proof.verify import verify as prove

    sets = None if ipset_save is None else Source.of(ipset_save, IPSET_NAME)
    one, other = (Side.of(_sources(side), family, sets) for side in (before, after))
    settings = Settings(seconds=seconds, counters=counters, allowed=frozenset(allow))
    return prove(one, other, settings)


def _sources(texts: str | bytes | Iterable[str | bytes]) -> list[Source]:
    if isinstance(texts, str | bytes):
        texts = [texts]
    return [Source.of(text, f"<string {number}>") for number, text in enumerate(texts, 1)]
