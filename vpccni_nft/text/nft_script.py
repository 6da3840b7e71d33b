"""Write a ruleset as a script for ``nft -f``.

The script is one transaction: it adds and deletes each table before it fills it, so that loading
it again gives the same ruleset, and it touches no other table. (``destroy table`` would be
shorter but needs nft 1.0.8 and Linux 6.3.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import attrs

from ..core.span import Source, Span
from ..nft import objects as o
from ..nft.ast import Map, Rule
from ..nft.datatypes import declaration
from ..nft.names import checked
from ..nft.words import SetPolicy
from .nft_expression_text import duration, element_text, expression_text, quoted
from .nft_statement_text import statement_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..nft.ast import Chain, CounterObject, Hook, Ruleset, Set, Table


class Written(NamedTuple):
    """A rule whose text is known; it stands in for one with statements."""

    text: str
    callee: str | None  #: the chain that it jumps or goes to


#: The texts of a table's comments, and of its statements by id: lowering shares statements.
Texts = dict[int | str, str]


def serialize(ruleset: Ruleset, header: str = "") -> str:
    """The whole script; each line of ``header`` becomes a comment at its top."""
    return "".join(pieces(ruleset, header))


def pieces(ruleset: Ruleset, header: str = "") -> Iterator[str]:
    """The same script chain by chain, each piece with its line ends."""
    yield "".join(f"# {line}\n" for line in header.splitlines())
    for table in ruleset.tables:
        yield from _table_pieces(table)
    for other in ruleset.others:
        name = f"table {other.family} {checked(other.name)}"
        yield _joined((f"add {name}", f"delete {name}", *other.text))


def located(ruleset: Ruleset, name: str, header: str = "") -> Ruleset:
    """What ``nft.parse`` makes of the script: the same rules, each at its line of that.

    Reading a script takes several times as long as writing it.
    """
    source = Source.of(serialize(ruleset, header), name)
    line, tables = 1 + len(header.splitlines()), []
    for table in ruleset.tables:
        chains = []
        *before, end = _table_pieces(table)
        first = len(before) - len(table.chains)
        line += sum(piece.count("\n") for piece in before[:first])
        for chain, piece in zip(table.chains, before[first:], strict=True):
            line += piece.count("\n")
            chains.append(_located_chain(chain, source, line - 1 - len(chain.rules)))
        line += end.count("\n")
        tables.append(attrs.evolve(table, chains=tuple(chains)))
    return attrs.evolve(ruleset, tables=tuple(tables))


def _located_chain(chain: Chain, source: Source, start: int) -> Chain:
    rules = [
        Rule(
            rule.statements,
            rule.comment,
            Span(source, line, 1, len(source.lines[line - 1]) + 1),
        )
        for line, rule in enumerate(chain.rules, start)
    ]
    return attrs.evolve(chain, rules=tuple(rules))


def rule_text(rule: Rule) -> str:
    """A rule as it stands in its chain."""
    return _rule_text(rule, {})


def _rule_text(rule: Rule, texts: Texts) -> str:
    words = []
    for statement in rule.statements:
        text = texts.get(id(statement))
        if text is None:
            text = texts[id(statement)] = statement_text(statement)
        words.append(text)
    if comment := rule.comment:
        text = texts.get(comment)
        if text is None:
            text = texts[comment] = f"comment {quoted(comment)}"
        words.append(text)
    return " ".join(words)


def _table_pieces(table: Table) -> Iterator[str]:
    name = f"table {table.family.value} {checked(table.name)}"
    comment = f"\tcomment {quoted(table.comment)}\n" if table.comment else ""
    if table.flags:
        comment += f"\tflags {','.join(table.flags)}\n"
    yield f"add {name}\ndelete {name}\n{name} {{\n{comment}"
    for counter in table.counters:
        yield _joined(_counter_lines(counter))
    for object_ in table.objects:
        yield _joined(_object_lines(object_))
    for set_ in table.sets:
        yield _joined(_set_lines(set_))
    texts: Texts = {}
    for chain in table.chains:
        yield _joined(_chain_lines(chain, texts))
    yield "}\n"


def _joined(lines: Iterable[str]) -> str:
    return "".join([f"{line}\n" for line in lines])


def _counter_lines(counter: CounterObject) -> Iterator[str]:
    name = checked(counter.name)
    if not (counter.packets or counter.bytes or counter.comment):
        yield f"\tcounter {name} {{ }}"
        return
    yield f"\tcounter {name} {{"
    if counter.comment:
        yield f"\t\tcomment {quoted(counter.comment)}"
    yield f"\t\tpackets {counter.packets} bytes {counter.bytes}"
    yield "\t}"


def _object_lines(found: o.NamedObject) -> Iterator[str]:
    yield f"\t{found.kind} {checked(found.name)} {{"
    if found.comment:
        yield f"\t\tcomment {quoted(found.comment)}"
    match found:
        case o.NamedStatement(statement=statement):
            # The word for what it is stands before its name.
            yield f"\t\t{statement_text(statement).split(' ', 1)[1]}"
        case o.Flowtable(devices=devices):
            yield f"\t\thook ingress priority {found.priority}"
            if devices:
                yield f"\t\tdevices = {{ {', '.join(map(quoted, devices))} }}"
            yield from ("\t\tflags offload",) if found.offload else ()
            yield from ("\t\tcounter",) if found.counts else ()
        case o.CtHelper(helper=helper, protocol=protocol):
            yield f"\t\ttype {quoted(helper)} protocol {protocol}"
        case o.CtTimeout(protocol=protocol, policy=policy):
            times = ", ".join(f"{state} : {time}" for state, time in policy)
            yield f"\t\tprotocol {protocol}"
            yield from (f"\t\tpolicy = {{ {times} }}",) if times else ()
        case o.CtExpectation(protocol=protocol, dport=port, timeout=time, size=size):
            yield f"\t\tprotocol {protocol}\n\t\tdport {port}"
            yield f"\t\ttimeout {duration(time)}\n\t\tsize {size}"
    if isinstance(found, o.CtHelper | o.CtTimeout | o.CtExpectation) and found.l3proto:
        yield f"\t\tl3proto {found.l3proto.value}"
    yield "\t}"


def _declared(set_: Set) -> str:
    if set_.typeof:
        return f"typeof {expression_text(set_.typeof)}"
    return f"type {declaration(set_.type)}"


def _set_lines(set_: Set) -> Iterator[str]:
    name = checked(set_.name)
    if isinstance(set_, Map):
        yield f"\tmap {name} {{"
        intervals = "interval " if set_.data_intervals else ""
        data = declaration(set_.data)
        if set_.data_typeof:
            data = expression_text(set_.data_typeof)
        yield f"\t\t{_declared(set_)} : {intervals}{data}"
    else:
        yield f"\tset {name} {{"
        yield f"\t\t{_declared(set_)}"
    if set_.size is not None:
        yield f"\t\tsize {set_.size}"
    if set_.flags:
        yield f"\t\tflags {','.join(set_.flags)}"
    if set_.timeout is not None:
        yield f"\t\ttimeout {duration(set_.timeout)}"
    if set_.gc_interval is not None:
        seconds, rest = divmod(set_.gc_interval, 1000)
        yield f"\t\tgc-interval {duration(seconds) if seconds else ''}{f'{rest}ms' if rest else ''}"
    if set_.policy != SetPolicy.PERFORMANCE:
        yield f"\t\tpolicy {set_.policy}"
    if set_.auto_merge:
        yield "\t\tauto-merge"
    if set_.counts:
        yield "\t\tcounter"
    if set_.comment:
        yield f"\t\tcomment {quoted(set_.comment)}"
    if set_.elements:
        yield f"\t\telements = {{ {', '.join(map(element_text, set_.elements))} }}"
    yield "\t}"


def _chain_lines(chain: Chain, texts: Texts) -> Iterator[str]:
    yield f"\tchain {checked(chain.name)} {{"
    if chain.comment:
        yield f"\t\tcomment {quoted(chain.comment)}"
    if hook := chain.hook:
        yield f"\t\t{hook_text(hook)}"
    for rule in chain.rules:
        yield f"\t\t{rule.text if isinstance(rule, Written) else _rule_text(rule, texts)}"
    yield "\t}"


def hook_text(hook: Hook) -> str:
    """Where the kernel calls a chain, and its policy, as they stand in the chain."""
    place = f"type {hook.type} hook {hook.name}{_devices(hook)} priority {hook.priority}"
    return f"{place}; policy {hook.policy};"


def _devices(hook: Hook) -> str:
    """The devices of a hook that is one of devices."""
    names = ", ".join(map(quoted, hook.devices))
    return (
        f" devices = {{ {names} }}" if len(hook.devices) > 1 else f" device {names}" * bool(names)
    )
