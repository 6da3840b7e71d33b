"""Whether two sides of a node mean the same for all packets: proofs and counterexamples."""
