"""Promises about drawn input."""
