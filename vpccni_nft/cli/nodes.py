"""Read a node: a file, a folder of files, or an archive of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from ..core.render import printable
from ..core.span import Source
from .files import read_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..node.snapshot import Snapshot


@attrs.frozen
class NodeTexts:
    """What a node's programs printed."""

    dumps: dict[str, Source]  #: by the names of ``detection.ALL_SLOTS``
    nft: Source | None = None
    ipsets: Source | None = None
    iptables_version: str = ""
    others: tuple[Source, ...] = ()  #: dumps of which neither family nor back end is known

    @property
    def sources(self) -> tuple[Source, ...]:
        """All rules: the dumps, then the nft ruleset.

        A file without rules says that there are none. iptables-nft may say in it that
        iptables-legacy has some: unless these were given, that is for its reader to refuse.
        """
        from ..text.language import Language, detect_language

        native = () if self.nft is None else (self.nft,)
        found = (*self.dumps.values(), *self.others, *native)
        all_are_given = any("legacy" in slot for slot in self.dumps)
        return tuple(
            one
            for one in found
            if detect_language(one) is not Language.BLANK
            or (any(map(str.strip, one.lines)) and not all_are_given)
        )


def read_node(name: str) -> NodeTexts:
    """Read a node; exit 2 where it cannot be read."""
    from ..node.files import node_of

    try:
        return _texts_of(node_of((Path(name),)))
    except OSError as error:
        raise click.UsageError(f"cannot read {printable(name)}: {error.strerror}") from None


def _texts_of(node: Snapshot) -> NodeTexts:
    from ..node.snapshot import DUMPS, IPSETS, NFT, VERSION

    if node.problem:
        raise click.UsageError(printable(node.problem))
    sources = {name: Source.of(text, node.files[name]) for name, text in node.texts.items()}
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
    )


def read_rules(files: Sequence[str]) -> tuple[tuple[Source, ...], Source | None]:
    """The rules of files, folders and archives, and the sets of the first that has some.

    A file may have the output of several programs, as kubectl debug gives it.
    """
    from ..node.sections import divided
    from ..node.snapshot import IPSETS, NFT, RULES

    sources: list[Source] = []
    sets: Source | None = None
    for name in files:
        if name != "-" and _is_node(Path(name)):
            node = read_node(name)
            sources += node.sources
            sets = sets or node.ipsets
            continue
        source = read_source(name)
        parts = divided(source)
        if parts is None:
            sources.append(source)
        else:
            sources += [part for kind, part in parts.items() if kind in {RULES, NFT}]
            sets = sets or parts.get(IPSETS)
    return tuple(sources), sets


def read_facts(name: str) -> Mapping[str, str]:
    """What a record has beside rules; nothing where it is a file with rules alone."""
    from ..node.files import node_of

    return node_of((Path(name),)).facts if name != "-" and _is_node(Path(name)) else {}


def _is_node(path: Path) -> bool:
    from ..node.archives import is_archive

    try:
        return path.is_dir() or (path.is_file() and is_archive(path))
    except OSError:
        return False
