"""The commands of ``nft -f``: what is there after them, and what they are refused for."""

from __future__ import annotations

import json

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.diagnostics import NFT_LOOP, NFT_MISSING, NFT_SYNTAX, Code, Diagnostic
from vpccni_nft.core.span import Source
from vpccni_nft.text.nft_expression_text import element_text
from vpccni_nft.text.nft_reader import load
from vpccni_nft.text.nft_script import rule_text

from ..support.namespaces import Namespace
from ..support.profiles import NIGHTLY

#: A table whose rules have handles, as ``nft -a`` lists them.
BASE = """table ip t {
	chain c {
		counter # handle 4
		accept # handle 5
	}
	chain d {
		type filter hook input priority 0; policy accept;
		jump c # handle 6
	}
	set s { type mark; elements = { 1, 2 }; }
	map m { type mark : verdict; elements = { 1 : jump c }; }
}
"""


def after(commands: str, base: str = BASE) -> nft.Ruleset:
    return load((Source.of(base, "base.nft"), Source.of(commands, "more.nft"))).ruleset


def rules(commands: str, chain: str = "c") -> list[str]:
    (table,) = after(commands).tables
    (found,) = (one for one in table.chains if one.name == chain)
    return [rule_text(rule) for rule in found.rules]


def elements(commands: str, name: str) -> list[str]:
    (table,) = after(commands).tables
    (found,) = (one for one in table.sets if one.name == name)
    return [element_text(one) for one in found.elements]


def refused(text: str, base: str = BASE) -> Diagnostic:
    with pytest.raises(vpccni_nft.Refused) as caught:
        after(text, base)
    (found, *_) = caught.value.diagnostics
    assert found.span
    assert found.span.source.name == "more.nft"
    return found


@pytest.mark.parametrize(
    ("commands", "left"),
    [
        ("add rule t c drop", ["counter", "accept", "drop"]),
        ("add t c drop", ["counter", "accept", "drop"]),
        ("add rule ip t c drop; add rule ip t c return", ["counter", "accept", "drop", "return"]),
        ("insert rule t c drop", ["drop", "counter", "accept"]),
        ("insert rule t c index 1 drop", ["counter", "drop", "accept"]),
        ("add rule t c index 0 drop", ["counter", "drop", "accept"]),
        ("add rule t c handle 4 drop", ["counter", "drop", "accept"]),
        ("insert rule t c position 4 drop", ["drop", "counter", "accept"]),
        ("replace rule t c handle 4 drop", ["drop", "accept"]),
        ("replace rule t c handle 4 drop; delete rule t c handle 4", ["accept"]),
        ("delete rule t c handle 5", ["counter"]),
        ("flush chain t c", []),
        ("flush chain t c\nadd rule t c drop", ["drop"]),
        ("flush table t", []),
        ("table t { chain c { drop; }; }", ["counter", "accept", "drop"]),
        ("add chain t c { drop; }", ["counter", "accept", "drop"]),
        ("add table t\nadd chain t c\nadd set t s { type mark; }", ["counter", "accept"]),
    ],
)
def test_rules_are_added_replaced_and_deleted(commands: str, left: list[str]) -> None:
    assert rules(commands) == left


@pytest.mark.parametrize(
    ("commands", "name", "left"),
    [
        ("add element t s { 2, 3 }", "s", ["0x1", "0x2", "0x3"]),
        ("create element t s { 3 }", "s", ["0x1", "0x2", "0x3"]),
        ("delete element t s { 1 }", "s", ["0x2"]),
        ("destroy element t s { 1, 9 }", "s", ["0x2"]),
        ("flush set t s", "s", []),
        ("add element t m { 2 : drop }", "m", ["0x1 : jump c", "0x2 : drop"]),
        ("add element t m { 1 : jump c }", "m", ["0x1 : jump c"]),
        ("delete element t m { 1 }", "m", []),
        ("delete element t m { 1 : drop }", "m", []),
        ("flush map t m", "m", []),
        ("rename chain t c e", "m", ["0x1 : jump e"]),
    ],
)
def test_elements_are_added_and_deleted(commands: str, name: str, left: list[str]) -> None:
    assert elements(commands, name) == left


def test_a_chain_that_is_renamed_is_led_to_all_the_same() -> None:
    assert rules("rename chain ip t c e", "d") == ["jump e"]
    assert rules("rename chain ip t c e", "e") == ["counter", "accept"]


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        ("delete chain t d", ["c"]),
        ("flush map t m; delete chain t d; delete chain t c", []),
        ("flush map t m; flush chain t d; delete chain t c", ["d"]),
        ("destroy chain t z", ["c", "d"]),
        ("destroy table z", ["c", "d"]),
        ("delete table t\nadd table t", []),
        ("flush ruleset\nadd table t", []),
        ("flush ruleset ip\nadd table t", []),
        ("flush ruleset ip6", ["c", "d"]),
        ("create chain t z", ["c", "d", "z"]),
    ],
)
def test_chains_are_deleted_and_created(commands: str, names: list[str]) -> None:
    (table,) = after(commands).tables
    assert [chain.name for chain in table.chains] == names


@pytest.mark.parametrize(
    ("commands", "line", "column", "code"),
    [
        ("create table t", 1, 14, NFT_SYNTAX),
        ("create chain t c", 1, 16, NFT_SYNTAX),
        ("create set t s { type mark; }", 1, 14, NFT_SYNTAX),
        ("create element t s { 1 }", 1, 22, NFT_SYNTAX),
        ("add element t m { 1 : drop }", 1, 19, NFT_SYNTAX),
        ("add element t s { 1 : drop }", 1, 19, NFT_SYNTAX),
        ("add element t s { 10.0.0.1 }", 1, 19, NFT_SYNTAX),
        ("add map t s { type mark : mark; }", 1, 11, NFT_SYNTAX),
        ("add chain t d { type filter hook input priority 1; }", 1, 13, NFT_SYNTAX),
        ("add chain t c { policy drop; }", 1, 13, NFT_SYNTAX),
        ("add chain t z { policy drop; }", 1, 24, NFT_SYNTAX),
        ("delete chain t c", 1, 16, NFT_SYNTAX),
        ("rename chain t c d", 1, 16, NFT_SYNTAX),
        ("rename chain t c e; rename chain t c e", 1, 36, NFT_SYNTAX),
        ("rename chain t c e; rename chain t d e", 1, 36, NFT_SYNTAX),
        ("create rule t c accept", 1, 1, NFT_SYNTAX),
        ("create chain t z { meta mark 1 drop; }", 1, 25, NFT_SYNTAX),
        ("create set t z { type mark; elements = { 1 }; }", 1, 42, NFT_SYNTAX),
        ("delete rule t c", 1, 15, NFT_SYNTAX),
        ("replace rule t c accept", 1, 16, NFT_SYNTAX),
        ("table t", 1, 7, NFT_SYNTAX),
        ("add rule t accept", 1, 10, NFT_SYNTAX),
        ("reset counters", 1, 1, NFT_SYNTAX),
        ("\n\nadd rule t c jump z", 3, 19, NFT_MISSING),
        ("add rule t c ip saddr @z drop", 1, 23, NFT_MISSING),
        ("add rule t c jump z; add chain t z", 1, 19, NFT_MISSING),
        ("add element t m { 2 : jump z }", 1, 28, NFT_MISSING),
        ("add rule t z accept", 1, 12, NFT_MISSING),
        ("add rule z c accept", 1, 10, NFT_MISSING),
        ("add rule ip6 t c accept", 1, 14, NFT_MISSING),
        ("delete element t s { 9 }", 1, 22, NFT_MISSING),
        ("delete chain t z", 1, 16, NFT_MISSING),
        ("delete table z", 1, 14, NFT_MISSING),
        ("add rule t c jump d", 1, 19, NFT_SYNTAX),
        ("flush set t m", 1, 13, NFT_MISSING),
        ("delete rule t c handle 9", 1, 24, NFT_MISSING),
        ("destroy rule t c handle 9", 1, 25, NFT_MISSING),
        ("delete chain t handle 3", 1, 23, NFT_SYNTAX),
        ("insert rule t c index 2 drop", 1, 23, NFT_MISSING),
        ("flush chain t z", 1, 15, NFT_MISSING),
    ],
)
def test_what_nft_refuses_is_refused_at_its_place(
    commands: str, line: int, column: int, code: Code
) -> None:
    found = refused(commands)
    assert found.code is code
    assert found.span
    assert (found.span.line, found.span.start) == (line, column)


def test_one_command_that_is_refused_does_not_hide_another_one() -> None:
    with pytest.raises(vpccni_nft.Refused) as caught:
        after("add chain t z { policy drop; }\ncreate table t\n")
    assert [one.span and one.span.line for one in caught.value.diagnostics] == [1, 2]


def test_a_transaction_in_commands_is_what_its_listing_is() -> None:
    commands = """
        add table ip k { comment "rules" ; }
        add chain ip k nat { type nat hook prerouting priority -100 ; }
        add chain ip k services
        add set ip k ips { type ipv4_addr ; comment "addresses" ; }
        add map ip k to { type ipv4_addr . inet_service : verdict ; }
        add rule ip k nat jump services
        add rule ip k services ip daddr . tcp dport vmap @to comment "dispatch"
        add element ip k ips { 10.0.0.1 }
        add element ip k to { 10.0.0.1 . 80 : goto services }
        flush chain ip k services
    """
    listing = """table ip k {
        comment "rules"
        set ips { type ipv4_addr; comment "addresses"; elements = { 10.0.0.1 }; }
        map to { type ipv4_addr . inet_service : verdict
            elements = { 10.0.0.1 . 80 : goto services } }
        chain nat { type nat hook prerouting priority dstnat; policy accept; jump services; }
        chain services { }
    }"""
    assert nft.parse(commands) == nft.parse(listing.replace("} }", "}\n}").replace("; }", ";\n}"))


# --- variables ----------------------------------------------------------------------------------


def rule_of(text: str) -> str:
    (table,) = nft.parse(text).tables
    return rule_text(table.chains[-1].rules[-1])


@pytest.mark.parametrize(
    ("defined", "rule", "text"),
    [
        ("define x = 5", "meta mark $x accept", "meta mark 0x5 accept"),
        ("define x=5", "meta mark $x accept", "meta mark 0x5 accept"),
        ("define a = 10.0.0.1; define p = 80", "tcp dport $p dnat to $a:$p",
         "tcp dport 80 dnat to 10.0.0.1:80"),
        ("define p = { 22, 80-90 }", "tcp dport $p accept", "tcp dport { 22, 80-90 } accept"),
        ("define p = { 22,\n  80 # web\n}", "tcp dport { $p, 443 } accept",
         "tcp dport { 22, 80, 443 } accept"),
        ("define p = 22\ndefine q = { $p, 80 }", "tcp dport $q accept",
         "tcp dport { 22, 80 } accept"),
        ("define n = 10.0.0.0/8", "ip saddr != $n drop", "ip saddr != 10.0.0.0/8 drop"),
        ("define i = \"eth0\"", "iifname $i accept", "iifname \"eth0\" accept"),
        ("define i = { \"e0\", e1 }", "iifname $i drop", "iifname { \"e0\", \"e1\" } drop"),
        ("define s = new,related", "ct state $s accept", "ct state new,related accept"),
        ("define c = \"d\"", "jump $c", "jump d"),
        ("define x = 1\nredefine x = 2", "meta mark $x accept", "meta mark 0x2 accept"),
        ("define x = 1\nundefine x\ndefine x = 3", "meta mark $x accept", "meta mark 0x3 accept"),
        ("define x = 5", "log prefix \"a $5 bill\"", "log prefix \"a $5 bill\""),
        ("define w = me", "log prefix \"for $w: \"", "log prefix \"for me: \""),
    ],
)  # fmt: skip
def test_a_variable_is_replaced_by_its_value(defined: str, rule: str, text: str) -> None:
    hook = "" if "dnat" not in rule else "type nat hook prerouting priority -100;"
    table = f"table ip t {{\nchain d {{ }}\nchain c {{ {hook}\n{rule}\n}}\n}}\n"
    assert rule_of(f"{defined}\n{table}") == text


def test_a_variable_is_known_in_its_block_only() -> None:
    inside = "table ip t {\n define x = 5\n chain c {\n  define y = $x\n  meta mark $y\n }\n}\n"
    assert rule_of(inside) == "meta mark 0x5"
    found = refused("table ip z {\n define x = 5\n}\ntable ip y { chain c {\n meta mark $x\n}\n}\n")
    assert (found.span and found.span.line, found.span and found.span.start) == (5, 12)


def test_variables_can_say_a_priority_and_a_policy() -> None:
    text = 'define p = -10\ndefine q = "drop"\ntable ip t { chain c {\n'
    text += "type filter hook input priority $p; policy $q;\n}\n}\n"
    (chain,) = nft.parse(text).tables[0].chains
    assert chain.hook == nft.Hook("filter", "input", -10, "drop")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("define x = 1\ndefine x = 2\n", 2, 8),
        ("add rule t c meta mark $x\n", 1, 24),
        ("define x = 1\nundefine x\nadd rule t c meta mark $x\n", 3, 24),
        ("define x\n", 1, 8),
        ("define = 1\n", 1, 1),
        ("define x = accept\n", 1, 12),
        ('include "/etc/nftables.d/*.nft"\n', 1, 1),
        ("define x = 77777\nadd rule t c tcp dport $x accept\n", 2, 24),
        ("define long = 5\nadd rule t c meta mark $long nonsense\n", 2, 30),
        ("define long = 5; add rule t c meta mark $long nonsense\n", 1, 47),
    ],
)
def test_what_is_wrong_with_a_variable_is_said_at_its_place(
    text: str, line: int, column: int
) -> None:
    found = refused(text)
    assert found.span
    assert (found.span.line, found.span.start) == (line, column)


# --- tables of other families -------------------------------------------------------------------


OTHERS = """define wan = eth0
table netdev guard {
	chain in {
		type filter hook ingress device $wan priority -500; policy accept; # handle 1
		ether saddr 00:11:22:33:44:55 fwd to "eth1"
	}
}
table bridge br {
	chain pre { type filter hook prerouting priority 0; vlan id 5 drop; }
}
add rule bridge br pre counter
table arp a {
	chain i {
		type filter hook input priority 0; policy accept;
		arp operation request drop
	}
}
table ip t {
	chain c {
		accept
	}
}
"""


def test_tables_of_other_families_are_known_by_where_they_are_called() -> None:
    found = nft.parse(OTHERS)
    assert [table.name for table in found.tables] == ["t"]
    assert str(found.tables[0].chains[0].rules) == str(rules_at(OTHERS))
    guard, bridge, arp = found.others
    assert (guard.family, guard.name) == ("netdev", "guard")
    assert [(one.hook, one.devices) for one in guard.chains] == [("ingress", ("eth0",))]
    assert bridge.text[-1] == "add rule bridge br pre counter"
    assert [one.hook for one in bridge.chains] == ["prerouting"]
    assert arp.family == "arp"
    assert nft.parse(nft.serialize(found)) == found
    with pytest.raises(ValueError, match="no JSON"):
        nft.as_json(found)


def rules_at(text: str) -> object:
    return nft.parse(text[text.index("table ip t") :]).tables[0].chains[0].rules


def test_tables_of_other_families_are_deleted_and_flushed() -> None:
    assert not after("flush ruleset", OTHERS).others
    assert [one.name for one in after("flush ruleset bridge", OTHERS).others] == ["guard", "a"]
    assert [one.name for one in after("delete table arp a", OTHERS).others] == ["guard", "br"]
    assert refused("delete table arp z", OTHERS).code is NFT_MISSING
    assert refused("add rule netdev z c accept", OTHERS).code is NFT_MISSING


def test_flags_of_a_table_are_kept() -> None:
    (table,) = nft.parse("table ip t {\n\tflags dormant\n\tchain c {\n\t}\n}\n").tables
    assert table.is_dormant
    assert nft.parse(nft.serialize(nft.Ruleset((table,)))).tables == (table,)


def test_variables_that_double_each_other_are_refused_in_time() -> None:
    doubled = "".join(f"define a{n + 1} = {{ $a{n}, $a{n} }}\n" for n in range(40))
    assert "too long" in refused(f"define a0 = {{ 1, 2 }}\n{doubled}").message


def test_a_place_behind_many_variables_is_found_in_time() -> None:
    line = "; ".join(["add rule t c meta mark $long"] * (20_000 if NIGHTLY else 8_000))
    found = refused(f"define long = 1\n{line}; add rule t c jump z\n")
    assert found.span
    assert found.span.text == "z"


def test_what_sets_say_of_memory_is_kept(namespace: Namespace) -> None:
    lines = "\t\ttype mark\n\t\tflags timeout\n\t\tgc-interval 1m30s\n\t\tpolicy memory\n"
    (table,) = nft.parse(f"table ip t {{\n\tset s {{\n{lines}\t}}\n}}\n").tables
    assert (table.sets[0].gc_interval, table.sets[0].policy) == (90_000, "memory")
    script = nft.serialize(nft.Ruleset((table,)))
    assert nft.parse(script).tables == (table,)
    namespace.load(script)
    namespace.load(json.dumps(nft.as_json(nft.Ruleset((table,)))), "json")


# --- rules in blocks ----------------------------------------------------------------------------


BLOCK = (
    "table ip t {\n chain d { }\n chain c {\n  meta mark 1 jump {\n   jump d\n   drop\n  }\n }\n}\n"
)


def test_rules_in_a_block_are_a_chain_of_their_own() -> None:
    (table,) = nft.parse(BLOCK).tables
    called, caller, own = table.chains
    assert [rule_text(one) for one in caller.rules] == [f"meta mark 0x1 jump {own.name}"]
    assert [rule_text(one) for one in own.rules] == ["jump d", "drop"]
    assert called.name == "d"
    assert nft.parse(nft.serialize(nft.Ruleset((table,)))).tables == (table,)


def test_rules_in_a_block_are_gone_with_their_rule() -> None:
    (table,) = nft.parse(f"{BLOCK}flush chain t c\ndelete chain t d\n").tables
    assert [chain.name for chain in table.chains] == ["c"]
    assert "in use" in refused("delete chain t d", BLOCK).message
    (table,) = nft.parse(f"{BLOCK}add rule t c goto {{ accept; }}\n").tables
    assert len({chain.name for chain in table.chains}) == 4


def test_rules_in_a_block_name_what_is_there() -> None:
    found = refused("add rule t c jump { jump z; }")
    assert (found.code, found.span and found.span.text) == (NFT_MISSING, "z")
    assert refused("add rule t c jump { jump c; }").code is NFT_LOOP


@pytest.mark.parametrize("depth", [17, 5000])
def test_rules_that_are_nested_too_deep_are_refused(depth: int) -> None:
    found = refused("add rule t c " + "jump { " * depth + "drop; " + "}; " * depth)
    assert "too deep" in found.message
