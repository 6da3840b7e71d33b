"""Write the page: one file, without network, with all that it shows as JSON in it.

Nothing of the input becomes markup: jinja2 escapes what stands in the page itself, the data is JSON
in which no tag can begin, and the page's program shows texts as texts. A content security policy
allows only this style and this program, by their digests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import attrs

from ..core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class PageContent:
    """What a page shows; each part is the JSON that a command prints, and may be missing."""

    title: str
    node: Mapping[str, Any] | None = None  #: of ``rules.rules_of``
    detection: Mapping[str, Any] | None = None  #: of ``detect --json``
    answers: tuple[Mapping[str, Any], ...] = ()  #: of ``verify --json``
    explanations: tuple[Mapping[str, Any], ...] = ()  #: of ``explain --json``
    fleet: tuple[Mapping[str, Any], ...] = ()  #: of ``fleet --output``: a node each

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON has it; the keys are stable (``docs/report.md``)."""
        return {"version": 1, "writer": f"vpccni-nft {__version__}", **attrs.asdict(self)}


def html_of(report: PageContent) -> str:
    """The page. Raises ImportError without jinja2 (``pip install 'vpccni-nft[report]'``)."""
    from jinja2 import Environment, StrictUndefined

    style, program = _part("page.css"), _part("page.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_part("page.html")).render(
        report=report,
        version=__version__,
        style=style,
        program=program,
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src '{_digest(style)}'; script-src '{_digest(program)}'"
        ),
        data=_json(report.to_dict()),
    )


def _json(data: dict[str, Any]) -> str:
    """JSON in which neither a tag nor a comment can begin, and no line can end."""
    text = json.dumps(data, separators=(",", ":"))  # all ASCII
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _digest(text: str) -> str:
    """What a content security policy names a script or style by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
