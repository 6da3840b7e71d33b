"""From iptables to nft: exactly, or with a diagnostic that refuses. ``ruleset.lower`` does it.

The options load with the command line, and the rest when something is translated.
"""

from .options import CounterMode, TranslateOptions

__all__ = ["CounterMode", "TranslateOptions"]
