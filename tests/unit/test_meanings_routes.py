"""What the matches of routes and interfaces mean, each on a packet at a hook."""

from __future__ import annotations

import pytest

from vpccni_nft.core.values import Family
from vpccni_nft.model.concrete import Question
from vpccni_nft.model.oracle import Oracle, OracleKind
from vpccni_nft.model.packet import (
    ADDRESS_TYPES,
)

from ..support.meanings_of_matches import (
    BROADCAST,
    DESTINATION,
    ETH0,
    ETH1,
    LOCAL,
    SOURCE,
    UNICAST,
    address,
    fib_type,
    fits,
)

# addrtype


def test_addrtype_asks_the_routing_table() -> None:
    local = {"answers": fib_type(DESTINATION, LOCAL)}
    unicast = {"answers": fib_type(DESTINATION, UNICAST)}
    assert fits("-m addrtype --dst-type LOCAL", **local)
    assert not fits("-m addrtype --dst-type LOCAL", **unicast)
    assert not fits("-m addrtype ! --dst-type LOCAL", **local)
    assert fits("-m addrtype ! --dst-type LOCAL", **unicast)


@pytest.mark.parametrize("name", sorted(ADDRESS_TYPES))
def test_addrtype_knows_every_type_in_a_list(name: str) -> None:
    other = "LOCAL" if name != "local" else "UNICAST"
    match = f"-m addrtype --src-type {name.upper()},{other}"
    assert fits(match, answers=fib_type(SOURCE, ADDRESS_TYPES[name]))
    assert fits(match, answers=fib_type(SOURCE, ADDRESS_TYPES[other.lower()]))
    assert not fits(match, answers=fib_type(SOURCE, 200))


def test_addrtype_asks_for_both_addresses() -> None:
    match = "-m addrtype --src-type LOCAL ! --dst-type BROADCAST"
    local = fib_type(SOURCE, LOCAL)
    assert fits(match, answers=local | fib_type(DESTINATION, UNICAST))
    assert not fits(match, answers=local | fib_type(DESTINATION, BROADCAST))
    assert not fits(match, answers=fib_type(SOURCE, UNICAST) | fib_type(DESTINATION, UNICAST))


def test_addrtype_is_limited_to_an_interface() -> None:
    match = "-m addrtype --dst-type LOCAL"
    assert fits(f"{match} --limit-iface-in", answers=fib_type(DESTINATION, LOCAL, ETH0))
    assert fits(f"{match} --limit-iface-out", answers=fib_type(DESTINATION, LOCAL, ETH1))
    assert not fits(f"{match} --limit-iface-out", answers=fib_type(DESTINATION, UNICAST, ETH1))


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("::", "UNSPEC"),
        ("::1", "UNICAST"),
        ("::10.0.0.1", "UNICAST"),
        ("::ffff:10.0.0.1", ""),
        ("1::ffff:10.0.0.1", "UNICAST"),
        ("fd00::1", "UNICAST"),
        ("fe80::1", "UNICAST"),
        ("fe00::1", "UNICAST"),
        ("ff02::1", "MULTICAST"),
    ],
)
def test_addrtype_looks_at_an_ipv6_address_itself(text: str, looks: str) -> None:
    packet = {"family": Family.IP6, "saddr": address(text)}
    for name in ("UNSPEC", "UNICAST", "MULTICAST"):
        assert fits(f"-m addrtype --src-type {name}", **packet) is (name == looks)
        assert fits(f"-m addrtype ! --src-type {name}", **packet) is (name != looks)


def test_addrtype_wants_all_that_an_ipv6_address_looks_like() -> None:
    match = "-m addrtype --src-type UNICAST,MULTICAST"
    for text in ("fd00::1", "ff02::1", "::"):
        assert not fits(match, family=Family.IP6, saddr=address(text))


def test_addrtype_asks_for_the_route_of_an_ipv6_address_that_looks_right() -> None:
    match = "-m addrtype --src-type UNICAST,LOCAL"
    for text, found, expected in (
        ("fd00::1", LOCAL, True),
        ("fd00::1", UNICAST, False),
        ("ff02::1", LOCAL, False),
    ):
        answers = fib_type(address(text), found, 0, address(text), DESTINATION, 0, 0)
        packet = {"family": Family.IP6, "saddr": address(text), "answers": answers}
        assert fits(match, **packet) is expected
        assert fits(match.replace("--src", "! --src"), **packet) is not expected


@pytest.mark.parametrize("name", ["anycast", "unreachable"])
def test_addrtype_asks_for_ipv6_what_nft_cannot_answer(name: str) -> None:
    one = address("fd00::1")
    match = f"-m addrtype --dst-type {name.upper()} --limit-iface-in"
    for answer in (False, True):
        answers = {(Oracle(OracleKind.ROUTE_TYPE, name), (one, ETH0)): answer}
        assert fits(match, family=Family.IP6, daddr=one, answers=answers) is answer


def test_addrtype_wants_one_of_the_routes_of_an_ipv6_address() -> None:
    one = address("fd00::1")
    match = "-m addrtype --dst-type LOCAL,ANYCAST"
    for type_, anycast, expected in ((LOCAL, 0, True), (UNICAST, 1, True), (UNICAST, 0, False)):
        answers = fib_type(one, type_, 0, SOURCE, one, 0, 0) | {
            (Oracle(OracleKind.ROUTE_TYPE, "anycast"), (one, 0)): anycast
        }
        assert fits(match, family=Family.IP6, daddr=one, answers=answers) is expected


# rpfilter


#: What else a route may hang on: both addresses and the service.
ROUTED = SOURCE, DESTINATION, 0
RAW = {"table": "raw", "chain": "PREROUTING", "mark": 7}


def route_back(answer: int, mark: int = 0, interface: int = ETH0) -> dict[Question, int]:
    return {(Oracle(OracleKind.ROUTE_BACK), (SOURCE, mark, interface, *ROUTED)): answer}


@pytest.mark.parametrize("answer", [False, True])
def test_there_is_a_route_back_or_not(answer: bool) -> None:
    for options, answers in (
        ("", route_back(answer)),
        ("--validmark", route_back(answer, mark=7)),
        ("--loose", route_back(answer, interface=0)),
        ("--loose --validmark", route_back(answer, mark=7, interface=0)),
    ):
        assert fits(f"-m rpfilter {options}", answers=answers, **RAW) is answer
        assert fits(f"-m rpfilter {options} --invert", answers=answers, **RAW) is not answer


def test_an_address_of_the_node_will_do() -> None:
    for found, type_, expected in ((0, LOCAL, True), (1, UNICAST, True), (0, UNICAST, False)):
        answers = route_back(found) | fib_type(SOURCE, type_, ETH0)
        assert fits("-m rpfilter --accept-local", answers=answers, **RAW) is expected
        inverted = "-m rpfilter --accept-local --invert"
        assert fits(inverted, answers=answers, **RAW) is not expected


def test_an_address_of_the_node_will_do_on_any_interface_where_loose() -> None:
    answers = route_back(0, interface=0) | fib_type(SOURCE, LOCAL)
    assert fits("-m rpfilter --loose --accept-local", answers=answers, **RAW)


@pytest.mark.parametrize("answer", [False, True])
def test_local_addresses_of_ipv6_have_an_oracle_of_their_own(answer: bool) -> None:
    question = (Oracle(OracleKind.ROUTE_BACK_TO_ITSELF), (SOURCE, 0, ETH0, *ROUTED))
    answers = route_back(0) | {question: answer}
    match = "-m rpfilter --accept-local"
    assert fits(match, family=Family.IP6, answers=answers, **RAW) is answer
