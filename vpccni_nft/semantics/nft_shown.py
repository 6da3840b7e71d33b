"""Nodes of nft in nft's own words, for messages about what has no meaning."""

from __future__ import annotations

from typing import Any


def shown(node: Any) -> str:
    """What nft would write, in quotes; the kind of node where that has no text of its own.

    >>> from vpccni_nft.nft import expressions
    >>> shown(expressions.Meta("sdifname"))
    '“meta sdifname”'
    """
    from ..text.nft_expression_text import expression_text
    from ..text.nft_statement_text import statement_text

    for text in (expression_text, statement_text):
        if text.dispatch(type(node)) is not text.dispatch(object):
            return f"“{text(node)}”"
    return f"a {type(node).__name__}"
