"""What nft takes for a name: names of chains, sets and counters, and comments.

An iptables chain may be called almost anything; nft's names are words of its grammar without any
quoting (measured on nft 1.0.6). A name that nft cannot take is respelt: an underscore, then the
name with every other byte as a dot and two hexadecimal digits. No two names are spelt the same.
"""

from __future__ import annotations

import functools
import re

#: What the tables of a translation are called besides their iptables names.
TABLE_PREFIX = "vpccni-"

#: Words that nft's scanner keeps for itself, in any version up to 1.1.6.
KEYWORDS = frozenset(
    """
    a-rwnd abort accept ackseq add addr ah alert all and arp asconf asconf-ack audit auto-merge
    avgpkt bridge broute burst bypass bytes cfi cgroup cgroupv2 chain chains check checksum chunk
    class classid code comment comp constant continue cookie-ack cookie-echo count counter
    counters cpi cpu create crit csumcov ct cum-tsn-ack cwr daddr data day dccp debug define dei
    delete describe destroy device devices direction dnat doff dport drop dscp dst dup dynamic
    echo ecn ecne egress element elements emerg eol eq err error erspan esp ether event exists
    expectation expiration expires export exthdr fanout fastopen fib filter flags flow flowlabel
    flowtable flowtables flush forward-tsn frag frag-off fully-random fwd gateway gbp gc-interval
    ge geneve get goto gre gretap group gt handle hbh hdrlength heartbeat heartbeat-ack helper
    helpers hlen hook hooks hoplimit hour htype ibrhwaddr ibriport ibrname ibrpvid ibrvproto icmp
    icmpv6 icmpx id igmp iif iifgroup iifkind iifname iiftype import in inc include index inet
    info ingress init init-ack init-tag initial-tsn insert interval ip ip6 ipsec jhash json jump
    kbytes kind l3proto l4proto label last last-entry le left length level limit limits list ll
    log loose lowest-tsn lshift lsrr lt map maps mark masquerade max-delay maxseg mbytes md5sig
    memory meta meter meters mh microsecond millisecond minute missing mod monitor more-fragments
    mptcp mrt mss mtu name nanosecond nat ne netdev never new new-cum-tsn nexthdr nexthop nfproto
    nftrace nh noop nop not notice notrack num num-dup-tsns num-gap-ack-blocks num-inbound-streams
    num-outbound-streams numgen obriport obrname offload offset oif oifgroup oifkind oifname
    oiftype operation opt-type option options or original osf out over packets param-problem path
    pcp performance persistent pkttype plen policy port position ppid prefix priority proto-dst
    proto-src protocol ptr ptype queue queue-threshold quota quotas ra random rate redefine
    redirect reject rename replace reply reqid reserved reserved2 reset return right route rr
    rshift rt rt0 rt2 rtclassid rule rules ruleset sack sack-perm sack-permitted sack0 sack1 sack2
    sack3 saddr sctp sdif sdifname secmark secmarks second secpath seed seg-left seqno sequence
    set sets shutdown shutdown-ack shutdown-complete sid size skgid skip skuid snaplen snat socket
    spi spnum sport srh ssn ssrr state status stream subtype symhash synproxy synproxys table
    tables taddr tag tcp th time timeout timestamp to tos tproxy trace transparent tsecr tsn tsval
    ttl tunnel tunnels type typeof udp udplite undefine until update urgptr used value version
    vlan vm vmap vni vtag vxlan warn week wildcard window with wscale xml xor xt zone
    """.split()
)

#: Bytes of a name.
NAME_LENGTH = 255

#: Bytes of a chain's name: helper chains are called after it. iptables takes 28, which nft's
#: spelling makes 85 at most.
CHAIN_LENGTH = 128

#: Bytes of a rule's comment.
COMMENT_LENGTH = 128

#: Bytes of the prefix of a line in the log.
PREFIX_LENGTH = 127

# A leading underscore marks a respelt name, a leading dot a chain of our own.
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*", re.ASCII)
_ANY_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_./:-]*(?<!:)", re.ASCII)
_PLAIN_BYTE = re.compile(r"[A-Za-z0-9_-]", re.ASCII)


@functools.lru_cache(maxsize=1 << 16)
def checked(name: str) -> str:
    """A name that is nft syntax for nothing else, or ValueError.

    Every node that has a name asks for this. Keywords pass: where a name stands nft refuses them
    aloud, and no nft has all of them (tables are called nat and filter).
    """
    if not _ANY_NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise ValueError(f"nft takes no such name: {name!r}")
    return name


@functools.lru_cache(maxsize=1 << 16)
def checked_string(text: str, limit: int = COMMENT_LENGTH) -> str:
    """A text that nft can quote, of so many bytes at most, or ValueError: it has no escapes."""
    if '"' in text or not text.isprintable():
        raise ValueError(f"nft cannot write {text!r} as a string")
    if len(text) > limit or (not text.isascii() and len(text.encode()) > limit):
        raise ValueError(f"nft takes {limit} bytes at most, and this has more: {text!r}")
    return text


@functools.lru_cache(maxsize=1 << 16)
def mangle(name: str) -> str:
    """A name that nft reads, the same one wherever it can be.

    >>> mangle("KUBE-SERVICES"), mangle("1st+chain"), mangle("accept")
    ('KUBE-SERVICES', '_1st.2bchain', '_accept')
    """
    if _PLAIN_NAME.fullmatch(name) and name not in KEYWORDS:
        return name
    encoded = name.encode("utf-8", "surrogateescape")
    return "_" + "".join(
        chr(byte) if _PLAIN_BYTE.fullmatch(chr(byte)) else f".{byte:02x}" for byte in encoded
    )


def demangle(spelt: str) -> str:
    """The name that ``mangle`` made it of; of any other name a hint, which two names may share.

    >>> demangle("_1st.2bchain"), demangle("KUBE-SERVICES")
    ('1st+chain', 'KUBE-SERVICES')
    """
    if not spelt.startswith("_"):
        return spelt
    parts = re.split(r"\.([0-9a-f]{2})", spelt[1:])
    encoded = b"".join(
        bytes.fromhex(part) if index % 2 else part.encode() for index, part in enumerate(parts)
    )
    return encoded.decode("utf-8", "surrogateescape")


def helper(name: str) -> str:
    """The name of a chain that no chain of the dump can have.

    >>> helper("KUBE-FIREWALL-2")
    '.KUBE-FIREWALL-2'
    """
    return f".{name}"


@functools.lru_cache(maxsize=1 << 16)
def comment(text: str) -> str:
    """A comment that nft can hold: no quotes, no control characters, 128 bytes at most.

    >>> comment('dnat name: "aws-cni"')
    "dnat name: 'aws-cni'"
    """
    clean = text.replace('"', "'")
    if not clean.isprintable():
        clean = "".join(char if char.isprintable() else "?" for char in clean)
    if len(clean) <= COMMENT_LENGTH and len(clean.encode()) <= COMMENT_LENGTH:
        return clean
    kept = clean.encode()[: COMMENT_LENGTH - len("...")].decode("utf-8", "ignore")
    return f"{kept}..."
