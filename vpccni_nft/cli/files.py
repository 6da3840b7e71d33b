"""Read inputs and write outputs: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from ..core.exit_codes import ExitCode
from ..core.render import printable
from ..core.span import Source
from ..node.magic import is_compressed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: Why output cannot be written: there is no room, the device fails, or it is closed.
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}

#: Larger input is no dump: 110,000 rules are 20 MB.
MOST_BYTES = 1 << 30


def standard_input() -> str:
    """The name of what is read where no file is given; exit 2 where that is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("give a FILE, or pipe the output of iptables-save in")
    return "-"


def one_standard_input(*names: str | None) -> None:
    """Exit 2 where more than one of the names is ``-``."""
    if names.count("-") > 1:
        raise click.UsageError("only one of the files can be standard input")


def read_source(name: str) -> Source:
    """Read one file, ``-`` being standard input; exit 2 where it cannot be read."""
    return Source.of(read_bytes(name), "<stdin>" if name == "-" else name)


def read_bytes(name: str) -> bytes:
    """The same, as bytes: what is in the file, where that is compressed."""
    try:
        if name == "-":
            content = _standard(sys.stdin).buffer.read(MOST_BYTES)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MOST_BYTES)
        return _decompressed(content)
    except OSError as error:
        hint = ": give one of its files" if error.errno == errno.EISDIR else ""
        raise click.UsageError(f"cannot read {printable(name)}: {error.strerror}{hint}") from None


def _decompressed(content: bytes) -> bytes:
    if not is_compressed(content):
        return content
    from ..node.archives import decompressed

    return decompressed(io.BytesIO(content))


def _standard(stream: TextIO | None) -> TextIO:
    """A standard stream, which the caller of the program may have closed."""
    if stream is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return stream


def write_output(text: str, output: str) -> None:
    """Write to a file, which is replaced at once when all is written, or to standard output."""
    write_pieces((text,), output)


def write_pieces(pieces: Iterable[str], output: str) -> None:
    """The same for a long text, which need not be in memory as a whole."""
    try:
        if output == "-":
            # As bytes: a script is UTF-8, whatever the locale is.
            content = "".join(pieces).encode()  # all of it is there before any is written
            _write_standard(content)
        else:
            _replace(Path(output), pieces)
    except OSError as error:
        if output == "-":
            end_unwritable(error)
        raise click.UsageError(f"cannot write {printable(output)}: {error.strerror}") from None


def _write_standard(content: bytes) -> None:
    """Write to standard output."""
    stream = _standard(sys.stdout)
    stream.buffer.write(content)
    stream.buffer.flush()


def end_unwritable(error: OSError) -> NoReturn:
    """Exit 2 because nothing more can be written, without trying again when Python ends."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
    if not isinstance(error, BrokenPipeError):
        place = "the output" if error.filename is None else printable(str(error.filename))
        with contextlib.suppress(OSError):
            click.echo(f"Error: cannot write {place}: {error.strerror}", err=True)
    sys.exit(ExitCode.USAGE)


def _replace(target: Path, pieces: Iterable[str]) -> None:
    from tempfile import mkstemp

    if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
        target.write_bytes("".join(pieces).encode())
        return
    target = target.resolve()  # a link stays a link
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(piece.encode() for piece in pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _umask() -> int:
    """The mask can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def json_lines(output: str | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Writes objects, a line each, in one piece and at once."""
    if output is None:
        yield lambda _: None
        return
    file = _open(output)
    try:
        yield lambda found: _write(file, json.dumps(found) + "\n", output)
    finally:
        if file is not sys.stdout:
            file.close()


def _open(output: str) -> TextIO:
    if output == "-" and sys.stdout is not None:
        return sys.stdout
    try:
        return Path(output).open("w", encoding="ascii")
    except OSError as error:
        raise click.UsageError(f"cannot write {printable(output)}: {error.strerror}") from None


def _write(file: TextIO, line: str, output: str) -> None:
    try:
        file.write(line)
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.UsageError(f"cannot write {printable(output)}: {error.strerror}") from None
