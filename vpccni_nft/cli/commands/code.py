"""Show what the code of a message means."""

from __future__ import annotations

import json

import click
from click.shell_completion import CompletionItem

from ...core.diagnostics import CATALOGUE, Code
from ...core.exit_codes import ExitCode
from ...core.pages import page_of
from ..command import Command
from ..files import write_output
from ..options import AS_JSON
from ..render.codes import dict_of, lines_of, page_text
from ..values import ParamType

_BY_NAME = {code.name: code for code in CATALOGUE}


class _CodeType(ParamType[Code]):
    name = "code"

    def convert(
        self, value: Code | str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Code:
        name = str(value).upper()
        if name not in _BY_NAME:
            from difflib import get_close_matches

            near = get_close_matches(name, _BY_NAME, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "without a CODE all are listed"
            self.fail(f"there is no code {value!r}: {hint}", param, ctx)
        return _BY_NAME[name]

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names, with what they mean where the shell shows it."""
        return [
            CompletionItem(name, help=code.title)
            for name, code in _BY_NAME.items()
            if name.startswith(incomplete.upper())
        ]


@click.command(
    cls=Command,
    exits={ExitCode.DONE: "shown"},
    examples=(
        "vpccni-nft code T101",
        "vpccni-nft code | grep approximation",
        "vpccni-nft code T101 T117 --json | jq -r '.[].title'",
    ),
)
@click.argument("codes", nargs=-1, metavar="[CODE]...", type=_CodeType())
@AS_JSON
def code(codes: tuple[Code, ...], *, as_json: bool) -> ExitCode:
    """Show what codes of messages mean, and what to do about them.

    Without CODE all codes are listed. The pages are those of docs/codes; no network is needed. The
    JSON is a list of objects with the keys code, kind, title and page (Markdown).
    """
    if as_json:
        chosen = [dict_of(one, page_of(one)) for one in codes or CATALOGUE]
        write_output(json.dumps(chosen, indent=2) + "\n", "-")
    elif codes:
        write_output("\n".join(page_text(page_of(one)) for one in codes), "-")
    else:
        write_output("".join(f"{line}\n" for line in lines_of(CATALOGUE)), "-")
    return ExitCode.DONE
