"""The version is that of the newest release in the changelog."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import vpccni_nft

ROOT = Path(vpccni_nft.__file__).parents[1]


def test_the_changelog_has_what_is_not_released_above_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, newest, *_ = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert first == "Unreleased"
    release = re.fullmatch(r"(\d+\.\d+\.\d+) \((.+)\)", newest)
    assert release
    assert release[1] == vpccni_nft.__version__
    datetime.date.fromisoformat(release[2])


def test_examples_name_this_version() -> None:
    example = (ROOT / "docs/examples/daemonset.yaml").read_text(encoding="utf-8")
    assert f"image: example.com/vpccni-nft:{vpccni_nft.__version__}\n" in example
