"""A table while commands change it: what nf_tables takes, and what it refuses.

Kernel: net/netfilter/nf_tables_api.c, the functions that the messages of these names call:
nf_tables_newchain, nf_tables_delchain, nf_tables_newset, nft_add_set_elem, and so on. What it
refuses is a ValueError, or a Missing where something is not there.
"""

from __future__ import annotations

from collections import Counter as CountOf
from typing import TYPE_CHECKING, Any

import attrs

from ..nft.ast import Chain, Map, Rule, Table
from ..nft.expressions import AnonymousSet, CatchAll, Element, Pair
from ..nft.statements import Goto, Jump, VerdictMap
from ..nft.words import ObjectKind
from .nft_references import Missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..core.values import TableFamily
    from ..nft.ast import CounterObject, Hook, Set
    from ..nft.expressions import Expression
    from ..nft.objects import NamedObject
    from ..nft.words import TableFlag
    from .nft_references import Key, Reference, References


@attrs.define
class RuleDraft:
    """A rule, with what it names, and with its handle where the text says it."""

    rule: Rule
    references: tuple[Reference, ...] = ()
    handle: int | None = None
    #: The chains that it has in blocks, which are gone with it.
    own: tuple[NftChainDraft, ...] = ()

    @property
    def all_references(self) -> Iterator[Reference]:
        """What it names, and what the rules in its blocks do."""
        yield from self.references
        for chain in self.own:
            for rule in chain.rules:
                yield from rule.all_references


@attrs.define
class NftChainDraft:
    """A chain and its rules."""

    name: str
    hook: Hook | None = None
    comment: str = ""
    rules: list[RuleDraft] = attrs.Factory(list)

    def finish(self) -> Chain:
        """The chain as it is now."""
        return Chain(self.name, tuple(one.rule for one in self.rules), self.hook, self.comment)

    def update(self, hook: Hook | None, policy: str) -> None:
        """What a chain that is there takes of another text: a policy (nf_tables_updchain)."""
        if hook and (self.hook is None or _place(hook) != _place(self.hook)):
            raise ValueError(f"the chain {self.name} is there already with another hook")
        if policy:
            if self.hook is None:
                raise ValueError("a chain without a hook has no policy")
            self.hook = attrs.evolve(self.hook, policy=policy)

    def at_index(self, index: int) -> int:
        """The place of a rule by its number in the chain."""
        if index >= len(self.rules):
            raise Missing(f"the chain {self.name} has no rule {index}; the first is 0")
        return index

    def at_handle(self, handle: int) -> int:
        """The place of a rule by its handle, which a listing of ``nft -a`` shows."""
        for number, one in enumerate(self.rules):
            if one.handle == handle:
                return number
        raise Missing(f"no rule of the chain {self.name} is known by the handle {handle}")


def _place(hook: Hook) -> tuple[object, ...]:
    return hook.type, hook.name, hook.priority, hook.devices


@attrs.define
class SetDraft:
    """A set or map and its elements, by what makes two of them one."""

    declared: Set  #: without elements
    elements: dict[object, Expression] = attrs.Factory(dict)
    references: list[Reference] = attrs.Factory(list)  #: the chains that elements lead to

    @classmethod
    def of(cls, found: Set, references: Iterable[Reference]) -> SetDraft:
        """A set as it is written."""
        draft = cls(attrs.evolve(found, elements=(), origins=()))
        draft.add(found.elements, references, anew=False)
        return draft

    def finish(self) -> Set:
        """The set as it is now."""
        return attrs.evolve(self.declared, elements=tuple(self.elements.values()))

    def add(
        self, elements: Iterable[Expression], references: Iterable[Reference], *, anew: bool
    ) -> None:
        """Add elements; ``anew``: none of them may be there (nft_add_set_elem)."""
        for one in elements:
            found = self.elements.setdefault(_key(one), one)
            if found is one:
                continue
            if anew:
                raise ValueError(f"an element of {self.declared.name} is there already")
            if _value(found) != _value(one):
                message = f"an element of {self.declared.name} is there already with another value"
                raise ValueError(message)
        self.references += references

    def remove(self, elements: Iterable[Expression], *, whatever: bool) -> list[Reference]:
        """Take elements out; ``whatever``: also where one is not there (nft_del_setelem).

        The answer is what they named.
        """
        led: list[str] = []
        for one in elements:
            found = self.elements.pop(_key(one), None)
            if found is not None:
                led += _chains(found)
            elif not whatever:
                raise Missing(f"{self.declared.name} has no such element")
        gone = []
        for name in led:
            gone.append(next(one for one in self.references if one.key == ("chain", name)))
            self.references.remove(gone[-1])
        return gone

    def clear(self) -> list[Reference]:
        """Take all elements out; the answer is what they named."""
        gone, self.references = self.references, []
        self.elements.clear()
        return gone


def _key(element: Expression) -> object:
    """What makes two elements of a set one."""
    key = element.key if isinstance(element, Pair) else element
    key = key.key if isinstance(key, Element) else key
    return "*" if isinstance(key, CatchAll) else key


def _value(element: Expression) -> object:
    return element.value if isinstance(element, Pair) else None


def _chains(element: Expression) -> Iterator[str]:
    if isinstance(element, Pair) and isinstance(element.value, Jump | Goto):
        yield element.value.chain


@attrs.define
class NftTableDraft:
    """A table and its objects, by their names."""

    family: TableFamily
    name: str
    comment: str = ""
    flags: tuple[TableFlag, ...] = ()
    chains: dict[str, NftChainDraft] = attrs.Factory(dict)
    sets: dict[str, SetDraft] = attrs.Factory(dict)
    counters: dict[str, CounterObject] = attrs.Factory(dict)
    objects: dict[Key, NamedObject] = attrs.Factory(dict)  #: others, by kind and name
    unnamed: int = 0  #: chains that have got a name here
    _uses: CountOf[Key] = attrs.Factory(CountOf)

    def finish(self) -> Table:
        """The table as it is now."""
        return Table(
            self.family,
            self.name,
            tuple(one.finish() for one in self.chains.values()),
            tuple(one.finish() for one in self.sets.values()),
            tuple(self.counters.values()),
            self.comment,
            self.flags,
            tuple(self.objects.values()),
        )

    @property
    def references(self) -> References:
        """What chains and sets name, by what they are."""
        found: References = {}
        for name, chain in self.chains.items():
            found["chain", name] = [one for rule in chain.rules for one in rule.references]
        for name, set_ in self.sets.items():
            found["set", name] = list(set_.references)
        return found

    def has(self, key: Key) -> bool:
        """Whether an object is there."""
        kind, name = key
        if kind in set(ObjectKind):
            return key in self.objects
        objects: Mapping[str, Mapping[str, object]] = {
            "chain": self.chains, "set": self.sets, "counter": self.counters,
        }  # fmt: skip
        return name in objects[kind]

    # --- chains and rules -----------------------------------------------------------------------

    def chain(self, name: str) -> NftChainDraft:
        """A chain that has to be there."""
        if name not in self.chains:
            raise Missing(f"the table {self.name} has no chain {name}")
        return self.chains[name]

    def fresh_name(self) -> str:
        """A name for a chain that has none: as of a helper chain, which its rule is part of."""
        self.unnamed += 1
        name = f".unnamed-{self.unnamed}"
        return self.fresh_name() if name in self.chains else name

    def new_chain(self, name: str) -> NftChainDraft:
        """Add a chain that is not there."""
        return self.chains.setdefault(name, NftChainDraft(name))

    def insert(self, chain: NftChainDraft, place: int, rule: RuleDraft) -> None:
        """Put a rule before the one at a place, or at the end."""
        chain.rules.insert(place, rule)
        self._use(rule.references)
        self._add_own(rule)

    def _add_own(self, rule: RuleDraft) -> None:
        """Add the chains that a rule has in blocks."""
        for own in rule.own:
            self.chains[own.name] = own
            for inner in own.rules:
                self._use(inner.references)
                self._add_own(inner)

    def _drop_own(self, rule: RuleDraft) -> None:
        for own in rule.own:
            self.flush(own)
            del self.chains[own.name]
            del self._uses["chain", own.name]

    def take(self, chain: NftChainDraft, place: int) -> None:
        """Take a rule out."""
        rule = chain.rules.pop(place)
        self._leave(rule.references)
        self._drop_own(rule)

    def flush(self, chain: NftChainDraft) -> None:
        """Take all rules out."""
        for rule in chain.rules:
            self._leave(rule.references)
            self._drop_own(rule)
        chain.rules.clear()

    def rename(self, name: str, new: str) -> None:
        """Give a chain another name; whatever leads to it still does."""
        chain = self.chain(name)
        if new in self.chains:
            raise ValueError(f"there is a chain {new} already")
        self.chains = {new if one == name else one: draft for one, draft in self.chains.items()}
        chain.name = new
        for draft in self.chains.values():
            for rule in draft.rules:
                rule.rule = with_chain(rule.rule, name, new)
                rule.references = tuple(_renamed(rule.references, name, new))
        for set_ in self.sets.values():
            set_.elements = {key: with_chain(one, name, new) for key, one in set_.elements.items()}
            set_.references = _renamed(set_.references, name, new)
        self._uses["chain", new] = self._uses.pop(("chain", name), 0)

    # --- sets -----------------------------------------------------------------------------------

    def set_(self, name: str, *, maps: bool | None = None) -> SetDraft:
        """A set or map that has to be there; ``maps`` says which of them."""
        found = self.sets.get(name)
        if found is None or maps not in {None, isinstance(found.declared, Map)}:
            kind = "map" if maps else "set"
            raise Missing(f"the table {self.name} has no {kind} {name}")
        return found

    def add_set(self, found: Set, references: Sequence[Reference]) -> None:
        """Add a set or map, or elements to the one that is there."""
        there = self.sets.get(found.name)
        if there is None:
            self.sets[found.name] = SetDraft.of(found, references)
        else:
            plain = attrs.evolve(found, elements=(), origins=(), comment=there.declared.comment)
            if plain != there.declared:
                raise ValueError(f"{found.name} is there already as another set")
            there.add(found.elements, references, anew=False)
        self._use(references)

    def add_elements(
        self,
        set_: SetDraft,
        elements: Sequence[Expression],
        named: Sequence[Reference],
        *,
        anew: bool,
    ) -> None:
        """Add elements to a set that is there."""
        attrs.evolve(set_.declared, elements=tuple(elements))  # which they have to fit
        set_.add(elements, named, anew=anew)
        self._use(named)

    def remove_elements(
        self, set_: SetDraft, elements: Iterable[Expression] | None, *, whatever: bool = False
    ) -> None:
        """Take elements out, or all of them."""
        self._leave(set_.clear() if elements is None else set_.remove(elements, whatever=whatever))

    # --- objects --------------------------------------------------------------------------------

    def remove(self, kind: str, name: str) -> None:
        """Take an object out that nothing names (nf_tables_delchain, nf_tables_delset)."""
        if kind == "chain":
            self.flush(self.chain(name))  # its rules go before it does
            self._require_unused("chain", name)
            del self.chains[name]
        elif kind in {"set", "map"}:
            found = self.set_(name)  # the kernel does not ask which of both it is
            self._require_unused("set", name)
            self.remove_elements(found, None)
            del self.sets[name]
        else:
            if not self.has((kind, name)):
                raise Missing(f"the table {self.name} has no {kind} {name}")
            self._require_unused(kind, name)
            self.counters.pop(name) if kind == "counter" else self.objects.pop((kind, name))

    def _use(self, references: Iterable[Reference]) -> None:
        self._uses.update(one.key for one in references)

    def _leave(self, references: Iterable[Reference]) -> None:
        self._uses.subtract(one.key for one in references)

    def _require_unused(self, kind: str, name: str) -> None:
        if self._uses[kind, name] > 0:
            raise ValueError(f"the {kind} {name} is still in use in the table {self.name}")


def _renamed(found: Iterable[Reference], name: str, new: str) -> list[Reference]:
    return [
        attrs.evolve(one, key=("chain", new)) if one.key == ("chain", name) else one
        for one in found
    ]


def with_chain(node: Any, name: str, new: str) -> Any:
    """A rule or an element with another name for a chain that it leads to."""
    match node:
        case Jump(chain) | Goto(chain):
            return type(node)(new) if chain == name else node
        case Rule():
            return attrs.evolve(node, statements=with_chain(node.statements, name, new))
        case VerdictMap():
            return attrs.evolve(node, map=with_chain(node.map, name, new))
        case AnonymousSet():
            return attrs.evolve(node, elements=with_chain(node.elements, name, new))
        case Pair():
            return attrs.evolve(node, value=with_chain(node.value, name, new))
        case tuple():
            return tuple(with_chain(one, name, new) for one in node)
        case _:
            return node
