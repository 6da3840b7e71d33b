"""Edit a table of iptables-nft that is exactly as it was read.

No program of iptables-nft takes a lock. An edit is one transaction that names the generation of the
rules that were read, so that it is made to these rules or not at all (``netlink``).

Rules that come are first written to a chain of their own, by iptables-nft itself, which knows how
its version spells them for the kernel. No rule jumps there, so no packet comes there. The
transaction copies them to their places and deletes that chain.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
from typing import TYPE_CHECKING

import attrs

from ..core.errors import CannotRead
from ..iptables.protocols import PROTOCOLS
from ..lowering.layout import HOOKS
from .edits import Edit, EditKind, TableChanged
from .netlink import (
    Netlink,
    OtherGeneration,
    Protocol,
    chain_deletion,
    deletion,
    insertion,
    policy_change,
)
from .programs import ProgramFailed, run
from .saved import SavedTable, broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .edits import ChainEdit
    from .moves import TableMove
    from .netlink import KernelChange, KernelRule

#: The chain that rules wait in.
STAGE = "vpccni-nft-stage"

#: How often a generation is tried: each transaction of any program ends one.
_ATTEMPTS = 20


@attrs.frozen
class _Reading:
    """A table at one moment."""

    generation: int  #: of all rules of nf_tables
    table: SavedTable  #: as iptables-nft prints it
    rules: dict[str, list[KernelRule]]  #: as the kernel has them, by their chains


def present(move: TableMove) -> SavedTable:
    """The table as it is now, without what an edit that was killed has left.

    Raises CannotRead, ProgramFailed and OSError.
    """
    with Netlink() as kernel:
        for _ in range(_ATTEMPTS):
            if found := _read(kernel, move):
                return _without(found.table, {STAGE})
    raise ProgramFailed(
        f"{move.program}-save: rules were written each of {_ATTEMPTS} times while it read them", -1
    )


def _read(kernel: Netlink, move: TableMove) -> _Reading | None:
    """The table, unless any rules have changed meanwhile. Raises CannotRead: see ``printed``."""
    generation = kernel.generation()
    table = move.now()
    rules = kernel.rules(move.family.value, move.table)
    if kernel.generation() != generation:
        return None
    # It prints each built-in chain, whether the kernel has it or not.
    shown = {
        chain.name: len(chain.rules)
        for chain in table.chains
        if chain.name in rules or chain.rules or chain.name not in HOOKS
    }
    if shown != {name: len(found) for name, found in rules.items()}:
        raise CannotRead(broken(move.table))
    return _Reading(generation, table, rules)


def commit(move: TableMove, edit: Edit) -> None:
    """Carry an edit out. Raises TableChanged, ProgramFailed and OSError: nothing is changed."""
    if present(move) != edit.now:
        raise TableChanged
    staged = any(row.sign is EditKind.INSERTED for one in edit.chains for row in one.rows)
    staged |= any(one.created for one in edit.chains)
    if staged:
        _stage(move, edit, leftover=bool(move.now().chain(STAGE)))
    try:
        with Netlink() as kernel:
            _commit(kernel, move, edit)
    except BaseException:
        if staged:
            with contextlib.suppress(ProgramFailed):
                _unstage(move, edit)
        raise


def clear(move: TableMove) -> None:
    """Delete what an edit that was killed has left."""
    if move.now().chain(STAGE):
        _unstage(move, Edit(SavedTable(move.table)))


def _stage(move: TableMove, edit: Edit, *, leftover: bool) -> None:
    """Let iptables-nft write the rules that come where no packet comes."""
    lines = [f"*{move.table}", f"-{'F' if leftover else 'N'} {STAGE}"]
    lines += (f"-N {one.name}" for one in edit.chains if one.created)
    # A built-in chain that is not there yet comes with its policy.
    there = {chain.name for chain in edit.now.chains}
    lines += (
        f"-P {one.name} ACCEPT" for one in edit.chains if not one.created and one.name not in there
    )
    for one in edit.chains:
        chain = one.name if one.created else STAGE
        lines += (
            f"[{row.rule.counters}] -A {chain} {row.rule.specification}".rstrip()
            for row in one.rows
            if row.sign is EditKind.INSERTED
        )
    script = "".join(f"{line}\n" for line in (*lines, "COMMIT"))
    run(f"{move.program}-restore", "--noflush", "--counters", given=script)


def _unstage(move: TableMove, edit: Edit) -> None:
    names = [one.name for one in edit.chains if one.created]
    there = {chain.name for chain in move.now().chains}
    gone = [name for name in (STAGE, *names) if name in there]
    lines = [f"*{move.table}", *(f"-F {name}" for name in gone), *(f"-X {name}" for name in gone)]
    script = "".join(f"{line}\n" for line in (*lines, "COMMIT"))
    run(f"{move.program}-restore", "--noflush", given=script)


def _commit(kernel: Netlink, move: TableMove, edit: Edit) -> None:
    for _ in range(_ATTEMPTS):
        found = _read(kernel, move)
        if not found:
            continue
        if _unstaged(found.table, edit) != edit.now:
            raise TableChanged
        with contextlib.suppress(OtherGeneration):
            if changes := list(_changes(move, edit, found.rules)):
                kernel.commit(found.generation, changes)
            return
    raise TableChanged


def _unstaged(table: SavedTable, edit: Edit) -> SavedTable:
    """A table without what was staged."""
    return _without(table, {STAGE, *(one.name for one in edit.chains if one.created)})


def _without(table: SavedTable, names: set[str]) -> SavedTable:
    """A table without some chains."""
    return attrs.evolve(table, chains=tuple(one for one in table.chains if one.name not in names))


def _changes(
    move: TableMove, edit: Edit, rules: dict[str, list[KernelRule]]
) -> Iterator[KernelChange]:
    family = move.family.value
    staged = iter(rules.get(STAGE, ()))
    for chain in edit.chains:
        if not chain.created:
            yield from _changes_in(move, chain, rules.get(chain.name, []), staged)
    if STAGE in rules:
        yield from (deletion(family, move.table, STAGE, one.handle) for one in rules[STAGE])
        yield chain_deletion(family, move.table, STAGE)
    for chain in edit.chains:
        if chain.policy:
            yield policy_change(family, move.table, chain.name, chain.policy)
        if chain.deleted:
            yield chain_deletion(family, move.table, chain.name)


def _changes_in(
    move: TableMove, chain: ChainEdit, rules: list[KernelRule], staged: Iterator[KernelRule]
) -> Iterator[KernelChange]:
    """The changes of one chain: each insertion names the rule that it goes ahead of."""
    family = move.family.value
    following = iter(rules)
    ahead = next(following, None)
    for row in chain.rows:
        if row.sign is EditKind.INSERTED:
            before = ahead.handle if ahead else 0
            protocol = protocol_of(row.rule.specification)
            yield insertion(family, move.table, chain.name, next(staged), protocol, before)
            continue
        if row.sign is EditKind.DELETED and ahead:
            yield deletion(family, move.table, chain.name, ahead.handle)
        ahead = next(following, None)


def protocol_of(specification: str) -> Protocol | None:
    """What ``-p`` says; None where it is not there. Raises ProgramFailed for an unknown name."""
    inverted = False
    words = iter(shlex.split(specification))
    for word in words:
        if word in {"-m", "-j", "-g"}:  # what any rule can have stands ahead of these
            return None
        if word == "-p":
            return Protocol(_number(next(words)), inverted)
        inverted = word == "!"
    return None


def _number(name: str) -> int:
    if name.isdigit():
        return int(name)
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    try:
        return socket.getprotobyname(name)
    except OSError:
        raise ProgramFailed(f"the protocol {name} is unknown on this node", -1) from None
