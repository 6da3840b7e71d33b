"""Rulesets that mean the same and cost less: sets and maps in place of long rows of rules.

``pipeline`` has the passes in their order; each is a module of its own, which says when it may
change something. They know nft alone.
"""

from .pipeline import PASSES, optimize

__all__ = ["PASSES", "optimize"]
