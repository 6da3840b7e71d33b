"""Move the rules of a node, with a way back: plans, their scripts, and how they are run."""
