"""The documentation is built as a site; a warning is an error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vpccni_nft.cli.commands import cli

from ..support.command import environment

ROOT = Path(__file__).parents[2]

#: What a page would load from elsewhere; links lead there.
_LOADED = re.compile(r'<(?:script|img|iframe)[^>]*\bsrc="https?:|<link[^>]*\bhref="https?:')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(NO_MKDOCS_2_WARNING="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    sources = [*(ROOT / "docs").rglob("*.md")]
    assert len(pages) > len(sources)
    for page in pages:
        assert not _LOADED.search(page.read_text()), page


def test_the_page_of_commands_has_the_help_of_each(site: Path) -> None:
    page = (site / "commands/index.html").read_text()
    assert "vpccni-nft switch prove" in page
    for name in cli.list_commands(None):  # type: ignore[arg-type]
        assert f"Usage: vpccni-nft {name} " in page


def test_the_reference_has_the_public_functions_with_their_docstrings(site: Path) -> None:
    page = (site / "api/index.html").read_text()
    for name in ("translate", "verify", "explain", "inventory"):
        assert f'id="vpccni_nft.api.{name}"' in page
    assert 'id="vpccni_nft.node.detection.detect"' in page
    assert "Raises" in page
