"""Whether two rulesets mean the same."""
