"""A plan as a directory: what is in it, writing it, and reading it again.

``plan.json`` lets programs know what the directory is; docs/migration.md has its keys.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import CannotRead
from .report import report
from .tables import dump_file, removal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Plan

#: The version of plan.json. Another number is another meaning.
FORMAT = 1


class NoPlan(CannotRead):
    """A directory is not a plan that can be used."""


def write(plan: Plan, directory: Path, version: str) -> None:
    """Write a plan to a new directory: whole, or not at all."""
    if directory.exists():
        raise NoPlan(f"{directory} already exists: a plan needs a directory of its own")
    draft = directory.with_name(f".{directory.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        files = dict(_files(plan))
        files["plan.md"] = report(plan, version)
        for name, text in files.items():
            _write(draft / name, text)
        sums = {name: _sum(text) for name, text in sorted(files.items())}
        _write(draft / "SHA256SUMS", "".join(f"{one}  {name}\n" for name, one in sums.items()))
        about = _about(plan, version, sums)
        _write(draft / "plan.json", json.dumps(about, indent=2) + "\n")
        draft.rename(directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def read(directory: Path) -> dict[str, Any]:
    """What plan.json says. Raises NoPlan."""
    try:
        about: dict[str, Any] = json.loads((directory / "plan.json").read_text())
    except (OSError, ValueError) as error:
        raise NoPlan(f"{directory} is no plan: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise NoPlan(f"{directory} was written by another version: plan again")
    return about


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


def _about(plan: Plan, version: str, sums: dict[str, str]) -> dict[str, Any]:
    choice = plan.choice
    return {
        "format": FORMAT,
        "version": version,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": platform.node(),
        "kernel": platform.release(),
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


def _sum(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(_bytes(text))
        file.flush()
        os.fsync(file.fileno())
