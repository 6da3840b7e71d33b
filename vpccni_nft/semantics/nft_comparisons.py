"""How values of nft compare: with literals, with the elements of sets, and through maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.lookup import KeyIndex
from ..model.oracle import LISTED_BITS, KeptSet, Oracle, OracleKind
from ..model.packet import NoMeaning
from ..nft import expressions as x
from ..nft import names
from .nft_host import has_label
from .nft_literals import constant, equals, is_exact, is_from, is_interface, is_up_to
from .nft_shown import shown
from .nft_value import Value
from .nft_values import evaluate, evaluate_key, extended, operate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model.algebra import Bool
    from ..model.effects import View
    from ..nft import statements as s
    from ..nft.ast import Set


_EQUALITIES = ("==", "!=")


def compare(match: s.Match, view: View) -> Bool:
    """Whether a match holds."""
    algebra = view.state.algebra
    if isinstance(match.right, x.AnonymousSet | x.SetReference):
        there, holds = contains(match.left, match.right, view)
        return algebra.all(there, holds if match.operator == "==" else algebra.not_(holds))
    if match.left == x.Ct("label") and match.operator in {"in", "!"}:
        found = has_label(match.right, view)
        holds = found if match.operator == "in" else algebra.not_(found)
        return algebra.all(view.state.has_connection, holds)
    if is_interface(match.left) and (
        match.operator not in _EQUALITIES or isinstance(match.right, x.Range)
    ):
        raise NoMeaning("the numbers of interfaces are in no order that is known")
    value = evaluate(match.left, view)
    match match.operator:
        case "==":
            holds = equals(value, match.left, match.right, view)
        case "!=":
            holds = algebra.not_(equals(value, match.left, match.right, view))
        case "in":
            holds = algebra.not_(_has_none(value, match, view))
        case "!":
            holds = _has_none(value, match, view)
        case "<":
            holds = algebra.not_(is_from(value, constant(match.right, match.left), algebra))
        case ">=":
            holds = is_from(value, constant(match.right, match.left), algebra)
        case ">":
            holds = algebra.not_(is_up_to(value, constant(match.right, match.left), algebra))
        case "<=":
            holds = is_up_to(value, constant(match.right, match.left), algebra)
        case _:
            raise NoMeaning(f"no meaning for {shown(match)}")
    return algebra.all(value.there, holds)


def _has_none(value: Value, match: s.Match, view: View) -> Bool:
    algebra = view.state.algebra
    bits = constant(match.right, match.left) & (1 << value.width) - 1
    found = algebra.bvand(value.word, algebra.const(bits, value.width))
    return algebra.equal(found, algebra.const(0, value.width))


def contains(
    key: x.Expression,
    elements: x.AnonymousSet | x.SetReference,
    view: View,
) -> tuple[Bool, Bool]:
    """Whether a key has a value, and whether it is in a set.

    What the text does not list is for the world to know: sets that rules or programs fill.
    """
    _require_type(key, elements, view)
    algebra = view.state.algebra
    values = evaluate_key(key, view)
    there = algebra.all(*(value.there for value in values))
    listed = _elements(elements, view)
    if isinstance(elements, x.SetReference) and (not listed or _is_open(elements, view)):
        words = [one.word for one in values]
        first = algebra.const(0, LISTED_BITS)
        for one in listed:
            left = algebra.const(_left(one, view.named[elements.name]) + 1, LISTED_BITS)
            first = algebra.ite(is_element(values, key, one, view), left, first)
        words += [first] if listed else []
        return there, view.state.member(kept_set(view.named[elements.name], view), *words)
    kept = view.named[elements.name] if isinstance(elements, x.SetReference) else None
    index = _index_of(key, elements, view)
    few = _candidates(index, elements, values, view, splits=False)
    if index and len(few) > _MANY and not any(_left(one, kept) for one in few if kept):
        return there, _is_one_of(index, key, listed, values, view)
    return there, algebra.any(
        *(algebra.all(is_element(values, key, one, view), _stays(one, kept, view)) for one in few)
    )


def _is_one_of(
    index: KeyIndex,
    key: x.Expression,
    listed: Sequence[x.Expression],
    values: tuple[Value, ...],
    view: View,
) -> Bool:
    """Whether a key is one of many elements: those without ranges are one comparison."""
    algebra, found, others = view.state.algebra, [], [*index.always]
    for group in index.groups:
        if len(group.places) == len(values):
            found.append(algebra.is_in(group, tuple(values[place].word for place in group.places)))
        else:
            others += (number for numbers in group.by_key.values() for number in numbers)
    compared = (is_element(values, key, listed[number], view) for number in others)
    return algebra.any(*found, *compared)


#: Beyond so many elements a set is no list of comparisons.
_MANY = 16


def _index_of(
    key: x.Expression, elements: x.AnonymousSet | x.SetReference, view: View
) -> KeyIndex | None:
    """By which the elements of a large set are found."""
    owner = elements if isinstance(elements, x.AnonymousSet) else view.named[elements.name]
    fewest = _MANY if isinstance(elements, x.AnonymousSet) else 1
    if view.indices is None or len(owner.elements) <= fewest:
        return None
    place = (id(owner), key)
    kept = view.indices.elements.get(place)
    if kept is None or kept[0] is not owner:
        kept = (owner, KeyIndex.of(_exact_parts(key, one) for one in owner.elements))
        view.indices.elements[place] = kept
    return kept[1]


def _exact_parts(key: x.Expression, element: x.Expression) -> dict[int, int]:
    """The values that an element asks for, by the number of the key's part."""
    if isinstance(element, x.Pair):
        element = element.key
    if isinstance(element, x.Element):
        element = element.key
    if isinstance(element, x.CatchAll):
        return {}
    wanted = element.parts if isinstance(element, x.Concat) else (element,)
    keys = key.parts if isinstance(key, x.Concat) else (key,)
    return {
        number: constant(right, left)
        for number, (left, right) in enumerate(zip(keys, wanted, strict=True))
        if is_exact(right)
    }


def _candidates(
    index: KeyIndex | None,
    elements: x.AnonymousSet | x.SetReference,
    values: tuple[Value, ...],
    view: View,
    *,
    splits: bool,
) -> Sequence[x.Expression]:
    """The elements that a key may be."""
    every = _elements(elements, view)
    if index is None:
        return every
    words = tuple(value.word for value in values)
    return [every[number] for number in view.state.algebra.candidates(index, words, splits=splits)]


def kept_set(set_: Set, view: View) -> KeptSet:
    """A set for the world: what packets and time make of its elements."""
    size = set_.size if "dynamic" in set_.flags else None
    return KeptSet(names.demangle(set_.name), view.tables.get(set_.name, ""), set_.timeout, size)


def _left(element: x.Expression, set_: Set) -> int:
    """Milliseconds that an element stays; zero: for ever."""
    timeout = set_.timeout
    if isinstance(element, x.Element):
        if element.expires is not None:
            return element.expires
        timeout = timeout if element.timeout is None else element.timeout
    return 1000 * (timeout or 0)


def _stays(element: x.Expression, set_: Set | None, view: View) -> Bool:
    """Whether an element that was listed is still there."""
    left = _left(element, set_) if set_ else 0
    if not left:
        return view.state.algebra.true
    return view.says(Oracle(OracleKind.ELEMENT_STAYS, parameters=(left,)))


def pairs(
    key: x.Expression,
    elements: x.AnonymousSet | x.SetReference,
    view: View,
) -> Iterator[tuple[Bool, x.Expression | s.Verdict]]:
    """What a map holds for a key: each value, and where it is the one."""
    _require_type(key, elements, view)
    algebra = view.state.algebra
    values = evaluate_key(key, view)
    free = algebra.all(*(value.there for value in values))
    kept = view.named[elements.name] if isinstance(elements, x.SetReference) else None
    if kept and "dynamic" in kept.flags:
        raise NoMeaning(f"what rules put into the map {kept.name} is not known")
    index = _index_of(key, elements, view)
    listed = [_pair(element) for element in _candidates(index, elements, values, view, splits=True)]
    # The element for all others comes last, wherever it stands.
    for wanted, value in sorted(listed, key=lambda pair: isinstance(pair[0], x.CatchAll)):
        stays = _stays(wanted, kept, view)
        here = algebra.all(free, is_element(values, key, wanted, view), stays)
        yield here, value
        free = algebra.all(free, algebra.not_(here))


def _elements(elements: x.AnonymousSet | x.SetReference, view: View) -> tuple[x.Expression, ...]:
    if isinstance(elements, x.AnonymousSet):
        return elements.elements
    named: Set = view.named[elements.name]
    return named.elements


def _require_type(key: x.Expression, elements: x.Expression, view: View) -> None:
    """A key of another type than a named set's: nft refuses the rule."""
    if isinstance(elements, x.SetReference) and key.type is not None:
        wanted = view.named[elements.name].type
        if [type_.bits for type_ in key.type] != [type_.bits for type_ in wanted]:
            raise NoMeaning(f"{elements.name} has keys of another type than {shown(key)}")


def _is_open(reference: x.SetReference, view: View) -> bool:
    """Whether rules change the set, so that what is listed was only its beginning."""
    return "dynamic" in view.named[reference.name].flags


def _pair(element: x.Expression) -> tuple[x.Expression, x.Expression | s.Verdict]:
    if not isinstance(element, x.Pair):
        raise NoMeaning(f"not an element of a map: {shown(element)}")
    return element.key, element.value


def is_element(
    values: tuple[Value, ...], key: x.Expression, element: x.Expression, view: View
) -> Bool:
    """Whether a key is an element, which may be a range, a prefix, or several parts of these."""
    algebra = view.state.algebra
    if isinstance(element, x.Element):
        element = element.key
    if isinstance(element, x.CatchAll):
        return algebra.true
    wanted = element.parts if isinstance(element, x.Concat) else (element,)
    keys = key.parts if isinstance(key, x.Concat) else (key,)
    return algebra.all(
        *(
            equals(value, left, right, view)
            for value, left, right in zip(values, keys, wanted, strict=True)
        )
    )


def evaluate_for(key: x.Expression, expression: x.Expression, view: View, bits: int) -> Value:
    """What a key is set to: a literal is as wide as the key, and a narrower value gets zeros."""
    algebra = view.state.algebra
    match expression:
        case x.Number() | x.Hex() | x.Flags() | x.Symbol():
            number = constant(expression, key)
            if number >> bits:
                raise NoMeaning(f"no meaning for {number} as {shown(key)}")
            return Value(algebra.const(number, bits), bits, algebra.true)
        case x.Lookup():
            return _looked_up(key, expression, view, bits)
        case x.Binary() if _has_shift(expression):
            # What is narrower is widened to what it is given to before it is shifted.
            left = evaluate_for(key, expression.left, view, bits)
            return operate(expression, left, view)
        case _:
            return extended(evaluate(expression, view), bits, algebra)


def _has_shift(expression: x.Expression) -> bool:
    return isinstance(expression, x.Binary) and (
        expression.operator.is_shift or _has_shift(expression.left)
    )


def _looked_up(key: x.Expression, lookup: x.Lookup, view: View, bits: int) -> Value:
    """What a map holds for the packet; no value where it holds nothing."""
    algebra = view.state.algebra
    word, found = algebra.const(0, bits), []
    for here, literal in pairs(lookup.key, lookup.map, view):
        if not isinstance(literal, x.Expression):
            raise NoMeaning("a map of verdicts is no map of values")
        value = evaluate_for(key, literal, view, bits)
        word = algebra.ite(here, value.word, word)
        found.append(here)
    return Value(word, bits, algebra.any(*found))
