"""Show which back ends the agents of a node use."""

from __future__ import annotations

import json

import click

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import write_output
from ..options import AS_JSON, OF_A_NODE, read_node_files
from ..render.diagnostics import code_of, show


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "detected, and nothing is wrong",
        ExitCode.REFUSED: "back ends are mixed, rules are stale, or a dump is wrong",
        ExitCode.UNKNOWN: "no rules of kubelet, kube-proxy or the CNI were found",
    },
    examples=(
        "sudo vpccni-nft detect",
        "vpccni-nft detect --iptables-nft-save node.save --nft node.nft",
        (
            "vpccni-nft detect --iptables-legacy-save legacy.save"
            " --iptables-version 'iptables v1.8.4 (legacy)' --json"
        ),
    ),
)
@OF_A_NODE
@AS_JSON
def detect(
    *, nft: str | None, iptables_version: str | None, as_json: bool, **dumps: str | None
) -> ExitCode:
    """Show which back end kubelet, kube-proxy and the CNI use, and on what evidence.

    Without an option the programs are run on this node, which takes root; nothing is changed. With
    options only what they give is looked at; one of the files can be -, standard input.
    """
    from ...node.detection import detect_sources
    from ...node.live import read_node
    from ..render.detect import dict_of, lines_of

    sources, ruleset = read_node_files(dumps, nft)
    if not sources and ruleset is None and iptables_version is None:
        sources, ruleset, iptables_version = read_node()
    found = detect_sources(sources, ruleset, iptables_version or "")
    if as_json:
        write_output(json.dumps(dict_of(found), indent=2) + "\n", "-")
    else:
        write_output("".join(f"{printable(line)}\n" for line in lines_of(found)), "-")
        show(found.diagnostics, notes=True)
    code = code_of(found.diagnostics)
    return ExitCode.UNKNOWN if code is ExitCode.DONE and not found.known else code
