"""Examples in docstrings are code on the site too: Markdown would take them for text."""

from __future__ import annotations

import re
from typing import Any

import griffe

#: A paragraph that begins as an example does, up to an empty line.
_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """mkdocstrings reads each docstring behind this."""

    def on_instance(self, *, obj: griffe.Object, **_others: Any) -> None:
        """Put a fence around each example."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
