"""Hypothesis strategies for rulesets and packets, for this project's tests and for users' own.

Needs the extra ``testing``.
"""
