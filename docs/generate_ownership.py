"""Write docs/ownership.md, the tables of owners and of the evidence for them.

With ``--check`` nothing is written, and the exit code is 1 where the page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vpccni_nft.node.owners import ChainSign

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "ownership.md"

HEAD = """\
# Whose rules are these?

This page is written by `docs/generate_ownership.py` from `vpccni_nft/node/owners.py`.

Several programs write the rules of a node. `vpccni-nft inventory` shows the owner of each chain and
each rule, and the evidence:

```sh
iptables-save | vpccni-nft inventory
vpccni-nft inventory node.save --rules
vpccni-nft inventory node.save --json
```

The first one prints a row for each owner, with the numbers of chains and rules. Behind the CNI
stand the releases that can have written all of its rules. `--rules` prints each chain and each
rule behind its owner, and why it is theirs. `--json` has the same with the keys `owners`,
`vpc_cni_releases`, `chains`, `rules` and `diagnostics`. Matches and targets that are not known do
not matter here. Exit codes: 0 done, 1 something in the dump cannot be read, 2 wrong usage, or the
input is no dump.

## How an owner is found

A chain that is not built in has its owner by its name. For a rule these are tried in turn, and the
first answer decides:

1. It stands in a chain whose owner lets no other program write there: it is that owner's.
2. It has a form that an owner writes.
3. It stands in a built-in chain and jumps to a chain with an owner: it is that owner's.
4. It has a trace of an owner, in no form that the owner writes: it is of `unknown`. So is a rule in
   a built-in chain beside the chains of firewalld, ufw, Shorewall, FireHOL, Arno's firewall or apf,
   which write rules there without a sign. All of these but ufw make chains of any name, too: a
   chain of no known name beside theirs is of `unknown`, and so are its rules.
5. Otherwise it is of `user`.

The chains of the CNI and `DOCKER-USER` are not quite their owners' own: people write into them. A
rule there is the owner's in a known form only. Any other one is of `unknown`, in `DOCKER-USER` of
`user`.

What has no sign of its own has no owner: the rules that ferm, Uruk, pyroman, uif or knockd write
are of `user`.

Where an nft ruleset is given, alone or as a part of a node, its tables have owners by their names.
Tables of iptables-nft are left to its dumps; where none is given, they are of `unknown`. So is a
table of no name that is known, such as `inet filter`, which MiniUPnPd and OpenSnitch write.

Two owners that write the same bits of a mark are noted with a rule of either
([M108](codes/M108.md)).

## Taking one owner's rules

`vpccni-nft translate --owner vpc-cni` translates the rules and chains of that owner alone. In
Python, `vpccni_nft.node.partition.take` divides a ruleset into that part and the rest.

- A rule in a built-in chain goes with its owner. Its place among the rules of others is lost: the
  two parts are two base chains.
- The policies of built-in chains stay with the rest. In the owner's part they are ACCEPT.
- Nothing is copied. Where a chain is needed on both sides, all is refused ([M102](codes/M102.md)).

Whether the two parts together do what the whole did depends on the priorities of their base chains.
`--owner` proves that they do, or writes nothing: [layouts.md](layouts.md).
"""

CHAINS_HEAD = """\

## Names of chains

The pattern is a regular expression for the whole name. The first one that fits decides. A release
is one of the CNI. Some names say little by themselves: they count beside other chains of their
owner.
"""

RULES_HEAD = """\

## Forms of rules

As `iptables-save` prints them. Signs in the forms:

| sign | meaning |
|---|---|
| `<net>`, `<address>` | a network, an address |
| `<if>` | the name of an interface |
| `<prefix>` | how the names of the pods' interfaces begin |
| `<n>`, `<hex>` | a number, hexadecimal digits |
| `<mark>` | a mark; where it stands twice, the same |
| `<chain>`, `<set>` | any chain, any name of a set |
| `<host>` | the network of one address; where it stands twice, the same |
| `<link>` | a bridge of Docker's: by its usual names, or one that Docker's chains speak of |
| `...` | anything |
| `[text]`, `{one\\|other}` | there or not; one of these |

The first form that fits decides.
"""


def page() -> str:
    """The whole page."""
    return (
        "\n".join([HEAD, *_owners(), CHAINS_HEAD, *_chains(), RULES_HEAD, *_rules(), *_tables()])
        + "\n"
    )


def _owners() -> Iterator[str]:
    from vpccni_nft.node.owners import OWNERS

    yield "## Owners"
    yield ""
    yield from _table(("owner", "who it is"), ((f"`{one.name}`", one.what) for one in OWNERS))


def _chains() -> Iterator[str]:
    from vpccni_nft.node.owners import CHAINS

    rows = (
        (f"`{one.owner}`", f"`{one.pattern}`", _releases(one.releases), _remark(one))
        for one in CHAINS
    )
    yield from _table(("owner", "pattern", "releases", "remark"), rows)


def _remark(sign: ChainSign) -> str:
    return "; ".join(filter(None, (sign.remark, "beside others" if sign.beside else "")))


def _rules() -> Iterator[str]:
    from vpccni_nft.node.owners import RULES

    rows = (
        (f"`{one.owner}`", one.table or "any", f"`{one.form}`", _releases(one.releases), one.remark)
        for one in RULES
    )
    yield from _table(("owner", "table", "form", "releases", "remark"), rows)


def _tables() -> Iterator[str]:
    from vpccni_nft.node.owners import TABLES, TRACES

    yield "\n## Tables of nftables\n"
    rows = (
        (f"`{one.owner}`", f"`{one.pattern}`", ", ".join(one.families), one.remark)
        for one in TABLES
    )
    yield from _table(("owner", "pattern", "families", "remark"), rows)
    yield "\n## Traces\n"
    yield "What makes the owner of a rule unknown where no form fits, as a regular expression."
    yield ""
    traces = ((f"`{owner}`", f"`{pattern}`") for owner, pattern in TRACES)
    yield from _table(("owner", "trace"), traces)


def _releases(releases: object) -> str:
    from vpccni_nft.node.releases import ANY

    return "" if releases == ANY else str(releases)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    for row in rows:
        yield _row(cell.replace("|", "\\|") for cell in row)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description="Write docs/ownership.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check: bool = parser.parse_args().check
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/ownership.md is out of date: run python docs/generate_ownership.py")


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))  # from a bare checkout too
    main()
