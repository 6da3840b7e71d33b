"""What becomes of one typical rule of each extension, here and with iptables-restore-translate.

The rule is the first of the extension's vectors that has an exact translation, else the first that
has any, else the first of all; with ``--all`` it is every vector that iptables could save. What
iptables-restore-translate writes is loaded into a network namespace, listed again, and held against
the rule by packets, as the tests hold our own.

The table is in Markdown. Needs root, nft and iptables; run ``python -m benchmarks.incumbent``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import vpccni_nft
from tests.support.agreement import Sides
from tests.support.namespaces import LoadError, Namespace
from tests.support.vectors import FOLDER, Vector, read_vectors
from vpccni_nft import Family, nft
from vpccni_nft.core.diagnostics import Kind
from vpccni_nft.extensions import MATCHES, TARGETS
from vpccni_nft.model.packet import NoMeaning
from vpccni_nft.simulate.sample import chains_of, differences, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpccni_nft.simulate.sample import Chains, Packet

PROGRAMS = {
    Family.IP: "iptables-restore-translate",
    Family.IP6: "ip6tables-restore-translate",
}

#: What our model of nft knows by another name.
SYNONYMS = {"ip protocol ": "meta l4proto ", "meta rtclassid ": "rt classid "}

#: Packets that are tried on each rule; as many seeds as give other answers of the world.
PACKETS, SEEDS = 60, 4

EXACT, APPROXIMATE, REFUSED = "exact", "approximate", "refused"


def main() -> None:
    """Print the table, and the totals under it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="all vectors, not one an extension")
    every: bool = parser.parse_args().all
    totals: Counter[tuple[str, str]] = Counter()
    _print_row("extension", "rule", "ours", "theirs", "what they write, or why not")
    _print_row(*["---"] * 5)
    with Namespace() as namespace:
        for name, vector in all_vectors() if every else typical_vectors():
            answer = ours(vector)
            with _ipsets(vector, namespace):
                verdict, text = theirs(vector, namespace)
            totals[answer if answer in {EXACT, REFUSED} else APPROXIMATE, verdict] += 1
            _print_row(name, _code(vector.rule), answer, verdict, _code(text))
    print()
    _print_totals(totals)


def _print_totals(totals: Counter[tuple[str, str]]) -> None:
    """How often each of our answers meets each of theirs."""
    rows = [kind for kind in (EXACT, APPROXIMATE, REFUSED) if any(kind in pair for pair in totals)]
    columns = sorted({verdict for _, verdict in totals})
    _print_row("ours / theirs", *columns, "all")
    _print_row(*["---"] * (len(columns) + 2))
    for row in rows:
        numbers = [totals[row, column] for column in columns]
        _print_row(row, *numbers, sum(numbers))
    sums = [sum(totals[row, column] for row in rows) for column in columns]
    _print_row("all", *sums, sum(sums))


def _print_row(*cells: object) -> None:
    print("|", " | ".join(str(cell).replace("|", "\\|") for cell in cells), "|")


def _code(text: str) -> str:
    return " ".join(f"`{line}`" for line in text.splitlines() if line)


def all_vectors() -> Iterator[tuple[str, Vector]]:
    """Every vector that is a rule for us, with the option that brings its extension into it."""
    for option, folder in (("-m", "matches"), ("-j", "targets")):
        for vector in read_vectors(FOLDER / folder):
            if not any(line.startswith("refused P") for line in vector.expected):
                yield f"{option} {vector.path.stem}", vector


def typical_vectors() -> Iterator[tuple[str, Vector]]:
    """One vector of each extension, with the option that brings it into a rule."""
    registries: tuple[tuple[str, str, Mapping[str, object]], ...] = (
        ("-m", "matches", MATCHES),
        ("-j", "targets", TARGETS),
    )
    for option, folder, registry in registries:
        vectors = read_vectors(FOLDER / folder)
        for name in sorted(registry, key=str.lower):
            own = [one for one in vectors if one.path.stem == name.lower()]
            yield f"{option} {name}", min(own, key=_strangeness)


def _strangeness(vector: Vector) -> tuple[bool, bool]:
    """The order in which vectors are typical; of equal ones, the first in the file is."""
    answer = ours(vector)
    return answer == REFUSED, answer != EXACT


def ours(vector: Vector) -> str:
    """Exact, the approximations that are needed, or refused."""
    translation = vector.translate()
    if translation.refused:
        return REFUSED
    codes = {
        found.code.name
        for found in translation.diagnostics
        if found.code.kind is Kind.APPROXIMATION
    }
    return " ".join(sorted(codes)) or EXACT


def theirs(vector: Vector, namespace: Namespace) -> tuple[str, str]:
    """What iptables-restore-translate makes of a rule, in a word, and what it writes for it."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(vector.dump)
        file.flush()
        done = subprocess.run(
            ["ip", "netns", "exec", namespace.name, PROGRAMS[vector.family], "-f", file.name],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    if done.returncode:
        return "refuses to read", _first_line(done.stderr)
    text = "\n".join(
        line
        for line in done.stdout.splitlines()
        if line.startswith(("add rule ", "insert rule ", "# -t "))
    )
    if text.startswith("# "):
        return "comments out, exit 0", ""
    try:
        namespace.load(f"flush ruleset\n{done.stdout}")
    except LoadError as error:
        if _lacks_what_ours_needs(vector, namespace):
            return "not judged", "this kernel has not all that the rule needs"
        return "does not load", f"{text}\n{_first_line(str(error))}"
    verdict, reason = _judged(vector, namespace.list_ruleset())
    return verdict, f"{text}\n{reason}"


@contextmanager
def _ipsets(vector: Vector, namespace: Namespace) -> Iterator[None]:
    """The sets that a rule names: iptables reads no rule without them."""
    names = re.findall(r"--(?:match|add|del|map)-set (\S+)", vector.rule)
    lines = vector.ipsets or tuple(f"create {name} hash:ip" for name in sorted(set(names)))
    with suppress(LoadError):  # the kernel has not all types
        namespace.run("ipset", "restore", script="".join(f"{line}\n" for line in lines))
    try:
        yield
    finally:
        namespace.load("flush ruleset")
        namespace.run("ipset", "destroy")


def _lacks_what_ours_needs(vector: Vector, namespace: Namespace) -> bool:
    """Whether the kernel is built without what our own translation needs."""
    translation = vector.translate()
    try:
        namespace.load("" if translation.refused else translation.script())
    except LoadError:
        return True
    return False


def _judged(vector: Vector, listing: str) -> tuple[str, str]:
    """Whether packets tell a rule from its translation, and why not where they cannot."""
    for theirs_, ours_ in SYNONYMS.items():
        listing = listing.replace(theirs_, ours_)
    try:
        before, after = vpccni_nft.parse(vector.dump), nft.parse(listing)
        before_chains = chains_of(before, vector.family)
        after_chains = chains_of(after, vector.family)
        sides = Sides(before, listing, after)
        told_apart = any(
            _differ(before_chains, after_chains, packet)
            for seed in range(SEEDS)
            for packet in sides.packets(vector.family, PACKETS, seed)
        )
    except (vpccni_nft.Refused, NoMeaning) as problem:
        return "not judged", _first_line(str(problem))
    return "wrong" if told_apart else "right", ""


def _differ(before: Chains, after: Chains, packet: Packet) -> bool:
    return bool(differences(run(before, packet), run(after, packet)))


def _first_line(text: str) -> str:
    """The first line, without the name of a temporary file."""
    line = text.strip().partition("\n")[0]
    return line[line.find("Error: ") :] if "Error: " in line else line


if __name__ == "__main__":
    main()
