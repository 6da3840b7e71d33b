"""What a replay found, and why there was none."""

from __future__ import annotations

import click

from ...core.render import printable

_COLOURS = {
    "before": "red", "after": "green", "equal": "green", "different": "red", "faint": "bright_black"
}  # fmt: skip

#: What can be done about it, by what a program says when it refuses a ruleset.
_HINTS = (
    (
        ("ipset", "Set "),
        "--ipset-save takes what “ipset save” prints, with every set that rules name",
    ),
    (
        ("Extension", "No chain/target/match", "missing kernel module", "Couldn't load"),
        "the kernel here lacks what a rule uses: load its module, or try the other --backend",
    ),
    (
        ("Error: ", "syntax error"),
        "“nft -c -f FILE” checks a script; a dump of iptables-save has lines such as *filter",
    ),
    (("Operation not permitted",), "this needs root with all capabilities, as on the node itself"),
)


def show_reason(reason: str) -> None:
    """Say why nothing could be replayed, and what can be done about it."""
    first, *rest = (printable(line.expandtabs(1)) for line in reason.splitlines() if line)
    click.echo(f"cannot replay: {first}", err=True)
    for line in rest:
        click.echo(f"  {line}", err=True)
    for words, hint in _HINTS:
        if any(word in reason for word in words):
            click.echo(f"  hint: {hint}", err=True)
            return


def paint(text: str, role: str) -> str:
    """A text in the colour of its role."""
    return click.style(text, fg=_COLOURS[role], bold=role in {"equal", "different"})
