"""Measurements; each program prints a table."""
