"""Recorded dumps, a folder for each kind of node, and what is held of each dump."""
