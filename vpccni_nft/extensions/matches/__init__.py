"""Rooms of the matches."""
