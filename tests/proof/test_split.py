"""Packets looked at case by case give the same answers as all of them at once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from benchmarks import kube_proxy
from vpccni_nft import Different, Equivalent
from vpccni_nft.core.span import Source
from vpccni_nft.proof import verify as proof
from vpccni_nft.proof.answers import HookStatus
from vpccni_nft.proof.hooks import Comparison, PathComparison, SentPacket
from vpccni_nft.proof.order import ChainOrder
from vpccni_nft.proof.side import Side

from ..support.profiles import NIGHTLY

if TYPE_CHECKING:
    from vpccni_nft.proof.answers import Answer

#: What of one priority runs first: kube-proxy's rules, as in the dump.
ORDER = ChainOrder.of(
    "kube-proxy nat-prerouting,nat PREROUTING,kube-proxy nat-output,nat OUTPUT,"
    "kube-proxy nat-postrouting,nat POSTROUTING,filter INPUT,kube-proxy filter-input,"
    "filter OUTPUT,kube-proxy filter-output,filter FORWARD,kube-proxy filter-forward"
)

HEAD = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:SVC - [0:0]
:OTHER - [0:0]
"""

#: The rules of a Service's dispatch, and of what the maps lead to.
TABLE = """table ip t {{
	map services {{ type ipv4_addr . inet_service : verdict; elements = {{ {elements} }} }}
	set all {{ type ipv4_addr; elements = {{ {addresses} }} }}
	chain pre {{ type nat hook prerouting priority -100; {ahead} jump services; }}
	chain services {{ meta l4proto tcp ip daddr . th dport vmap @services; {behind} }}
{chains}
}}
"""


def verify(
    before: tuple[str, ...], after: tuple[str, ...], *, splits: bool = True, first: bool = False
) -> Answer:
    one, other = (
        Side.of([Source.of(text.encode(), str(number)) for number, text in enumerate(side)])
        for side in (before, after)
    )
    settings = proof.ProofSettings(splits=splits, order=ORDER, first=first)
    return proof.verify(one, other, settings)


def dump(keys: list[tuple[str, int, str]], ahead: str = "", behind: str = "") -> str:
    """A row of rules, each for an address and a port, as a row of DNATs in a chain."""
    rules = "".join(
        f"-A SVC -d {address}/32 -p tcp -m tcp --dport {port} -j DNAT --to-destination {to}\n"
        for address, port, to in keys
    )
    return f"{HEAD}{ahead}-A PREROUTING -j SVC\n{rules}{behind}COMMIT\n"


def table(keys: list[tuple[str, int, str]], ahead: str = "", behind: str = "") -> str:
    """A map of the same: of one key the first one counts, as in a row of rules."""
    first: dict[tuple[str, int], str] = {}
    for address, port, to in keys:
        first.setdefault((address, port), to)
    elements = ", ".join(
        f"{address} . {port} : goto c{number}" for number, (address, port) in enumerate(first)
    )
    chains = "".join(
        f"\tchain c{number} {{ meta l4proto tcp dnat to {to}; }}\n"
        for number, to in enumerate(first.values())
    )
    addresses = ", ".join(dict.fromkeys(address for address, _, _ in keys))
    return TABLE.format(
        elements=elements, addresses=addresses, ahead=ahead, behind=behind, chains=chains
    )


KEYS = [(f"172.20.0.{one}", 80 + one % 3, f"10.1.0.{one}") for one in range(1, 31)]


def swapped(keys: list[tuple[str, int, str]], place: int, to: str) -> list[tuple[str, int, str]]:
    """The same with another address behind one key."""
    return [(a, p, to if number == place else t) for number, (a, p, t) in enumerate(keys)]


def test_a_row_of_rules_and_a_map_of_the_same_are_equal() -> None:
    assert isinstance(verify((dump(KEYS),), (table(KEYS),)), Equivalent)


@pytest.mark.parametrize("place", [0, 17, 29])
def test_one_wrong_address_is_found_and_it_is_the_only_one(place: int) -> None:
    answer = verify((dump(KEYS),), (table(swapped(KEYS, place, "10.9.9.9")),))
    assert isinstance(answer, Different)
    (found,) = answer.classes
    assert not answer.reasons
    assert f"daddr={KEYS[place][0]} " in " ".join(found.texts)
    assert KEYS[place][0] in found.example.plain.text


#: Pairs that a split must not take for equal: what stands ahead of the dispatch or behind it is on
#: the first side alone.
FOES = {
    "a rule ahead takes one key": ("-A PREROUTING -d 172.20.0.7/32 -j ACCEPT\n", ""),
    "a rule ahead takes a range": ("-A PREROUTING -d 172.20.0.16/30 -p tcp -j ACCEPT\n", ""),
    "a rule ahead takes all but one": ("-A PREROUTING ! -d 172.20.0.7/32 -j ACCEPT\n", ""),
    "a rule ahead rewrites": (
        "-A PREROUTING -d 192.0.2.1/32 -p tcp -j DNAT --to-destination 172.20.0.3\n",
        "",
    ),
    "a rule ahead sets a mark for one key": (
        "-A PREROUTING -d 172.20.0.9/32 -j MARK --set-xmark 0x1/0x1\n",
        "",
    ),
    "the chain is reached by a second way": (
        """-A PREROUTING -d 172.20.0.5/32 -p tcp -j OTHER
-A OTHER -p tcp -j DNAT --to-destination 10.7.7.7
""",
        "",
    ),
    "goto returns to the caller of the caller": (
        "-A PREROUTING -s 192.0.2.2/32 -g OTHER\n",
        "",
    ),
    "a rule behind takes what no key takes": (
        "",
        "-A SVC -d 172.20.0.77/32 -p tcp -j DNAT --to-destination 10.7.7.7\n",
    ),
    "a rule behind takes another port of a key": (
        "",
        "-A SVC -d 172.20.0.4/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.7.7.7\n",
    ),
    "a rule behind takes another protocol of a key": (
        "",
        "-A SVC -d 172.20.0.4/32 -p udp -m udp --dport 81 -j DNAT --to-destination 10.7.7.7\n",
    ),
}


@pytest.mark.parametrize("name", FOES)
def test_what_stands_beside_the_dispatch_is_found(name: str) -> None:
    answer = verify((dump(KEYS, *FOES[name]),), (table(KEYS),), first=True)
    assert isinstance(answer, Different), answer


def test_a_mark_for_one_key_ahead_of_the_dispatch_is_the_same_on_both_sides() -> None:
    """Also where a rule of the dispatch has the same key twice, of which the first one counts."""
    twice = [*KEYS, ("172.20.0.9", KEYS[8][1], "10.9.9.9")]
    ahead = FOES["a rule ahead sets a mark for one key"][0]
    marks = "ip daddr 172.20.0.9 meta mark set meta mark | 0x1;"
    assert isinstance(verify((dump(twice, ahead),), (table(KEYS, marks),)), Equivalent)


@pytest.mark.parametrize("seed", range(2))
def test_drawn_dispatches_have_the_same_answer_without_the_split(seed: int) -> None:
    """Overlapping and repeated keys, a key lost, an address changed: or nothing of that."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    keys = [
        (f"172.20.0.{chance.randrange(1, 9)}", chance.choice((80, 443, 53)), f"10.0.0.{one}")
        for one in range(22)
    ]
    other = list(keys)
    if seed % 2:
        place = chance.randrange(len(keys))
        other = chance.choice(
            (other[:place] + other[place + 1 :], swapped(keys, place, "10.9.9.9"))
        )
    before, after = dump(keys), table(other)
    kinds = [type(verify((before,), (after,), splits=one, first=True)) for one in (True, False)]
    assert kinds[0] is kinds[1]
    assert seed % 2 or kinds[0] is Equivalent


def modes(number: int, generation: str) -> tuple[str, tuple[str, str]]:
    """A node in both modes of kube-proxy, without ports of the node, which differ."""
    every = [attrs.evolve(one, node_port=0) for one in kube_proxy.services(number)]
    return kube_proxy.iptables_mode(every), kube_proxy.nftables_mode(every, generation)


def prerouting(before: str, after: tuple[str, str]) -> object:
    """What is known of the hook at which Services are found."""
    answer = verify((before,), after, first=True)
    assert isinstance(answer, Different)
    return next(one.status for one in answer.hooks if one.hook == "prerouting")


SIZES = (20, 40) if NIGHTLY else (8, 16)


def test_services_are_found_the_same_in_both_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is proved of one of them is compared for no other one, however many there are."""
    compared = PathComparison.compare
    counts: Counter[int] = Counter()

    def note(self: PathComparison, sent: SentPacket) -> Comparison:
        counts[number] += self.place == "IPv4 prerouting"
        return compared(self, sent)

    monkeypatch.setattr(PathComparison, "compare", note)
    for number in SIZES:
        before, after = modes(number, "1.33")
        assert prerouting(before, after) is HookStatus.EQUAL
    assert 0 < counts[SIZES[1]] == counts[SIZES[0]]


def test_whole_paths_of_many_services_have_an_answer() -> None:
    """Each side draws an endpoint for each Service: all of them together are far too many."""
    every = kube_proxy.services(40 if NIGHTLY else 16)
    texts = (kube_proxy.iptables_mode(every),), kube_proxy.nftables_mode(every, "1.33")
    one, other = (Side.of([Source.of(text.encode(), "") for text in side]) for side in texts)
    settings = proof.ProofSettings(order=ORDER, first=True, paths=True, timeout=120)
    answer = proof.verify(one, other, settings)
    assert isinstance(answer, Different)
    assert {one.status for one in answer.paths} == {HookStatus.DIFFERENT}


#: What is written of one Service, what is written instead, and how many Services there are.
FAULTS = {
    "a wrong port": ("dnat to {0}:8443", "dnat to {0}:8444", 300 if NIGHTLY else 60),
    "a wrong address in an element": ("{1} . tcp . 443 :", "172.30.200.1 . tcp . 443 :", 40),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_one_service_is_found(name: str) -> None:
    wanted, wrong, number = FAULTS[name]
    before, (dump_, rules) = modes(number, "1.33")
    service = kube_proxy.services(number)[27]
    words = service.endpoints[1], service.address
    assert rules.count(wanted.format(*words)) == 1
    changed = rules.replace(wanted.format(*words), wrong.format(*words))
    assert prerouting(before, (dump_, changed)) is HookStatus.DIFFERENT


def test_an_endpoint_that_one_service_has_lost_is_not_taken_for_the_same() -> None:
    before, (dump_, rules) = modes(5, "1.33")
    path = kube_proxy.services(5)[3].path
    (line,) = (one for one in rules.splitlines() if f"-{path} numgen" in one)
    kept = line.partition("{ ")[2].split(" , ")
    fewer = line.replace("mod 3", "mod 2").replace(f" , {kept[2]}", " }")
    assert fewer != line
    assert prerouting(before, (dump_, rules.replace(line, fewer))) is not HookStatus.EQUAL


CORPUS = Path(__file__).parents[1] / "corpus" / "modes"

IN_CORPUS = {
    "00-empty": [],
    "02-clusterip": [kube_proxy.Service("ns1/svc1", "172.30.0.41", ["10.180.0.1"])],
    "04-nodeport": [kube_proxy.Service("ns3/svc3", "172.30.0.43", ["10.180.0.3"], node_port=3003)],
}


@pytest.mark.parametrize("generation", kube_proxy.GENERATIONS)
@pytest.mark.parametrize("name", IN_CORPUS)
def test_the_rules_that_are_made_are_those_of_kube_proxy(name: str, generation: str) -> None:
    wanted = (CORPUS / f"{name}.{generation}.nft").read_text()
    assert kube_proxy.nftables_mode(IN_CORPUS[name], generation)[1] == wanted
