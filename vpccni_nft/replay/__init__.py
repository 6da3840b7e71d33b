"""The same conversations through two rulesets, in the kernel of this machine."""
