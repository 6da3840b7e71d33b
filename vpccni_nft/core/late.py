"""Functions that a lower room offers in its own name and a higher room provides.

``iptables.save`` and ``nft.parse`` belong to the languages, but reading and writing stands in
``text``, which knows the extensions. The package itself provides them when it is imported, so that
no room imports one that stands above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PROVIDERS: dict[str, Callable[[], Callable[..., Any]]] = {}


def provide(name: str, provider: Callable[[], Callable[..., Any]]) -> None:
    """Say where a function comes from; the provider runs when the function is first called."""
    _PROVIDERS[name] = provider


def late(name: str) -> Callable[..., Any]:
    """The function of that name. Raises KeyError where none was provided."""
    return _PROVIDERS[name]()
