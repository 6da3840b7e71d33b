"""Write docs/extensions.md, the table of matches and targets.

With ``--check`` nothing is written, and the exit code is 1 where the page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vpccni_nft.cli.render.extensions import Row

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "extensions.md"

HEAD = """\
# Matches and targets

This page is written by `docs/generate_extensions.py`. `vpccni-nft extensions` prints the same
table.

A row without a code is exact. A [code](codes/README.md) is what a translation may answer instead,
depending on the options and the place of the rule: T0 is refused, T1 is an approximation that
`--allow` takes, T2 is a note. Where nft has no form at all, its column says `none` and why: such a
rule is always refused.

A `[!]` stands before an option that may be negated.

These are the matches and targets of iptables 1.8.11. `udplite` is no match there: after
`-p udplite`, `-m multiport` compares the ports. No form needs more than nft 1.0.1 and Linux 5.13.
"""


def page() -> str:
    """The whole page."""
    from vpccni_nft.cli.render.extensions import extension_rows

    rows = extension_rows()
    return "\n".join([HEAD, _totals(rows), "", *_table(rows)]) + "\n"


def _totals(rows: Sequence[Row]) -> str:
    none = sum(row["nft"].startswith("none: ") for row in rows)
    exact = sum(not row["codes"] for row in rows)
    return (
        f"Of {len(rows)}, {exact} are exact whatever their options, {len(rows) - exact - none} are"
        f" exact or answer with a\ncode, and {none} are refused."
    )


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield _row(("kind", "name", "what it does", "options", "nft", "exact, or codes"))
    yield _row(["---"] * 6)
    for row in rows:
        codes = ", ".join(f"[{code}](codes/{code}.md)" for code in row["codes"])
        options = _options(row["kind"], row["name"])
        cells = (row["kind"], f"`{row['name']}`", row["what"], options, row["nft"])
        yield _row((*map(_escaped, cells), codes or "exact"))


def _options(kind: str, name: str) -> str:
    """The options of a match or a target, as they are written."""
    from vpccni_nft.extensions import MATCHES, TARGETS

    registry = MATCHES if kind == "match" else TARGETS
    return "<br>".join(f"`{option.usage}`" for option in registry[name].options.options) or "none"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(cell: str) -> str:
    """A bar would end the cell, and a bracket be a link."""
    return cell.replace("|", "\\|").replace("[. ", "\\[. ")


def main() -> None:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description="Write docs/extensions.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check: bool = parser.parse_args().check
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/extensions.md is out of date: run python docs/generate_extensions.py")


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))  # from a bare checkout too
    main()
