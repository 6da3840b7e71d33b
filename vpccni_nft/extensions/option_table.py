"""The options of a match or a target, declared once.

From this table an option is read, printed, shown in the documentation and compared with the
grammar. A few extensions read or print more than a table can say; they take their parts from it.
"""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ..core.diagnostics import BAD_OPTION, BAD_VALUE, Problem
from ..core.values import Negatable
from .options import convert_word
from .shared.words import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.values import Family
    from .options import GivenOption, GivenOptions

Value = TypeVar("Value")


@attrs.frozen
class Form(Generic[Value]):
    """How a value is written: in words for a reader, and both ways between text and value."""

    says: str  #: such as ``PORT[:PORT]``
    parse: Callable[..., Value]  #: takes the words without quotes; ValueError where they are wrong
    text: Callable[[Any], str | tuple[str, ...]] = str  #: what iptables-save prints, with quotes
    words: int = 1
    optional: bool = False  #: whether the word may be missing


#: An option without a value.
FLAG = Form("", lambda: True, lambda _: (), words=0)


@attrs.frozen
class Option:
    """One option: its name, its value, and what the node keeps of it."""

    name: str
    form: Form[Any] = FLAG
    #: The node's field, or several that ``keep`` gives the values of. ``a.b`` is the field ``b`` of
    #: the record in field ``a``. Empty where nothing is kept but that the option is there.
    field: str | tuple[str, ...] = ""
    negatable: bool = attrs.field(default=False, kw_only=True)  #: then the value is a Negatable
    required: bool = attrs.field(default=False, kw_only=True)
    repeated: bool = attrs.field(default=False, kw_only=True)  #: whether it may stand twice
    #: Other names of it that iptables-restore takes and iptables-save does not print.
    spellings: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    #: Whether it is printed even where the field has its default.
    always: bool = attrs.field(default=False, kw_only=True)
    #: What the node keeps of the value, where that is something else.
    keep: Callable[[Any], Any] | None = attrs.field(default=None, kw_only=True)
    #: The value that a node has for this option, None where it is not printed; where there is no
    #: such function, it is that of the field, unless it is the default.
    show: Callable[[Any], Any] | None = attrs.field(default=None, kw_only=True)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it fills."""
        if isinstance(self.field, tuple):
            return self.field
        return (self.field,) if self.field else ()

    @property
    def usage(self) -> str:
        """The option as a reader writes it: ``[!] --mark VALUE[/MASK]``."""
        value = f"[{self.form.says}]" if self.form.optional else self.form.says
        return f"{'[!] ' * self.negatable}{self.name} {value}".rstrip()

    def read(self, given: GivenOption, options: GivenOptions, fields: dict[str, Any]) -> None:
        """Fill the fields of the node."""
        if given.negated and not self.negatable:
            raise options.problem(given, f"{self.name} cannot be negated")
        value = self._parse(given.values, options)
        if self.negatable:
            value = Negatable(value, given.negated)
        if self.keep:
            value = self.keep(value)
        field = self.field
        if isinstance(field, tuple):
            fields.update(zip(field, value, strict=True))
        elif field:
            fields[field] = value

    def _parse(self, places: tuple[int, ...], options: GivenOptions) -> Any:
        line, form = options.line, self.form
        if form.words == 1 and places:
            value = convert_word(line, places[0], form.parse)
            family = getattr(value, "family", None)
            if family is not None:
                options.evidence.add(family, line, places[0])
            return value
        if form.optional:
            return None
        try:
            return form.parse(*(unquote(line.words[place]) for place in places))
        except ValueError as error:
            span = line.span(places[0], places[-1])
            raise Problem(BAD_VALUE, str(error), span=span) from None

    def save(self, value: Any) -> tuple[str, ...]:
        """The words of the option with a value."""
        negated = False
        if isinstance(value, Negatable):
            value, negated = value.value, value.negated
        text = self.form.text(value)
        words = (self.name, text) if isinstance(text, str) else (self.name, *text)
        return ("!", *words) if negated else words


#: Options by their names in the order in which they are given, each with its values.
Written = dict[str, tuple[str, ...]]


@attrs.frozen
class Shorthand:
    """An option that iptables-restore takes, and that iptables-save prints as other ones."""

    name: str
    #: The words of the other options; it is given the words behind this one. Raises ValueError.
    written_out: Callable[..., tuple[str, ...]]
    words: int = 1


@attrs.frozen
class Combination:
    """How many of several options a rule must have, and how many it may have."""

    names: tuple[str, ...]
    least: int
    most: int

    def problem(self, owner: str, given: Sequence[str]) -> str:
        """What is wrong with the options that are given, if anything is."""
        count = sum(name in given for name in self.names)
        if self.least <= count <= self.most:
            return ""
        if self.least == self.most:
            return f"{owner} needs one of {', '.join(self.names)}"
        if count < self.least:
            return f"{owner} needs {_either(self.names)}"
        return f"{owner} takes only one of {', '.join(self.names)}"


@attrs.frozen
class Requirement:
    """An option that stands only beside one of some others."""

    name: str
    others: tuple[str, ...]

    def problem(self, _owner: str, given: Sequence[str]) -> str:
        """The same as of a combination."""
        if self.name not in given or any(other in given for other in self.others):
            return ""
        return f"{self.name} needs {_either(self.others)}"


def exactly_one(*names: str) -> Combination:
    """One of these options, and no second one."""
    return Combination(names, 1, 1)


def at_least_one(*names: str) -> Combination:
    """Some of these options."""
    return Combination(names, 1, len(names))


def at_most_one(*names: str) -> Combination:
    """None of these options, or one."""
    return Combination(names, 0, 1)


def needs(name: str, *others: str) -> Requirement:
    """An option that stands only beside one of the others."""
    return Requirement(name, others)


def unless(nothing: object) -> Callable[[Any], Any]:
    """Keep a value unless it is one that says nothing.

    >>> unless(0)(0), unless(0)(1)
    (None, 1)
    """
    return lambda value: None if value == nothing else value


def _either(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _by_name(table: OptionTable) -> dict[str, Option]:
    return {option.name: option for option in table.options}


def _required_names(table: OptionTable) -> tuple[str, ...]:
    return tuple(option.name for option in table.options if option.required)


def _sufficient(table: OptionTable) -> dict[str, Option]:
    required = {option.name for option in table.options if option.required}
    return {
        option.name: option
        for option in table.options
        if required <= {option.name}
        and not any(one.problem("", (option.name,)) for one in table.combinations)
    }


def _inner_fields(table: OptionTable) -> frozenset[str]:
    return frozenset(path for one in table.options for path in one.fields if "." in path)


#: An option, what gives its value of a node, and the value that is not printed.
Printed = tuple[Option, "Callable[[Any], Any]", Any]


@attrs.frozen(eq=False)
class OptionTable:
    """All options of a match or a target, in the order in which iptables-save prints them."""

    options: tuple[Option, ...] = ()
    combinations: tuple[Combination | Requirement, ...] = ()
    shorthands: tuple[Shorthand, ...] = ()
    #: The options that iptables-save prints where a file written by hand gives these: with those
    #: that iptables-restore adds.
    completed: Callable[[Written, Family], Written] | None = None
    by_name: dict[str, Option] = attrs.field(
        init=False, repr=False, default=attrs.Factory(_by_name, takes_self=True)
    )

    _required: tuple[str, ...] = attrs.field(
        init=False, repr=False, default=attrs.Factory(_required_names, takes_self=True)
    )
    #: The options that may stand alone.
    _alone: dict[str, Option] = attrs.field(
        init=False, repr=False, default=attrs.Factory(_sufficient, takes_self=True)
    )
    #: The fields of inner records that options fill.
    _inner: frozenset[str] = attrs.field(
        init=False, repr=False, default=attrs.Factory(_inner_fields, takes_self=True)
    )
    #: How nodes of each class are printed, as far as one was.
    _printed: dict[type[Any], tuple[Printed, ...]] = attrs.field(
        init=False, repr=False, factory=dict
    )

    @classmethod
    def of(
        cls,
        *entries: Option | Combination | Requirement | Shorthand,
        completed: Callable[[Written, Family], Written] | None = None,
    ) -> OptionTable:
        """A table of options, of what is asked of several together, and of shorthands."""
        return cls(
            tuple(entry for entry in entries if isinstance(entry, Option)),
            tuple(entry for entry in entries if isinstance(entry, Combination | Requirement)),
            tuple(entry for entry in entries if isinstance(entry, Shorthand)),
            completed,
        )

    def spelled(self) -> dict[str, Option | Shorthand]:
        """All options that iptables-restore takes, by all of their names."""
        names = {name: one for one in self.options for name in (one.name, *one.spellings)}
        return names | {one.name: one for one in self.shorthands}

    def read(self, given: GivenOptions) -> dict[str, Any]:
        """The fields of the node that the given options fill."""
        fields: dict[str, Any] = {}
        words, options = given.line.words, given.given
        if len(options) == 1 and (option := self._alone.get(words[options[0].name])):
            option.read(options[0], given, fields)
            return fields
        seen: list[str] = []
        for one in options:
            name = words[one.name]
            option = self.by_name.get(name)
            if option is None:
                raise given.problem(one, f"{name} is not allowed here")
            if name in seen and not option.repeated:
                raise given.problem(one, f"{name} is given twice")
            seen.append(name)
            option.read(one, given, fields)
        for name in self._required:
            if name not in seen:
                raise Problem(BAD_OPTION, f"{given.owner} needs {name}", span=given.span)
        for combination in self.combinations:
            if problem := combination.problem(given.owner, seen):
                raise Problem(BAD_OPTION, problem, span=given.span)
        return fields

    def build(self, node: type[Value], given: GivenOptions) -> Value:
        """The node; what its options together cannot be is a problem of all of them."""
        fields = self.read(given)
        try:
            return node(**(fields if self._inner.isdisjoint(fields) else _nested(node, fields)))
        except ValueError as error:
            raise Problem(BAD_OPTION, str(error), span=given.span) from None

    def save(self, node: Any) -> list[str]:
        """The words that iptables-save prints."""
        words: list[str] = []
        printed = self._printed.get(type(node))
        if printed is None:
            printed = tuple(_print(option, type(node)) for option in self.options)
            self._printed[type(node)] = printed
        for option, get, default in printed:
            value = get(node)
            if value != default:
                words += option.save(value)
        return words


NO_OPTIONS = OptionTable()


def _nested(node: type[Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The same with the fields of inner records in these."""
    flat: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for path, value in fields.items():
        outer, dot, field = path.partition(".")
        if dot:
            inner.setdefault(outer, {})[field] = value
        else:
            flat[path] = value
    return flat | {name: _type_of(node, name)(**values) for name, values in inner.items()}


def _type_of(node: type[Any], field: str) -> type[Any]:
    """The class of an inner record, which stands in the module of the node."""
    name = str(attrs.fields_dict(node)[field].type)
    found: type[Any] = vars(sys.modules[node.__module__])[name]
    return found


def _print(option: Option, node: type[Any]) -> Printed:
    if option.show:
        return option, option.show, None
    if not option.fields:
        return option, lambda _node: True, None
    defaults = tuple(_default(node, path) for path in option.fields)
    default = defaults if isinstance(option.field, tuple) else defaults[0]
    return option, attrgetter(*option.fields), attrs.NOTHING if option.always else default


def _default(node: type[Any], path: str) -> object:
    """The value that a field has where no option fills it."""
    outer, dot, inner = path.partition(".")
    if dot:
        return _default(_type_of(node, outer), inner)
    default: object = attrs.fields_dict(node)[outer].default
    return default
