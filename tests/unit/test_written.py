"""Lines that are written by hand for iptables-restore, and what iptables-save prints for them.

What it prints is measured: ``tests/kernel/test_restore_files.py`` loads such lines.
"""

from __future__ import annotations

import pytest

import vpccni_nft
from vpccni_nft import Family, Refused, iptables
from vpccni_nft.core.diagnostics import FAMILY_BY_NAME, POLICY_ASSUMED
from vpccni_nft.core.span import Source
from vpccni_nft.text.sources import parse_sources


def saved(text: str, family: Family | None = Family.IP, name: str = "<string>") -> list[str]:
    """The lines of rules and of chains that are not built in."""
    ruleset = vpccni_nft.parse(text, family=family, name=name)
    lines = iptables.save(ruleset).splitlines()
    return [line for line in lines if line[0] in "-[" or line.endswith(" - [0:0]")]


def saved_rules(*lines: str, table: str = "mangle", family: Family = Family.IP) -> list[str]:
    rules = "".join(f"{line}\n" for line in lines)
    return saved(f"*{table}\n:C - [0:0]\n:D - [0:0]\n{rules}COMMIT\n", family)[2:]


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("-A C -p tcp --dport 22 -j D", "-p tcp -m tcp --dport 22 -j D"),
        ("-A C -p tcp -m state --state NEW --dport 80",
         "-p tcp -m state --state NEW -m tcp --dport 80"),
        ("-A C -p tcp -j ACCEPT --dport 80", "-p tcp -m tcp --dport 80 -j ACCEPT"),
        ("-A C -m tcp --dport 80 -p tcp", "-p tcp -m tcp --dport 80"),
        ("-A C -p 6 --dport 80", "-p tcp -m tcp --dport 80"),
        ("-A C -p TCP --dport http:https", "-p tcp -m tcp --dport 80:443"),
        ("-A C -p all -j D", "-j D"),
        ("-A C -p tcp --dpo 80", "-p tcp -m tcp --dport 80"),
        ("-A C --proto tcp --destination-p 80 --jump D", "-p tcp -m tcp --dport 80 -j D"),
        ("-A C -p tcp --dport=22", "-p tcp -m tcp --dport 22"),
        ("-AC -s10.0.0.1 -jD", "-s 10.0.0.1/32 -j D"),
        ("-j D -s 10.0.0.1 -A C", "-s 10.0.0.1/32 -j D"),
        ("-A C -fi eth0 -j D", "-i eth0 -f -j D"),
        ("-A C -s 10/8 -d 10.1", "-s 10.0.0.0/8 -d 10.1.0.0/32"),
        ("-A C -p tcp ! --syn", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN"),
        # A word of multiport may be cut short, too, while tcp is not there yet.
        ("-A C -p tcp -m multiport --sport 80", "-p tcp -m multiport --sports 80"),
        ("-A C -p tcp -m multiport --destination-ports 80,https",
         "-p tcp -m multiport --dports 80,443"),
        ("-A C -p tcp --sport 1 -m multiport --dports 2 --dport 3",
         "-p tcp -m tcp --sport 1 --dport 3 -m multiport --dports 2"),
        ("-A C -p icmp --icmp-type echo-req", "-p icmp -m icmp --icmp-type 8"),
        ("-A C -p icmp ! --icmp-type ttl-exceeded", "-p icmp -m icmp ! --icmp-type 11"),
        ("-A C -p icmp --icmp-type network-unreachable", "-p icmp -m icmp --icmp-type 3/0"),
        ("-A C -m mark --mark 5 -j MARK --set-mark 6",
         "-m mark --mark 0x5 -j MARK --set-xmark 0x6/0xffffffff"),
        ("-A C -j MARK --set-mark 6/3", "-j MARK --set-xmark 0x6/0x7"),
        ("-A C -j MARK --or-mark 6", "-j MARK --set-xmark 0x6/0x6"),
        ("-A C -j MARK --and-mark 6", "-j MARK --set-xmark 0x0/0xfffffff9"),
        ("-A C -j CONNMARK --xor-mark 6", "-j CONNMARK --set-xmark 0x6/0x0"),
        ("-A C -j CONNMARK --restore --mask 0xff",
         "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"),
        ("-A C -j DSCP --set-dscp-class ef", "-j DSCP --set-dscp 0x2e"),
        ("-A C -m dscp --dscp-class AF11", "-m dscp --dscp 0x0a"),
        ("-A C -m tos --tos minimize-delay -j TOS --or-tos 4",
         "-m tos --tos 0x10/0x3f -j TOS --set-tos 0x04/0x04"),
        ("-A C -j TOS --and-tos 4", "-j TOS --set-tos 0x00/0xfb"),
        ("-A C -j LOG --log-level debug", "-j LOG --log-level 7"),
        ("-A C -j LOG --log-level warning", "-j LOG"),
        ("-A C -m ttl --ttl 5", "-m ttl --ttl-eq 5"),
        ("-A C -m owner --uid-owner root", "-m owner --uid-owner 0"),
        ("-A C -m time --weekdays 1,2 --utc",
         "-m time --weekdays Mon,Tue --datestop 2038-01-19T03:14:07"),
        ("-A C -m recent --set",
         "-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource"),
        ("-A C -m connlimit --connlimit-above 5",
         "-m connlimit --connlimit-above 5 --connlimit-mask 32 --connlimit-saddr"),
        ('-A C "-m" comment --comm "two words" -g D', '-m comment --comment "two words" -g D'),
        ("-A C --goto D --", "-g D"),
        ("-A C -4 -v -j D", "-j D"),
    ],
)  # fmt: skip
def test_a_rule_is_printed_as_iptables_save_prints_it(line: str, printed: str) -> None:
    assert saved_rules(line) == [f"-A C {printed}"]


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("-A C -p icmpv6 --icmpv6-type neighbour-sol", "-p ipv6-icmp -m icmp6 --icmpv6-type 135"),
        ("-A C -p 58 -m icmpv6 --icmpv6-type 1/3", "-p ipv6-icmp -m icmp6 --icmpv6-type 1/3"),
        ("-A C -j REJECT", "-j REJECT --reject-with icmp6-port-unreachable"),
        ("-A C -j REJECT --reject-with adm-proh", "-j REJECT --reject-with icmp6-adm-prohibited"),
        ("-A C -m hl --hl 5", "-m hl --hl-eq 5"),
    ],
)
def test_the_same_of_ipv6(line: str, printed: str) -> None:
    assert saved_rules(line, table="filter", family=Family.IP6) == [f"-A C {printed}"]


def test_a_list_of_addresses_is_a_rule_each_in_the_order_of_iptables() -> None:
    lists = "-s 10.0.0.1,10.0.0.2 -d 1.1.1.1,2.2.2.2"
    pairs = [f"-A C -s 10.0.0.{s}/32 -d {d}/32" for s in (1, 2) for d in ("1.1.1.1", "2.2.2.2")]
    assert saved_rules(f"-A C {lists}") == pairs
    assert saved_rules(f"-I C {lists}") == pairs[::-1]


@pytest.mark.parametrize(
    ("lines", "rules"),
    [
        (["-A C -j D", "-I C -j DROP", "-I C 2 -j RETURN", "-I C 4 -s 1.1.1.1"],
         ["-j DROP", "-j RETURN", "-j D", "-s 1.1.1.1/32"]),
        (["-A C -p tcp --dport 1", "-A C -j D", "-D C -p tcp -m tcp --dport 1"], ["-j D"]),
        (["-A C -j D", "-A C -j DROP", "-D C 1"], ["-j DROP"]),
        (["-A C -j D", "-R C 1 -j DROP"], ["-j DROP"]),
        (["-A C -j D", "-C C -j D", "-Z", "-Z C"], ["-j D"]),
        (["-A C -j D", "-F C"], []),
        (["-6 -A C -j D", "-A C -4 -j DROP"], ["-j DROP"]),
    ],
)  # fmt: skip
def test_a_command_changes_the_table(lines: list[str], rules: list[str]) -> None:
    assert saved_rules(*lines) == [f"-A C {rule}" for rule in rules]


def test_chains_are_made_and_deleted_and_printed_in_order() -> None:
    text = (
        "*filter\n-N b\n:a -\n-N c\n-X c\n-P INPUT DROP\n-A FORWARD -g a\n-A INPUT -j b\nCOMMIT\n"
    )
    ruleset = vpccni_nft.parse(text, family=Family.IP)
    assert [(one.name, one.policy and one.policy.value) for one in ruleset.tables[0].chains] == [
        ("INPUT", "DROP"), ("FORWARD", "ACCEPT"), ("a", None), ("b", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "-A C --dport 80 -p tcp",  # nothing implies tcp yet
        "-A C -p tcp --d 80",  # the beginning of two options
        "-A C -p tcp --dport ! 80",
        "-A C -s ! 10.0.0.1",
        "-A C ! -s 10.0.0.1,10.0.0.2",
        "-A C -s node-1.example",
        "-A C -p tcp --dport no-such-service",
        "-A C -p icmp --icmp-type echo-re",
        "-A C -j LOG --log-level WARN",
        "-A C -ptcp",
        "-A C -w 5",
        "-A C -t mangle",
        "-A C -j D extra",
        "-A C ! ! -i eth0",
        "-A C -p tcp -p udp",
        '-A C -m comment --comment a"b c"d',
        "-I C 3 -j D",
        "-D C -j D",
        "-R C -j D",
        "-X D",
        "-N C",
        "-L",
    ],
)
def test_what_iptables_restore_does_not_take_is_refused(line: str) -> None:
    rules = f"-A C -j D\n-D C 1\n-A C -j RETURN\n-A D -g C\n{line}\n"
    _, found = parse_sources((Source.of(f"*mangle\n:C -\n:D -\n{rules}COMMIT\n"),), Family.IP)
    assert any(one.refuses for one in found)


def test_an_option_that_belongs_nowhere_stays_in_the_rule() -> None:
    ruleset = vpccni_nft.parse("*raw\n:C -\n-A C --dport 80 -j ACCEPT\nCOMMIT\n", family=Family.IP)
    (match,) = ruleset.tables[0].chains[0].rules[0].matches
    assert isinstance(match, iptables.UnknownMatch)


def test_a_problem_of_a_written_value_stands_at_the_value() -> None:
    with pytest.raises(Refused) as refused:
        saved_rules("-A C -p tcp --source-port 80 --dport 99999")
    (found,) = refused.value.diagnostics
    assert found.span
    assert found.span.text == "99999"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert saved("\ufeff*raw\n-A OUTPUT -j ACCEPT\nCOMMIT\n") == ["-A OUTPUT -j ACCEPT"]


def test_a_chain_that_is_not_declared_has_a_note() -> None:
    text = "*filter\n:INPUT - [0:0]\n-A INPUT -j ACCEPT\n-A OUTPUT -s 10.0.0.1 -j ACCEPT\nCOMMIT\n"
    _, found = parse_sources((Source.of(text),))
    assert [one.code for one in found] == [POLICY_ASSUMED, POLICY_ASSUMED]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("/etc/iptables/rules.v4", Family.IP),
        ("/etc/iptables/rules.v6", Family.IP6),
        ("/etc/sysconfig/ip6tables", Family.IP6),
        ("etc/sysconfig/iptables", Family.IP),
        ("iptables-v6.txt", Family.IP6),
    ],
)
def test_a_file_s_name_shows_the_family_with_a_note(name: str, family: Family) -> None:
    text = "*filter\n:INPUT ACCEPT\n-A INPUT -j REJECT\n-A INPUT -6 -j DROP\nCOMMIT\n"
    ruleset, found = parse_sources((Source.of(text, name),))
    assert [one.code for one in found] == [FAMILY_BY_NAME]
    (table,) = ruleset.tables
    assert table.family is family
    assert len(table.chains[0].rules) == (1 if family is Family.IP else 2)


def test_an_address_goes_before_the_name() -> None:
    text = "*filter\n:INPUT ACCEPT\n-A INPUT -s fd00::1 -j REJECT\nCOMMIT\n"
    ruleset, found = parse_sources((Source.of(text, "rules.v4"),))
    assert not found
    assert ruleset.tables[0].family is Family.IP6


@pytest.mark.parametrize("option", ["-p tcp --dport ! 22", "-i ! eth0", "-s ! 10.0.0.1"])
def test_an_old_negation_is_refused_with_a_hint_where_the_mark_stands(option: str) -> None:
    with pytest.raises(Refused) as refused:
        saved_rules(f"-A C {option} -j D")
    (found,) = refused.value.diagnostics
    assert found.hint == "the “!” stands before the option"
