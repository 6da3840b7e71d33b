"""What of nft's reader the drawn rulesets have: each class is drawn, or the reason stands."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vpccni_nft import strategies as own
from vpccni_nft.core.values import Family
from vpccni_nft.iptables.protocols import TCP
from vpccni_nft.nft import ast, words
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.nft.words import HookName
from vpccni_nft.strategies.nft_rules import Site, rules
from vpccni_nft.strategies.nft_values import Reads

from ..support.nft_classes import nodes_in, subclasses
from ..support.profiles import ALL

#: Classes that are not drawn.
NO_CLASS = {
    x.Osf: "no packets of known systems are sent",
    x.Ipsec: "nothing is encrypted in the node of the tests",
    x.Socket: "no program has sockets there",
    x.Hash: "the kernel's numbers are not computed: an oracle answers",
    x.SymmetricHash: "the kernel's numbers are not computed: an oracle answers",
    x.Rt: "what the route has is not seen by the probes",
    x.Mac: "packets come from addresses that hold their marks",
    x.String: "names of helpers: none is loaded",
    s.Dup: "a copy is a packet that the probes do not tell from the first one",
    x.SctpChunk: "packets of SCTP are sent without chunks that differ",
    x.IpOption: "packets are sent without options of the network header",
    x.RawTcpOption: "packets of TCP have the option of segment sizes alone",
    x.Inner: "nothing is sent through a tunnel",
    s.ResetOption: "what stands in options behind it is not seen by the probes",
    s.Last: "nft before 1.0.7 has no word for it, and packets see no difference",
    s.UseObject: "as the limit or quota of a rule; names of helpers and timeouts are not loaded",
    s.Queue: "no program decides there, and kernels are built without queues",
    s.Synproxy: "the kernel's own handshakes are not followed",
}

#: Words that are not drawn, by their enumerations.
NO_WORD: dict[type[words.Word], dict[str, str]] = {
    words.MetaKey: dict.fromkeys(
        ("iifgroup", "oifgroup", "rtclassid", "cgroup", "ipsec", "sdif", "sdifname", "cpu"),
        "nothing in the node of the tests has one, or the probes do not see it",
    )
    | dict.fromkeys(("hour", "day", "time"), "the time is an oracle's")
    | dict.fromkeys(("iiftype", "oiftype"), "without a meaning: unknown (V003)")
    | dict.fromkeys(("random", "skgid", "nftrace", "priority"), "as another one that is drawn"),
    words.CtKey: dict.fromkeys(
        (
            "zone",
            "event",
            "id",
            "bytes",
            "packets",
            "avgpkt",
            "l3proto",
            "label",
            "helper",
            "expiration",
        ),
        "the probes do not see it, or it has no meaning: unknown (V003)",
    )
    | {"protocol": "as meta l4proto"},
}


#: Where all statements of the filter type may stand, with a set that rules change.
SITE = Site(
    Family.IP,
    frozenset({HookName.PREROUTING}),
    is_nat=False,
    callees=("one",),
    sets={"set_a": ast.Set("set_a", "ipv4_addr", ("dynamic",))},
)


def test_each_construct_is_drawn_or_has_a_reason() -> None:
    classes: set[type] = set()
    drawn: dict[type, set[str]] = {words.MetaKey: set(), words.CtKey: set()}
    operations: set[str] = set()

    @given(own.nft_rulesets() | st.lists(rules(SITE), min_size=8, max_size=8).map(tuple))
    @settings(ALL, max_examples=120)
    def collect(drawn_one: object) -> None:
        for node in nodes_in(drawn_one):
            classes.add(type(node))
            if isinstance(node, x.Meta):
                drawn[words.MetaKey].add(node.key)
            elif isinstance(node, x.Ct):
                drawn[words.CtKey].add(node.key)
            elif isinstance(node, s.UpdateSet):
                operations.add(node.operation)

    collect()
    for reads in (Reads(family, protocol) for family in Family for protocol in (None, TCP)):
        for one in reads.known:
            if isinstance(one, x.Meta | x.Ct):
                drawn[words.MetaKey if isinstance(one, x.Meta) else words.CtKey].add(one.key)
    everything = {*subclasses(x.Expression), *subclasses(s.Statement)}
    assert everything - classes == set(NO_CLASS)
    for kind, without in NO_WORD.items():
        assert {str(word) for word in kind} - drawn[kind] == set(without)
    assert operations == {str(word) for word in words.SetOperation}
