"""Nodes of nft in nft's own words, for messages about what has no meaning."""

from __future__ import annotations

from ..nft import expressions as x
from ..nft import statements as s


def shown(node: object) -> str:
    """What nft would write, in quotes; the kind of node where that has no text of its own.

    >>> shown(x.Meta("sdifname"))
    '“meta sdifname”'
    """
    from ..text.nft_script import expression_text, statement_text

    if isinstance(node, x.Expression):
        return f"“{expression_text(node)}”"
    if isinstance(node, s.Statement):
        return f"“{statement_text(node)}”"
    return f"a {type(node).__name__}"
