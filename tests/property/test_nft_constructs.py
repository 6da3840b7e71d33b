"""What of nft's reader the drawn rulesets have: each class is drawn, or the reason stands."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from vpccni_nft import strategies as own
from vpccni_nft.core.values import Family
from vpccni_nft.iptables.protocols import TCP
from vpccni_nft.nft import ast, words
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.words import HookName
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
    classes: set[type] = set()
    drawn: dict[type, set[str]] = {words.MetaKey: set(), words.CtKey: set()}
    operations: set[str] = set()

    @given(
        own.nft_rulesets()
        | own.nft_rulesets()
        | st.lists(st.one_of(*map(rules, SITES)), min_size=8)
    )
    @settings(ALL, max_examples=200)
    def collect(drawn_one: object) -> None:
        for node in nodes_in(tuple(drawn_one) if isinstance(drawn_one, list) else drawn_one):
            classes.add(type(node))
            if isinstance(node, x.Meta):
                drawn[words.MetaKey].add(node.key)
            elif isinstance(node, x.Ct):
                drawn[words.CtKey].add(node.key)
            elif isinstance(node, s.UpdateSet):
                operations.add(node.operation)

    collect()
    for family, protocol, hook in product(Family, (None, TCP), words.HookName):
        reads = Reads(family, protocol, frozenset({hook}))
        for one in (*reads.known, *reads.alone):
            if isinstance(one, x.Meta | x.Ct):
                drawn[words.MetaKey if isinstance(one, x.Meta) else words.CtKey].add(one.key)
    everything = {*subclasses(x.Expression), *subclasses(s.Statement)}
    assert everything - classes == set(NO_CLASS)
    for kind, without in NO_WORD.items():
        assert {str(word) for word in kind} - drawn[kind] == set(without)
    assert operations == {str(word) for word in words.SetOperation}
