"""What a caller accepts: everything else is proved equal, and nothing else is hidden."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import click.testing
import pytest

import vpccni_nft
from vpccni_nft.cli.commands import cli
from vpccni_nft.core.exit_codes import ExitCode
from vpccni_nft.core.span import Source
from vpccni_nft.model.packet import Verdict
from vpccni_nft.node.catalogues import acceptances
from vpccni_nft.proof.acceptance import Occurs
from vpccni_nft.proof.acceptance_file import acceptance_text, parse_acceptances
from vpccni_nft.proof.answers import Answer, Different, Equivalent
from vpccni_nft.proof.context import distinct_verdicts
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.symbolic import Solver
from vpccni_nft.proof.term import CONDITION
from vpccni_nft.proof.terms import Terms
from vpccni_nft.proof.verify import ProofSettings
from vpccni_nft.proof.verify import verify as verify_sides

from ..support.profiles import NIGHTLY


def ruleset(rules: str, hook: str = "forward", kind: str = "filter", priority: int = 0) -> str:
    return (
        f"table ip t {{ chain c {{ type {kind} hook {hook} priority {priority};"
        f" ct state untracked accept; {rules} }}; }}\n"
    )


def entry(condition: str, before: str, after: str, name: str = "n", more: str = "") -> str:
    """A file with one table."""
    ends = (end if end.startswith("{") else f'"{end}"' for end in (before, after))
    one, other = ends
    return (
        f'[[accept]]\nname = "{name}"\nwhy = "w"\ncondition = """\n{condition}"""\n'
        f"before = {one}\nafter = {other}\n{more}\n"
    )


def verify(before: str, after: str, *accept: str, per_hook: bool = True) -> Answer:
    return vpccni_nft.verify(before, after, accept=accept, per_hook=per_hook)


@pytest.mark.parametrize(
    ("before", "after", "condition", "ends"),
    [
        ("tcp dport 22 drop", "", "proto=tcp dport=22", ("drop", "accept")),
        # A condition may be wider than what differs.
        ("tcp dport 22 drop", "", "hook=forward", ("drop", "accept")),
        ("tcp dport 22 drop", "", "proto!=udp dport=20-30", ("drop", "accept")),
        ("tcp dport 22 drop", "tcp dport 22 reject", "dport=22", ("drop", "reject")),
        (
            "tcp dport 22 reject with tcp reset",
            "",
            "saddr!=10.0.0.0/8\nor saddr=10.0.0.0/8",
            ("reject with tcp reset", "accept"),
        ),
        (
            "meta mark set meta mark | 0x80",
            "",
            "ctstate!=untracked",
            ('{ mark = "0x80/0x80" }', '{ mark = "0/0x80" }'),
        ),
        (
            "meta mark set 7",
            "",
            "ctstate!=untracked",
            ('{ mark = "0x7" }', '{ mark = "unchanged" }'),
        ),
        (
            'tcp dport 22 log prefix "a" drop',
            "",
            "dport=22",
            ('{ verdict = "drop", events = "log" }', '{ verdict = "accept", events = "none" }'),
        ),
    ],
)
def test_what_is_accepted_is_left_out_and_shown(
    before: str, after: str, condition: str, ends: tuple[str, str]
) -> None:
    answer = verify(ruleset(before), ruleset(after), entry(condition, *ends))
    assert isinstance(answer, Equivalent), answer
    (found,) = answer.accepted
    assert found.occurs is Occurs.YES
    assert [(family.value, hook) for family, hook in found.places] == [("ip", "forward")]
    assert found.example
    assert found.example.differences


@pytest.mark.parametrize(
    ("before", "after", "condition", "ends", "left"),
    [
        # Of other packets.
        ("tcp dport 22-23 drop", "", "proto=tcp dport=22", ("drop", "accept"), "dport!=22"),
        ("drop", "", "saddr=10.0.0.0/8 ctstate=new", ("drop", "accept"), "ctstate!="),
        # Of another kind.
        ("tcp dport 22 drop", "tcp dport 22 reject", "dport=22", ("drop", "accept"), "dport=22"),
        ("tcp dport 22 drop", "", "dport=22", ("accept", "drop"), "dport=22"),
        (
            "tcp dport 22 reject",
            "",
            "dport=22",
            ("reject with tcp reset", "accept"),
            "dport=22",
        ),
        # Of another thing, beside what is accepted.
        (
            "tcp dport 22 meta mark set 5 drop",
            "",
            "hook=forward",
            ("drop", "accept"),
            "dport=22",
        ),
        (
            "tcp dport 22 meta mark set meta mark | 0x180",
            "",
            "hook=forward",
            ('{ mark = "0x80/0x80" }', '{ mark = "0/0x80" }'),
            "dport=22",
        ),
        (
            'tcp dport 22 log prefix "a" log prefix "b" drop',
            "",
            "hook=forward",
            ('{ events = "log" }', '{ events = "none" }'),
            "dport=22",
        ),
        # For another hook.
        ("tcp dport 22 drop", "", "hook=input,output", ("drop", "accept"), "dport=22"),
        # For a path, of which a hook by itself says nothing.
        ("tcp dport 22 drop", "", "path!=input dport=22", ("drop", "accept"), "dport=22"),
        # Where a group is not there, or addresses of the other family are meant.
        ("tcp dport 22 drop", "", "daddr!=@nothing", ("drop", "accept"), "dport=22"),
        ("tcp dport 22 drop", "", "daddr!=fd00::1", ("drop", "accept"), "dport=22"),
    ],
)
def test_nothing_else_is_hidden(
    before: str, after: str, condition: str, ends: tuple[str, str], left: str
) -> None:
    answer = verify(ruleset(before), ruleset(after), entry(condition, *ends))
    assert isinstance(answer, Different), answer
    assert not answer.reasons
    assert all(left in text for one in answer.classes for text in one.texts), answer.classes


def test_an_example_is_none_of_those_that_are_accepted() -> None:
    """Not even while it is made plain: the plainest packet that differs is one that is accepted."""
    wide = entry("mark=0", "drop", "accept")
    answer = verify(ruleset("tcp dport 22 drop"), ruleset(""), wide)
    assert isinstance(answer, Different), answer
    (found,) = answer.classes
    assert "mark=" in found.example.plain.text
    assert answer.accepted[0].occurs is Occurs.YES


def test_a_difference_of_nat_is_accepted_with_what_follows_from_it() -> None:
    rule = "tcp dport 22 dnat to 10.0.0.1:80"
    nat = f"table ip n {{ chain c {{ type nat hook prerouting priority -100; {rule}; }}; }}\n"

    def sides(also: str = "", instead: str = "") -> tuple[str, str]:
        mark = ruleset("", "prerouting"), ruleset(also, "prerouting")
        return nat + mark[0], nat.replace(rule, instead) + mark[1]

    accept = entry("dport=22", '{ bindings = "dnat" }', '{ bindings = "none" }')
    assert isinstance(verify(*sides(), accept), Equivalent)
    # A field that no DNAT changes, and another DNAT.
    assert isinstance(verify(*sides(also="tcp dport 22 meta mark set 1"), accept), Different)
    assert isinstance(verify(*sides(instead="tcp dport 22 redirect to :9"), accept), Different)
    exact = entry("dport=22", '{ bindings = "dnat to 10.0.0.1 port 80" }', '{ bindings = "none" }')
    assert isinstance(verify(*sides(), exact), Equivalent)
    other = exact.replace("port 80", "port 81")
    assert isinstance(verify(*sides(), other), Different)


def test_what_does_not_occur_and_what_is_over_is_said() -> None:
    sides = ruleset("tcp dport 22 drop"), ruleset("")
    there = entry("dport=22", "drop", "accept", name="there")
    gone = entry("dport=23", "drop", "accept", name="gone")
    over = entry("dport=22", "drop", "accept", name="over", more="until = 2020-02-29")
    lasting = over.replace("2020", "2196").replace("over", "lasting")
    answer = verify(*sides, there + gone + over)
    assert isinstance(answer, Equivalent)
    occurs = {one.acceptance.name: one.occurs for one in answer.accepted}
    assert occurs == {"there": Occurs.YES, "gone": Occurs.NO, "over": Occurs.OVER}
    assert isinstance(verify(*sides, over), Different)
    assert isinstance(verify(*sides, lasting), Equivalent)


def test_where_chains_run_in_any_order_all_are_tried() -> None:
    """In one of them the sides are equal, in the other one but for what is accepted."""
    two = ruleset("tcp dport 22 meta mark set 1") + (
        "table ip u { chain c { type filter hook forward priority 0; %s }; }\n"
    )
    sides = two % "meta mark 1 drop", two % ""
    accept = entry("hook=forward", "drop", "accept")
    answer = verify(*sides, accept)
    assert isinstance(answer, Equivalent)
    assert answer.accepted[0].occurs is Occurs.YES


@pytest.mark.parametrize(
    "rules",
    [
        "ip saddr 10.0.0.0/8 drop",
        "tcp dport 1000-2000 ip saddr != { 10.0.0.1, 10.0.0.7 } drop",
        "tcp dport { 22, 80, 443 } drop",
        'iifname "eni*" meta mark & 0x80 == 0x80 drop',
        'iifname != "eth0" oifname "eni1" ip daddr != 10.0.0.0/9 drop',
        "ct state established,related accept; drop",
        "tcp flags syn,ack drop",
        "tcp flags & (fin | syn) == syn drop",
        "tcp flags != syn drop",
        "ct status dnat drop",
        "ct direction reply ct mark != 0x1 drop",
        "fib daddr type local drop",
        "icmp type echo-request reject",
        "ip ttl < 5 drop",
        "meta length 100-200 udp sport 53 drop",
        "ct reply ip saddr 10.0.0.0/24 drop",
        "tcp dport 22 meta mark set meta mark | 0x80",
    ],
)
def test_what_an_answer_prints_can_be_pasted(rules: str) -> None:
    sides = ruleset(rules), ruleset("")
    shown = verify(*sides)
    assert isinstance(shown, Different)
    (found,) = shown.classes
    assert found.is_whole
    pasted = acceptance_text(found)
    answer = verify(*sides, pasted)
    assert isinstance(answer, Equivalent), (found.texts, answer)
    # It is no wider than the class.
    wider = ruleset("") + ruleset("drop", priority=1).replace("table ip t", "table ip u")
    assert isinstance(verify(wider, sides[1], pasted), Different)


def test_an_event_is_accepted_without_its_key() -> None:
    text = """[[accept]]
name = "seen"
why = "it is"
condition = "hook=forward"
before = { events = "none" }
after = { events = "add seen: 10.0.0.1" }
"""
    with pytest.raises(
        vpccni_nft.Refused, match="an event is accepted with any key: write “add seen”"
    ):
        parse_acceptances(Source.of(text, "accept.toml"))
    (found,) = parse_acceptances(Source.of(text.replace(": 10.0.0.1", ""), "accept.toml")).each
    assert found.name == "seen"


def on_path(before: str, after: str, *accept: str) -> Answer:
    return verify(before, after, *accept, per_hook=False)


def test_a_class_of_a_path_can_be_pasted() -> None:
    for hook in ("forward", "input"):
        sides = ruleset("tcp dport 22 ip saddr 10.0.0.0/8 drop", hook), ruleset("", hook)
        shown = on_path(*sides)
        assert isinstance(shown, Different)
        (found,) = shown.classes
        assert found.is_whole
        pasted = acceptance_text(found)
        assert f"hook={hook}" not in pasted
        assert isinstance(on_path(*sides, pasted), Equivalent)
        assert isinstance(on_path(*sides, pasted.replace('"drop"', '"reject"')), Different)


def test_a_mark_that_routing_sees_is_not_accepted_as_one_that_is_left_behind() -> None:
    """What lies behind another route could not be compared: that would hide whatever differs."""
    sides = ruleset("meta mark set meta mark | 0x80", "prerouting"), ruleset("", "prerouting")
    accept = entry("ctstate!=untracked", '{ mark = "0x80/0x80" }', '{ mark = "0/0x80" }')
    answer = on_path(*sides, accept)
    assert isinstance(answer, Different)
    assert any("at routing" in name for name in answer.classes[0].example.differences)
    internal = "internal-mark = 0x80\n" + entry("dport=1", "drop", "accept")
    sides = ruleset("meta mark set meta mark | 0x80", "input"), ruleset("", "input")
    assert isinstance(on_path(*sides), Different)
    answer = on_path(*sides, internal)
    assert isinstance(answer, Equivalent)
    assert any("0x80" in sentence for sentence in answer.assumptions)
    # Nothing else of the path is left out for that.
    worse = sides[1] + ruleset("tcp dport 22 drop", "input").replace("ip t", "ip u")
    assert isinstance(on_path(sides[0], worse, internal), Different)


def test_nat_that_is_accepted_leads_elsewhere() -> None:
    rule = "tcp dport 22 dnat to 10.0.0.1:80"
    nat = f"table ip n {{ chain c {{ type nat hook prerouting priority -100; {rule}; }}; }}\n"
    tracks = ruleset("", "input")
    sides = nat + tracks, nat.replace(rule, "") + tracks
    accept = entry("proto=tcp dport=22", '{ bindings = "dnat, *" }', '{ bindings = "none" }')
    assert isinstance(on_path(*sides), Different)
    answer = on_path(*sides, accept)
    assert isinstance(answer, Equivalent)
    assert answer.accepted[0].occurs is Occurs.YES
    # For other packets, in the other direction, and for what the DNAT has nothing to do with.
    assert isinstance(on_path(*sides, accept.replace("dport=22", "dport=23")), Different)
    assert isinstance(on_path(*sides[::-1], accept), Different)
    marks = ruleset("tcp dport 22 meta mark set 1", "prerouting", priority=-150)
    other = sides[1] + marks.replace("ip t", "ip m")
    assert isinstance(on_path(sides[0], other, accept), Different)


def bound_ahead_of(rule: str, *, bound: bool) -> str:
    """Rules of nat PREROUTING, of which NAT leaves out those behind it for what it binds."""
    nat = "-A PREROUTING -p tcp -m tcp --dport 22 -j DNAT --to-destination 10.0.0.1:80\n"
    lead = "# Generated by iptables-save v1.8.9\n*nat\n"
    return f"{lead}:PREROUTING ACCEPT [0:0]\n{nat if bound else ''}-A PREROUTING {rule}\nCOMMIT\n"


RESTORES = "-j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80"
#: Also what the connection was marked with just ahead of that, whatever becomes of it later.
MARKS_AND_RESTORES = f"-j CONNMARK --set-xmark 0x80/0x80\n-A PREROUTING {RESTORES}"
SAVES = "-j CONNMARK --save-mark --nfmask 0x80 --ctmask 0x80"

#: Rules behind NAT, whether the mark at routing is accepted as restored, and the answer.
BEHIND_NAT = [
    (RESTORES, False, Different),
    (MARKS_AND_RESTORES, True, Equivalent),
    ("-j MARK --set-xmark 0x80/0x80", True, Different),
    (RESTORES, True, Equivalent),
    (SAVES, False, Equivalent),
    ("-j MARK --set-xmark 0x0/0x80", True, Different),
]


@pytest.mark.parametrize(
    ("rule", "restored", "expected"), BEHIND_NAT if NIGHTLY else BEHIND_NAT[:3]
)
def test_a_mark_that_is_restored_behind_nat_is_accepted_by_that_name(
    rule: str, restored: bool, expected: type
) -> None:
    mark = ', "mark at routing" = "restored"' if restored else ""
    ends = (f'{{ bindings = "{bindings}"{mark} }}' for bindings in ("dnat, *", "none"))
    sides = (bound_ahead_of(rule, bound=bound) for bound in (True, False))
    answer = on_path(*sides, entry("proto=tcp dport=22", *ends))
    assert isinstance(answer, expected)


@pytest.mark.parametrize(
    ("condition", "binding", "left"),
    [
        ("proto=tcp dport=80", "dnat to 10.0.0.1 port 8080", "daddr=172.20.0.2,172.20.0.3"),
        ("daddr!=172.20.0.2", "dnat", "daddr=172.20.0.2"),
    ],
)
def test_what_is_accepted_of_one_key_is_not_of_others(
    condition: str, binding: str, left: str
) -> None:
    """Although what the rules do is the same for all of them, but for addresses."""
    keys = "".join(
        f"ip daddr 172.20.0.{one} tcp dport 80 dnat to 10.0.0.{one}:8080; " for one in (1, 2, 3)
    )
    before, after = (
        ruleset(rules, "prerouting", "nat", -100).replace("ct state untracked accept;", "")
        for rules in (keys, "ct mark 1 accept;")
    )
    ends = f'{{ bindings = "{binding}" }}', '{ bindings = "none" }'
    answer = on_path(before, after, entry(condition, *ends))
    assert isinstance(answer, Different)
    assert answer.classes
    for text in (text for found in answer.classes for text in found.texts):
        assert left in text.split()


def test_only_a_mark_at_routing_is_restored() -> None:
    for key in ("mark", "ctmark", '"daddr at routing"'):
        text = entry("dport=22", f'{{ {key} = "restored" }}', f'{{ {key} = "unchanged" }}')
        with pytest.raises(vpccni_nft.Refused):
            parse_acceptances(Source.of(text, "accept.toml"))


def test_what_is_accepted_of_nat_is_not_what_rewrites_addresses_by_itself() -> None:
    rule = "-A PREROUTING -d fd00:1::/64 -p tcp --dport 80 -j DNPT --src-pfx fd00:1::/64"
    dump = (
        f"*mangle\n:PREROUTING ACCEPT [0:0]\n{rule} --dst-pfx fd00:2::/64\nCOMMIT\n"
        "*filter\n:FORWARD ACCEPT [0:0]\n"
        "-A FORWARD -d fd00:2::/64 -m conntrack --ctstate NEW -j DROP\nCOMMIT\n"
    )
    without = "".join(line for line in dump.splitlines(keepends=True) if "DNPT" not in line)
    accept = entry("proto=tcp dport=80", '{ bindings = "dnat" }', '{ bindings = "none" }')
    assert isinstance(on_path(dump, without, accept), Different)


def test_that_packets_are_refused_is_accepted_where_they_were_sent_nowhere_else() -> None:
    """That a Service is gone is none of the differences of which it is said that it was unused."""
    nat = (
        "table ip n { chain c { type nat hook output priority -100;"
        " ct state new ip daddr 10.0.0.1 tcp dport 22 dnat to 10.0.0.2; }; }\n"
    )
    refuses = ruleset("ct state new ip daddr 10.0.0.1 tcp dport 22 reject", "output")
    accept = entry("ctstate=new destination-bound=no", "accept", "reject")
    unused, gone = (on_path(before + ruleset(""), refuses, accept) for before in ("", nat))
    assert unused.accepted[0].occurs is Occurs.YES
    assert gone.accepted[0].occurs is not Occurs.YES


def test_what_is_known_of_verdicts_contradicts_nothing() -> None:
    """Logs that end with one verdict may be the same, however they are written."""
    terms = Terms()
    drop, reject = Verdict("drop"), Verdict("reject", "tcp reset")
    one, other = (terms.variable(name, CONDITION) for name in ("one", "other"))
    first = terms.log(((one, drop, ()), (other, reject, ())))
    second = terms.log(((other, reject, ()), (one, drop, ()), (other, drop, ())))
    facts = tuple(distinct_verdicts(terms, (first, second)))
    solver = Solver(5)
    for left, right in itertools.product((True, False), repeat=2):
        given = (one if left else terms.not_(one), other if right else terms.not_(other))
        assert solver.find(terms.true, (*facts, *given))
    # One that drops is none that does nothing.
    dropping = terms.log(((one, drop, ()),))
    same = terms.same(dropping, terms.log(()))
    assert solver.find(same, (*facts, one)) is None


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[[accept]]\nname = 5x\n", "a.toml:2:9", ""),
        ("", "a.toml", "no table [[accept]]"),
        (entry("dport=99999", "drop", "accept"), "a.toml:5:1", "dport"),
        (entry("dprt=9", "drop", "accept"), "a.toml:5:1", "“dprt” is not known"),
        (entry("daddr = 9", "drop", "accept"), "a.toml:5:1", "KEY=VALUE"),
        (entry("proto=tcp hook=nowhere", "drop", "accept"), "a.toml:5:11", "nowhere"),
        (entry("daddr=10.0.0.1/8", "drop", "accept"), "a.toml:5:1", "behind its prefix"),
        (entry("dport=9-3", "drop", "accept"), "a.toml:5:1", "ends before it begins"),
        (entry("", "drop", "accept"), "a.toml:1:1", "condition is missing"),
        (entry("dport=9", "drop", "drop"), "a.toml:7:1", "the same before and after"),
        (entry("dport=9", "dropp", "accept"), "a.toml:6:1", "“dropp” is not accept"),
        (entry("dport=9", '{ mark = "1" }', "accept"), "a.toml:7:1", "mark, verdict is in one"),
        (entry("dport=9", '{ mrk = "1" }', '{ mrk = "2" }'), "a.toml:6:12", "“mrk” is not known"),
        (
            entry("dport=9", '{ mark = "0x1/0x1" }', '{ mark = "0x0/0x3" }'),
            "a.toml:6:12",
            "the same mask",
        ),
        (entry("dport=9", "drop", "accept", more="until = 5"), "a.toml:8:1", "not a date"),
        (entry("dport=9", "drop", "accept", more="untill = 5"), "a.toml:8:1", "“untill”"),
        (entry("dport=9", "drop", "accept").replace("why", "because"), "a.toml:3:1", "“because”"),
        (2 * entry("dport=9", "drop", "accept"), "a.toml:10:1", "the name of two"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, place: str, message: str) -> None:
    with pytest.raises(vpccni_nft.Refused) as refused:
        parse_acceptances(Source.of(text, "a.toml"))
    first = refused.value.diagnostics[0]
    assert message in first.message
    assert str(first.span or "a.toml") == place
    assert str(refused.value).startswith(f"{place}: error[P022]: " if first.span else "error[P022]")


def test_the_command_says_it_in_its_first_line(tmp_path: Path) -> None:
    files = {
        "a": ruleset("tcp dport 22 drop"),
        "b": ruleset(""),
        "accept.toml": entry("dport=22", "drop", "accept", name="ssh is open"),
        "wrong.toml": entry("dport=x", "drop", "accept"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def run(*options: str) -> click.testing.Result:
        sides = ["--before", str(tmp_path / "a"), "--after", str(tmp_path / "b")]
        return click.testing.CliRunner().invoke(cli, ["verify", "--per-hook", *sides, *options])

    accepted = run("--accept", str(tmp_path / "accept.toml"))
    assert accepted.exit_code == ExitCode.DONE
    assert accepted.stdout.startswith("equivalent, but for 1 accepted class of packets\n")
    assert "ssh is open" in accepted.stdout
    found = json.loads(run("--accept", str(tmp_path / "accept.toml"), "--json").stdout)
    assert found["answer"] == "equivalent"
    assert found["accepted"][0]["occurs"] == "yes"
    assert found["status"][0]["status"] == "accepted"
    assert run().exit_code == ExitCode.REFUSED
    wrong = run("--accept", str(tmp_path / "wrong.toml"))
    assert wrong.exit_code == ExitCode.USAGE
    assert "wrong.toml:5:1: error[P022]: dport" in wrong.stderr
    assert run("--accept", "nothing").exit_code == ExitCode.USAGE


def test_several_classes_are_a_table_that_fits(tmp_path: Path) -> None:
    rules = "tcp dport 22 ip saddr 10.0.0.0/8 ip daddr != { 10.0.0.1, 10.0.0.7 } drop; "
    rules += 'udp dport 53 log prefix "a prefix that is long, as some are" reject'
    for name, text in (("a", ruleset(rules)), ("b", ruleset(""))):
        (tmp_path / name).write_text(text)

    def run(*options: str, columns: int = 100) -> click.testing.Result:
        sides = ["--before", str(tmp_path / "a"), "--after", str(tmp_path / "b")]
        runner = click.testing.CliRunner(env={"COLUMNS": str(columns)})
        return runner.invoke(cli, ["verify", "--per-hook", *sides, *options])

    lines = run().stdout.splitlines()
    assert lines[0] == "different: 2 classes of packets, and no other packet differs"
    assert max(map(len, lines)) <= 100
    assert [line[:15] for line in lines if line[:1].isdecimal()] == [
        "1  IPv4 forward", "2  IPv4 forward"
    ]  # fmt: skip
    ports = set()
    for number in ("1", "2"):
        found = run("--explain", number)
        assert found.exit_code == ExitCode.REFUSED
        ports |= {port for port in ("22", "53") if f"dport={port}" in found.stdout}
        assert found.stdout.count("packet: ") == 1
        shown = found.stdout.partition("to accept it, with --accept FILE:\n")[2]
        table = "".join(f"{line.strip()}\n" for line in shown.split("\n\n")[0].splitlines())
        assert parse_acceptances(Source.of(table))
    assert ports == {"22", "53"}
    assert run("--explain", "3").exit_code == ExitCode.USAGE


def test_a_terminal_sees_how_far_the_proof_is() -> None:
    sides = ruleset("tcp dport 22 drop; udp dport 53 drop"), ruleset("")
    one, other = (Side.of([Source.of(text)]) for text in sides)
    accept = acceptances([Source.of(entry("proto=udp", "drop", "accept"))], one, other)
    said: list[str] = []
    verify_sides(one, other, ProofSettings(accept=accept), said.append)
    assert said == [
        "IPv4 forward, hook 1 of 1",
        "IPv4 forward, hook 1 of 1: class 1, of 10 at most",
        "IPv4 forward, hook 1 of 1: what is accepted, and whether it occurs",
    ]
    said.clear()
    verify_sides(one, other, ProofSettings(paths=True), said.append)
    assert said[:2] == ["IPv4 forward, hook 1 of 1", "IPv4 received, path 1 of 2"]
