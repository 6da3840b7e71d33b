"""Tell which back ends the agents of a node use."""

from __future__ import annotations

import sys

import click

from ..options import AS_JSON, of_a_node


@click.command(
    epilog="\b\nExamples:\n"
    "  sudo vpccni-nft detect\n"
    "  vpccni-nft detect --iptables-nft-save node.save --nft node.nft\n"
    "  vpccni-nft detect --iptables-legacy-save legacy.save"
    " --iptables-version 'iptables v1.8.4 (legacy)' --json\n\n"
    "\b\nExit codes:\n  0  detected, and nothing is wrong\n"
    "  1  back ends are mixed, rules are stale, or a dump is wrong\n"
    "  2  wrong usage, or unreadable input\n"
    "  3  nothing of kubelet, kube-proxy or the CNI is there"
)
@of_a_node
@AS_JSON
def detect(
    *, nft: str | None, iptables_version: str | None, as_json: bool, **dumps: str | None
) -> None:
    """Tell which back end kubelet, kube-proxy and the CNI use, and on what evidence.

    Without an option the programs are run on this node, which takes root; nothing is changed. With
    options only what they give is looked at; one of the files can be -, standard input.
    """
    from ..detect import detect_files

    sys.exit(detect_files(dumps, nft, iptables_version, as_json=as_json))
