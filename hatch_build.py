"""Makes what a wheel has and a checkout has not: tables of the grammars, and pages for man."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MadeFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Puts tables beside the grammars, and pages where man looks for them.

    A checkout that is installed has its own cache of tables.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from vpccni_nft.cli.man import pages
        from vpccni_nft.text.grammar import LINE, RULESET, made_tables

        self._folder = TemporaryDirectory()
        for grammar in (LINE, RULESET):
            file = Path(self._folder.name, f"{grammar.name}.json")
            file.write_text(made_tables(grammar), encoding="ascii")
            build_data["force_include"][str(file)] = f"vpccni_nft/grammars/{file.name}"
        for name, text in pages().items():
            file = Path(self._folder.name, name)
            file.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(file)] = f"share/man/man1/{name}"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """They are in the wheel now."""
        if version != "editable":
            self._folder.cleanup()
