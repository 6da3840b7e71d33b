"""Templates that ``ct zone set`` gives packets: what rules read behind it, and what they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import vpccni_nft
from vpccni_nft import nft

from ..support.drawn_nft import NftBed
from ..support.packets import Tally

pytestmark = pytest.mark.kernel

CONVERSATIONS = 25

#: The state and what connections have, as bits of the mark.
SEEN = """
		ct state new meta mark set meta mark | 0x1
		ct state established meta mark set meta mark | 0x2
		ct state invalid,untracked meta mark set meta mark | 0x4
		ct direction original meta mark set meta mark | 0x8
		ct mark 0 meta mark set meta mark | 0x10
		ct status != confirmed meta mark set meta mark | 0x20
		ct original ip saddr != 192.0.2.1 meta mark set meta mark | 0x40
		ct mark set 0x5
"""

RULES = (
    "ct zone set 5",
    "ip protocol udp ct zone set 5",
    "ct original zone set 5",
    "notrack ct zone set 5",
    "ct zone set 5 notrack",
    "ct zone set 5 ct zone set 6",
)


@pytest.fixture(scope="module")
def bed() -> Iterator[NftBed]:
    with NftBed() as one:
        yield one


@pytest.mark.parametrize("hook", ["prerouting", "output"])
@pytest.mark.parametrize("rule", RULES)
def test_a_template_is_no_connection(
    bed: NftBed, rule: str, hook: str, add: Callable[[Tally], None]
) -> None:
    places = ((hook, -300, f"{rule}{SEEN}"), (hook, -150, SEEN), ("postrouting", 0, SEEN))
    chains = "".join(
        f"\tchain c{number} {{\n\t\ttype filter hook {at} priority {priority}; policy accept;\n"
        f"\t\t{rules}\t}}\n"
        for number, (at, priority, rules) in enumerate(places)
    )
    text = f"table ip t {{\n{chains}}}\n"
    bed.load(text)
    tally, found = bed.check(nft.parse(text), CONVERSATIONS)
    assert not found, found[0]
    assert tally.hooks > CONVERSATIONS
    add(tally)


DUMP = """*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -j CT --zone 5
-A PREROUTING -d 10.0.0.1/32 {} -j DROP
COMMIT
"""


#: A template of iptables can be read, and is not nothing; other packets may have changed it.
@pytest.mark.parametrize(
    ("match", "same"),
    [
        ("-m connmark --mark 0x0", False),
        ("-m conntrack --ctstatus CONFIRMED", False),
        ("-m conntrack --ctstate NEW,SNAT", True),
        ("-m conntrack --ctstate NEW", True),
        ("-p udp", True),
    ],
)
def test_what_a_template_of_iptables_holds_is_not_what_nft_reads(match: str, same: bool) -> None:
    dump = DUMP.format(match)
    script = vpccni_nft.translate(dump).script()
    answer = vpccni_nft.verify(dump, script)
    assert isinstance(answer, vpccni_nft.Equivalent if same else vpccni_nft.Different)
