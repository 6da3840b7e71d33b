"""From iptables to nft: exactly, or with a diagnostic that refuses."""

from .options import CounterMode, Options
from .ruleset import lower

__all__ = ["CounterMode", "Options", "lower"]
