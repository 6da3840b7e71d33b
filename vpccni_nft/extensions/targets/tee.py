"""TEE: send a copy of the packet to a neighbour, and on with the next rule.

Kernel: net/netfilter/xt_TEE.c. nf_dup_ipv4.c and nf_dup_ipv6.c send the copy, for nft too. xt_TEE
follows the name of ``--oif``; nft looks it up once, when the script is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import LASTING_DEVICE, NO_NFT_FORM
from ...core.values import Address
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import expressions as x
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..placement import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.effects import View
    from ..context import Context
    from ..options import Options

#: Bytes of an interface's name.
NAME_LENGTH = 15


@attrs.frozen
class Tee(Target):
    """``-j TEE --gateway ADDRESS [--oif NAME]``."""

    gateway: Address
    device: str = ""


def build(options: Options) -> Tee:
    """Read the options."""
    return Tee(
        options.required("--gateway", Address.parse), options.value("--oif", _parse_name) or ""
    )


def _parse_name(text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > NAME_LENGTH:
        raise ValueError(f"the name of an interface has at most {NAME_LENGTH} bytes")
    return text


def save(node: Tee) -> Iterator[str]:
    """Write the options; the name stands as it is."""
    yield from ("--gateway", str(node.gateway))
    if node.device:
        yield from ("--oif", node.device)


def meaning(node: Tee, _view: View) -> Effect:
    """nf_dup_ipv4 or nf_dup_ipv6."""
    return Effect(events=(Event("dup", (node.gateway.value, node.device)),))


def lower(node: Tee, context: Context) -> tuple[s.Statement, ...]:
    """The statement for it; a device has to be there when the script is loaded."""
    if node.device:
        if not node.device.isprintable() or any(char in node.device for char in '"*\\'):
            raise context.refuse(f"nft cannot write the interface name {node.device!r}")
        context.approximate(
            LASTING_DEVICE, f"nft looks up {node.device} once, when the script is loaded"
        )
    return (s.Dup(x.Host(node.gateway), node.device),)


EXTENSION = Extension(
    name="TEE",
    node=Tee,
    build=build,
    save=save,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(Tee, k.ADDRESS, k.OneOf("", "", k.Unquoted(NAME_LENGTH))),
    nft="dup to ADDRESS device NAME",
    codes=(
        LASTING_DEVICE,
        NO_NFT_FORM,
    ),
)
