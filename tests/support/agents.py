"""Agents of a node, played: each step is what the agent does to iptables at one moment.

The commands are those of the agents' sources: kube-proxy's two kinds of syncs (pkg/proxy/iptables),
the VPC CNI's deletion and appending of its SNAT rule (pkg/networkutils), portmap's add and delete
of a pod's host port (plugins/meta/portmap), and what an administrator types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

#: A program's arguments, and its standard input.
Command = tuple[tuple[str, ...], str]

#: What a node has, and the rule of the user's that moves, between two rules of agents.
MOVED = (
    "-A PREROUTING -d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8181"
)
NODE = f"""\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:AWS-SNAT-CHAIN-0 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
[12:720] {MOVED}
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL \
-j SNAT --to-source 10.0.12.34 --random-fully
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.0.2.10:8080
-A KUBE-SERVICES -d 172.20.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-AAAAAAAAAAAAAAAA
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
"""


def partial_sync(program: str) -> Iterator[list[Command]]:
    """kube-proxy, an endpoint that changes: the chains of one Service are written again."""
    for number in count(1):
        old, new = map(_endpoint, (number - 1, number))
        text = (
            f"*nat\n:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]\n:{new} - [0:0]\n:{old} - [0:0]\n"
            f"-A KUBE-SVC-AAAAAAAAAAAAAAAA -j {new}\n"
            f"-A {new} -p tcp -m tcp -j DNAT --to-destination 10.0.2.{number % 200 + 11}:8080\n"
            f"-X {old}\nCOMMIT\n"
        )
        yield [((f"{program}-restore", "-w", "5", "--noflush", "--counters"), text)]


def _endpoint(number: int) -> str:
    """A chain named as kube-proxy names them: by letters of base 32."""
    return "KUBE-SEP-AAAAAAAAAAAAAA" + chr(65 + number // 26 % 26) + chr(65 + number % 26)


def full_sync(program: str) -> Iterator[list[Command]]:
    """kube-proxy, everything: all of its chains, after a look at its jumps."""
    portals = ("-m", "comment", "--comment", "kubernetes service portals", "-j", "KUBE-SERVICES")
    for number in count(1):
        services = "".join(
            f"-A KUBE-SERVICES -d 172.20.0.{10 + one}/32 -p tcp -m tcp --dport 80"
            " -j KUBE-SVC-AAAAAAAAAAAAAAAA\n"
            for one in range(1 + number % 3)
        )
        text = (
            f"*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-POSTROUTING - [0:0]\n{services}"
            "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
            "-A KUBE-POSTROUTING -j MASQUERADE\nCOMMIT\n"
        )
        yield [
            ((program, "-w", "5", "-t", "nat", "-C", "PREROUTING", *portals), ""),
            ((f"{program}-restore", "-w", "5", "--noflush", "--counters"), text),
        ]


def aws_node(program: str) -> Iterator[list[Command]]:
    """The VPC CNI: its SNAT rule is deleted and appended, and a CIDR comes and goes."""
    nat = (program, "-w", "5", "-t", "nat")
    jump = ("-m", "comment", "--comment", "AWS SNAT CHAIN", "-j", "AWS-SNAT-CHAIN-0")
    cidr = ("-d", "100.64.0.0/16", "-m", "comment", "--comment", "AWS SNAT CHAIN", "-j", "RETURN")
    for number in count():
        add = ("-I", "AWS-SNAT-CHAIN-0", "1") if number % 2 == 0 else ("-D", "AWS-SNAT-CHAIN-0")
        yield [
            ((*nat, *add, *cidr), ""),
            ((*nat, "-D", "POSTROUTING", *jump), ""),
            ((*nat, "-A", "POSTROUTING", *jump), ""),
        ]


def portmap(program: str) -> Iterator[list[Command]]:
    """A pod with a host port starts, and is deleted."""
    nat = (program, "-w", "5", "-t", "nat")
    for number in count():
        chain = f"CNI-DN-{number // 2:020d}"
        jump = ("-p", "tcp", "-m", "multiport", "--dports", "8081", "-j", chain)
        to = (
            "-p",
            "tcp",
            "--dport",
            "8081",
            "-j",
            "DNAT",
            "--to-destination",
            f"10.0.3.{number % 200 + 1}:80",
        )
        if number % 2 == 0:
            yield [
                ((*nat, "-N", chain), ""),
                ((*nat, "-A", chain, *to), ""),
                ((*nat, "-A", "CNI-HOSTPORT-DNAT", *jump), ""),
            ]
        else:
            yield [
                ((*nat, "-D", "CNI-HOSTPORT-DNAT", *jump), ""),
                ((*nat, "-F", chain), ""),
                ((*nat, "-X", chain), ""),
            ]


def administrator(program: str) -> Iterator[list[Command]]:
    """Policies, and rules at both ends of chains."""
    for number in count():
        source = ("-s", f"198.51.100.{number % 200}/32")
        yield [
            ((program, "-w", "5", "-P", "INPUT", ("DROP", "ACCEPT")[number % 2]), ""),
            ((program, "-w", "5", "-I", "FORWARD", "1", *source, "-j", "DROP"), ""),
            ((program, "-w", "5", "-t", "nat", "-A", "PREROUTING", *source, "-j", "ACCEPT"), ""),
            (
                (
                    program,
                    "-w",
                    "5",
                    "-t",
                    "nat",
                    "-I",
                    "POSTROUTING",
                    "1",
                    *source,
                    "-j",
                    "ACCEPT",
                ),
                "",
            ),
        ]


AGENTS: dict[str, Callable[[str], Iterator[list[Command]]]] = {
    "a partial sync": partial_sync,
    "a full sync": full_sync,
    "aws-node": aws_node,
    "portmap": portmap,
    "an administrator": administrator,
}
