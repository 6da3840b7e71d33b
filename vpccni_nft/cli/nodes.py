"""Read a node: a file, a folder of files, or an archive of them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from ..core.render import printable
from ..core.span import Source
from ..node.magic import BEGINNING, is_packed
from .files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from ..node.files import HeldArchive
    from ..node.origin import RecordOrigin
    from ..node.snapshot import Snapshot


#: How a line begins that is no line of a dump.
_FOREIGN = re.compile(r"(?!COMMIT)[^-:*#\[\s]")


@attrs.frozen
class NodeTexts:
    """What a node's programs printed."""

    dumps: dict[str, Source]  #: by the names of ``detection.ALL_SLOTS``
    nft: Source | None = None
    ipsets: Source | None = None
    iptables_version: str = ""
    others: tuple[Source, ...] = ()  #: dumps of which neither family nor back end is known
    sources: tuple[Source, ...] = ()  #: all rules: the dumps, then the nft ruleset


def read_node(name: str) -> NodeTexts:
    """Read a node, with its counters; exit 2 where it cannot be read."""
    return _read(name, Path(name))


def _read(name: str, place: Path | HeldArchive) -> NodeTexts:
    from ..node.files import node_of

    try:
        node = node_of((place,), counters=True)
    except OSError as error:
        raise click.UsageError(f"cannot read {printable(name)}: {error.strerror}") from None
    if node.problem:
        raise click.UsageError(printable(f"{name}: {node.problem}"))
    return _texts_of(node)


def _texts_of(node: Snapshot) -> NodeTexts:
    from ..node.snapshot import DUMPS, IPSETS, NFT, VERSION, rules_of

    sources = node.sources
    dumps = {
        slot: source
        for name, source in sources.items()
        if name in DUMPS and (slot := DUMPS[name].slot)
    }
    return NodeTexts(
        dumps,
        sources.get(NFT),
        sources.get(IPSETS),
        node.texts.get(VERSION, ""),
        tuple(sources[name] for name in DUMPS if name in sources and not DUMPS[name].slot),
        rules_of(sources),
    )


def unplaced(dump: Source, what: str) -> click.UsageError:
    """Say that nothing shows ``what`` of a dump, or that it is none."""
    from ..text.language import Language, detect_language
    from ..text.mistaken import what_it_is

    if detect_language(dump) in {Language.IPTABLES_SAVE, Language.IPTABLES_LIST}:
        said = f"{dump.name}: nothing shows {what}: name the file by it, such as iptables-nft.save"
    else:
        found = what_it_is(dump)
        said = f"{found.message}: {found.hint}"
        if found.span:  # without a line of it, the message names the file
            said = f"{dump.name}: {said}"
    return click.UsageError(printable(said))


def read_rules(files: Sequence[str]) -> tuple[tuple[Source, ...], Source | None]:
    """The rules of files, folders and archives, and the sets of the first that has some."""
    sources: list[Source] = []
    sets: Source | None = None
    for name in files:
        found, more = read_rules_of(name)
        sources += found
        sets = sets or more
    return tuple(sources), sets


def read_rules_of(name: str) -> tuple[tuple[Source, ...], Source | None]:
    """The rules and the sets of one file, folder or archive; exit 2 where it cannot be read.

    A file may have the output of several programs, as kubectl debug gives it.
    """
    given = _node_of(name)
    if isinstance(given, NodeTexts):
        return given.sources, given.ipsets
    if not any(map(_FOREIGN.match, given.lines)):
        return (given,), None  # the room of nodes, which takes a while to load, is not needed
    from ..node.sections import divided
    from ..node.snapshot import IPSETS, NFT, RULES

    parts = divided(given)
    if parts is None:
        return (given,), None
    return tuple(part for kind, part in parts.items() if kind in {RULES, NFT}), parts.get(IPSETS)


def read_dumps_of(name: str) -> tuple[tuple[Source, ...], Source | None]:
    """The same, without the nft ruleset of a node that has dumps: it stays as it is."""
    from ..text.language import by_language

    sources, sets = read_rules_of(name)
    dumps, _ = by_language(sources)
    return tuple(dumps) or sources, sets


def _node_of(name: str) -> NodeTexts | Source:
    """A node where it is a folder or an archive of several files, and a text otherwise."""
    if name != "-" and _is_node(Path(name)):
        return read_node(name)
    content, shown = read_bytes(name), "<stdin>" if name == "-" else name
    if name == "-" and _holds_files(io.BytesIO(content)):
        from ..node.files import HeldArchive

        return _read(shown, HeldArchive(shown, content))
    return Source.of(content, shown)


def read_origin(name: str) -> RecordOrigin:
    """Where a record is from; nothing is known of a file with rules alone."""
    from ..node.files import node_of
    from ..node.origin import RecordOrigin

    return (
        RecordOrigin.of(node_of((Path(name),)))
        if name != "-" and _is_node(Path(name))
        else RecordOrigin()
    )


def read_facts(name: str) -> Mapping[str, str]:
    """What a record has beside rules; nothing where it is a file with rules alone."""
    from ..node.files import node_of

    return node_of((Path(name),)).facts if name != "-" and _is_node(Path(name)) else {}


def _is_node(path: Path) -> bool:
    try:
        if path.is_dir():
            return True
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _holds_files(file)
    except OSError:
        return False  # it is reported where it is read


def _holds_files(file: BinaryIO) -> bool:
    """Whether it is an archive of several files; one that is damaged is."""
    start = file.read(BEGINNING)
    file.seek(0)
    if not is_packed(start):
        return False
    from ..node.archives import holds_files

    return holds_files(file)
