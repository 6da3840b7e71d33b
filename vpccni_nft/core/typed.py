"""Nodes whose fields hold what they are declared to hold, checked where they are made.

An address that is given as text would otherwise be found far away, or never: the text would be
written as it is. A type checker finds it sooner; not every caller has one.
"""

from __future__ import annotations

import contextlib
import re
import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from .node import Node
from .values import Negatable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Values of these types stand only where the type of the field names them.
_PLAIN = {str, bytes, bytearray, int, float, bool, complex, list, dict, set, frozenset, type(None)}

#: What else a type may be called that takes such a value.
_ALSO = {
    "NoneType": ("None",), "bool": ("int",), "int": ("float",), "list": ("Sequence", "Iterable"),
}  # fmt: skip

#: Names in a type that say nothing of the value.
_ANY = {"Any", "object"}

_BUILT_IN = {"None", "tuple", *(kind.__name__ for kind in _PLAIN)}

_IN_BRACKETS = re.compile(r"\[.*?\]+")

_WORD = re.compile(r"[A-Za-z_]\w*")


class _Field:
    """What may stand in a field; no class of attrs, which takes longer to make."""

    def __init__(self, name: str, shown: str, words: frozenset[str], *, closed: bool) -> None:
        self.name = name
        self.shown = shown  #: its type, as it is declared
        self.words = words
        self.closed = closed  #: whether every word names a class, so that others do not fit
        self.known: dict[type, bool] = {}  #: whether values of a type fit

    def takes(self, value: Any) -> bool:
        kind = type(value)
        fits = self.known.get(kind)
        if fits is None:
            fits = self.known[kind] = self._takes_type(kind)
        if kind is tuple:
            return fits and all(map(self.takes, value))
        return fits and (kind is not Negatable or self.takes(value.value))

    def holds(self, kind: type) -> bool:
        """Whether a value of a type may be the whole, rather than something in it."""
        outer = set(_WORD.findall(_IN_BRACKETS.sub("", self.shown)))
        if not self.closed or kind in _PLAIN or "tuple" in outer:
            return True
        return any(base.__name__ in outer for base in kind.__mro__)

    def _takes_type(self, kind: type) -> bool:
        name = kind.__name__
        if kind in _PLAIN:
            return name in self.words or not self.words.isdisjoint(_ALSO.get(name, ()))
        if kind is tuple or not self.closed:
            return True
        return any(base.__name__ in self.words for base in kind.__mro__)


class _Fields:
    """The fields of a class, and what is known of their values so far."""

    def __init__(self, fields: tuple[_Field, ...], values_of: Callable[[Any], Any]) -> None:
        self.fields = fields
        self.values_of = values_of  #: of all fields at once
        #: By the types of the values that fit: the fields whose values have others in them.
        self.known: dict[tuple[type, ...], tuple[tuple[int, _Field], ...]] = {}


_FIELDS: dict[type, _Fields] = {}

#: What may hold values of other types.
_HOLDERS = (tuple, Negatable)


#: How many callers of ``trusted`` are at work.
_trusting = 0


@contextlib.contextmanager
def trusted() -> Iterator[None]:
    """Make nodes without looking at the types of their values: for code that mypy has checked.

    The readers and lowering make most nodes there are. Another thread that makes nodes meanwhile
    goes without the check, too.
    """
    global _trusting  # noqa: PLW0603 - it counts
    _trusting += 1
    try:
        yield
    finally:
        _trusting -= 1


def require_types(node: attrs.AttrsInstance) -> None:
    """Raise TypeError where a field of a node holds a value of another type than it is declared to.

    Looks at the values of Python's own types, and at nodes where the declaration names their
    classes: not at what a converter has made. Most nodes have values of the same types as one
    before them, and cost a look at these.
    """
    if _trusting:
        return
    found = _FIELDS.get(type(node)) or _learn(type(node))
    if not found.fields:
        return
    values = found.values_of(node)
    types = tuple(map(type, values))
    holders = found.known.get(types)
    if holders is None:
        pairs = tuple(enumerate(found.fields))
        for place, field in pairs:
            _require(node, field, values[place])
        found.known[types] = tuple(pair for pair in pairs if types[pair[0]] in _HOLDERS)
        return
    for place, field in holders:
        if not field.takes(values[place]):
            _require(node, field, values[place])


def _require(node: object, field: _Field, value: object) -> None:
    if not field.takes(value) or not field.holds(type(value)):
        raise TypeError(f"{type(node).__name__}.{field.name} is {field.shown}, not {_shown(value)}")


def _learn(cls: type) -> _Fields:
    fields = tuple(_fields_of(cls))
    names = [field.name for field in fields]
    # attrgetter gives a tuple for several names only.
    values_of: Callable[[Any], Any] = attrgetter(*names) if len(names) > 1 else _one_value(*names)
    return _FIELDS.setdefault(cls, _Fields(fields, values_of))


def _one_value(name: str = "__class__") -> Callable[[Any], Any]:
    return lambda node: (getattr(node, name),)


class Typed(Node):
    """The base of nodes that are checked so, without a line in each of their classes."""

    __slots__ = ()

    #: Whether texts of the node end up in a line, which no line end may break in two.
    in_a_line: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__attrs_attrs__" not in vars(cls):
            return  # attrs makes the class anew, with its slots
        made: Any = cls.__init__

        def __init__(self: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807 - it is one
            if _trusting:
                made(self, *arguments, **named)
                return
            try:
                made(self, *arguments, **named)
            except (AttributeError, TypeError):
                with contextlib.suppress(AttributeError):  # a field that was not set any more
                    require_types(self)  # the reason, where a value of another type is it
                raise
            require_types(self)
            if self.in_a_line:
                _require_lines(self)

        __init__.__wrapped__ = made  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[method-assign]


def _fields_of(cls: type) -> Iterable[_Field]:
    modules = [vars(sys.modules[base.__module__]) for base in cls.__mro__]
    for field in attrs.fields(cls):
        shown = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
        words = frozenset(_WORD.findall(shown))
        if field.converter is not None or field.eq is False or not words or words & _ANY:
            continue
        named = [
            next((module[word] for module in modules if word in module), None)
            for word in words - _BUILT_IN
        ]
        # ``Names = tuple[str, ...]`` takes what its own words say.
        aliases = [one for one in named if one is not None and not isinstance(one, type)]
        words = words.union(*(_WORD.findall(str(alias)) for alias in aliases))
        if not words & _ANY:
            closed = all(isinstance(one, type) for one in named)
            yield _Field(field.name, shown, words, closed=closed)


def _require_lines(node: Any) -> None:
    """Raise ValueError where a text of a node would make another line of a dump."""
    for field in attrs.fields(type(node)):
        value = getattr(node, field.name)
        for text in value if type(value) is tuple else (value,):
            if type(text) is str and "\n" in text:
                raise ValueError(
                    f"{type(node).__name__}.{field.name} is a text in one line, not {text!r}"
                )


def _shown(value: object) -> str:
    return f"the text {value!r}" if isinstance(value, str) else f"{value!r}"[:100]
