"""Whether what was proved of a node is still so: for cron and for a DaemonSet."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ...core.diagnostics import Refused
from ...core.errors import CannotRead
from ...core.exit_codes import ExitCode
from ...core.version import __version__
from ..command import Command
from ..files import read_source, write_output
from ..nodes import read_rules
from ..options import (
    ACCEPT,
    ALLOW,
    AS_JSON,
    ORDER,
    SECONDS,
    TIMEOUT,
    read_accepted,
    require_solver,
    settings_of_switch,
)

if TYPE_CHECKING:
    from ...node.kube_proxy.switching import Switch
    from ...proof.side import Side
    from ...proof.verify import ProofSettings
    from ..render.watch import Watched


#: What is kept of a proof.
_KEPT = {"key", "answer", "classes", "accepted", "reasons", "proved_at"}


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "still so: equivalent to the record, but for what is accepted",
        ExitCode.REFUSED: "not so: packets differ, something is left over, or rules are not"
        " understood",
        ExitCode.USAGE: "wrong usage, unreadable input, or z3-solver is missing",
        ExitCode.UNKNOWN: "unknown: there was not enough time, or the model approximates a rule",
    },
    examples=(
        "sudo vpccni-nft watch before.tar.gz --accept kube-proxy-modes --state watch.json",
        (
            "sudo vpccni-nft watch before.tar.gz --accept kube-proxy-modes --state watch.json"
            " --textfile /var/lib/node_exporter/textfile/vpccni_nft.prom"
        ),
        "vpccni-nft watch after.tar.gz --now now.tar.gz --json",
    ),
)
@click.argument("record", metavar="RECORD")
@click.option("--now", metavar="NODE", help="The node as it is now, instead of reading this one.")
@click.option(
    "--state",
    metavar="FILE",
    help="Keep what was proved: while nothing but addresses of endpoints and of the node changes,"
    " it is not proved again.",
)
@click.option(
    "--textfile", metavar="FILE", help="Write metrics for Prometheus; the file is replaced at once."
)
@ALLOW
@ACCEPT
@SECONDS
@TIMEOUT
@ORDER
@AS_JSON
def watch(  # noqa: PLR0913 - one for each option
    record: str,
    *,
    now: str | None,
    state: str | None,
    textfile: str | None,
    allow: tuple[str, ...],
    accept: tuple[str, ...],
    seconds: float,
    timeout: float | None,
    order: str | None,
    as_json: bool,
) -> ExitCode:
    """Say whether a node still does what its record shows.

    RECORD is the record that a proof was made with: of before a change of kube-proxy's mode, or of
    after it. Services and endpoints that came or went are no difference: both sides are compared
    with those of now. Anything else that differs and is not accepted is one.
    """
    require_solver()
    from ..render.watch import dict_of, lines_of, metrics_of

    settings = settings_of_switch(order, seconds, timeout, allow)
    found = _watched((record, now), settings, accept, state)
    if textfile:
        write_output("".join(f"{line}\n" for line in metrics_of(found)), textfile)
    if as_json:
        write_output(json.dumps(dict_of(found), indent=2) + "\n", "-")
    else:
        for line in lines_of(found):
            click.echo(line)
    return found.exit_code


def _side(name: str) -> Side:
    from ...lowering.options import TranslateOptions
    from ...proof.side import Side

    sources, sets = read_rules((name,))
    return Side.of(sources, TranslateOptions.of(ipset_save=sets))


def _side_of_now(name: str | None) -> Side:
    """The given node, or this one as ``record`` has it."""
    import tempfile

    from ...node.record import record as take_record

    if name:
        return _side(name)
    with tempfile.TemporaryDirectory(prefix="vpccni-nft-") as folder:
        place = Path(folder, "now")
        if not take_record(place):
            said = (place / "record.txt").read_text(errors="replace").splitlines()
            failed = [line for line in said if ": failed: " in line]
            raise CannotRead(f"the node cannot be read as a whole: {'; '.join(failed)}")
        return _side(str(place))


def _watched(
    names: tuple[str, str | None],
    settings: ProofSettings,
    accept: tuple[str, ...],
    state: str | None,
) -> Watched:
    from ...fleet.report import REFUSED
    from ...fleet.switch import dict_of_proof
    from ...node.kube_proxy.switching import recorded
    from ...proof.verify import verify
    from ..render.watch import Watched

    now = time.time()
    try:
        switch = recorded(_side(names[0]), _side_of_now(names[1]))
        acceptances = read_accepted(accept, switch.before, switch.after)
    except Refused as refused:
        said = tuple(one.message for one in refused.diagnostics)
        return Watched(answer=REFUSED, at=now, reasons=said)
    key = _key_of(switch, settings, accept)
    known = _known(state, key)
    if known is None:
        settings = attrs.evolve(settings, accept=acceptances)
        proof = dict_of_proof(verify(switch.before, switch.after, settings))
        reasons = [one["message"] for one in proof.get("diagnostics", ())]
        known = {"classes": [], **proof, "key": key, "reasons": reasons, "proved_at": now}
        known = {name: known[name] for name in _KEPT}
        if state:
            write_output(json.dumps(known) + "\n", state)
    left = tuple(one.message for one in switch.leftovers)
    return Watched(
        answer=known["answer"],
        at=now,
        mode=switch.now.mode.value,
        form=switch.now.form.value if switch.now.form else "",
        services=switch.now.count,
        changes=len(switch.changes),
        leftovers=len(left),
        classes=tuple(known["classes"]),
        accepted=tuple(known["accepted"]),
        reasons=(*left, *known["reasons"]),
        proved_at=known["proved_at"],
    )


def _key_of(switch: Switch, settings: ProofSettings, accept: tuple[str, ...]) -> str:
    """What a proof hangs on: the shape of both sides, what is asked, and who proves it."""
    from ...node.catalogues import CATALOGUES
    from ...node.kube_proxy.shape import shape_of

    # Conditions of a file may name addresses, and their days of expiry pass.
    files = [name for name in accept if name not in CATALOGUES or Path(name).is_file()]
    texts = [read_source(name).lines for name in files]
    shape = shape_of(switch, renames=not files)
    day = time.strftime("%Y-%m-%d") if files else ""
    parts = (shape, repr(settings), accept, texts, day, __version__)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _known(state: str | None, key: str) -> dict[str, Any] | None:
    """What the file keeps of this very question, where that was proved."""
    if not state or not Path(state).is_file():
        return None
    try:
        known: dict[str, Any] = json.loads(Path(state).read_text(encoding="utf-8"))
        is_this = known.keys() == _KEPT and known["key"] == key
        return known if is_this and known["answer"] == "equivalent" else None
    except (OSError, ValueError, AttributeError):
        return None  # then it is proved again, and written anew
