"""kube-proxy's tables of three generations in the kernel, beside the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, islice

import attrs
import pytest

from vpccni_nft import nft
from vpccni_nft.core.values import Family
from vpccni_nft.iptables.protocols import TCP
from vpccni_nft.nft import expressions as x
from vpccni_nft.replay.conversation import Conversation

from ..support.corpus import FOLDER
from ..support.drawn_nft import NftBed
from ..support.packets import Tally

pytestmark = pytest.mark.kernel

CONVERSATIONS = 40

#: Tables with all kinds of Services, one a generation, and one of IPv6.
TABLES = ("01-overall.1.33", "01-overall.1.36", "01-overall.1.37", "20-ipv6.1.36")


@pytest.fixture(scope="module")
def bed() -> Iterator[NftBed]:
    with NftBed() as one:
        yield one


def services(ruleset: nft.Ruleset) -> Iterator[tuple[int, int]]:
    """The addresses and ports of Services, round and round."""
    (table,) = ruleset.tables
    (found,) = (one for one in table.sets if one.name == "service-ips")
    keys = [element.key for element in found.elements if isinstance(element, x.Pair)]
    parts = [key.parts for key in keys if isinstance(key, x.Concat)]
    ends = [
        (host.address.value, port.value)
        for host, _, port in parts
        if isinstance(host, x.Host) and isinstance(port, x.Number)
    ]
    assert ends
    return cycle(ends)


def to_services(
    conversations: Iterator[Conversation], family: Family, ends: Iterator[tuple[int, int]]
) -> Iterator[Conversation]:
    for one in conversations:
        if one.family is family:
            address, port = next(ends)
            yield attrs.evolve(one, target=address, dport=port, protocol=TCP)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_does_what_its_model_says(
    name: str, bed: NftBed, add: Callable[[Tally], None]
) -> None:
    text = (FOLDER / "modes" / f"{name}.list").read_text()
    ruleset = nft.parse(text)
    bed.load(text)
    family = Family.IP6 if "ipv6" in name else Family.IP
    drawn = bed.conversations(ruleset)
    aimed = to_services(bed.conversations(ruleset, 1), family, services(ruleset))
    half = CONVERSATIONS // 2
    tally, found = bed.hold(ruleset, [*islice(drawn, half), *islice(aimed, half)])
    assert not found, found[0]
    assert tally.hooks > 2 * CONVERSATIONS
    add(tally)
