"""Limits, quotas, synproxies, helpers and timeouts that tables have and rules name."""

from __future__ import annotations

import json

import attrs
import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.nft import objects as o
from vpccni_nft.nft import statements as s
from vpccni_nft.proof.answers import Different, Equivalent, Unknown

from ..support.namespaces import Namespace

OBJECTS = """table ip t {
	quota q {
		comment "bytes"
		over 1200 bytes used 5 bytes
	}
	quota plain {
		25 mbytes
	}
	limit l {
		rate over 5/second burst 7 packets
	}
	limit kbytes {
		rate 512 kbytes/second
	}
	synproxy p {
		mss 1460
		wscale 7
		timestamp sack-perm
	}
	ct helper h {
		type "ftp" protocol tcp
		l3proto ip
	}
	ct timeout o {
		protocol tcp
		l3proto ip
		policy = { established: 2m, close : 20s }
	}
	ct expectation e {
		protocol udp
		dport 9876
		timeout 2m
		size 12
		l3proto ip
	}
	chain c {
		type filter hook forward priority 0; policy accept;
		limit name "l" drop
		quota name "q" drop
		quota name "plain" accept
		ct helper set "h"
		ct timeout set "o"
		ct expectation set "e"
	}
}
"""


def test_objects_are_read_written_and_listed_as_they_are(namespace: Namespace) -> None:
    (table,) = nft.parse(OBJECTS).tables
    found = {one.name: one for one in table.objects}
    assert found["q"] == o.NamedStatement("q", comment="bytes", statement=s.Quota(1200, True, 5))
    assert found["l"] == o.NamedStatement("l", statement=s.Limit(5, "second", 7, over=True))
    assert found["p"].kind == "synproxy"
    assert found["h"] == o.CtHelper("h", helper="ftp", protocol="tcp")
    assert found["o"] == o.CtTimeout(
        "o", protocol="tcp", policy=[("established", 120), ("close", 20)]
    )
    assert found["e"] == o.CtExpectation("e", protocol="udp", dport=9876, timeout=120, size=12)
    script = nft.serialize(nft.Ruleset((table,)))
    assert nft.parse(script).tables == (table,)
    namespace.load(script)
    assert set(nft.parse(namespace.list_ruleset()).tables[0].objects) == set(table.objects)
    with pytest.raises(ValueError, match="as JSON"):
        nft.as_json(nft.Ruleset((table,)))
    other = {"synproxy", "ct timeout", "ct expectation"}
    plain = tuple(one for one in table.objects if one.kind not in other)
    commands = nft.as_json(nft.Ruleset((attrs.evolve(table, objects=plain, chains=()),)))
    namespace.load(json.dumps(commands), "json")
    assert set(nft.parse(namespace.list_ruleset()).tables[0].objects) == set(plain)


def test_a_flowtable_is_read_and_written() -> None:
    text = """table inet t {
	flowtable f {
		hook ingress priority filter
		devices = { "eth0", eth1 }
		flags offload
		counter
	}
	chain c {
		type filter hook forward priority 0; policy accept;
		meta l4proto { tcp, udp } flow offload @f
	}
}
"""
    (table,) = nft.parse(text).tables
    assert table.objects == (
        o.Flowtable("f", priority=0, devices=("eth0", "eth1"), offload=True, counts=True),
    )
    assert table.chains[0].rules[0].statements[-1] == s.UseObject("flowtable", "f")
    assert nft.parse(nft.serialize(nft.Ruleset((table,)))).tables == (table,)
    assert nft.as_json(nft.Ruleset((table,)))


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        ("add limit t z rate 5/second", ["q", "z"]),
        ("add quota t z { over 5 bytes; }", ["q", "z"]),
        ("add ct helper t z { type \"tftp\" protocol udp; }", ["q", "z"]),
        ("delete quota t q", []),
        ("destroy quota t q\ndestroy quota t q", []),
        ("create limit t z { rate 1/minute; }\ndelete limit t z", ["q"]),
    ],
)  # fmt: skip
def test_objects_are_added_and_deleted(commands: str, names: list[str]) -> None:
    (table,) = nft.parse(f"table ip t {{\n quota q {{ 5 bytes; }}\n}}\n{commands}\n").tables
    assert [one.name for one in table.objects] == names


@pytest.mark.parametrize(
    "text",
    [
        "table ip t {\n chain c {\n  limit name \"l\"\n }\n}\n",
        "table ip t {\n chain c {\n  ct helper set \"l\"\n }\n}\n",
        "table ip t {\n limit l {\n }\n}\n",
        "table ip t {\n limit l {\n  rate 5/second\n  rate 5/second\n }\n}\n",
        "table ip t {\n ct helper h {\n  protocol tcp\n }\n}\n",
        "table ip t {\n quota q { 5 bytes; }\n chain c { quota name q; }\n}\ndelete quota t q\n",
        "table ip t {\n quota q { 5 bytes; }\n}\ncreate quota t q { 6 bytes; }\n",
    ],
)  # fmt: skip
def test_objects_that_nft_does_not_take_are_refused(text: str) -> None:
    with pytest.raises(vpccni_nft.Refused):
        nft.parse(text)


def side(objects: str, *rules: str) -> str:
    hook = "type filter hook forward priority 0; policy accept;"
    lines = "\n".join(rules)
    return f"table ip t {{\n{objects}\nchain c {{\n{hook}\n{lines}\n}}\n}}\n"


SLOW, FAST = "limit l { rate 1/second; }", "limit l { rate 9/second; }"
TWICE = tuple(f'tcp dport {port} limit name "l" accept' for port in (22, 23))


def test_a_limit_is_one_for_all_rules_that_name_it() -> None:
    named = side(SLOW, *TWICE, "drop")
    assert isinstance(vpccni_nft.verify(named, named), Equivalent)
    assert isinstance(vpccni_nft.verify(named, side(FAST, *TWICE, "drop")), Different)
    apart = [rule.replace('name "l"', "rate 1/second") for rule in TWICE]
    assert not isinstance(vpccni_nft.verify(named, side("", *apart, "drop")), Equivalent)


def test_a_helper_is_given_by_what_it_is() -> None:
    ftp, sip = (f'ct helper h {{ type "{one}" protocol tcp; }}' for one in ("ftp", "sip"))
    rule = 'tcp dport 21 ct helper set "h"'
    assert isinstance(vpccni_nft.verify(side(ftp, rule), side(ftp, rule)), Equivalent)
    assert isinstance(vpccni_nft.verify(side(ftp, rule), side(sip, rule)), Different)
    assert isinstance(vpccni_nft.verify(side(ftp, rule), side(ftp)), Different | Unknown)


def test_an_expectation_has_no_meaning() -> None:
    text = side(
        "ct expectation e { protocol udp; dport 9; timeout 2m; size 12; }",
        'tcp dport 21 ct expectation set "e"',
    )
    other = text.replace("dport 21", "dport 22")
    answer = vpccni_nft.verify(text, other)
    assert isinstance(answer, Unknown)
    assert {one.code.name for one in answer.reasons} == {"V003"}
