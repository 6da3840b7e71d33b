"""The version of this package, as scripts, plans and ``--version`` show it."""

__version__ = "0.2.0"
