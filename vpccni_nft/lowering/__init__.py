"""From iptables to nft: exactly, or with a diagnostic that refuses."""

from .options import CounterMode, TranslateOptions
from .ruleset import lower

__all__ = ["CounterMode", "TranslateOptions", "lower"]
