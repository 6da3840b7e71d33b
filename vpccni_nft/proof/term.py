"""A term: a node of a formula, and the ways through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How wide a condition is, and how wide a log: neither is a word.
CONDITION, LOG = 0, -1


class Term:
    """A node of a term: what it is, what it is made of, its bits. Equal terms are one object."""

    __slots__ = ("kind", "negation", "number", "parts", "terms", "width")

    def __init__(self, kind: str, parts: tuple[Any, ...], width: int, number: int) -> None:
        self.kind = kind
        self.parts = parts
        self.width = width
        self.number = number  #: by which terms are ordered: when it was first made
        self.negation: Term | None = None  #: of a condition, once it has been made
        terms = tuple([part for part in parts if isinstance(part, Term)])
        #: The terms among its parts; one object where all of them are.
        self.terms: tuple[Term, ...] = parts if len(terms) == len(parts) else terms

    def __repr__(self) -> str:
        inner = " ".join(repr(part) if isinstance(part, Term) else str(part) for part in self.parts)
        return f"({self.kind} {inner})" if inner else self.kind


def asks(*terms: Term) -> Iterator[Term]:
    """The questions to the world that terms depend on, each once."""
    done: dict[Term, None] = {}
    for term in terms:
        for one in postorder(term, done):
            done[one] = None
            if one.kind == "ask":
                yield one


def atoms(condition: Term) -> Iterator[Term]:
    """The comparisons that a term is made of."""
    done: dict[Term, None] = {}
    waiting = [condition]
    while waiting:
        one = waiting.pop()
        if one in done:
            continue
        done[one] = None
        if one.width == CONDITION and one.kind not in {"and", "not", "true", "false"}:
            yield one
        waiting.extend(one.terms)


def postorder(term: Term, done: Mapping[Term, object]) -> Iterator[Term]:
    """A term's terms, each after those that it is made of; without those that are done already.

    The caller has done with a term when it asks for the next one.
    """
    waiting = [term]
    while waiting:
        one = waiting[-1]
        if one in done:
            waiting.pop()
            continue
        missing = [part for part in one.terms if part not in done]
        if missing:
            waiting.extend(missing)
        else:
            waiting.pop()
            yield one


def conjuncts(condition: Term) -> tuple[Term, ...]:
    """The conditions that a condition is the conjunction of."""
    return condition.terms if condition.kind == "and" else (condition,)
