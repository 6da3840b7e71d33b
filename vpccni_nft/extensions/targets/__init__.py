"""Rooms of the targets."""
