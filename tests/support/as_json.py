"""The JSON of translations, which has no form for all that a script has."""

from __future__ import annotations

import vpccni_nft


def as_json(translation: vpccni_nft.Translation) -> str | None:
    """The JSON; None where nft has this as text only, which is said."""
    try:
        return translation.script("json")
    except vpccni_nft.Refused:
        assert "meta mark set socket mark" in translation.script()
        return None
