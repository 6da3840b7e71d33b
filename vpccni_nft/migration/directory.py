"""A plan as a directory: what is in it, writing it, and reading it again.

``plan.json`` lets programs know what the directory is; docs/migration.md has its keys.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from typing import TYPE_CHECKING, Any

from ..core.errors import CannotRead
from . import custody
from .report import Origin, report
from .tables import dump_file, removal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .plan import Plan

#: The version of plan.json. Another number is another meaning.
FORMAT = 1


class NoPlan(CannotRead):
    """A directory is not a plan that can be used."""


def write(plan: Plan, directory: Path, version: str) -> None:
    """Write a plan to a new directory, for its owner only: whole, or not at all.

    Raises NoPlan where the directory is there, Unsafe where others could change it, and OSError.
    """
    if os.path.lexists(directory):
        raise NoPlan(f"{directory} already exists: a plan needs a directory of its own")
    files = {name: _bytes(text) for name, text in _files(plan)}
    origin = Origin(
        host=platform.node(),
        made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        kernel=platform.release(),
        version=version,
    )
    files["plan.md"] = _bytes(report(plan, origin, directory))
    sums = {name: _sum(content) for name, content in sorted(files.items())}
    described = _bytes(json.dumps(_about(plan, origin, sums), indent=2) + "\n")
    listed = {**sums, "plan.json": _sum(described)}
    with custody.new_directory(directory) as draft:
        for name, content in files.items():
            custody.create(draft / name, content)
        custody.create(draft / "plan.json", described)
        lines = "".join(f"{one}  {name}\n" for name, one in listed.items())
        custody.create(draft / "SHA256SUMS", _bytes(lines))


def about(directory: Path) -> dict[str, Any]:
    """What plan.json says. Raises NoPlan."""
    try:
        found: dict[str, Any] = json.loads((directory / "plan.json").read_bytes())
    except PermissionError:
        raise NoPlan(f"cannot read {directory}: a plan is for its owner only: use sudo") from None
    except (OSError, ValueError) as error:
        raise NoPlan(f"{directory} is no plan: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise NoPlan(f"{directory} was written by another version: plan again")
    return found


def read(directory: Path) -> dict[str, Any]:
    """What plan.json says, if no other user could change the plan and it is as it was written.

    To be called before anything of the directory is used. Raises NoPlan and Unsafe.
    """
    about(directory)  # what is no plan at all is called so
    custody.check_tree(directory)
    return as_written(directory)


def as_written(directory: Path) -> dict[str, Any]:
    """What plan.json says, if the plan is as it was written; for whoever only compares.

    Raises NoPlan and Unsafe.
    """
    found = about(directory)
    lines = custody.read_file(directory / "SHA256SUMS").decode(errors="replace").splitlines()
    listed = dict(line.split("  ", 1)[::-1] for line in lines if "  " in line)
    files = found.get("files")
    if not isinstance(files, dict) or listed.keys() != files.keys() | {"plan.json"}:
        raise NoPlan(f"{directory}: SHA256SUMS and plan.json list other files: plan again")
    custody.check_sums(directory, listed)
    custody.check_sums(directory, files)
    return found


def _files(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "apply.nft", plan.translation.script()
    yield "remove.nft", removal(plan.tables)
    for slot, source in plan.node.dumps.items():
        yield f"before/{dump_file(slot)}", source.content
    if plan.node.nft is not None:
        yield "before/ruleset.nft", plan.node.nft.content
    if plan.node.ipset_save is not None:
        yield "before/ipset.save", plan.node.ipset_save.content
    for moved in plan.tables:
        texts = {"saved": moved.saved, "before": moved.before, "after": moved.after}
        for name, lines in texts.items():
            yield f"tables/{moved.name}/{name}", "".join(f"{line}\n" for line in lines)


def _about(plan: Plan, origin: Origin, sums: dict[str, str]) -> dict[str, Any]:
    choice = plan.choice
    return {
        "format": FORMAT,
        "id": plan.identity,
        "version": origin.version,
        "made": origin.made,
        "host": origin.host,
        "kernel": origin.kernel,
        "iptables_version": plan.node.iptables_version,
        "owner": choice.owner,
        "layout": "mirror",
        "forced": sorted(choice.forced),
        "iptables_runs": choice.turn,
        "allowed": sorted(code.name for code in choice.options.allow),
        "dumps": {slot: f"before/{dump_file(slot)}" for slot in plan.node.dumps},
        "nft": "before/ruleset.nft" if plan.node.nft is not None else None,
        "ipset_save": "before/ipset.save" if plan.node.ipset_save is not None else None,
        "tables": [
            {
                "name": moved.name,
                "slot": moved.slot,
                "family": moved.table.family.value,
                "table": moved.table.name,
                "nft_table": moved.nft_table,
                "rules": len(moved.rules),
            }
            for moved in plan.tables
        ],
        "rules": {"moved": plan.rules, "stay": plan.stay},
        "proof": {
            "answer": "equivalent",
            "hooks": list(plan.hooks),
            "assumptions": list(plan.assumptions),
            "overlaps": [one.message for one in plan.overlaps],
        },
        "files": sums,
    }


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
