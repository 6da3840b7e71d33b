"""What options and arguments may be: how a value is read, and how a shell completes it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ..core.render import printable
from ..lowering.options import nft_version

if TYPE_CHECKING:
    from collections.abc import Iterable

if TYPE_CHECKING:
    ParamType = click.ParamType
else:

    class ParamType(click.ParamType):
        """The type of a parameter. click's own takes no type of its values in older releases."""

        def __class_getitem__(cls, _values):
            return cls


#: Words of a metavar that stand for files, and for folders alone.
_FILES = re.compile(r"FILE|NODE|SNAPSHOT|RECORD|BEFORE|AFTER")
_FOLDERS = re.compile(r"DIR")


def complete_files(params: Iterable[click.Parameter]) -> None:
    """Let shells complete files where the help names one, unless something else is completed."""
    for param in params:
        metavar = param.metavar or ""
        if param.type is click.STRING and (_FILES.search(metavar) or _FOLDERS.search(metavar)):
            param.type = FileType("file" if _FILES.search(metavar) else "dir")


class FileType(click.types.StringParamType):
    """The name of a file or folder, or words that may stand in its place."""

    def __init__(self, kind: str = "file", *words: str) -> None:
        self.kind = kind
        self.words = words

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words, and what the shell knows of files."""
        return [*_that_begin(self.words, incomplete), CompletionItem(incomplete, type=self.kind)]


class OwnerType(ParamType[str]):
    """One of the owners of rules, or a word that stands for several."""

    name = "owner"

    def __init__(self, *words: str) -> None:
        self.words = words

    def _names(self) -> tuple[str, ...]:
        from ..node.partition import OWNER_NAMES

        return (*OWNER_NAMES, *self.words)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if it is one."""
        if value not in self._names():
            self.fail(f"{printable(value)} is not one of {', '.join(self._names())}", param, ctx)
        return value

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names."""
        return _that_begin(self._names(), incomplete)


def _that_begin(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class NftVersionType(ParamType[str]):
    """A release of nft, as ``nft=1.0.1``."""

    name = "nft=VERSION"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, if it is one."""
        try:
            nft_version(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)
        return value


class CidrType(ParamType[str]):
    """A network, or the word that says that there is none."""

    name = "cidr"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The network, or the word."""
        if value in self.words:
            return value
        try:
            return str(ipaddress.ip_network(value))
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


class AddressType(ParamType[str]):
    """An address of a host."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address, in its usual spelling."""
        try:
            return str(ipaddress.ip_address(value))
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)
