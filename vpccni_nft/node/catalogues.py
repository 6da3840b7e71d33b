"""Catalogues of known differences, and the sets of a node's rules that conditions name.

A catalogue is a file of what is accepted (``docs/proof.md``) that comes with this package. Its
conditions name groups, such as ``@cluster-ips``, which are read from the rules of both sides.
"""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.diagnostics import BAD_ACCEPTANCE, Diagnostic, Refused
from ..core.span import Source
from ..proof.acceptance import Acceptances
from ..proof.acceptance_file import parse_acceptances
from .service_groups import groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..proof.side import Side

_FOLDER = Path(__file__).parent / "known_differences"

#: The names of the catalogues.
CATALOGUES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def catalogue(name: str) -> Acceptances:
    """What a catalogue accepts."""
    path = _FOLDER / f"{name}.toml"
    return parse_acceptances(Source.of(path.read_bytes(), path.name))


def acceptances(given: Iterable[str | Source], before: Side, after: Side) -> Acceptances:
    """What is accepted of two sides: by the names of catalogues, and by files.

    Raises Refused with every problem of the files, and ValueError where no catalogue has the name.
    """
    found: list[Acceptances] = []
    problems: list[Diagnostic] = []
    for one in given:
        if isinstance(one, str):
            if one not in CATALOGUES:
                raise ValueError(f"“{one}” is not a catalogue; there are {', '.join(CATALOGUES)}")
            found.append(catalogue(one))
            continue
        try:
            found.append(parse_acceptances(one))
        except Refused as refused:
            problems += refused.diagnostics
    each = [one for file in found for one in file.each]
    names = [one.name for one in each]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Diagnostic(BAD_ACCEPTANCE, f"“{name}” is accepted twice"))
    if problems:
        raise Refused(problems)
    internal = reduce(or_, (file.internal for file in found), 0)
    return Acceptances(tuple(each), groups_of(before, after), internal)
