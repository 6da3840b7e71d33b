"""Which modules a program loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import vpccni_nft

PACKAGE = Path(vpccni_nft.__file__).parent


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport json, sys\nprint(json.dumps([*sys.modules]))"],
        cwd=PACKAGE.parent,
        capture_output=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(done.stdout))
