"""What every meaning is written against: an algebra, packets, hooks and their effects.

Imports core and ipset; both languages and both semantics stand on it.
"""
