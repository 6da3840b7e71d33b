"""Builds the tables of the grammars with the wheel, so that nobody who installs it makes them."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TablesHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Puts the tables beside the grammars; a checkout that is installed has its own cache."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the tables."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from vpccni_nft.text.grammar import LINE, RULESET, made_tables

        self._folder = TemporaryDirectory()
        for grammar in (LINE, RULESET):
            file = Path(self._folder.name, f"{grammar.name}.json")
            file.write_text(made_tables(grammar), encoding="ascii")
            build_data["force_include"][str(file)] = f"vpccni_nft/grammars/{file.name}"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """They are in the wheel now."""
        if version != "editable":
            self._folder.cleanup()
