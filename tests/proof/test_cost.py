"""What a proof costs: it grows with the rules, counted in terms, and ends when its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import z3

import vpccni_nft
from vpccni_nft import Equivalent
from vpccni_nft.proof.bits import pieces_of
from vpccni_nft.proof.budget import Budget, GaveUp
from vpccni_nft.proof.symbolic import Solver
from vpccni_nft.proof.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable


def node_ports(count: int) -> str:
    """A chain that sends each of some ports to a chain of its own."""
    chains = [f":EXT-{number} - [0:0]" for number in range(count)]
    rules = [f"-A PORTS -p tcp --dport {30000 + number} -j EXT-{number}" for number in range(count)]
    ends = [
        f"-A EXT-{number} -p tcp -j DNAT --to-destination 10.0.{number}.1:80"
        for number in range(count)
    ]
    return "\n".join(
        ("*nat", ":PREROUTING ACCEPT [0:0]", ":PORTS - [0:0]", *chains, "-A PREROUTING -j PORTS",
         *rules, *ends, "COMMIT", "")
    )  # fmt: skip


def logged(count: int) -> str:
    """A chain that logs packets to each of some ports before it accepts them."""
    rules = [
        f"-A FORWARD -s 10.0.0.0/8 -p tcp --dport {1000 + number} -j {target}"
        for number in range(count)
        for target in (f'LOG --log-prefix "{number}"', "ACCEPT")
    ]
    return "\n".join(("*filter", ":FORWARD ACCEPT [0:0]", *rules, "COMMIT", ""))


def terms_of(dump: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many terms it takes to prove what the optimizer makes of a dump."""
    made = 0

    def note(_self: Budget, count: int) -> None:
        nonlocal made
        made = max(made, count)

    with monkeypatch.context() as patched:
        patched.setattr(Budget, "check_terms", note)
        translation = vpccni_nft.translate(dump, optimize=True).script()
        assert isinstance(vpccni_nft.verify(dump, translation), Equivalent)
    return made


@pytest.mark.parametrize("make", [node_ports, logged])
def test_three_times_as_many_rules_take_no_more_than_three_times_as_many_terms(
    make: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (terms_of(make(count), monkeypatch) for count in (20, 60))
    assert many < 3.2 * few, (few, many)


def test_each_question_has_what_is_left_of_the_time_of_the_whole_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those by which a core of conditions is made smaller: each one was given all of it."""
    left = [30.0, 20.0, 0.0]
    monkeypatch.setattr(Budget, "seconds_left", property(lambda _: left[0]))
    given: list[tuple[object, float]] = []
    check = z3.Solver.check

    def note(solver: z3.Solver, *assumed: object) -> object:
        given.append((timeouts[solver], left.pop(0)))
        return check(solver, *assumed)

    timeouts: dict[object, object] = {}
    set_option = z3.Solver.set

    def set_and_note(solver: z3.Solver, name: str, value: int) -> None:
        if name == "timeout":
            timeouts[solver] = value
        set_option(solver, name, value)

    monkeypatch.setattr(z3.Solver, "set", set_and_note)
    monkeypatch.setattr(z3.Solver, "check", note)
    terms = Terms()
    one, other = (terms.variable(name, 8) for name in ("one", "other"))
    literals = [terms.equal(word, terms.const(1, 8)) for word in (one, other)]
    different = terms.not_(terms.equal(one, other))
    with pytest.raises(GaveUp):
        Solver(60, Budget(timeout=30)).least(literals, different)
    assert [timeout for timeout, _ in given] == [1000 * seconds for _, seconds in given]
    assert len(given) == 2


def test_words_that_are_made_of_one_another_are_looked_at_once_each() -> None:
    """Each is made of the two before it: taken apart anew for each use it would never end."""
    terms = Terms()
    one, other = terms.variable("mark", 32), terms.variable("ct_mark", 32)
    for _ in range(200):
        one, other = terms.bvxor(one, other), one
    assert pieces_of(one) is None
