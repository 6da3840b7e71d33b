"""Show which back ends the agents of a node use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ...core.exit_codes import ExitCode
from ...core.render import printable
from ..command import Command
from ..files import write_output
from ..nodes import read_node, unplaced
from ..options import AS_JSON, NODE, OF_A_NODE, read_node_files
from ..render.diagnostics import code_of, show

if TYPE_CHECKING:
    from ...core.span import Source


@click.command(
    cls=Command,
    exits={
        ExitCode.DONE: "detected, and nothing is wrong",
        ExitCode.REFUSED: "back ends are mixed, rules are stale, or a dump is wrong",
        ExitCode.UNKNOWN: "no rules of kubelet, kube-proxy or the CNI were found",
    },
    examples=(
        "sudo vpccni-nft detect",
        "vpccni-nft detect eks_i-0123456789abcdef0.tar.gz",
        "vpccni-nft detect --iptables-nft-save node.save --nft node.nft",
        (
            "vpccni-nft detect --iptables-legacy-save legacy.save"
            " --iptables-version 'iptables v1.8.4 (legacy)' --json"
        ),
    ),
)
@NODE
@OF_A_NODE
@AS_JSON
def detect(
    node: str | None,
    *,
    nft: str | None,
    iptables_version: str | None,
    as_json: bool,
    **dumps: str | None,
) -> ExitCode:
    """Show which back end kubelet, kube-proxy and the CNI use, and on what evidence.

    Without NODE and options the programs are run on this node, which takes root; nothing is
    changed. NODE is a file, a folder or an archive with what they printed elsewhere, such as an
    archive of the EKS log collector. One of the files of the options can be -, standard input.
    """
    from ...node.detection import detect_sources
    from ...node.live import read_node as ask
    from ..render.detect import lines_of

    sources, ruleset = read_node_files(dumps, nft)
    if node is not None:
        if sources or ruleset is not None:
            raise click.UsageError("give either NODE or the files of the options")
        sources, ruleset, iptables_version = _given(node, iptables_version)
    elif not sources and ruleset is None and iptables_version is None:
        sources, ruleset, iptables_version = ask()
    found = detect_sources(sources, ruleset, iptables_version or "")
    if as_json:
        write_output(json.dumps(found.to_dict(), indent=2) + "\n", "-")
    else:
        write_output("".join(f"{printable(line)}\n" for line in lines_of(found)), "-")
        show(found.diagnostics, notes=True)
    code = code_of(found.diagnostics)
    return ExitCode.UNKNOWN if code is ExitCode.DONE and not found.known else code


def _given(name: str, iptables_version: str | None) -> tuple[dict[str, Source], Source | None, str]:
    node = read_node(name)
    if node.others:
        raise unplaced(node.others[0], "which program wrote it")
    return node.dumps, node.nft, iptables_version or node.iptables_version
