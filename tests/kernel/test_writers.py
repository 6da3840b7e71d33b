"""What programs of Debian write: in the kernel as in the model; tests/corpus/writers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.replay.testbed import ReplaySettings, Testbed

from ..support.drawn_nft import NftBed
from ..support.namespaces import Namespace
from ..support.packets import Tally, check_models, check_translation, contents
from ..support.profiles import SCALE
from ..support.writers import ALL, DUMPS, LISTINGS, REFUSED, TOLD_APART, WRITERS, name_of, sets_of

pytestmark = pytest.mark.kernel

#: Conversations for each listing, and packets through each dump and its translation.
CONVERSATIONS, PACKETS = 12 * SCALE, 120 * SCALE

#: Dumps whose kinds of rules differ from those of all others.
SAMPLE = [
    "cni-plugins-iptables", "docker-28-swarm", "fail2ban-ipset", "firehol", "neutron", "uruk",
]  # fmt: skip


#: What nft 1.0.6 does not load of what newer ones list: tables that a program holds, interfaces by
#: number that are not there, ports of NAT where the protocol is compared by its byte only.
LOADABLE = (
    (r"\tflags owner,persist\n", ""),
    (r"\b([io]if) \"", r'\1name "'),
    (r"@nh,72,8 0x6 ", "@nh,72,8 0x6 meta l4proto tcp "),
    (r"@nh,72,8 0x11 ", "@nh,72,8 0x11 meta l4proto udp "),
)

#: What kernels may be built without.
QUEUES = {"fwknop.save", "opensnitch-iptables.save", "opensnitch-iptables.v6.save"}


@pytest.fixture(scope="module")
def bed() -> Iterator[NftBed]:
    with NftBed() as one:
        yield one


@pytest.mark.parametrize("path", LISTINGS, ids=name_of)
def test_a_listing_does_what_its_model_says(
    path: Path, bed: NftBed, add: Callable[[Tally], None]
) -> None:
    listing = path.read_text()
    for listed, loaded in LOADABLE:
        listing = re.sub(listed, loaded, listing)
    script = nft.serialize(nft.parse(listing))
    bed.load(script)
    tally, found = bed.check(nft.parse(script), CONVERSATIONS)
    assert not found, found[0]
    add(tally)


@pytest.mark.parametrize("name", SAMPLE)
def test_packets_take_the_same_way_by_a_dump_and_its_translation(
    name: str, add: Callable[[Tally], None]
) -> None:
    path = WRITERS / f"{name}.save"
    dump, sets = path.read_text(), sets_of(path)
    script = vpccni_nft.translate(dump, allow=ALL, ipset_save=sets).script()
    with Testbed(contents(dump, path.name, sets), contents(script), ReplaySettings()) as arena:
        tally = check_translation(arena, PACKETS)
        check_models(arena, nft.parse(script), CONVERSATIONS, tally)
        add(tally)


@pytest.mark.parametrize("name", ["netavark-iptables", "ufw", "firewalld-iptables"])
def test_a_dump_that_has_no_exact_translation_does_what_its_model_says(
    name: str, add: Callable[[Tally], None]
) -> None:
    path = WRITERS / f"{name}.save"
    assert path.name in {*REFUSED, *TOLD_APART}
    dump = contents(path.read_text(), path.name, sets_of(path))
    tally = Tally()
    with Testbed(dump, dump, ReplaySettings()) as arena:
        check_models(arena, dump.rules, CONVERSATIONS, tally)
    assert tally.hooks > CONVERSATIONS
    add(tally)


@pytest.mark.parametrize("path", DUMPS, ids=name_of)
def test_a_translation_loads(path: Path, namespace: Namespace) -> None:
    translation = vpccni_nft.translate(path.read_text(), allow=ALL, ipset_save=sets_of(path))
    assert translation.refused == (path.name in REFUSED)
    script = "" if translation.refused else translation.script()
    if path.name in QUEUES and not namespace.takes("queue to 1"):
        pytest.skip("this kernel is built without nft's queue")
    namespace.load(script)
