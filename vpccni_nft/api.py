"""The public functions: texts or objects in, answers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .core.diagnostics import Refused
from .core.span import IPSET_NAME, Source
from .core.values import Family, choice_of
from .translation import UNREAD, Translation, translate_ruleset, translate_sources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from . import iptables, nft
    from .lowering import TranslateOptions
    from .node.ownership import Inventory
    from .proof.answers import Answer
    from .proof.side import Side
    from .simulate.explain import Explanation

    #: What stands on a node: a text of either language, or the objects of one.
    Rules = str | bytes | iptables.Ruleset | nft.Ruleset


def parse(
    text: str | bytes,
    *,
    name: str = "<string>",
    family: Family | str | None = None,
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
    known = None if family is None else choice_of(Family, family, "family")
    ruleset, diagnostics = parse_sources((Source.of(text, name),), known, sets)
    if any(found.refuses and found.code not in UNREAD for found in diagnostics):
        raise Refused(diagnostics)
    return ruleset


def translate(
    text: str | bytes | iptables.Ruleset,
    *,
    name: str = "<string>",
    family: Family | str | None = None,
    allow: Collection[str] = (),
    counters: Literal["keep", "zero", "none"] = "keep",
    ipset_save: str | bytes | None = None,
    optimize: bool = False,
    target: str = "nft=1.0.1",
) -> Translation:
    r"""Translate the output of iptables-save, or a ruleset of iptables, to nftables.

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
    from . import iptables
    from .lowering import TranslateOptions

    options = TranslateOptions.of(
        counters=counters,
        allow=allow,
        optimize=optimize,
        family=family,
        ipset_save=ipset_save,
        target=target,
    )
    if isinstance(text, iptables.Ruleset):
        return translate_ruleset(text, options)
    return translate_sources((Source.of(text, name),), options)


def verify(  # noqa: PLR0913 - one for each choice
    before: Rules | Iterable[Rules],
    after: Rules | Iterable[Rules],
    *,
    ipset_save: str | bytes | None = None,
    family: Family | str | None = None,
    allow: Collection[str] = (),
    counters: bool = False,
    seconds: float = 60,
    timeout: float | None = None,
    order: str = "every",
    accept: Collection[str] = (),
    per_hook: bool = False,
    internal_mark: int = 0,
    facts: Mapping[str, str] | None = None,
    first: bool = False,
) -> Answer:
    r"""Prove that two sides treat every packet the same, or find one that they do not.

    Each side is one text or several: output of iptables-save, nft rulesets, or both, which stand
    together on a node; in place of a text, its objects. ``family`` is the family of tables for
    which a dump does not show it. ``ipset_save`` is the output of ``ipset save``, for rules that
    name sets. ``allow`` names codes of approximations that are taken for exact. With ``counters``
    it must be the same rules of both sides that count a packet. ``seconds`` is the time for each
    question to the solver, ``timeout`` that for the whole proof, if it is bounded. ``order`` says
    in which order base chains of one priority run: ``every`` order is tried, it is the ``same`` on
    both sides, they run as they are ``given``, they were ``registered`` as they are given, or a
    list as of ``--order`` (``docs/proof.md``). ``accept`` has what may differ: names of catalogues,
    and TOML texts as the files of ``--accept`` hold them. Packets are followed from where they come
    in to where they leave; with ``per_hook`` each hook is compared by itself. ``internal_mark`` has
    bits of the mark that only the rules look at: what they are when a packet is routed or leaves
    does not count. ``facts`` has what is known of the node, as ``Snapshot.facts`` of a record has
    it: what ``ip -j`` prints, by the names that this has in a record. With ``first`` it stops at
    the first packet that differs, without the classes of all others.

    The answer is ``Equivalent`` with what it assumes, ``Different`` with packets, or ``Unknown``
    with reasons. Raises Refused where a text cannot be read, CannotRead where facts cannot,
    ValueError where ``allow`` is something else, and ImportError without z3-solver
    (``pip install 'vpccni-nft[verify]'``).

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
    from .node.facts import known_node
    from .proof.order import ChainOrder
    from .proof.verify import ProofSettings
    from .proof.verify import verify as prove

    options = TranslateOptions.of(allow=allow, family=family, ipset_save=ipset_save)
    one, other = (_side(given, options) for given in (before, after))
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
        node=known_node(facts, "facts") if facts else None,
    )
    return prove(one, other, settings)


def explain(
    rules: Rules,
    packet: str,
    other: Rules | None = None,
    *,
    family: Family | str | None = None,
    ipset_save: str | bytes | None = None,
) -> Explanation:
    r"""Walk one packet through rules, and say what each does (``docs/explain.md``).

    A dump is shown beside its translation; with ``other`` two sides are compared. ``packet`` is a
    text as of ``vpccni-nft explain --packet``. Raises Refused where rules cannot be read,
    ValueError where the packet cannot, and NoMeaning where it comes to a rule that the model knows
    nothing of.

    >>> text = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    >>> explain(text, "hook=output daddr=10.0.0.1").traces[0].outcome.verdict.kind
    'drop'
    """
    from .simulate.explain import explain as walk

    given = [rules] if other is None else [rules, other]
    sets = None if ipset_save is None else Source.of(ipset_save, IPSET_NAME)
    known = None if family is None else choice_of(Family, family, "family")
    return walk(_sources_or_objects(given), packet, known, sets)


def inventory(*rules: Rules, family: Family | str | None = None) -> Inventory:
    r"""Find the owner of each chain and rule of one node, given as texts or objects.

    Raises Refused where a text cannot be read.

    >>> inventory("*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -d 10.0.0.1\nCOMMIT\n").owners
    ('kube-proxy',)
    """
    from . import iptables
    from .node.ownership import inventory as owned
    from .node.ownership import inventory_of
    from .text.language import by_language

    if len(rules) == 1 and isinstance(rules[0], iptables.Ruleset):
        return owned(rules[0])
    dumps, listings = by_language(map(_source_of, _sources_or_objects(rules)))
    known = None if family is None else choice_of(Family, family, "family")
    return inventory_of(dumps, known, listings)[0]


def _sources_or_objects(given: Iterable[Rules]) -> list[Source | iptables.Ruleset | nft.Ruleset]:
    """Texts with their names; objects as they are. Raises TypeError for anything else."""
    from . import iptables, nft

    return [
        one
        if isinstance(one, iptables.Ruleset | nft.Ruleset)
        else Source.of(one, f"<string {number}>")
        for number, one in enumerate(given, 1)
    ]


def _source_of(rules: Source | iptables.Ruleset | nft.Ruleset) -> Source:
    """The text of objects, where they stand beside texts."""
    from . import iptables, nft

    if isinstance(rules, Source):
        return rules
    text = iptables.save(rules) if isinstance(rules, iptables.Ruleset) else nft.serialize(rules)
    return Source.of(text, "<objects>")


def _side(given: Rules | Iterable[Rules], options: TranslateOptions) -> Side:
    """One side of a proof."""
    from . import iptables, nft
    from .proof.side import Side

    one = isinstance(given, str | bytes | iptables.Ruleset | nft.Ruleset)
    rules = _sources_or_objects([given] if one else given)  # type: ignore[list-item,arg-type]
    if len(rules) == 1 and not isinstance(rules[0], Source):
        return Side.holding(rules[0])
    return Side.of([_source_of(each) for each in rules], options)
