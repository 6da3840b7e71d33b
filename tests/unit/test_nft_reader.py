"""What the nft reader makes of tables, of names, and of remarks."""

from __future__ import annotations

import time

import attrs
import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.diagnostics import NFT_LOOP, NFT_MISSING, NFT_SYNTAX, Code
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Family
from vpccni_nft.nft import expressions as x
from vpccni_nft.nft import statements as s
from vpccni_nft.text.nft_reader import load
from vpccni_nft.text.nft_script import rule_text

from ..support.namespaces import Namespace
from ..support.nft_texts import BASE, in_chain, read_rule, refused


def test_a_rule_keeps_its_place() -> None:
    text = "table ip t {\n\tchain c {\n\t\taccept\n\t\tip saddr 10.0.0.1 drop\n\t}\n}\n"
    first, second = nft.parse(text, "node.nft").tables[0].chains[0].rules
    assert first.origin is None
    assert str(second.origin) == "node.nft:4:3"


def test_nothing_at_all_is_an_empty_ruleset() -> None:
    assert nft.parse("") == nft.parse(b"\n# nothing\n\n") == nft.Ruleset()


def test_to_draw_a_number_twice_is_not_to_draw_it_once() -> None:
    draw = x.Numgen(2, "random")
    assert s.has_side_effect(s.VerdictMap(draw, x.SetReference("m")))
    assert s.has_side_effect(s.Match(x.Concat((draw, x.Meta("mark"))), "==", x.SetReference("m")))
    assert not s.has_side_effect(s.VerdictMap(x.Meta("mark"), x.SetReference("m")))


@pytest.mark.parametrize(
    ("more", "rules", "elements", "policy"),
    [
        ("table t { chain c { drop; }; set s { type mark; elements = { 2 }; }; }\n", 2, 2, "drop"),
        ("table ip t { chain c { type filter hook input priority 0; drop; }; }\n", 2, 1, "drop"),
        (
            "table ip t { chain c { type filter hook input priority 0; policy accept; }; }\n",
            1, 1, "accept",
        ),
        ("add table ip t\n", 1, 1, "drop"),
        ("flush chain ip t c\n", 0, 1, "drop"),
        ("flush table t\n", 0, 1, "drop"),
        (f"delete table ip t\n{BASE}", 1, 1, "drop"),
        (f"destroy table ip t\ndestroy table ip t\n{BASE}", 1, 1, "drop"),
        (f"flush ruleset\n{BASE}", 1, 1, "drop"),
    ],
)  # fmt: skip
def test_a_table_that_is_there_is_added_to_flushed_or_deleted(
    more: str, rules: int, elements: int, policy: str, namespace: Namespace
) -> None:
    """In one text and in two, as the kernel has it in the end."""
    loaded = load((Source.of(BASE, "first.nft"), Source.of(more, "second.nft")))
    assert loaded.ruleset == nft.parse(BASE + more)
    (table,) = loaded.ruleset.tables
    (chain,) = table.chains
    assert chain.hook
    assert (len(chain.rules), chain.hook.policy) == (rules, policy)
    assert len(table.sets[0].elements) == elements
    namespace.load(BASE)
    if "destroy" not in more:  # nft 1.0.6 does not know it
        namespace.load(more)
        assert nft.parse(namespace.list_ruleset()) == loaded.ruleset


def test_what_is_deleted_and_not_added_again_is_gone() -> None:
    loaded = load((Source.of(BASE, "first.nft"), Source.of("delete table ip t\n", "second.nft")))
    assert loaded.ruleset == nft.Ruleset()
    assert loaded.cleared == {(Family.IP, "t")}
    assert not loaded.cleared_all


def test_objects_are_frozen() -> None:
    element = x.Element(x.Number(1))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        element.comment = "x"  # type: ignore[misc]


# --- what is named ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "message", "word"),
    [
        ("jump nowhere", "no chain nowhere", "nowhere"),
        ("goto nowhere", "no chain nowhere", "nowhere"),
        ("mark vmap { 1 : accept, 2 : jump nowhere }", "no chain nowhere", "nowhere"),
        ("mark @nothing", "no set nothing", "@nothing"),
        ("mark vmap @nothing", "no set nothing", "@nothing"),
        ("meta mark set mark map @nothing", "no set nothing", "@nothing"),
        ("add @nothing { mark }", "no set nothing", "@nothing"),
        ('counter name "nothing"', "no counter nothing", '"nothing"'),
    ],
)
def test_what_a_rule_names_has_to_be_there(rule: str, message: str, word: str) -> None:
    with pytest.raises(vpccni_nft.Refused) as refused:
        read_rule(rule)
    (found,) = refused.value.diagnostics
    assert (found.code, found.message) == (NFT_MISSING, f"the table t has {message}")
    assert found.span is not None
    assert found.span.text == word


MAPS = """table ip t {
	map m {
		type mark : verdict
		elements = { 1 : goto b }
	}
	chain a {
		type filter hook input priority 0;
		mark vmap @m
	}
	chain b {
		%s
	}
	chain c {
		jump c
	}
}
"""


def test_an_element_may_name_a_chain_that_comes_later() -> None:
    assert nft.parse(MAPS % "accept")
    with pytest.raises(vpccni_nft.Refused) as refused:
        nft.parse(MAPS.replace("goto b", "goto d") % "accept")
    (found,) = refused.value.diagnostics
    assert (found.code, str(found.span)) == (NFT_MISSING, "<string>:4:25")


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("jump b", NFT_LOOP),
        ("mark vmap @m", NFT_LOOP),
        # The kernel alone calls a base chain.
        ("goto a", NFT_SYNTAX),
        ("mark vmap { 1 : jump a }", NFT_SYNTAX),
    ],
)
def test_no_chain_leads_back_to_itself_from_a_hook(rule: str, code: Code) -> None:
    with pytest.raises(vpccni_nft.Refused) as refused:
        nft.parse(MAPS % rule)
    (found,) = refused.value.diagnostics
    assert found.code is code
    assert found.span is not None
    assert found.span.line == 11


def test_many_chains_that_share_their_callees_are_walked_once() -> None:
    chains = "".join(f"chain c{n} {{ jump c{n + 1}\n jump c{n + 1}\n }}\n" for n in range(2000))
    base = "chain a { type filter hook input priority 0; jump c0; }"
    text = f"table ip t {{ {base}\n{chains}chain c2000 {{ }}\n}}\n"
    start = time.perf_counter()
    nft.parse(text)
    assert time.perf_counter() - start < 20


# --- remarks ------------------------------------------------------------------------------------

REMARKS = """# a header; with { signs
table ip t { # handle 1
\t# of its own
\tset s { # handle 2
\t\ttype ipv4_addr # addresses
\t\telements = { 10.0.0.1, # one
\t\t\t# another
\t\t\t10.0.0.2 # two
\t\t} # behind
\t}
\tchain c { # handle 3
\t\ttype filter hook forward priority 0; policy accept; # mine
\t\t# counter of its own
\t\tip saddr 10.0.0.1 accept # handle 4
\t\taccept#handle 5
\t\ttcp dport { 80, # web
\t\t\t443 } accept comment "# no remark" # handle 7
\t}
}
# the end"""


def test_remarks_stand_where_they_hide_nothing() -> None:
    (table,) = nft.parse(REMARKS).tables
    assert len(table.sets[0].elements) == 2
    assert [rule_text(rule) for rule in table.chains[0].rules] == [
        "ip saddr 10.0.0.1 accept",
        "accept",
        'tcp dport { 80, 443 } accept comment "# no remark"',
    ]


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("accept # mine", 10),
        ("ip saddr 10.0.0.1 counter packets 7 bytes 420 # xt_MASQUERADE", 49),
        ("counter # recent: CHECK seconds: 5 name: a side: source", 11),
        ("accept # handle 4 drop", 10),
        ("accept # handle", 10),
        ('accept comment "a" # xt_LOG', 22),
        ("# xt_multiport counter packets 1 bytes 2 drop", 3),
        ("# recent: UPDATE name: a side: source counter packets 0 bytes 0 drop", 3),
    ],
)
def test_a_remark_that_may_hide_an_extension_is_refused(rule: str, column: int) -> None:
    """What nft before 1.0.6, or built without xtables, lists of rules of iptables-nft."""
    (found,) = refused(in_chain(rule))
    assert found.span
    assert (found.span.line, found.span.start) == (3, column)
    assert "iptables-nft-save" in found.hint
