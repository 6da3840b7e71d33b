"""What the CNI's connmark rules mean, and how its releases write that.

A pod's connection to what is not exempt gets a bit of the connection's mark, and every packet gets
it in its own mark: so replies that come in elsewhere are routed as the pod's packets are. Source:
pkg/networkutils of amazon-vpc-cni-k8s, network.go up to v1.22, and from v1.23.0 on
iptables_connmark.go and nftables_connmark.go.
"""

from __future__ import annotations

import attrs

#: The chain in iptables, and what its table in nft has.
CHAIN = "AWS-CONNMARK-CHAIN-0"
TABLE, BASE, MARKING = "aws-cni", "nat-prerouting", "snat-mark"

#: After kube-proxy's nat chain at -100: what it sent elsewhere is not seen.
PRIORITY = -90

_MARK_BITS = 32


@attrs.frozen
class Connmark:
    """The rules by what they mean; all of them are of IPv4."""

    prefix: str  #: how the names of the pods' interfaces begin
    mark: int  #: the bits that are set and restored
    exempt: tuple[str, ...]  #: the networks that pods' connections to are not marked


def as_restore_file(rules: Connmark) -> str:
    """The rules as v1.16.1 to v1.22 append them, and v1.23 where iptables is iptables-legacy."""
    mark = f"{rules.mark:#x}"
    outbound = f'-A PREROUTING -i {rules.prefix}+ -m comment --comment "AWS, outbound connections"'
    connmark = '-m comment --comment "AWS, CONNMARK" -j CONNMARK'
    exempt = (
        f'-A {CHAIN}{_to(network)} -m comment --comment "AWS CONNMARK CHAIN" -j RETURN'
        for network in rules.exempt
    )
    lines = (
        "*nat",
        f":{CHAIN} - [0:0]",
        f"{outbound} -j {CHAIN}",
        f"-A PREROUTING {connmark} --restore-mark --nfmask {mark} --ctmask {mark}",
        *exempt,
        f"-A {CHAIN} {connmark} --set-xmark {mark}/{mark}",
        "COMMIT",
    )
    return "\n".join((*lines, ""))


def _to(network: str) -> str:
    return "" if network == "0.0.0.0/0" else f" -d {network}"


def as_table(rules: Connmark) -> str:
    """The table as v1.23.0 and v1.23.1 write it, where iptables is iptables-nft."""
    base = f"table ip {TABLE}"
    lines = (
        f"\tchain {MARKING} {{",
        *(f"\t\tcounter ip daddr {network} return" for network in rules.exempt),
        f"\t\tcounter {set_text(rules.mark)}",
        "\t}",
        f"\tchain {BASE} {{",
        f"\t\ttype nat hook prerouting priority {PRIORITY}; policy accept;",
        f"\t\t{LOCAL}",
        f'\t\tiifname "{rules.prefix}*" counter jump {MARKING}',
        f"\t\tcounter {restore_text(rules.mark)}",
        "\t}",
    )
    return "\n".join((f"add {base}", f"delete {base}", f"{base} {{", *lines, "}", ""))


#: The first rule of the table: packets for the node itself are none of its business.
LOCAL = "fib daddr type local return"


def set_text(mark: int) -> str:
    """What marks a connection."""
    return f"ct mark set ct mark | {mark:#x}"


def restore_text(mark: int) -> str:
    """What v1.23 restores a mark with: all other bits are lost."""
    return f"meta mark set ct mark & {mark:#x}"


def restores_by_bit(mark: int) -> list[str]:
    """What it is to be from the release on that keeps the other bits: two rules for each bit."""
    every = (1 << _MARK_BITS) - 1
    return [
        text
        for bit in (1 << place for place in range(_MARK_BITS))
        if mark & bit
        for text in (
            f"ct mark & {bit:#x} == 0x0 meta mark set meta mark & {every ^ bit:#x}",
            f"ct mark & {bit:#x} == {bit:#x} meta mark set meta mark | {bit:#x}",
        )
    ]
