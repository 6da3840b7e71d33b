"""The public functions: texts in, answers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .core.diagnostics import Refused
from .core.span import IPSET_NAME, Source
from .translation import UNREAD, Translation, translate_sources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from . import iptables
    from .core.values import Family
    from .proof.answers import Answer


def parse(
    text: str | bytes,
    *,
    name: str = "<string>",
    family: Family | None = None,
    ipset_save: str | bytes | None = None,
) -> iptables.Ruleset:
    r"""Read the output of iptables-save, ip6tables-save or iptables -S, or several in one text.

    ``family`` is used for tables whose family the text does not show. ``ipset_save`` is the output
    of ``ipset save``, for rules that name sets. Matches and targets that are not known stay in the
    result as ``UnknownMatch`` and ``UnknownTarget``. Raises Refused where a line cannot be read or
    the text contradicts itself.

    >>> ruleset = parse("*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8\nCOMMIT\n")
    >>> str(ruleset.tables[0].chains[0].rules[0].destination.value)
    '10.0.0.0/8'
    """
    from .text.sources import parse_sources

    sets = None if ipset_save is None else Source.of(ipset_save, IPSET_NAME)
    ruleset, diagnostics = parse_sources((Source.of(text, name),), family, sets)
    if any(found.refuses and found.code not in UNREAD for found in diagnostics):
        raise Refused(diagnostics)
    return ruleset


def translate(
    text: str | bytes,
    *,
    name: str = "<string>",
    family: Family | None = None,
    allow: Collection[str] = (),
    counters: Literal["keep", "zero", "none"] = "keep",
    ipset_save: str | bytes | None = None,
    optimize: bool = False,
    target: str = "nft=1.0.1",
) -> Translation:
    r"""Translate the output of iptables-save to nftables.

    ``allow`` names codes of approximations (``docs/codes``) that are taken rather than refused.
    ``counters`` says whether rules count on from the dump, from zero, or not at all. ``ipset_save``
    is the output of ``ipset save`` of the same node: without it rules that name ipsets are refused.
    ``optimize`` puts sets and maps in place of long rows of rules (``docs/optimizer.md``).
    ``target`` is the oldest nft that must take the script. ``family`` is what tables are taken for
    whose family the text does not show.
    Problems do not raise: they are in the result, whose ``ruleset`` and ``script()`` raise Refused.
    Raises ValueError where ``allow``, ``counters`` or ``target`` is something else.

    >>> text = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    >>> print(translate(text).script().expandtabs(4), end="")  # doctest: +ELLIPSIS
    # Written by vpccni-nft ...
    add table ip vpccni-raw
    delete table ip vpccni-raw
    table ip vpccni-raw {
        chain OUTPUT {
            type filter hook output priority -300; policy accept;
            ip daddr 10.0.0.0/8 counter drop
        }
    }
    """
    from .lowering import TranslateOptions

    options = TranslateOptions.of(
        counters=counters,
        allow=allow,
        optimize=optimize,
        family=family,
        ipset_save=ipset_save,
        target=target,
    )
    return translate_sources((Source.of(text, name),), options)


def verify(  # noqa: PLR0913 - one for each choice
    before: str | bytes | Iterable[str | bytes],
    after: str | bytes | Iterable[str | bytes],
    *,
    ipset_save: str | bytes | None = None,
    family: Family | None = None,
    allow: Collection[str] = (),
    counters: bool = False,
    seconds: float = 60,
    timeout: float | None = None,
    order: str = "every",
    accept: Collection[str] = (),
    per_hook: bool = False,
    internal_mark: int = 0,
    first: bool = False,
) -> Answer:
    r"""Prove that two sides treat every packet the same, or find one that they do not.

    Each side is one text or several: output of iptables-save, nft rulesets, or both, which stand
    together on a node. ``family`` is the family of tables for which a dump does not show it.
    ``ipset_save`` is the output of ``ipset save``, for rules that name sets. ``allow`` names codes
    of approximations that are taken for exact. With ``counters`` it must be the same rules of both
    sides that count a packet. ``seconds`` is the time for each question to the solver,
    ``timeout`` that for the whole proof, if it is bounded. ``order`` says in which order base
    chains of one priority run: ``every`` order is tried, it is the ``same`` on both sides, they run
    as they are ``given``, they were ``registered`` as they are given, or a list as of ``--order``
    (``docs/proof.md``). ``accept`` has what may differ: names of catalogues, and TOML texts as the
    files of ``--accept`` hold them. Packets are followed from where they come in to where they
    leave; with ``per_hook`` each hook is compared by itself. ``internal_mark`` has bits of the mark
    that only the rules look at: what they are when a packet is routed or leaves does not count.
    With ``first`` it stops at the first packet that differs, without the classes of all others.

    The answer is ``Equivalent`` with what it assumes, ``Different`` with packets, or ``Unknown``
    with reasons. Raises Refused where a text cannot be read, ValueError where ``allow`` is
    something else, and ImportError without z3-solver (``pip install 'vpccni-nft[verify]'``).

    >>> from vpccni_nft import translate
    >>> dump = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    >>> script = translate(dump).script()
    >>> type(verify(dump, script)).__name__
    'Equivalent'
    >>> wrong = verify(dump, script.replace("10.0.0.0/8", "10.0.0.0/9"))
    >>> wrong.counterexamples[0].plain.text
    'path=output daddr=10.128.0.10'
    """
    from .lowering import TranslateOptions
    from .node.catalogues import CATALOGUES, acceptances
    from .proof.order import ChainOrder
    from .proof.side import Side
    from .proof.verify import ProofSettings
    from .proof.verify import verify as prove

    options = TranslateOptions.of(allow=allow, family=family, ipset_save=ipset_save)
    one, other = (Side.of(_sources(side), options) for side in (before, after))
    settings = ProofSettings(
        seconds=seconds,
        timeout=timeout,
        first=first,
        order=ChainOrder.of(order),
        counters=counters,
        allow=options.allow,
        accept=acceptances(
            (each if each in CATALOGUES else Source.of(each, "<accept>") for each in accept),
            one,
            other,
        ),
        paths=not per_hook,
        internal=internal_mark,
    )
    return prove(one, other, settings)


def _sources(texts: str | bytes | Iterable[str | bytes]) -> list[Source]:
    if isinstance(texts, str | bytes):
        texts = [texts]
    return [Source.of(text, f"<string {number}>") for number, text in enumerate(texts, 1)]
