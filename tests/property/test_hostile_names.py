"""Two names never become one, and none becomes a word of nft."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vpccni_nft.nft import names

from ..support.hostile import chain_name, dump, encode, hostile, inventory, loaded, quote, translate
from ..support.namespaces import LoadError, Namespace

# --- names that are alike -----------------------------------------------------------------------


def lookalikes(name: str) -> st.SearchStrategy[str]:
    """Names that a careless spelling could take for this one."""
    spelt = names.mangle(name)
    return st.one_of(
        st.sampled_from(
            [
                spelt,
                spelt[1:],
                f"_{name}",
                f"_{spelt}",
                names.helper(name),
                name.swapcase(),
                name.replace(".", ".2e"),
                re.sub("[^A-Za-z0-9_-]", ".", name),
                re.sub("[^A-Za-z0-9_-]", "_", name),
                re.sub("[^A-Za-z0-9_-]", "", name),
                name + "-1",
                encode(name).hex(),
            ]
        ),
        hostile(28),
    )


def pairs() -> st.SearchStrategy[tuple[str, str]]:
    return hostile(28).flatmap(lambda name: st.tuples(st.just(name), lookalikes(name)))


@given(pairs())
@example(("1st+chain", "_1st.2bchain"))
@example(("accept", "_accept"))
@example(("a.2e", "a."))
@example(("Accept", "accept"))
@settings(max_examples=1000)
def test_two_names_never_have_the_same_spelling(pair: tuple[str, str]) -> None:
    first, second = pair
    assume(first != second)
    assert names.mangle(first) != names.mangle(second)
    assert names.mangle(first) != names.helper(second)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", names.mangle(first))


@given(pairs())
def test_two_chains_of_a_dump_are_two_chains_of_nft(pair: tuple[str, str]) -> None:
    first, second = map(chain_name, pair)
    assume(first != second)
    rule = "-m conntrack ! --ctstate NEW,DNAT -j DROP"
    rules = [f"-A {quote(name)} {rule}" for name in (first, second)]
    translation = translate(dump(*rules, chains=(first, second)))
    assume(not translation.refused)
    (table,) = translation.ruleset.tables
    assert len({chain.name for chain in table.chains}) == len(table.chains) == 3 + 2 + 2


@pytest.mark.kernel
def test_chains_of_hostile_names_keep_their_rules_apart(namespace: Namespace) -> None:
    @given(st.lists(hostile(28).map(chain_name), min_size=2, max_size=8, unique_by=encode))
    def every(listed: list[str]) -> None:
        """The first chain has one rule, the second has two, and so on."""
        rules = [
            f"-A {quote(name)} -j DROP"
            for number, name in enumerate(listed, start=1)
            for _ in range(number)
        ]
        translation = translate(dump(*rules, chains=tuple(listed)))
        assume(not translation.refused)
        held = inventory(loaded(translation, namespace))
        assert sorted(held["rules"].values()) == [*range(1, len(listed) + 1)]

    every()


@given(hostile(28))
@example("x")
@example("x:y")
def test_a_recent_list_and_an_ipset_never_share_a_set(text: str) -> None:
    """Whatever prefix is put before the one, the other can have it in its name."""
    of_recent = f"-A FORWARD -m recent --rcheck --name {quote(text)} -j DROP"
    alone = translate(dump(of_recent))
    assume(not alone.refused)
    (spelt,) = (known.name for known in alone.ruleset.tables[0].sets)
    for other in (spelt, f"recent-{text}", f"recent_{text}", f"recent.{text}"):
        both = dump(of_recent, f"-A FORWARD -m set --match-set {quote(other)} src -j DROP")
        translation = translate(both)
        if not translation.refused:
            (table,) = translation.ruleset.tables
            assert len({known.name for known in table.sets}) == 2


# --- the words of nft itself --------------------------------------------------------------------


def words_of_nft() -> list[str]:
    """Every word in nft's library that could be one of its grammar: bison keeps them by name."""
    program = shutil.which("nft")
    assert program
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S*libnftables\S*)", linked) or [program]
    data = Path(libraries[0]).read_bytes()
    found = re.findall(rb"[\x00\"]([a-zA-Z][a-zA-Z0-9-]{0,24})(?=[\x00\"])", data)
    return sorted({word.decode() for word in found})


@pytest.mark.kernel
def test_every_word_of_the_installed_nft_can_be_a_name(namespace: Namespace) -> None:
    words = words_of_nft()
    assert {"accept", "fwd", "flush", "ct", "th"} <= set(words)
    spelt = [names.mangle(word) for word in words]
    script = "\n".join(
        [
            "table ip words {",
            *(f"\tchain {name} {{ }}\n\tcounter {name} {{ }}" for name in spelt),
            *(f"\tset {name} {{ type ipv4_addr; }}" for name in spelt),
            "\tchain .all {",
            *(f'\t\tcounter name "{name}" ip saddr @{name} jump {name}' for name in spelt),
            "\t}",
            "}",
            "",
        ]
    )
    namespace.load(script)
    held = inventory(namespace.objects())
    assert held["sets"] == held["counters"] == sorted(("ip", name) for name in spelt)
    assert held["rules"] == {".all": len(spelt)}


@pytest.mark.kernel
def test_every_keyword_that_is_respelt_would_be_refused_as_it_is(namespace: Namespace) -> None:
    """At least those that the installed nft has: the list has later versions' words too."""
    refused = set()
    for word in sorted(names.KEYWORDS.intersection(words_of_nft())):
        try:
            namespace.load(f"table ip words {{ chain {word} {{ }}\n}}\n")
        except LoadError:
            refused.add(word)
    assert {"accept", "ct", "drop", "ip", "jump", "map", "queue", "th", "time"} <= refused
