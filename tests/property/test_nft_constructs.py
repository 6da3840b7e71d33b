"""What of nft's reader the drawn rulesets have: each class is drawn, or the reason stands."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from vpccni_nft import strategies as own
from vpccni_nft.core.values import Family
from vpccni_nft.iptables.protocols import TCP
from vpccni_nft.nft import ast, words
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.words import HookName, SetOperation
from vpccni_nft.strategies.nft_reads import Reads
from vpccni_nft.strategies.nft_rules import ADDRESS_TYPE, Site, rules

from ..support.nft_classes import WITHOUT_MEANING, nodes_in, subclasses
from ..support.profiles import ALL

#: Classes that are not drawn, beside those without a meaning.
NO_CLASS = {
    **WITHOUT_MEANING,
    s.Last: "nft before 1.0.7 has no word for it; with a newer one it is in CONSTRUCTS",
    s.Queue: "no program decides there, and kernels are built without queues",
}

#: Words that are not drawn, by their enumerations.
NO_WORD: dict[type[words.Word], dict[str, str]] = {
    words.MetaKey: {
        "sdif": "without a meaning: unknown (V003)",
        "sdifname": "without a meaning: unknown (V003)",
    },
    words.CtKey: {
        "event": "without a meaning: unknown (V003)",
        "id": "the kernel makes it of numbers that it keeps to itself",
        "expiration": "seconds go by between a packet and the look at it",
        "protocol": "as meta l4proto",
    },
}


#: Where statements of the filter type may stand, with a set that rules change.
SITES = [
    Site(
        family,
        frozenset({hook}),
        is_nat=False,
        callees=("one",),
        sets={"set_a": ast.Set("set_a", ADDRESS_TYPE[family].name, ("dynamic",))},
        ahead=hook == HookName.PREROUTING,
    )
    for family in Family
    for hook in (HookName.PREROUTING, HookName.FORWARD)
]


def test_each_construct_is_drawn_or_has_a_reason() -> None:
    everything = {*subclasses(x.Expression), *subclasses(s.Statement)}
    missing = everything - set(NO_CLASS)
    drawn: dict[type[words.Word], set[str]] = {kind: set() for kind in NO_WORD}
    drawn[SetOperation] = set()
    for family, protocol, hook in product(Family, (None, TCP), words.HookName):
        reads = Reads(family, protocol, frozenset({hook}))
        for one in (*reads.known, *reads.alone):
            if isinstance(one, x.Meta | x.Ct):
                drawn[words.MetaKey if isinstance(one, x.Meta) else words.CtKey].add(one.key)

    def is_whole(kind: type[words.Word]) -> bool:
        return {str(word) for word in kind} - drawn[kind] <= set(NO_WORD.get(kind, ()))

    def is_all(drawn_one: object) -> bool:
        for node in nodes_in(tuple(drawn_one) if isinstance(drawn_one, list) else drawn_one):
            assert type(node) not in NO_CLASS
            missing.discard(type(node))
            if isinstance(node, x.Meta):
                drawn[words.MetaKey].add(node.key)
            elif isinstance(node, x.Ct):
                drawn[words.CtKey].add(node.key)
            elif isinstance(node, s.UpdateSet):
                drawn[SetOperation].add(node.operation)
        return not missing and all(map(is_whole, drawn))

    rows = st.lists(st.one_of(*map(rules, SITES)), min_size=8)
    how = settings(ALL, max_examples=1000, phases=[Phase.generate])
    with suppress(NoSuchExample):
        find(own.nft_rulesets() | own.nft_rulesets() | rows, is_all, settings=how)
    assert not missing
    for kind, found in drawn.items():
        assert {str(word) for word in kind} - found == set(NO_WORD.get(kind, ()))
