"""Rows of commands for ``nft -f``: what is there after them, here and in the kernel."""

from __future__ import annotations

import re

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.span import Source
from vpccni_nft.text.nft_reader import load

from ..support.namespaces import LoadError, Namespace
from ..support.profiles import NIGHTLY, SCALE

pytestmark = pytest.mark.kernel

DRAWN = settings(
    derandomize=not NIGHTLY,
    database=None,
    deadline=None,
    max_examples=150 * SCALE,
    suppress_health_check=list(HealthCheck),
)

BASE = """table ip t {
	set s { type mark; elements = { 1 }
	}
	map m { type mark : verdict; elements = { 1 : jump a }
	}
	counter n { }
	chain a { counter; accept
	}
	chain b { type filter hook input priority 0; jump a
	}
}
table inet t {
	chain a { meta mark 1 drop
	}
}
"""

_TABLES = st.sampled_from(["t", "t", "t", "t", "ip t", "inet t", "u"])
_CHAINS = st.sampled_from(["a", "a", "b", "c"])
_SETS = st.sampled_from(["s", "s", "m", "z"])
_RULES = st.sampled_from([
    "accept", "counter", "drop comment \"x\"", "jump a", "goto c", "meta mark @s drop",
    "meta mark vmap @m", "counter name n", "meta mark { 1, 2 } return", "tcp dport $port accept",
    "meta mark vmap { 1 : jump b, 2 : drop }",
])  # fmt: skip
_ELEMENTS = st.sampled_from(["{ 1 }", "{ 2 }", "{ 1, 3 }", "{ $two }"])
_PAIRS = st.sampled_from(["{ 1 : jump a }", "{ 1 : drop }", "{ 2 : goto b }", "{ 3 : jump c }"])
_BLOCKS = st.sampled_from([
    "", " { comment \"new\"; }", " { policy drop; }", " { type filter hook input priority 0; }",
    " { type nat hook output priority -100; policy accept; }", " { counter; jump a; }",
])  # fmt: skip
_PLACES = st.sampled_from(["", "", " index 0", " index 1"])


def _words(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    drawn = [st.just(one) if isinstance(one, str) else one for one in parts]
    return st.tuples(*drawn).map("".join)


_MAKE = st.sampled_from(["add", "add", "create"])
_CHAIN = _words(_TABLES, " ", _CHAINS)
_COMMANDS = st.one_of(
    _words("add rule ", _CHAIN, " ", _RULES),
    _words(st.sampled_from(["add", "insert"]), " rule ", _CHAIN, _PLACES, " ", _RULES),
    _words(_MAKE, " table ", _TABLES),
    _words("add chain ", _CHAIN, _BLOCKS),
    # What else stands in its block is passed over by some releases.
    _words("create chain ", _CHAIN),
    _words("table ", _TABLES, " {\nchain ", _CHAINS, " {\n", _RULES, "\n}\n}"),
    _words(_MAKE, " set ", _TABLES, " ", _SETS, " { type mark; }"),
    _words(_MAKE, " map ", _TABLES, " ", _SETS, " { type mark : verdict; }"),
    _words(_MAKE, " element ", _TABLES, " s ", _ELEMENTS),
    _words(_MAKE, " element ", _TABLES, " m ", _PAIRS),
    _words("delete element ", _TABLES, " s ", _ELEMENTS),
    _words("delete element ", _TABLES, " m ", st.one_of(_ELEMENTS, _PAIRS)),
    _words("delete chain ", _CHAIN),
    _words("delete table ", _TABLES),
    _words("delete set ", _TABLES, " ", _SETS),
    _words("delete map ", _TABLES, " ", _SETS),
    _words("delete counter ", _TABLES, " n"),
    _words("flush chain ", _CHAIN),
    _words("flush table ", _TABLES),
    _words("flush set ", _TABLES, " ", _SETS),
    _words("flush map ", _TABLES, " ", _SETS),
    _words("rename chain ", _CHAIN, " ", st.sampled_from(["c", "e"])),
)
#: nft 1.0.6 forgets what it knows of a transaction where the ruleset is flushed behind its start.
_ROWS = st.tuples(
    st.sampled_from([[], [], [], ["flush ruleset"]]), st.lists(_COMMANDS, min_size=1, max_size=4)
).map(lambda parts: [*parts[0], *parts[1]])
_TEXTS = st.lists(_ROWS, min_size=1, max_size=2)

DEFINES = "define port = 22\ndefine two = { 2, 4 }\n"


def comparable(ruleset: nft.Ruleset) -> object:
    """A ruleset in an order of its own: a listing has another one."""
    return {
        (table.family, table.name): (
            table.comment,
            {one.name: (one.rules, one.hook, one.comment) for one in table.chains},
            {one.name: (type(one), one.type, frozenset(one.elements)) for one in table.sets},
            set(table.counters),
        )
        for table in ruleset.tables
    }


def check(namespace: Namespace, before: list[str], texts: list[str]) -> bool:
    """Load texts here and in the kernel, which has had the first ones; whether both take them."""
    found, refusal, of_nft = nft.Ruleset(), "", ""
    try:
        every = (*before, *texts)
        found = load(Source.of(text, f"{at}.nft") for at, text in enumerate(every)).ruleset
    except vpccni_nft.Refused as error:
        refusal = str(error)
    try:
        for text in texts:
            namespace.load(text)
    except LoadError as error:
        of_nft = str(error)
    assert bool(refusal) == bool(of_nft), f"here: {refusal}\nby nft: {of_nft}"
    if not refusal:
        assert comparable(found) == comparable(nft.parse(namespace.list_ruleset()))
    return not refusal


def test_rows_of_commands_leave_what_they_leave_in_the_kernel() -> None:
    taken: list[bool] = []

    @given(_TEXTS)
    @DRAWN
    def one(rows: list[list[str]]) -> None:
        texts = [BASE, *(DEFINES + "\n".join((*row, "")) for row in rows)]
        hypothesis.note("\n--- and ---\n".join(texts[1:]))
        namespace.load("flush ruleset")
        taken.append(check(namespace, [], texts))

    with Namespace() as namespace:
        one()
    # About as many are taken as refused, or one of both is hardly tried.
    assert min(taken.count(True), taken.count(False)) > len(taken) / 10


@pytest.mark.parametrize(
    "command",
    [
        "delete rule ip t a handle {0}",
        "replace rule t a handle {1} drop",
        "add rule t a handle {0} drop",
        "insert rule t a position {1} drop",
        "replace rule t a handle {0} drop; delete rule t a handle {0}; add rule t a handle {1} log",
        "delete rule t b handle {0}",
        "delete rule inet t a handle {0}",
    ],
)
def test_rules_are_known_by_the_handles_of_a_listing(command: str) -> None:
    with Namespace() as namespace:
        namespace.load(BASE)
        listing = namespace.list_with_handles()
        chain = listing[listing.index("chain a {") :]
        handles = re.findall(r"(?:bytes \d+|accept) # handle (\d+)", chain)
        check(namespace, [listing], [command.format(*handles) + "\n"])
