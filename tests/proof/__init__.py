"""Proofs: answers, counterexamples, what is unknown."""
