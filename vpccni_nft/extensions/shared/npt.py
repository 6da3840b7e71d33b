"""What the targets SNPT and DNPT share: one prefix of an IPv6 address in place of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.values import Address, Network
from ...model.effects import Effect

if TYPE_CHECKING:
    from ...model.effects import View
    from ..options import Options

#: Why there is no form.
NO_SUM = "nft has no addition, by which NPT keeps the checksum as it was"


@attrs.frozen
class Prefixes:
    """``--src-pfx OLD --dst-pfx NEW``."""

    old: Network
    new: Network

    @classmethod
    def build(cls, options: Options) -> Prefixes:
        """Read the options."""
        return cls(
            options.required("--src-pfx", _parse_prefix),
            options.required("--dst-pfx", _parse_prefix),
        )

    def save(self) -> tuple[str, ...]:
        """Write the options; the length is always printed."""
        return ("--src-pfx", _written(self.old), "--dst-pfx", _written(self.new))

    def meaning(self, field: str, view: View) -> Effect:
        """ip6t_npt_map_pfx: the world knows which address comes out of it."""
        address = view.state.fields[field]
        name = f"npt {_written(self.old)} {_written(self.new)}"
        mapped = view.ask(name, address, width=self.new.family.bits)
        return Effect(assignments=((view.state.algebra.true, field, mapped),))


def _parse_prefix(text: str) -> Network:
    network = Network.parse(text)
    if network.length is None:
        raise ValueError("a prefix has a mask without gaps")
    return network


def _written(network: Network) -> str:
    return f"{Address(network.family, network.address)}/{network.length}"
