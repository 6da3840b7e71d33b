"""A folder of many nodes' files: which file is whose, and what is in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ..core.span import Source
from ..text.language import Language, detect_language
from .snapshot import DUMPS, IPSETS, NFT, VERSION, Snapshot, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What a file with this name is, without its extension and without ``-save``.
_NAMES = {
    **{name.removesuffix(".save"): name for name in DUMPS},
    "nft": NFT, "ruleset": NFT, "nft-ruleset": NFT, "nft-list-ruleset": NFT,
    "ipset": IPSETS,
    "iptables-version": VERSION, "version": VERSION,
}  # fmt: skip

#: What a file with this extension is, where its name does not say.
_EXTENSIONS = {".save": "rules.save", ".nft": NFT, ".ipset": IPSETS, ".txt": None}

#: What a file in this language is, where neither its name nor its extension says.
_LANGUAGES = {
    Language.IPTABLES_SAVE: "rules.save",
    Language.IPTABLES_LIST: "rules.save",
    Language.NFT: NFT,
    Language.IPSET: IPSETS,
}

#: Larger input is no dump: 110,000 rules are 20 MB.
MOST_BYTES = 1 << 30

#: How much of a file is looked at where neither says.
_BEGINNING = 1 << 16


@attrs.frozen
class NodeFiles:
    """Where a node's files are."""

    name: str
    files: tuple[tuple[str, Path], ...]  #: what each is, by the names of ``node``
    problem: str = ""

    def read(self) -> Snapshot:
        """Read them; what cannot be read is reported in the node."""
        texts: dict[str, str] = {}
        files: dict[str, str] = {}
        problem = self.problem
        for kind, path in self.files:
            try:
                content = _content(path)
            except OSError as error:
                problem = problem or f"cannot read {path}: {error.strerror}"
                continue
            for name, text in texts_of(kind, content).items():
                if texts.setdefault(name, text) != text:
                    problem = problem or f"two files are {name}: {files[name]} and {path}"
                files.setdefault(name, str(path))
        if not problem and not any(text.strip() for text in texts.values()):
            problem = "all of its files are empty" if files else "no file in it is of a known form"
        return Snapshot(self.name, texts, files, problem)


@attrs.frozen
class Fleet:
    """The nodes in a folder."""

    nodes: tuple[NodeFiles, ...]
    ignored: tuple[str, ...]  #: files that are of no node


def read_fleet(folder: str | os.PathLike[str]) -> Fleet:
    """Find the nodes in a folder: a file or a folder each.

    ``NODE.save`` is a dump of iptables-save, ``NODE.nft`` the output of nft list ruleset and
    ``NODE.ipset`` that of ipset save. A folder ``NODE`` has ``iptables-legacy.save``,
    ``iptables-nft.save``, ``ip6tables-legacy.save``, ``ip6tables-nft.save``, ``nft.txt``,
    ``ipset.save`` and ``iptables-version``, or some of them; ``NODE.iptables-nft.save`` beside the
    other files is the same. A file of another name is taken for what is in it. Raises OSError where
    the folder cannot be read.
    """
    root = Path(folder)
    found: dict[str, list[tuple[str, Path]]] = {}
    problems: dict[str, str] = {}
    ignored: list[str] = []
    for path in _visible(root):
        if not path.is_dir():
            _add(path, _node_of(path) or root.resolve().name, found, ignored)
            continue
        found.setdefault(path.name, [])
        try:
            for inner in _visible(path):
                _add(inner, path.name, found, ignored)
        except OSError as error:
            problems[path.name] = f"cannot read {path}: {error.strerror}"
    nodes = (NodeFiles(name, tuple(files), problems.get(name, "")) for name, files in found.items())
    return Fleet(tuple(sorted(nodes, key=lambda node: node.name)), tuple(ignored))


def _content(path: Path) -> bytes:
    """A file's bytes; a pipe would never end, and no dump is larger than that."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file")
    if path.stat().st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return path.read_bytes()


def node_of(paths: Iterable[Path]) -> Snapshot:
    """The node whose files, or whose folders of files, these are. Raises OSError."""
    found: dict[str, list[tuple[str, Path]]] = {"": []}
    ignored: list[str] = []
    for path in paths:
        for file in _visible(path) if path.is_dir() else [path]:
            _add(file, "", found, ignored)
    return NodeFiles("", tuple(found[""])).read()


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))


def _add(
    path: Path, node: str, found: dict[str, list[tuple[str, Path]]], ignored: list[str]
) -> None:
    kind = _kind_of(path)
    if kind:
        found.setdefault(node, []).append((kind, path))
    else:
        ignored.append(str(path))


def _node_of(path: Path) -> str:
    """The node that a file's name begins with; nothing where the name says only what it is."""
    stem = _stem(path)
    if _named(stem):
        return ""
    before, _, last = stem.rpartition(".")
    return before if before and _named(last) else stem


def _kind_of(path: Path) -> str | None:
    stem = _stem(path)
    named = _named(stem) or _named(stem.rpartition(".")[2])
    return named or _EXTENSIONS.get(path.suffix) or _by_content(path)


def _stem(path: Path) -> str:
    return path.name.removesuffix(path.suffix) if path.suffix in _EXTENSIONS else path.name


def _named(stem: str) -> str | None:
    return _NAMES.get(stem.lower().replace("_", "-").removesuffix("-save"))


def _by_content(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            source = Source.of(file.read(_BEGINNING), path.name)
    except OSError:
        # It is reported with the node, where it is one.
        return "rules.save"
    return _LANGUAGES.get(detect_language(source))
