"""Write nft statements, verdicts among them."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from ..nft import expressions as x
from ..nft import statements as s
from ..nft.words import ObjectKind
from .nft_expression_text import (
    duration,
    element_text,
    expression_text,
    operand_text,
    quoted,
    verdict_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.values import Family


@singledispatch
def statement_text(statement: s.Statement) -> str:
    """A statement, as nft reads it."""
    raise TypeError(f"no text for {statement!r}")


@statement_text.register(s.Match)
def _(match: s.Match) -> str:
    # A comparison without a sign is an equality, or for a bit mask "some of these bits".
    bare = match.operator == "in" or (
        match.operator == "=="
        and not isinstance(match.left, x.Binary)
        and (match.left not in MASKS or isinstance(match.right, _SETS))
    )
    sign = "" if bare else f"{match.operator} "
    return f"{expression_text(match.left)} {sign}{_compared(match)}"


#: Expressions whose values are bit masks.
MASKS = frozenset({x.Ct("state"), x.Ct("status"), x.Payload("tcp", "flags")})
_SETS = (x.AnonymousSet, x.SetReference)


def _compared(match: s.Match) -> str:
    if isinstance(match.right, x.Flags) and match.operator in {"==", "!="}:
        return operand_text(match.right)
    return expression_text(match.right)


@statement_text.register(s.Counter)
def _(counter: s.Counter) -> str:
    if counter.packets or counter.bytes:
        return f"counter packets {counter.packets} bytes {counter.bytes}"
    return "counter"


@statement_text.register(s.NamedCounter)
def _(counter: s.NamedCounter) -> str:
    return f"counter name {quoted(counter.name)}"


@statement_text.register(s.Accept)
@statement_text.register(s.Drop)
@statement_text.register(s.Return)
@statement_text.register(s.Continue)
@statement_text.register(s.Jump)
@statement_text.register(s.Goto)
def _(verdict: s.Verdict) -> str:
    return verdict_text(verdict)


@statement_text.register(s.VerdictMap)
def _(statement: s.VerdictMap) -> str:
    return f"{expression_text(statement.key)} vmap {expression_text(statement.map)}"


@statement_text.register(s.UseObject)
def _(use: s.UseObject) -> str:
    if use.kind == ObjectKind.FLOWTABLE:
        return f"flow add @{use.name}"
    return f"{use.kind} {'set' if use.kind.startswith('ct ') else 'name'} {quoted(use.name)}"


@statement_text.register(s.Limit)
def _(limit: s.Limit) -> str:
    over = "over " if limit.over else ""
    if limit.unit == "packets":
        return f"limit rate {over}{limit.rate}/{limit.per} burst {limit.burst} packets"
    burst = f" burst {limit.burst} bytes" if limit.burst else ""
    return f"limit rate {over}{limit.rate} bytes/{limit.per}{burst}"


@statement_text.register(s.CtCount)
def _(count: s.CtCount) -> str:
    return f"ct count over {count.count}" if count.over else f"ct count {count.count}"


@statement_text.register(s.Last)
def _(last: s.Last) -> str:
    if last.used is None:
        return "last"
    seconds, milliseconds = divmod(last.used, 1000)
    return f"last used {duration(seconds)}{milliseconds}ms"


@statement_text.register(s.ResetOption)
def _(reset: s.ResetOption) -> str:
    return f"reset tcp option {reset.name}"


@statement_text.register(s.Quota)
def _(quota: s.Quota) -> str:
    over = "over " if quota.over else ""
    used = f" used {quota.used} bytes" if quota.used else ""
    return f"quota {over}{quota.bytes} bytes{used}"


@statement_text.register(s.Assign)
def _(statement: s.Assign) -> str:
    # Flags with commas would be a list here.
    return f"{expression_text(statement.key)} set {element_text(statement.value)}"


@statement_text.register(s.Nat)
def _(nat: s.Nat) -> str:
    place = _nat_address(nat.address) if nat.address else ""
    if nat.port:
        place += f":{expression_text(nat.port)}"
    words = [nat.kind, *_family(nat.family), *(("prefix",) if nat.prefix else ())]
    if place:
        words += ["to", place]
    if nat.flags:
        words.append(",".join(nat.flags))
    return " ".join(words)


def _nat_address(address: x.Expression) -> str:
    """An address or a range; IPv6 needs brackets before a port and takes them without one."""
    if isinstance(address, x.Range):
        return f"{_nat_address(address.low)}-{_nat_address(address.high)}"
    text = expression_text(address)
    return f"[{text}]" if isinstance(address, x.Host) and ":" in text else text


@statement_text.register(s.Reject)
def _(reject: s.Reject) -> str:
    if reject.protocol == "tcp":
        return f"reject with tcp {reject.reason}"
    return f"reject with {reject.protocol} type {reject.reason}"


@statement_text.register(s.Log)
def _(log: s.Log) -> str:
    words = ["log"]
    if log.prefix:
        words += ["prefix", quoted(log.prefix)]
    if log.level:
        words += ["level", log.level]
    for flag in log.flags:
        words += ["flags", flag]
    for key, number in _group(log):
        words += [key, str(number)]
    return " ".join(words)


def _group(log: s.Log) -> Iterator[tuple[str, int]]:
    """What a log statement says to nfnetlink_log, in nft's words."""
    if log.group is not None:
        yield "group", log.group
    if log.snaplen is not None:
        yield "snaplen", log.snaplen
    if log.threshold is not None:
        yield "queue-threshold", log.threshold


@statement_text.register(s.Queue)
def _(queue: s.Queue) -> str:
    # nft takes this form from 1.0.0 on, and lists it.
    flags = f" flags {','.join(queue.flags)}" if queue.flags else ""
    last = f"-{queue.last}" if queue.last != queue.first else ""
    return f"queue{flags} to {queue.first}{last}"


@statement_text.register(s.Dup)
def _(dup: s.Dup) -> str:
    device = f" device {quoted(dup.device)}" if dup.device else ""
    return f"dup to {expression_text(dup.address)}{device}"


@statement_text.register(s.Tproxy)
def _(tproxy: s.Tproxy) -> str:
    address = _nat_address(tproxy.address) if tproxy.address else ""
    port = "" if tproxy.port is None else f":{tproxy.port}"
    return " ".join(("tproxy", *_family(tproxy.family), "to", f"{address}{port}"))


def _family(family: Family | None) -> tuple[str, ...]:
    """The word for the family of an address, which only tables of both families have."""
    return (family.value,) if family else ()


@statement_text.register(s.Synproxy)
def _(synproxy: s.Synproxy) -> str:
    words = ["synproxy"]
    if synproxy.mss is not None:
        words.append(f"mss {synproxy.mss}")
    if synproxy.wscale is not None:
        words.append(f"wscale {synproxy.wscale}")
    return " ".join((*words, *synproxy.flags))


@statement_text.register(s.Notrack)
def _(_notrack: s.Notrack) -> str:
    return "notrack"


@statement_text.register(s.UpdateSet)
def _(update: s.UpdateSet) -> str:
    words = [element_text(update.key)]
    if update.timeout is not None:
        words.append(f"timeout {duration(update.timeout)}")
    if update.limit:
        words.append(statement_text(update.limit))
    if update.value:
        words += [":", element_text(update.value)]
    return f"{update.operation} @{update.set} {{ {' '.join(words)} }}"
