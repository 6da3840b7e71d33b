"""Translate the EKS node beside this file: rule beside rule, then into the kernel.

The node runs kube-proxy in iptables mode, the VPC CNI v1.23 and portmap.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

import vpccni_nft
from vpccni_nft import nft
from vpccni_nft.core.render import render
from vpccni_nft.nft.statements import Jump
from vpccni_nft.text.nft_script import rule_text

NODE = Path(__file__).parent / "node.save"
NAMESPACE = f"vpccni-demo-{os.getpid()}"


def main() -> int:
    """Run the demo; 0 where all of it worked."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    dump = NODE.read_text()
    show_refusal(console, vpccni_nft.translate(dump, name=NODE.name))
    translation = vpccni_nft.translate(dump, name=NODE.name, allow=["T101"])
    show_rules(console, dump.splitlines(), translation)
    return load(console, translation.script())


def show_refusal(console: Console, translation: vpccni_nft.Translation) -> None:
    """What is not exact is refused until somebody has read about it and allows it."""
    refusing = [found for found in translation.diagnostics if found.refuses]
    console.print(Rule("exact, or refused"))
    console.print(Text(render(refusing[0])))
    console.print(f"... and {len(refusing) - 1} more of that kind. From here on: --allow T101.\n")


def show_rules(console: Console, lines: list[str], translation: vpccni_nft.Translation) -> None:
    """The first rule of each shape, and what stands for it in nftables."""
    by_line: dict[int, list[str]] = {}
    for table in translation.ruleset.tables:
        helpers = {chain.name: chain for chain in table.chains if chain.name.startswith(".")}
        for chain in table.chains:
            for rule in chain.rules:
                if rule.origin:
                    texts = by_line.setdefault(rule.origin.line, [])
                    texts.append(f"{chain.name}: {plain(rule)}")
                    texts += shared_helper(rule, helpers)
    grid = Table("line", "iptables", "nftables", show_lines=True)
    seen: set[str] = set()
    for number, texts in sorted(by_line.items()):
        shape = re.sub(r"[0-9][0-9a-f.:/]*|KUBE-[A-Z]+-[A-Z0-9]{16}", "N", texts[0])
        if shape not in seen:
            seen.add(shape)
            without = re.sub(r' -m comment --comment ("(\\.|[^"])*"|\S+)', "", lines[number - 1])
            grid.add_row(str(number), Text(without), Text("\n".join(texts)))
    console.print(Rule(f"one rule of each shape; {len(by_line)} rules in all (comments left out)"))
    console.print(grid)


def plain(rule: nft.Rule) -> str:
    """A rule without its comment."""
    return re.sub(r' comment ".*"', "", rule_text(rule))


def shared_helper(rule: nft.Rule, helpers: dict[str, nft.Chain]) -> list[str]:
    """The rules of a helper chain that no single line of the dump has for itself."""
    names = [
        step.chain for step in rule.statements if isinstance(step, Jump) and step.chain in helpers
    ]
    return [
        f"{name}: {plain(helping)}"
        for name in names
        for helping in helpers[name].rules
        if not helping.origin
    ]


def load(console: Console, script: str) -> int:
    """Load the script twice into a namespace that is deleted afterwards."""
    console.print(Rule("into the kernel"))
    if not shutil.which("nft") or not shutil.which("ip") or os.geteuid() != 0:
        console.print(
            "Not tried: that needs root, nft and ip. vpccni-nft itself needs none of them."
        )
        return 0
    run("ip", "netns", "add", NAMESPACE)
    try:
        for time in ("first", "second"):
            run("ip", "netns", "exec", NAMESPACE, "nft", "-f", "-", script=script)
            listing = run("ip", "netns", "exec", NAMESPACE, "nft", "list", "ruleset")
            console.print(f"loaded the {time} time: {listing.count('counter')} counting rules")
    finally:
        run("ip", "netns", "delete", NAMESPACE)
    return 0


def run(*command: str, script: str = "") -> str:
    """Run a program; its failure ends the demo."""
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
