"""Rules of one construct each, as nft lists them: what they need in their table, and where."""

from __future__ import annotations

import attrs

from vpccni_nft import nft


@attrs.frozen
class Construct:
    """A rule, and the table around it."""

    rule: str
    objects: str = ""  #: sets, maps and others that it names
    family: str = "ip"
    hooks: tuple[str, ...] = ("prerouting", "output")
    newer: bool = False  #: whether nft 1.0.6 does not take it
    #: Whether the kernel can be held against it: not where it answers by a hash or a number of its.
    is_seen: bool = True

    def __str__(self) -> str:
        return f"{self.family}: {self.rule}"

    @property
    def text(self) -> str:
        """The table."""
        words = ("dnat", "snat", "redirect", "masquerade")
        kind = "nat" if any(word in self.rule for word in words) else "filter"
        chains = (
            f"\tchain {hook} {{\n\t\ttype {kind} hook {hook} priority -50; policy accept;\n"
            f"\t\t{self.rule}\n\t}}\n"
            for hook in self.hooks
        )
        return f"table {self.family} t {{\n{self.objects}{''.join(chains)}}}\n"

    @property
    def ruleset(self) -> nft.Ruleset:
        return nft.parse(self.text)


_PAIRS = """\tmap pairs {
		type ipv4_addr : ipv4_addr . inet_service
		elements = { 10.0.1.10 : 10.0.2.1 . 80, 198.51.100.7 : 10.0.2.2 . 443 }
	}
"""
_MARKS = """\tmap marks {
		type ipv4_addr : mark
		elements = { 10.0.2.1 : 0x00000001, 10.0.2.2 : 0x00000080 }
	}
"""

#: Maps of addresses with ports, of ports, of marks; numbers that are counted, drawn and hashed;
#: shifts; interfaces by number; what the kernel calls a packet.
CONSTRUCTS = (
    Construct(
        "meta l4proto tcp dnat ip addr . port to numgen random mod 2 map"
        " { 0 : 10.0.2.1 . 80, 1 : 10.0.2.2 . 81 }"
    ),
    Construct("meta l4proto tcp dnat ip to numgen inc mod 2 map { 0 : 10.0.2.1 . 80 }"),
    Construct("meta l4proto tcp dnat ip to ip saddr map @pairs", _PAIRS),
    Construct(
        "meta l4proto udp dnat ip6 to ip6 saddr map { 2001:db8:1:2::1 : 2001:db8:1:2::2 . 80 }",
        family="ip6",
    ),
    Construct("meta l4proto tcp dnat to 10.0.2.1:tcp dport map { 80 : 8080, 443 : 8443 }"),
    Construct(
        "dnat to tcp dport map { 80 : 10.0.2.1, 443 : 10.0.2.2 }:tcp dport map { 80 : 8, 22 : 9 }"
    ),
    Construct(
        "meta l4proto udp snat to ip saddr map { 10.0.1.5 : 10.0.2.1 }:udp sport map { 53 : 8 }",
        hooks=("input", "postrouting"),
    ),
    Construct(
        "meta l4proto tcp dnat to [2001:db8:1:2::1]:tcp dport map { 80 : 8080 }", family="ip6"
    ),
    Construct("meta l4proto udp redirect to :udp dport map { 53 : 5353, 80-90 : 8000 }"),
    Construct(
        "dnat to jhash ip saddr mod 2 seed 0xa map { 0 : 10.0.2.1, 1 : 10.0.2.2 }", is_seen=False
    ),
    Construct("meta mark set ip saddr map { 10.0.2.1 : 0x00000001, * : 0x00000002 }"),
    Construct("meta mark set ip daddr map @marks", _MARKS),
    Construct("ct mark set meta mark map { 0x00000000-0x0000000f : 0x00000010 }"),
    Construct("meta mark set ip saddr . meta l4proto map { 10.0.2.1 . tcp : 0x00000001 }"),
    Construct("meta mark set numgen inc mod 2 offset 100"),
    Construct("meta mark set numgen random mod 3 offset 7"),
    Construct(
        "meta mark set jhash ip saddr . tcp dport mod 2 seed 0xdeadbeef offset 5", is_seen=False
    ),
    Construct("meta mark set jhash ip saddr mod 2", is_seen=False),
    Construct("meta mark set symhash mod 2 offset 100", is_seen=False),
    Construct("meta random > 2000000000 meta mark set 0x00000007"),
    Construct("meta mark set ct mark << 8"),
    Construct("ct mark set meta mark >> 8"),
    Construct("ct mark set (meta mark | 0x00000010) << 8"),
    Construct("meta mark << 8 == 0x00000100 meta mark set 0x00000003", newer=True),
    Construct("meta mark set ip dscp << 2 | 0x10", newer=True),
    Construct("ct mark set ip6 dscp << 26 | 0x10", family="ip6", newer=True),
    Construct("meta mark set ip dscp | 0x100000", newer=True),
    Construct('iif "lo" meta mark set 0x00000005'),
    Construct('iif != "eth0" meta mark set 0x00000005'),
    Construct('oif "lo" meta mark set 0x00000005'),
    Construct('iif . oif vmap { "eth0" . "lo" : drop, "eni1" . "lo" : accept }'),
    Construct("meta protocol ip meta mark set 0x00000005"),
    Construct("meta priority set 1:2 meta priority 1:2 meta mark set 0x00000005"),
    Construct("meta iiftype loopback meta mark set 0x00000005", is_seen=False),
    Construct("ct l3proto ipv4 meta mark set 0x00000006"),
    Construct("ct id 5 meta mark set 0x00000006", is_seen=False),
    Construct("ip option lsrr exists meta mark set 0x00000006", is_seen=False),
    Construct("ip option ra value 1 meta mark set 0x00000006", is_seen=False),
    Construct("rtclassid 5 meta mark set 0x00000006", is_seen=False),
    Construct("sctp chunk data exists meta mark set 0x00000006", is_seen=False),
    Construct("sctp chunk sack a-rwnd 1 meta mark set 0x00000006", is_seen=False),
    Construct("tcp option sack1 left 5 meta mark set 0x00000006", is_seen=False),
    Construct("tcp option mptcp subtype mp-join meta mark set 0x00000006", is_seen=False),
    Construct("tcp option window count > 5 meta mark set 0x00000006", is_seen=False),
    Construct("igmp type membership-query meta mark set 0x00000006", is_seen=False),
    Construct("icmp gateway 22 meta mark set 0x00000006", is_seen=False),
    Construct(
        "icmpv6 taddr 2001:db8::133 meta mark set 0x00000006",
        family="ip6",
        is_seen=False,
        newer=True,
    ),
    Construct("frag nexthdr tcp meta mark set 0x00000006", family="ip6", is_seen=False),
    Construct("rt ip nexthop 10.0.1.1 meta mark set 0x00000006", is_seen=False),
    Construct("ipsec in ip saddr 10.0.1.1 meta mark set 0x00000006", is_seen=False),
    Construct('osf version "Linux:3.0" meta mark set 0x00000006', is_seen=False),
    Construct("ct count over 3 drop", is_seen=False),
    Construct("last meta mark set 0x00000006", newer=True),
    Construct("dup to ip saddr map { 10.0.2.1 : 10.0.2.2 } meta mark set 0x00000006"),
    Construct(
        "update @seen { ip saddr counter packets 0 bytes 0 } meta mark set 0x00000006",
        "\tset seen {\n\t\ttype ipv4_addr\n\t\tflags dynamic\n\t}\n",
    ),
    Construct(
        "add @known { ip saddr : meta mark } meta mark set 0x00000006",
        "\tmap known {\n\t\ttype ipv4_addr : mark\n\t\tflags dynamic\n\t}\n",
    ),
    Construct("fib saddr . iif oif != 0 meta mark set 0x00000006", hooks=("prerouting",)),
)
