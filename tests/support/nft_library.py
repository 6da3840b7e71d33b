"""nft without a process for each run: its library, in one process for all namespaces.

That takes a tenth of the time. The process is not that of the tests, because where the library has
a fault it ends the process that it is in.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import re
import select
import shutil
import subprocess
import sys

#: Options of nft, as the library's flags: NFT_CTX_OUTPUT_HANDLE and NFT_CTX_OUTPUT_JSON.
_FLAGS = {"-a": 1 << 3, "-j": 1 << 4}

#: CLONE_NEWNET of setns(2).
_NETWORK = 0x40000000

#: Seconds for an answer.
_PATIENCE = 120


class NftLibrary:
    """Runs nft in one namespace or another; started when it is first used."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._is_there = True  #: whether nft has a library, as far as is known

    def run(self, namespace: str, arguments: tuple[str, ...]) -> str | None:
        """What nft prints; None where it fails or warns, so that nft itself is to say why."""
        if not self._is_there:
            return None
        if self._process is None:
            self._start()
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(f"{json.dumps((namespace, arguments))}\n")
            self._process.stdin.flush()
            in_time, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
            line = self._process.stdout.readline() if in_time else ""
        except BrokenPipeError:
            line = ""
        if not line:
            self.stop()
            return None
        answer: str | None = json.loads(line)
        return answer

    def _start(self) -> None:
        library = _library_of(shutil.which("nft"))
        self._is_there = library is not None
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, library or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def stop(self) -> None:
        """End the process; the next run has another one."""
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._process = None


def _library_of(program: str | None) -> str | None:
    """The library that a program loads, so that its version is the program's."""
    linked = subprocess.run(("ldd", program or ""), capture_output=True, check=False, text=True)
    found = re.search(r"libnftables\.so\.1 => (\S+)", linked.stdout)
    return found and found[1]


def _load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    context, text = ctypes.c_void_p, ctypes.c_char_p
    library.nft_ctx_new.argtypes, library.nft_ctx_new.restype = [ctypes.c_uint32], context
    library.nft_ctx_output_set_flags.argtypes = [context, ctypes.c_uint]
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [context]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes, getattr(library, name).restype = [context], text
    for name in ("nft_run_cmd_from_filename", "nft_run_cmd_from_buffer"):
        getattr(library, name).argtypes = [context, text]
    return library


def _run(library: ctypes.CDLL, arguments: tuple[str, ...]) -> str | None:
    """Do what nft does with these arguments, in a context of its own as a process has it."""
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        options = [one for one in arguments if one in _FLAGS]
        library.nft_ctx_output_set_flags(context, sum(_FLAGS[one] for one in options))
        words = [one for one in arguments if one not in _FLAGS]
        if words[0] == "-f":
            failed = library.nft_run_cmd_from_filename(context, os.fsencode(words[1]))
        else:
            failed = library.nft_run_cmd_from_buffer(context, os.fsencode(" ".join(words)))
        output: bytes = library.nft_ctx_get_output_buffer(context)
        if failed or library.nft_ctx_get_error_buffer(context):
            return None
        return output.decode("utf-8", "surrogateescape")
    finally:
        library.nft_ctx_free(context)


def _serve(library: ctypes.CDLL) -> None:
    """Answer requests, a line each, until there are no more."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        _enter(there)
        os.close(there)
        done = _run(library, tuple(arguments))
        # A namespace stays as long as a process is in it.
        _enter(home)
        sys.stdout.write(f"{json.dumps(done)}\n")
        sys.stdout.flush()


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _NETWORK):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


#: That of all tests of a worker.
NFT = NftLibrary()
atexit.register(NFT.stop)


if __name__ == "__main__":
    _serve(_load(sys.argv[1]))
