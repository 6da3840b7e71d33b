"""What diagnostics show of a text, whatever it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpccni_nft.core.render import render

from ..support.profiles import in_turn
from ..support.robustness import EXCERPT, in_filter, outcome

# --- what diagnostics show ----------------------------------------------------------------------

#: Rules with a place for a word; what stands there is wrong, whatever it is.
PLACES = (
    "{}",
    "-A INPUT {}",
    "-A INPUT -s {} -j DROP",
    "-A INPUT -d 10.0.0.0/{} -j DROP",
    "-A INPUT -i {} -j DROP",
    "-A INPUT -p {} -j DROP",
    "-A INPUT -j {}",
    "-A INPUT -g {}",
    "-A {} -j DROP",
    ":{} - [0:0]",
    ":OTHER {} [0:0]",
    "*{}",
    "-P {} ACCEPT",
    "-N {}",
    "-A INPUT -c {} 0 -j DROP",
    "-A INPUT -m {} -j DROP",
    "-A INPUT -m mark --mark {} -j DROP",
    "-A INPUT -m mark --{} 1 -j DROP",
    "-A INPUT -m conntrack --ctstate {} -j DROP",
    "-A INPUT -m conntrack --ctstate NEW -m nonsense --of {}",
    "-A INPUT -p tcp -m tcp --dport {} -j DROP",
    "-A INPUT -p tcp -m multiport --dports 1,{} -j DROP",
    "-A INPUT -m addrtype --dst-type {} -j DROP",
    "-A INPUT -m statistic --mode {} -j DROP",
    "-A INPUT -m recent --rcheck --name {} -j DROP",
    "-A INPUT -m nfacct --nfacct-name {}",
    "-A INPUT -m set --match-set {} src",
    "-A INPUT -j LOG --log-prefix {}",
    "-A INPUT -j LOG --log-level {}",
    "-A INPUT -j REJECT --reject-with {}",
    "-A INPUT -j SNAT --to-source {}",
    "-A INPUT -j DNAT --to-destination 10.0.0.1:{}",
    "-A INPUT -j ACCEPT {}",
    "-A INPUT -j NOSUCH --option {}",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [500, 5000, 50_000])
def test_diagnostics_never_show_more_than_an_excerpt_of_a_line(place: str, size: int) -> None:
    translation = outcome(in_filter(place.format("Q" * size)))
    assert translation.refused
    for found in translation.diagnostics:
        shown = render(found)
        longest = max(map(len, re.findall("Q+", shown)), default=0)
        assert longest <= EXCERPT
        assert len(shown) < 1000


CONTROL = [
    *map(chr, range(32)),
    *map(chr, range(127, 160)),
    *"\u2028\u2029\u202e\u200b\ufeff\ue000",
]


@pytest.mark.parametrize("place", PLACES)
def test_diagnostics_never_hold_a_control_character(place: str) -> None:
    for char in CONTROL:
        words = (f"a{char}b", f'"a {char}[31mb"', f"{char}")
        for word in in_turn((place, char), words):
            for found in outcome(in_filter(place.format(word))).diagnostics:
                shown = render(found).replace("\n", "")
                assert shown.isprintable(), ascii(shown)
                said = found.to_dict()
                assert (said["message"] + said["hint"]).isprintable()


@given(
    st.sampled_from(PLACES),
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20),
)
def test_the_caret_stands_below_the_text_that_it_speaks_of(place: str, word: str) -> None:
    for found in outcome(in_filter(place.format(word))).diagnostics:
        if not found.span:
            continue
        _, code, caret, *_ = render(found).split("\n")
        assert code.index("|") == caret.index("|")
        start = caret.index("^")
        assert set(caret[start:]) == {"^"}
        line = found.span.source.lines[found.span.line - 1]
        assert 1 <= found.span.start <= len(line) + 1
        assert len(code) <= start or code[start] in {
            line[found.span.start - 1 : found.span.start],
            "\N{REPLACEMENT CHARACTER}",
        }
