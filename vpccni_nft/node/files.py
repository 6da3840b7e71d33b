"""A folder of many nodes' files: which file is whose, and what is in it."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import attrs

from ..core.span import Source
from ..text.language import Language, detect_language
from .archives import members, stem_of
from .back_ends import resolved
from .bundles import DEPTH, FLAT, ROOTS, is_bundle, kind_in_bundle, named
from .magic import BEGINNING, is_packed
from .snapshot import FACTS, IPSETS, MANIFEST, NFT, RULES, Snapshot
from .texts import texts_of, without_tallies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from .archives import Parts

#: What a file with this extension is, where its name does not say.
_EXTENSIONS = {".save": RULES, ".nft": NFT, ".ipset": IPSETS, ".txt": None}

#: What a file in this language is, where neither its name nor its extension says.
_LANGUAGES = {
    Language.IPTABLES_SAVE: RULES,
    Language.IPTABLES_LIST: RULES,
    Language.NFT: NFT,
    Language.IPSET: IPSETS,
}

#: Larger input is no dump: 110,000 rules are 20 MB.
MOST_BYTES = 1 << 30

#: How much of a file is looked at where neither says.
_SAMPLE = 1 << 16

#: Files and folders of one node.
MOST_ENTRIES = 200_000


@attrs.frozen
class HeldArchive:
    """An archive that is in memory, as standard input is."""

    name: str
    content: bytes = attrs.field(repr=False)

    def open(self, _mode: str) -> BinaryIO:
        """As a file that is read."""
        return io.BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


@attrs.frozen
class NodeFiles:
    """Where a node's files are."""

    name: str
    files: tuple[tuple[str, Path], ...] = ()  #: what each is, by the names of ``snapshot``
    archives: tuple[Path | HeldArchive, ...] = ()  #: which are looked through when they are read
    problem: str = ""

    def read(self, *, counters: bool = False) -> Snapshot:
        """Read them; what cannot be read is reported in the node.

        With ``counters`` the texts keep them, and are not the same from one save to the next.
        """
        texts: dict[str, str] = {}
        facts: dict[str, str] = {}
        files: dict[str, str] = {}
        problem = self.problem
        try:
            for kind, label, content in self._contents():
                if kind in FACTS:
                    facts[kind] = content.decode("utf-8", "surrogateescape")
                    files[kind] = label
                    continue
                for name, whole in texts_of(kind, content).items():
                    text = whole if counters else without_tallies(name, whole)
                    if texts.setdefault(name, text) != text:
                        problem = problem or f"two files are {name}: {files[name]} and {label}"
                    files.setdefault(name, label)
        except OSError as error:
            problem = problem or f"cannot read {error.filename or self.name}: {error.strerror}"
        if not problem and not any(text.strip() for text in texts.values()):
            problem = "all of its files are empty" if files else "no file in it is of a known form"
        found = resolved(texts)
        renamed = {name: files.get(name) or files[_unresolved(name)] for name in (*found, *facts)}
        return Snapshot(self.name, found, renamed, problem, facts)

    def _contents(self) -> Iterator[tuple[str, str, bytes]]:
        """What each file is, what messages call it, and what is in it. Raises OSError."""
        for kind, path in self.files:
            try:
                yield kind, str(path), _content(path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from None
        for archive in self.archives:
            try:
                yield from _contents_of_archive(archive)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(archive)) from None


def _unresolved(name: str) -> str:
    """The name that a dump had before its back end was known."""
    return name.replace("-nft.", ".").replace("-legacy.", ".")


@attrs.frozen
class Fleet:
    """The nodes in a folder."""

    nodes: tuple[NodeFiles, ...]
    ignored: tuple[str, ...]  #: files that are of no node


def read_fleet(folder: str | os.PathLike[str]) -> Fleet:
    """Find the nodes in a folder: a file, an archive or a folder each; or the one that it is.

    ``NODE.save`` is a dump of iptables-save, ``NODE.nft`` the output of nft list ruleset and
    ``NODE.ipset`` that of ipset save. A folder ``NODE`` has ``iptables-legacy.save``,
    ``iptables-nft.save``, ``ip6tables-legacy.save``, ``ip6tables-nft.save``, ``nft.txt``,
    ``ipset.save`` and ``iptables-version``, or some of them; ``NODE.iptables-nft.save`` beside the
    other files is the same. A file of another name is taken for what is in it. ``NODE.tar.gz`` and
    a folder may also be what the EKS log collector or sosreport collect (``bundles``). Raises
    OSError where the folder cannot be read.
    """
    root = Path(folder)
    if not root.is_dir() or _is_one_node(root):
        return Fleet((node_files(root),), ())
    found: dict[str, list[tuple[str, Path]]] = {}
    others: list[NodeFiles] = []
    ignored: list[str] = []
    for path in _visible(root):
        if path.is_dir() or _is_archive(path):
            others.append(node_files(path, ignored))
        elif path.name in FACTS:
            ignored.append(str(path))  # nothing says of which node it is
        else:
            _add(path, _node_of(path) or root.resolve().name, found, ignored)
    by_name = {node.name: node for node in others}
    for name, files in found.items():
        other = by_name.get(name, NodeFiles(name))
        by_name[name] = attrs.evolve(other, files=(*other.files, *files))
    return Fleet(tuple(sorted(by_name.values(), key=lambda node: node.name)), tuple(ignored))


def _is_one_node(root: Path) -> bool:
    """Whether a folder is a record, or what a support tool collected, of one node."""
    if (root / MANIFEST).is_file():
        return True
    return any((root / name).is_dir() for name in ROOTS) and is_bundle(_below(root))


def node_files(path: Path, ignored: list[str] | None = None) -> NodeFiles:
    """The files of the node that a file, an archive or a folder is. Raises OSError.

    Files of a folder that are nothing of a node's are added to ``ignored``.
    """
    if not path.is_dir():
        if _is_archive(path):
            return NodeFiles(stem_of(path.name), archives=(path,))
        return NodeFiles(_node_of(path) or path.name, ((_kind_of(path) or RULES, path),))
    try:
        inner = _below(path)
        if is_bundle(inner):
            kinds = ((kind_in_bundle(parts), parts) for parts in inner)
            files = [(kind, path.joinpath(*parts)) for kind, parts in kinds if kind]
            return NodeFiles(path.name, tuple(files))
        found: dict[str, list[tuple[str, Path]]] = {}
        for file in _visible(path):
            if not file.is_dir():
                _add(file, "", found, [] if ignored is None else ignored)
            elif ignored is not None:
                ignored.append(str(file))
    except OSError as error:
        return NodeFiles(path.name, problem=f"cannot read {path}: {error.strerror}")
    return NodeFiles(path.name, tuple(found.get("", ())))


def node_of(paths: Iterable[Path | HeldArchive], *, counters: bool = False) -> Snapshot:
    """The node whose files, archives or folders of files these are. Raises OSError."""
    nodes = [
        NodeFiles(path.name, archives=(path,))
        if isinstance(path, HeldArchive)
        else node_files(path)
        for path in paths
    ]
    problem = next((node.problem for node in nodes if node.problem), "")
    files = tuple(file for node in nodes for file in node.files)
    archives = tuple(archive for node in nodes for archive in node.archives)
    return NodeFiles("", files, archives, problem).read(counters=counters)


def _content(path: Path) -> bytes:
    """A file's bytes; a pipe would never end, and no dump is larger than that."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file")
    if path.stat().st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return path.read_bytes()


def _contents_of_archive(path: Path | HeldArchive) -> Iterator[tuple[str, str, bytes]]:
    """The files of an archive that are a node's. Raises OSError."""
    kept: list[tuple[Parts, bytes]] = []
    size = 0
    with path.open("rb") as file:
        for member in members(path.name, file):
            if _may_be_of_a_node(member.parts):
                content = member.read()
                size += len(content)
                if size > MOST_BYTES:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                kept.append((member.parts, content))
    names = [parts for parts, _ in kept]
    collected = is_bundle(names)
    roots = {parts[0] for parts in names if len(parts) > 1}
    inside = len(roots) == 1 and not any(len(parts) == 1 for parts in names)
    for parts, content in kept:
        label = f"{path}:{'/'.join(parts)}"
        if collected:
            kind = kind_in_bundle(parts)
        elif len(parts) == 1 + inside:
            kind = _kind_by_name(parts[-1]) or _kind_by_content(content[:_SAMPLE], label)
        else:
            kind = None
        if kind:
            yield kind, label, content


def _may_be_of_a_node(parts: Parts) -> bool:
    """Whether a file of an archive is worth reading before it is known what the archive is."""
    if parts[-1].startswith("."):
        return False
    return len(parts) <= FLAT or kind_in_bundle(parts) is not None


def _is_archive(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return is_packed(file.read(BEGINNING))
    except OSError:
        return False  # it is reported where it is read


def _below(folder: Path) -> list[Parts]:
    """The files below a folder, by the parts of their names; no link leads out of it."""
    root = folder.resolve()
    found: list[Parts] = []
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = [] if depth == DEPTH else [one for one in folders if not one.startswith(".")]
        found += [Path(place, file).relative_to(folder).parts for file in files]
        if len(found) > MOST_ENTRIES:
            raise OSError(errno.EFBIG, f"it has more than {MOST_ENTRIES:,} files")
    inside = (
        parts
        for parts in found
        if not folder.joinpath(*parts).is_symlink()
        or folder.joinpath(*parts).resolve().is_relative_to(root)
    )
    return [parts for parts in inside if not parts[-1].startswith(".")]


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
    stem = _stem(path.name)
    if named(stem):
        return ""
    before, _, last = stem.rpartition(".")
    return before if before and named(last) else stem


def _kind_of(path: Path) -> str | None:
    return _kind_by_name(path.name) or _by_content(path)


def _kind_by_name(name: str) -> str | None:
    if name in FACTS:
        return name
    stem = _stem(name)
    found = named(stem) or named(stem.rpartition(".")[2])
    return found or _EXTENSIONS.get(PurePosixPath(name).suffix)


def _stem(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix in _EXTENSIONS else name


def _by_content(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return _kind_by_content(file.read(_SAMPLE), path.name)
    except OSError:
        # It is reported with the node, where it is one.
        return RULES


def _kind_by_content(beginning: bytes, name: str) -> str | None:
    return _LANGUAGES.get(detect_language(Source.of(beginning, name)))
