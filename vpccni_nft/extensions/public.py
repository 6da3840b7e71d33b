"""The classes of matches, targets and their values, as ``vpccni_nft.iptables`` offers them."""

from __future__ import annotations

import enum
from functools import cache
from importlib import import_module

import attrs

from . import MATCHES, TARGETS

#: What several extensions have for values.
_SHARED = ("number_ranges.NumberRange", "rates.Rate", "set_names.Members")


@cache
def node_classes() -> dict[str, type]:
    """All of them by name; this loads every extension.

    >>> node_classes()["Dnat"].__module__
    'vpccni_nft.extensions.targets.nat'
    """
    found: dict[str, type] = {}
    for registry in (MATCHES, TARGETS):
        for place in registry.places.values():
            module = import_module(f".{registry.folder}.{place.partition('.')[0]}", __package__)
            found |= {
                name: value
                for name, value in vars(module).items()
                if _is_public(name, value) and value.__module__ == module.__name__
            }
    for place in _SHARED:
        module_name, _, name = place.partition(".")
        found[name] = getattr(import_module(f".shared.{module_name}", __package__), name)
    return found


def _is_public(name: str, value: object) -> bool:
    if name.startswith("_") or not isinstance(value, type):
        return False
    return attrs.has(value) or issubclass(value, enum.Enum)
