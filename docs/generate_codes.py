"""Fill the examples of the pages in docs/codes: what is put in, and the messages that it gives.

An example is a vector with a line ``page CODE`` (``tests/vectors/matches`` and ``targets``), or a
file ``tests/vectors/codes/CODE.save``, ``CODE.nft`` or ``CODE.v4``, with ``CODE.ipset`` beside it
where rules name sets. ``CODE.txt`` is one that something else is done with than translating it:
``tests/support/code_examples.py`` says what. With ``--check`` nothing is written, and the exit code
is 1 where a page is out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from vpccni_nft.core.diagnostics import Diagnostic

DOCS = Path(__file__).resolve().parent
CODES = DOCS / "codes"
INPUTS = DOCS.parent / "tests/vectors/codes"

_PART = re.compile(r"^## Example\n.*?(?=^## )", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Example:
    """What a page puts in, under the name that its messages have."""

    name: str
    text: str
    sets: str | None = None

    def messages(self) -> list[str]:
        """The lines that are printed for it."""
        import vpccni_nft
        from vpccni_nft.core.render import render

        if self.name.endswith(".txt"):
            found = self._reported()
        elif self.name.endswith(".nft"):
            try:
                vpccni_nft.nft.parse(self.text, name=self.name)
            except vpccni_nft.Refused as refused:
                found = refused.diagnostics
        else:
            found = vpccni_nft.translate(
                self.text, name=self.name, ipset_save=self.sets
            ).diagnostics
        return [line.rstrip() for one in found for line in render(one).splitlines()]

    def _reported(self) -> tuple[Diagnostic, ...]:
        from tests.support.code_examples import reported
        from vpccni_nft.core.diagnostics import CATALOGUE

        name = self.name.removesuffix(".txt")
        return reported(next(code for code in CATALOGUE if code.name == name), self.text)


def examples() -> dict[str, Example]:
    """The examples by the names of their codes."""
    from tests.support.vectors import VECTORS

    found = {
        vector.page: Example("node.save", vector.example, vector.ipset_save)
        for vector in VECTORS
        if vector.page
    }
    inputs = (INPUTS.glob(f"*.{kind}") for kind in ("save", "nft", "v4"))
    for path in sorted(path for paths in inputs for path in paths):
        sets = path.with_suffix(".ipset")
        found[path.stem] = Example(
            f"node{path.suffix}", path.read_text(), sets.read_text() if sets.exists() else None
        )
    for path in INPUTS.glob("*.txt"):
        found[path.stem] = Example(path.name, path.read_text())
    return found


def page(code: str, example: Example) -> str:
    """The page of a code with its example."""
    sets = f"```ipset\n{example.sets}```\n\n" if example.sets else ""
    messages = "".join(f"{line}\n" for line in example.messages())
    part = f"## Example\n\n```text\n{example.text}```\n\n{sets}```text\n{messages}```\n\n"
    return _PART.sub(lambda _: part, (CODES / f"{code}.md").read_text(encoding="utf-8"))


def main() -> None:
    """Write the pages, or say which one is not up to date."""
    parser = argparse.ArgumentParser(description="Fill the examples in docs/codes.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check: bool = parser.parse_args().check
    for code, example in examples().items():
        path, text = CODES / f"{code}.md", page(code, example)
        if not check:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is out of date: run python docs/generate_codes.py")


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))  # from a bare checkout too
    main()
