"""Pairs that are not equivalent, made to be taken for it; none may be proved."""
