"""A replay's result, for people as lines of text and for programs as a dictionary."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import attrs

from ..core.render import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .comparison import Brought, Result, RuleOfDump
    from .counters import Fitted
    from .difference import Difference, Observation, Shown


#: The most outcomes of one side, and the most rules that no packet has hit, that are written out.
_OUTCOMES, _MISSED = 4, 20

_SIGNS = {"before": "-", "after": "+"}


def text_of(result: Result, paint: Callable[[str, str], str] | None = None) -> str:
    """All of a result: what differs, what was tried, and how it ends."""
    paint = paint or _plain
    lines: list[str] = []
    if result.brought:
        lines += [*_brought(result.brought), ""]
    groups = _of_one_kind(result.differences)
    for number, group in enumerate(groups, 1):
        lines += [*_difference(number, group, paint), ""]
    lines += _summary(result, paint)
    return "".join(f"{line}\n" for line in lines)


def dict_of(result: Result) -> dict[str, Any]:
    """A result for ``json.dumps``; the keys are stable."""
    tally, brought = result.tally, result.brought
    return {
        "equal": result.equal,
        "alike": result.equal,  # its name before, which programs read
        "tally": attrs.asdict(tally) | {"seconds": round(result.seconds, 3)},
        "stopped": result.stopped,
        "packet": brought
        and {
            "conversation": printable(brought.conversation),
            "not_brought_about": [printable(line) for line in brought.missing],
        },
        "rules": {
            "reachable": len(result.hit) + len(result.missed),
            "hit": len(result.hit),
            "missed": [_rule_dict(rule) for rule in result.missed],
        },
        "mismatches": [_difference_dict(one) for one in result.differences],
    }


def _plain(text: str, _role: str) -> str:
    return text


# --- one packet ---------------------------------------------------------------------------------


def _brought(brought: Brought) -> Iterator[str]:
    yield f"conversation: {printable(brought.conversation)}"
    for line in brought.missing:
        yield f"not as requested: {printable(line)}"
    if not brought.missing:
        yield "the packet reached its hook as requested"


# --- mismatches ---------------------------------------------------------------------------------


def _of_one_kind(differences: Sequence[Difference]) -> list[list[Difference]]:
    """Differences of the same rules together: they are likely to have one cause."""
    groups: dict[object, list[Difference]] = {}
    for one in differences:
        rules = tuple(
            (rule.place, rule.text)
            for side in (one.before, one.after)
            for rule in side.rules
            if rule.last
        )
        groups.setdefault((one.kind, rules), []).append(one)
    return list(groups.values())


def _difference(
    number: int, group: Sequence[Difference], paint: Callable[[str, str], str]
) -> Iterator[str]:
    # The shortest conversation says most.
    one = min(group, key=lambda each: len(each.moves))
    yield paint(f"mismatch {number}: ", "different") + printable(one.conversation)
    place = f"move {one.move + 1} of {len(one.moves)}, {one.moves[one.move]}"
    what = {
        "outcomes": f"the sides diverge at {place}",
        "frequencies": f"the sides show outcomes with different frequency at {place}",
        "connections": "only the connection tables differ at the end",
    }
    yield f"  {what[one.kind]}"
    sides = {"before": one.before, "after": one.after}
    if first := _first_difference(one):
        yield f"  {paint(printable(first), 'different')}"
    for name, side in sides.items():
        other = sides["after" if name == "before" else "before"]
        yield from _outcomes(name, side, other, paint)
    for name, side in sides.items():
        yield from _rules(name, side.rules, one, paint)
    if len(group) > 1:
        yield f"  {len(group) - 1} more with the same rules"


_PLACES = {
    "begin": "at the beginning of", "track": "behind conntrack in", "hook": "at the end of"
}  # fmt: skip


def _first_difference(one: Difference) -> str:
    """What of the two sides' most significant outcomes differs first."""
    if one.kind == "frequencies":
        return ""
    first, second = (side.outcomes[0].events for side in (one.before, one.after))
    for before, after in zip_longest(first, second, fillvalue=""):
        if before == after:
            continue
        words, others = before.split(), after.split()
        if not words or not others:
            place = _place(words or others)
            return f"only {'before' if words else 'after'}, the packet is seen {place}"
        if _place(words) == _place(others):
            alone = [word for word in words if word not in others]
            instead = [word for word in others if word not in words]
            return (
                f"{_place(words)}: {' '.join(alone) or 'nothing'} before,"
                f" {' '.join(instead) or 'nothing'} after"
            )
        return f"the packet is seen {_place(words)} before, {_place(others)} after"
    return ""


def _place(words: Sequence[str]) -> str:
    kind, *rest = words
    if kind in _PLACES and rest:
        return f"{_PLACES[kind]} {rest[0]}"
    return {"left": "as it leaves", "connection:": "in the connection table"}.get(kind, kind)


def _outcomes(
    name: str, side: Shown, other: Shown, paint: Callable[[str, str], str]
) -> Iterator[str]:
    for outcome in side.outcomes[:_OUTCOMES]:
        often = "" if len(side.outcomes) == 1 else f", {outcome.times} of {side.runs} times"
        yield f"  seen {name}{often}:"
        yield from _events(name, outcome, other, paint)
    if len(side.outcomes) > _OUTCOMES:
        yield f"  seen {name}: {len(side.outcomes) - _OUTCOMES} other outcomes"


def _events(
    name: str, outcome: Observation, other: Shown, paint: Callable[[str, str], str]
) -> Iterator[str]:
    elsewhere = {event for one in other.outcomes for event in one.events}
    for event in outcome.events:
        if event in elsewhere:
            yield f"      {printable(event)}"
        else:
            yield paint(f"    {_SIGNS[name]} {printable(event)}", name)
    if not outcome.events:
        yield paint(f"    {_SIGNS[name]} nothing at all", name)


def _rules(
    name: str, rules: Sequence[Fitted], one: Difference, paint: Callable[[str, str], str]
) -> Iterator[str]:
    """Those that the move itself fits: as a rule, the one that is wrong is among them."""
    times = f", in {one.times} runs" if one.times > 1 else ""
    now = [rule for rule in rules if rule.last]
    yield f"  rules hit {name}{times}:" if now else f"  rules hit {name}: none with a counter"
    for rule in now:
        count = f"{rule.last} x " if one.times > 1 else ""
        yield f"      {count}{paint(printable(rule.place), 'faint')}  {printable(rule.text)}"
    if earlier := sum(1 for rule in rules if rule.earlier and not rule.last):
        yield f"      and {earlier} that only the moves before it hit (--json has them)"


# --- the summary --------------------------------------------------------------------------------


def _summary(result: Result, paint: Callable[[str, str], str]) -> Iterator[str]:
    tally = result.tally
    if not result.brought:
        yield from _missed(result)
        rate = tally.packets / result.seconds if result.seconds else 0
        early = f"; ended after {len(result.differences)} mismatches" if result.stopped else ""
        yield (
            f"{_count(tally.conversations, 'conversation')}, {_count(tally.packets, 'packet')} on"
            f" either side in {result.seconds:.1f} s ({rate:,.0f} a second);"
            f" {tally.repeated:,} repeated, {tally.undecided:,} undecided{early}"
        )
    if result.differences:
        groups = len(_of_one_kind(result.differences))
        found = _count(len(result.differences), "mismatch", "mismatches")
        of = f", of {groups} kinds" if 1 < groups < len(result.differences) else ""
        yield paint(f"the sides differ: {found}{of}", "different")
    elif result.equal:
        yield paint("both sides treat every packet the same", "equal")
    elif not tally.packets:
        yield paint("unknown: no packet could be sent", "different")
    elif result.brought and result.brought.missing:
        yield paint("unknown: both sides agree, but on another packet; see above", "different")
    else:
        yield paint("unknown: no conversation could be decided", "different")


def _missed(result: Result) -> Iterator[str]:
    reachable = len(result.hit) + len(result.missed)
    if not reachable:
        return
    yield f"{len(result.hit):,} of {_count(reachable, 'reachable rule')} of the dump before hit"
    for rule in result.missed[:_MISSED]:
        yield f"  no packet hit {printable(f'{rule.file}:{rule.line}')}  {printable(rule.text)}"
    if len(result.missed) > _MISSED:
        yield f"  ... and {len(result.missed) - _MISSED:,} more"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


# --- for programs -------------------------------------------------------------------------------


def _rule_dict(rule: RuleOfDump) -> dict[str, Any]:
    return {"file": printable(rule.file), "line": rule.line, "text": printable(rule.text)}


def _difference_dict(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "conversation": printable(one.conversation),
        "moves": list(one.moves),
        "move": one.move + 1,
        "before": _side_dict(one.before),
        "after": _side_dict(one.after),
    }


def _side_dict(side: Shown) -> dict[str, Any]:
    return {
        "runs": side.runs,
        "outcomes": [
            {
                "times": outcome.times,
                "only_here": outcome.only_here,
                "events": [printable(event) for event in outcome.events],
            }
            for outcome in side.outcomes
        ],
        "rules": [
            {
                "place": printable(rule.place),
                "text": printable(rule.text),
                "packets": rule.last,
                "packets_earlier": rule.earlier,
            }
            for rule in side.rules
        ],
    }
