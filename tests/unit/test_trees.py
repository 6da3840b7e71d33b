"""Trees of both languages: walked, searched, changed; checked where they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

import vpccni_nft
from vpccni_nft import iptables, nft

from ..support.corpus import FOLDER
from ..support.dumps import NODE

DUMP = vpccni_nft.parse((FOLDER / "vpccni" / "v1.23-nft-default.save").read_text())
SMALL = vpccni_nft.parse(NODE)
SCRIPT = vpccni_nft.translate(NODE).ruleset

BOTH = pytest.mark.parametrize("tree", [SMALL, SCRIPT], ids=["iptables", "nft"])


def same(node: Any) -> Any:
    return node


@BOTH
def test_a_walk_begins_with_the_tree_and_has_every_rule(tree: Any) -> None:
    nodes = list(tree.walk())
    assert nodes[0] is tree
    rules = [rule for table in tree.tables for chain in table.chains for rule in chain.rules]
    kind = type(rules[0])
    assert [id(one) for one in tree.find_all(kind)] == [id(one) for one in rules]


def test_values_are_found_too() -> None:
    assert {str(one) for one in SMALL.find_all(iptables.Network)} == {"10.0.0.0/8", "10.0.0.0/16"}


@BOTH
def test_what_does_not_change_is_the_same_tree(tree: Any) -> None:
    assert tree.transform(same) is tree


def test_a_change_shares_the_rest() -> None:
    def accept(node: Any) -> Any:
        return iptables.Accept() if isinstance(node, iptables.Drop) else node

    changed = SMALL.transform(accept)
    assert not list(changed.find_all(iptables.Drop))
    assert list(SMALL.find_all(iptables.Drop))
    filter_, nat = SMALL.tables
    assert changed.tables[1] is nat
    assert changed.tables[0].chains[0] is filter_.chains[0]


def test_a_part_that_is_left_out_leaves_no_place_behind() -> None:
    def without_comments(node: Any) -> Any:
        return None if isinstance(node, iptables.Comment) else node

    changed = DUMP.transform(without_comments)
    assert not list(changed.find_all(iptables.Comment))
    for rule in changed.find_all(iptables.Rule):
        assert len(rule.match_spans) in {0, len(rule.matches)}
    assert "--comment" not in iptables.save(changed)


def test_a_part_that_must_be_there_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match=r"destination|value|Network|cannot be left out"):
        SMALL.transform(lambda node: None if isinstance(node, iptables.Network) else node)
    with pytest.raises(ValueError, match="whole tree"):
        SMALL.transform(lambda node: None if node is SMALL else node)


def test_a_change_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"Rule.target is Target \| None"):
        SMALL.transform(lambda node: "DROP" if isinstance(node, iptables.Drop) else node)


@pytest.mark.parametrize("language", ["iptables", "nft"])
def test_a_chain_is_renamed_with_what_calls_it(language: str) -> None:
    tree: Any = SMALL if language == "iptables" else SCRIPT
    changed = tree.rename_chain("KUBE-FIREWALL", "MY-FIREWALL")
    text = iptables.save(changed) if language == "iptables" else nft.serialize(changed)
    assert "KUBE-FIREWALL" not in text
    assert "MY-FIREWALL" in text
    assert type(vpccni_nft.verify(changed, NODE)).__name__ == "Equivalent"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("NO-SUCH", "X", "no table has a chain"),
        ("INPUT", "X", "built in"),
        ("KUBE-FIREWALL", "FORWARD", "already"),
        ("KUBE-FIREWALL", "A\nB", "one line"),
    ],
)
def test_a_chain_that_cannot_be_renamed(old: str, new: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SMALL.rename_chain(old, new)


def test_an_edited_tree_goes_everywhere_without_a_text() -> None:
    def narrower(node: Any) -> Any:
        if isinstance(node, iptables.Network) and str(node) == "10.0.0.0/8":
            return iptables.Network.parse("10.0.0.0/9")
        return node

    changed = SMALL.transform(narrower)
    translation = vpccni_nft.translate(changed)
    assert "10.0.0.0/9" in translation.script()
    assert "10.0.0.0/9" in iptables.save(changed)
    assert nft.as_json(translation.ruleset)["nftables"]
    assert type(vpccni_nft.verify(changed, translation.ruleset)).__name__ == "Equivalent"
    answer = vpccni_nft.verify(SMALL, translation.ruleset, first=True)
    assert type(answer).__name__ == "Different"
    found = vpccni_nft.explain(changed, "hook=input saddr=10.200.0.1")
    assert len(found.sides) == 2
    assert len(vpccni_nft.explain(SMALL, "hook=input saddr=10.200.0.1", changed).sides) == 2


def test_objects_and_their_text_have_the_same_answers() -> None:
    assert vpccni_nft.translate(SMALL).script() == vpccni_nft.translate(NODE).script()
    assert vpccni_nft.translate(SMALL, optimize=True).script() == (
        vpccni_nft.translate(NODE, optimize=True).script()
    )
    assert vpccni_nft.inventory(SMALL).owners == vpccni_nft.inventory(NODE).owners
    of_objects = vpccni_nft.detect(iptables_nft_save=DUMP)
    assert of_objects.kubelet == vpccni_nft.detect(iptables_nft_save=iptables.save(DUMP)).kubelet


def test_objects_stand_beside_texts_on_one_side() -> None:
    before: list[Any] = [SMALL, "table ip mine { chain c { } }"]
    assert type(vpccni_nft.verify(before, NODE)).__name__ == "Equivalent"


def test_what_no_translation_knows_of_objects_is_refused() -> None:
    rule = iptables.Rule(matches=(iptables.UnknownMatch("geoip", ("--x",)),))
    chain = iptables.Chain("INPUT", iptables.Policy.ACCEPT, (rule,))
    dump = iptables.Ruleset((iptables.Table(vpccni_nft.Family.IP, "filter", (chain,)),))
    assert vpccni_nft.translate(dump).refused
    assert type(vpccni_nft.verify(dump, dump)).__name__ == "Unknown"


IP = vpccni_nft.Family.IP

#: Without the types that a checker would hold callers to.
ipt: Any = iptables
new: Any = nft
made: Any = vpccni_nft

#: What is made wrongly, and what the error says was wanted.
WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an address as text": (
        lambda: ipt.Rule(source="10.0.0.0/8"), TypeError, r"Rule.source is .*Network.*text"
    ),
    "no Negatable": (
        lambda: ipt.Rule(source=ipt.Network.parse("10.0.0.0/8")),
        TypeError, r"Rule.source is Negatable\[Network\]",
    ),
    "text in a Negatable": (
        lambda: ipt.Rule(source=ipt.Negatable("10.0.0.0/8")), TypeError, "Rule.source",
    ),
    "a protocol by name": (
        lambda: ipt.Rule(protocol=ipt.Negatable("tcp")), TypeError, "Rule.protocol"
    ),
    "a list": (lambda: ipt.Table(IP, "filter", []), TypeError, "Table.chains is tuple"),
    "a match that is text": (
        lambda: ipt.Rule(matches=("conntrack",)), TypeError, "Rule.matches is tuple"
    ),
    "a verdict as text": (lambda: ipt.Rule(target="DROP"), TypeError, "Rule.target is Target"),
    "a policy as text": (lambda: ipt.Chain("A", "ACCEPT"), TypeError, "is Policy"),
    "a family as text": (lambda: ipt.Table("ip", "nat"), TypeError, "Table.family is Family"),
    "a mark as text": (lambda: ipt.SetMark("0x1", "0x1"), TypeError, "SetMark"),
    "a second rule": (lambda: ipt.Jump("X\n-A INPUT -j DROP"), ValueError, "one line"),
    "a second line": (lambda: ipt.Comment("a\n-A INPUT -j DROP"), ValueError, "one line"),
    "a chain of two lines": (lambda: ipt.Chain("A\nB"), ValueError, "one line"),
    "unknown words of two lines": (
        lambda: ipt.UnknownTarget("X", ("a\nb",)), ValueError, "one line"
    ),
    "an address in nft": (
        lambda: new.Match(new.Payload("ip", "saddr"), "==", "10.0.0.1"), TypeError, "Match.right"
    ),
    "a number in nft": (
        lambda: new.Assign(new.Meta("mark"), 1), TypeError, "Assign.value is Expression"
    ),
    "statements of text": (lambda: new.Rule(("drop",)), TypeError, "Rule.statements"),
    "no hook": (lambda: new.Hook("filter", "inputt", 0), ValueError, "inputt"),
    "a hook as text": (lambda: new.Chain("c", (), "input"), TypeError, "Chain.hook is Hook"),
    "a format": (lambda: made.translate(NODE).script("yaml"), ValueError, "nft, json"),
    "a family": (lambda: made.parse(NODE, family="ip4"), ValueError, "ip, ip6"),
    "one code": (lambda: made.translate(NODE, allow="T101"), TypeError, r'\["T101"\]'),
    "counters": (lambda: made.translate(NODE, counters="no"), ValueError, "keep, zero"),
    "a path": (lambda: made.translate(FOLDER), TypeError, "str or bytes"),
    "nothing": (lambda: made.parse(None), TypeError, "str or bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_made_wrongly_is_an_error_that_says_what_is_wanted(name: str) -> None:
    make, kind, reason = WRONG[name]
    with pytest.raises(kind, match=reason):
        make()


def test_a_family_can_be_given_by_its_word() -> None:
    text = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    assert vpccni_nft.parse(text, family="ip6").tables[0].family is vpccni_nft.Family.IP6


def test_a_name_with_a_blank_makes_no_option_of_a_dump() -> None:
    rule = iptables.Rule(target=iptables.Jump("X -s 10.0.0.1"))
    chain = iptables.Chain("INPUT", iptables.Policy.ACCEPT, (rule,))
    text = iptables.save(iptables.Ruleset((iptables.Table(IP, "filter", (chain,)),)))
    assert '-A INPUT -j "X -s 10.0.0.1"\n' in text


def test_every_field_of_every_node_is_still_what_readers_make_of_it() -> None:
    """Nodes that were read can be made again from their own values."""
    for node in (*DUMP.walk(), *SCRIPT.walk()):
        assert attrs.evolve(node) == node
