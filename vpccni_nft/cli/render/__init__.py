"""How answers are shown: as text for people, as JSON for programs, and as signs of life.

One module for each command that has an answer of its own; none of them decides anything.
"""
