"""What a proof takes no tracked packet to be, held by packets: each axiom of ``proof.axioms``."""

from __future__ import annotations

import re

import pytest

import vpccni_nft
from vpccni_nft.core.values import Family
from vpccni_nft.proof.answers import Different, Equivalent
from vpccni_nft.proof.axioms import axioms
from vpccni_nft.proof.context import ProofContext
from vpccni_nft.proof.symbolic import Solver
from vpccni_nft.proof.terms import Terms

from ..support.namespaces import Namespace

pytestmark = pytest.mark.kernel

FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg")

#: Every combination of flags, counted where it is invalid; all are answered by nothing.
RULES = """table ip t {{
	chain c {{
		type filter hook output priority 0; policy accept;
		{rules}
	}}
}}
"""

#: Sends one TCP packet with each combination of flags, of a connection of its own.
SEND = """
import socket, struct
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
def total(data):
    data += b"\\0" * (len(data) % 2)
    number = sum(struct.unpack(f"!{len(data) // 2}H", data))
    number = (number >> 16) + (number & 0xFFFF)
    return ~(number + (number >> 16)) & 0xFFFF
address = socket.inet_aton("192.0.2.1")
for flags in range(64):
    def head(check):
        return struct.pack("!HHIIBBHHH", 1000 + flags, 9, 1, 1, 0x50, flags, 1000, check, 0)
    pseudo = address + address + struct.pack("!BBH", 0, 6, 20)
    raw.sendto(head(total(pseudo + head(0))), ("192.0.2.1", 0))
"""

#: A connection that is refused: the answer of the kernel is about it.
REFUSED = """
import socket
for kind, port in ((socket.SOCK_DGRAM, 9), (socket.SOCK_STREAM, 10)):
    one = socket.socket(socket.AF_INET, kind)
    one.settimeout(1)
    try:
        one.connect(("192.0.2.1", port))
        one.send(b"x")
    except OSError:
        pass
"""

RELATED = """table ip t {
	chain i {
		type filter hook input priority 0; policy accept;
		udp dport 9 reject with icmp type port-unreachable
		tcp dport 10 reject with tcp reset
	}
	chain c {
		type filter hook output priority 0; policy accept;
		ct state related icmp type { 3, 4, 5, 11, 12 } counter comment "error"
		ct state related tcp flags & rst == rst counter comment "reset"
		ct state related meta l4proto != icmp tcp flags & rst == 0 counter comment "other"
		ct state related icmp type != { 3, 4, 5, 11, 12 } counter comment "query"
		ct state new ct direction reply counter comment "new reply"
		ct state new ct direction original counter comment "new original"
	}
}
"""


def counted(namespace: Namespace) -> dict[str, int]:
    pattern = r'counter packets (\d+) bytes \d+ comment "([^"]+)"'
    return {name: int(count) for count, name in re.findall(pattern, namespace.list_ruleset())}


def up(namespace: Namespace) -> None:
    namespace.run("ip", "link", "set", "lo", "up")
    namespace.run("ip", "addr", "replace", "192.0.2.1/32", "dev", "lo")


def test_flags_that_contradict_each_other_are_invalid() -> None:
    words = [
        ",".join(name for bit, name in enumerate(FLAGS) if number >> bit & 1) or "0x0"
        for number in range(64)
    ]
    rules = "\n\t\t".join(
        f'tcp sport {1000 + number} ct state != invalid counter comment "{number}"'
        for number in range(64)
    )
    with Namespace() as namespace:
        up(namespace)
        namespace.load(RULES.format(rules=rules))
        namespace.run("python3", "-c", SEND)
        found = counted(namespace)
    setting = ProofContext(Terms(), Family.IP, "output", fragments=False, counters=False)
    terms, fields, solver = setting.terms, setting.fields, Solver(30)
    for number, count in ((int(name), count) for name, count in found.items()):
        packet = terms.all(
            terms.equal(fields["protocol"], terms.const(6, 8)),
            terms.equal(fields["tcp_flags"], terms.const(number, 8)),
            terms.equal(fields["ct_state"], terms.const(8, 8)),
        )
        possible = solver.find(packet, axioms(terms, Family.IP, fields)) is not None
        # Some flags that go together are invalid in a connection's beginning all the same.
        assert possible or not count, words[number]
    assert sum(map(bool, found.values())) > 4


def test_what_is_related_is_about_a_packet_and_what_is_new_is_no_reply() -> None:
    with Namespace() as namespace:
        up(namespace)
        namespace.load(RELATED)
        namespace.run("python3", "-c", REFUSED)
        found = counted(namespace)
    assert found["error"] > 0
    assert found["reset"] > 0
    assert found["new original"] > 0
    assert found["other"] == found["query"] == found["new reply"] == 0


#: Packets that have their connection before conntrack looks for one, and others.
AHEAD = """table ip t {
	chain i {
		type filter hook input priority 0; policy accept;
		udp dport 9 reject with icmp type port-unreachable
		tcp dport 10 reject with tcp reset
		ct state new
	}
	chain o {
		type filter hook output priority -300; policy accept;
		ct state related icmp type 3 counter comment "error of reject"
		ct state related tcp flags & rst == rst counter comment "reset of reject"
		udp dport 11 ct state != invalid counter comment "sent"
		ct state invalid icmp type 3 counter comment "error of the kernel"
	}
	chain p {
		type filter hook prerouting priority -300; policy accept;
		iif lo udp dport 11 ct state new counter comment "by lo"
		iif lo udp dport 11 ct state invalid counter comment "by lo, and new"
	}
}
"""


def test_what_has_its_connection_ahead_of_conntrack() -> None:
    """``model.hook`` has it for packets by lo, and where REJECT has made the packet."""
    send = REFUSED + 'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 11))\n'
    with Namespace() as namespace:
        up(namespace)
        namespace.load(AHEAD)
        namespace.run("python3", "-c", send)
        found = counted(namespace)
    for name in ("error of reject", "reset of reject", "error of the kernel", "by lo"):
        assert found[name] > 0, name
    assert found["sent"] == found["by lo, and new"] == 0


#: What the node sends to all and to a group, and hears itself by the device that it was sent by.
HEARD = """table ip t {
	chain c {
		type filter hook prerouting priority -300; policy accept;
		iifname d0 ct state new meta pkttype broadcast counter comment "to all"
		iifname d0 ct state new meta pkttype multicast counter comment "to a group"
		iifname d0 ct state invalid counter comment "without a connection"
	}
	chain d {
		type filter hook prerouting priority 0; policy accept;
		ct state new accept
	}
}
"""

SEND_TO_MANY = """
import socket
own = socket.inet_aton("198.51.100.1")
one = socket.socket(type=socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
one.sendto(b"x", ("198.51.100.255", 6000))
other = socket.socket(type=socket.SOCK_DGRAM)
other.bind(("", 6000))
group = socket.inet_aton("239.1.2.3")
other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + own)
one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
one.sendto(b"x", ("239.1.2.3", 6000))
"""


def test_what_the_node_hears_of_itself_has_its_connection_ahead_of_conntrack() -> None:
    with Namespace() as namespace:
        namespace.run("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1")
        for device in ("d0", "d1"):
            namespace.run("ip", "link", "set", device, "up")
        namespace.run("ip", "address", "add", "198.51.100.1/24", "dev", "d0")
        namespace.load(HEARD)
        namespace.run("python3", "-c", SEND_TO_MANY)
        found = counted(namespace)
    assert found == {"to all": 1, "to a group": 1, "without a connection": 0}
    broadcast = chain_ahead('iifname "d0" meta pkttype broadcast ct state new drop')
    unicast = chain_ahead('iifname "d0" meta pkttype host ct state new drop')
    nothing = chain_ahead('iifname "d0" ct state new counter')
    assert isinstance(vpccni_nft.verify(broadcast, nothing), Different)
    assert isinstance(vpccni_nft.verify(unicast, nothing), Equivalent)


def chain_ahead(rule: str) -> str:
    hook = "type filter hook prerouting priority -300; policy accept;"
    return f"table ip t {{\n chain c {{\n  {hook}\n  {rule}\n }}\n}}\n"


_TO_ONE = "-m pkttype --pkt-type unicast"

AHEAD_IN_DUMP = """\
# Generated by iptables-save v1.8.9
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
{rule}
COMMIT
"""


@pytest.mark.parametrize(
    ("rule", "differs"),
    [
        ("-A PREROUTING -m conntrack --ctstate ESTABLISHED -j DROP", True),
        ("-A PREROUTING -i lo -m connmark --mark 0x80 -j DROP", True),
        ("-A PREROUTING -i eth0 -m conntrack --ctstate NEW -j DROP", True),
        (f"-A PREROUTING -i eth0 {_TO_ONE} -m conntrack --ctstate ESTABLISHED -j DROP", False),
        ("-A OUTPUT -p icmp -m conntrack --ctstate RELATED -j DROP", True),
        ("-A OUTPUT -p udp -m conntrack --ctstate RELATED -j DROP", False),
        ("-A OUTPUT -p tcp -m conntrack --ctstate ESTABLISHED -j DROP", True),
        ("-A OUTPUT -p udp -m conntrack --ctstate ESTABLISHED -j DROP", False),
        ("-A OUTPUT -m conntrack --ctstate UNTRACKED -j DROP", True),
        ("-A OUTPUT -m conntrack --ctstate NEW -j DROP", False),
    ],
)
def test_a_rule_ahead_of_conntrack_acts_on_these_packets_alone(rule: str, differs: bool) -> None:
    other = rule.replace("DROP", "ACCEPT")
    answer = vpccni_nft.verify(*(AHEAD_IN_DUMP.format(rule=one) for one in (rule, other)))
    assert isinstance(answer, Different if differs else Equivalent)
