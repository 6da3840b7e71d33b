"""What a proof costs: it grows with the rules, counted in terms, and ends when its time is over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import z3

import vpccni_nft
from vpccni_nft import Equivalent, Unknown
from vpccni_nft.proof import budget, symbolic
from vpccni_nft.proof.bits import pieces_of
from vpccni_nft.proof.budget import Budget, GaveUp
from vpccni_nft.proof.symbolic import Solver
from vpccni_nft.proof.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpccni_nft.proof.answers import Answer


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


@pytest.mark.parametrize("step", [1, 0])
def test_a_question_that_is_much_work_for_the_simple_solver_goes_to_the_usual_one(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three numbers each is another one and a step, which only nothing can be."""
    asked: list[object] = []

    def note(make: Callable[..., object], ctx: object) -> object:
        asked.append(make)
        return make(ctx=ctx)

    for name in ("SimpleSolver", "Solver"):
        make = getattr(z3, name)
        monkeypatch.setattr(z3, name, partial(note, make))
    monkeypatch.setattr(symbolic, "_WORK", 1)
    terms = Terms()
    numbers = [terms.variable(name, 32) for name in ("one", "two", "three")]
    by = [terms.bvadd(one, terms.variable("step", 32), 32) for one in numbers]
    sums = [terms.equal(one, by[place - 1]) for place, one in enumerate(numbers)]
    sums.append(terms.equal(terms.variable("step", 32), terms.const(step, 32)))
    model = Solver(60).find(terms.all(*sums))
    assert len(asked) == 2
    assert (model is None) == (step == 1)
    if model:
        assert len(set(map(model.value, numbers))) == 1


class Clock:
    """A clock that has been looked at so many times, and at some look says that all is over."""

    def __init__(self, last: float) -> None:
        self.looks, self.last = 0, last

    def monotonic(self) -> float:
        self.looks += 1
        return 0.0 if self.looks <= self.last else 1e9


#: Chains that are proved, marks that are searched, and chance, on either side.
PAIRS = {
    "equal": (node_ports(12), vpccni_nft.translate(node_ports(12), optimize=True).script()),
    "different": (logged(3), logged(4)),
    "by chance": tuple(
        "*filter\n:OUTPUT ACCEPT [0:0]\n"
        f"-A OUTPUT -m statistic --mode random --probability {chance} -j DROP\nCOMMIT\n"
        for chance in (0.25, 0.5)
    ),
}


def answer_by(clock: Clock, pair: str, monkeypatch: pytest.MonkeyPatch) -> Answer:
    with monkeypatch.context() as patched:
        patched.setattr(budget, "time", clock)
        return vpccni_nft.verify(*PAIRS[pair], timeout=1000, family="ip")


@pytest.mark.parametrize("pair", PAIRS)
def test_time_that_is_over_at_whichever_look_at_the_clock_is_a_reason(
    pair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is what was found until then, and never better."""
    clock = Clock(float("inf"))
    in_full = answer_by(clock, pair, monkeypatch)
    assert clock.looks > 4
    for last in {1, clock.looks // 4, clock.looks // 2, clock.looks - 1}:
        found = answer_by(Clock(last), pair, monkeypatch)
        assert isinstance(found, Unknown | type(in_full))
        assert not isinstance(found, Equivalent), last
        assert "V009" in {reason.code.name for reason in found.reasons}, last
