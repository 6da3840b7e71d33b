"""Network namespaces to load rulesets into: the kernel is the judge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from typing import Any, Literal, NoReturn, Self

import pytest

from .nft_library import NFT

#: The programs that a kernel test runs.
PROGRAMS = ("ip", "nft", "nsenter")


def why_not() -> str:
    """Why kernel tests cannot run here, or nothing."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        return f"these programs are missing: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Namespace() as namespace:
            namespace.load("table ip probe { chain c { type filter hook input priority 0; }\n}\n")
    except LoadError as error:
        return f"the kernel takes no nft ruleset here: {error}"
    return ""


def cannot_run(reason: str) -> NoReturn:
    """Skip the test and say why; in CI, where everything has to run, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"this must run in CI: {reason}")
    pytest.skip(reason)


class LoadError(Exception):
    """The kernel or nft refused something."""


class Namespace:
    """A network namespace of its own name, which goes away with the ``with`` block."""

    def __init__(self) -> None:
        self.name = f"vpccni-{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> Self:
        _run("ip", "netns", "add", self.name)
        return self

    def __exit__(self, *_: object) -> None:
        _run("ip", "netns", "delete", self.name)

    def load(self, script: str, form: Literal["nft", "json"] = "nft") -> None:
        """Give a script to nft; LoadError where it is refused.

        By a file: nft 1.0.6 takes malformed JSON on standard input for an empty one.
        """
        json_flag = ("-j",) if form == "json" else ()
        with tempfile.NamedTemporaryFile() as file:
            file.write(script.encode("utf-8", "surrogateescape"))
            file.flush()
            self._nft(*json_flag, "-f", file.name)

    def takes(self, statement: str) -> bool:
        """Whether the kernel knows a statement; some are built as modules, or not at all."""
        try:
            self.load(f"table ip probe {{ chain c {{ {statement}; }}; }}; delete table ip probe\n")
        except LoadError:
            return False
        return True

    def list_with_handles(self) -> str:
        """The same, with the handle of each object behind it."""
        return self._nft("-a", "list", "ruleset")

    def list_ruleset(self) -> str:
        """What the kernel holds now, as text."""
        return self._nft("list", "ruleset")

    def objects(self) -> list[dict[str, Any]]:
        """What the kernel holds now, object by object."""
        listed: dict[str, Any] = json.loads(self._nft("-j", "list", "ruleset"))
        return [entry for entry in listed["nftables"] if "metainfo" not in entry]

    def run(self, *command: str, script: str = "") -> str:
        """Run any program in the namespace."""
        return _run("ip", "netns", "exec", self.name, *command, script=script)

    def _nft(self, *arguments: str) -> str:
        """Run nft; not by ``ip netns exec``, which mounts more than nft needs.

        What its library does without a word needs no process of its own.
        """
        done = NFT.run(self.name, arguments)
        if done is not None:
            return done
        return _run("nsenter", f"--net=/run/netns/{self.name}", "nft", *arguments)


def _run(*command: str, script: str = "") -> str:
    done = subprocess.run(
        command,
        input=script.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
        timeout=120,
    )
    if done.returncode or done.stderr:
        raise LoadError(done.stderr.decode(errors="replace") or f"{command} gave {done.returncode}")
    return done.stdout.decode("utf-8", "surrogateescape")
