"""Ask the programs of this node what they have; nothing is changed."""

from __future__ import annotations

import subprocess

from ..core.errors import CannotRead
from ..core.isolated import PROGRAMS, environment, path_of
from ..core.span import Source
from .detection import SLOTS

#: Seconds after which a program that lists rules is taken for stuck.
PATIENCE = 60


def read_node(*options: str) -> tuple[dict[str, Source], Source | None, str]:
    """The dumps by their slots, the nft ruleset, and the version of iptables.

    ``options`` are for the programs that save: ``-c`` prints counters. Programs are looked for in
    the folders of programs only, whatever ``PATH`` says: they run as root.

    A program that is not there gives nothing. The legacy programs read which tables there are from
    /proc: listing all of them makes none.
    """
    dumps = {}
    for name, slot in SLOTS.items():
        if (text := output_of(slot.program, *options)) is not None:
            dumps[name] = Source.of(text, f"<{slot.program}>")
    ruleset = output_of("nft", "list", "ruleset")
    nft = None if ruleset is None else Source.of(ruleset, "<nft list ruleset>")
    if not dumps and nft is None:
        raise CannotRead(f"there is neither iptables nor nft in {PROGRAMS}: give files")
    version = output_of("iptables", "--version") or b""
    return dumps, nft, version.decode(errors="replace").strip()


def output_of(name: str, *arguments: str) -> bytes | None:
    """What a program prints, None where there is none; CannotRead where it fails."""
    program = path_of(name)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env=environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRead(f"{name} does not answer: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[0] if said else f"it exits with {done.returncode}"
        raise CannotRead(f"{name}: {reason}")
    # iptables-nft says on standard error that legacy tables are there, as a remark.
    remarks = [line for line in done.stderr.splitlines() if line.startswith(b"#")]
    return b"".join(line + b"\n" for line in remarks) + done.stdout
