"""Native rulesets of which one operator has made another one."""

from __future__ import annotations

from vpccni_nft.core.values import Family

from .pairs import Pair, chain


def _nft(operator: str, before: str, after: str, **about: str) -> Pair:
    return Pair(f"nft: {operator}", chain(before, **about), chain(after, **about))


def _objects(operator: str, before: str, after: str, rules: str) -> Pair:
    """The rules stay, an object beside them changes."""
    return Pair(f"nft: {operator}", chain(rules, more=before), chain(rules, more=after))


def _around(
    operator: str, rule: str, change: str, type_: str = "filter 0", *, hook: str, family: str = "ip"
) -> Pair:
    """A rule runs ahead of another table's chain, or behind it; only the packet's type shows it."""
    priority = int(type_.split()[1])
    between = chain(change, hook=hook, type_=type_).replace(" t ", " u ")
    texts = (
        chain(f"{rule} meta pkttype set other", hook=hook, type_=f"filter {priority + place}")
        + between
        for place in (-10, 10)
    )
    before, after = (text.replace("table ip ", f"table {family} ") for text in texts)
    return Pair(f"nft: {operator}", before, after, Family.IP6 if family == "ip6" else Family.IP)


_SEEN = "add @s { ip saddr }\n ip saddr @s drop"
_DYNAMIC = "set s {{ type ipv4_addr; flags dynamic{0}; {1} }}"
_STATIC = "set s {{ type ipv4_addr; {0} }}"
_TWO_SETS = _DYNAMIC.format("", "") + "\n" + _DYNAMIC.format("", "").replace("set s", "set u")
_TRACKED = "ct state new counter"


def _moved(operator: str, rule: str, hook: str, *priorities: int) -> Pair:
    """A base chain runs at one priority or at another one, where connections are tracked."""
    before, after = (
        chain(f"{rule}\n{_TRACKED}", hook=hook, type_=f"filter {priority}")
        for priority in priorities
    )
    return Pair(f"nft: {operator}", before, after)


_DORMANT = chain("drop").replace("{", "{\n flags dormant;", 1)
_JUMP_TWICE = "jump l\n jump l"

#: Native rulesets.
_TEN = [f"10.0.0.{number}" for number in range(10)]


def _looked_up(operator: str, before: list[str], after: str, kind: str, each: str) -> Pair:
    """Rules for some addresses, and a set or map of these that does not do the same."""
    elements = ", ".join((f"10.2.0.0/16{each and ' : drop'}", *(one + each for one in _TEN)))
    more = f"{kind} s {{ type ipv4_addr{each and ' : verdict'}; flags interval;"
    more += f" elements = {{ {elements} }}; }}\n chain x {{ meta mark set 1 drop; }}"
    return Pair(f"nft: {operator}", chain("\n".join(before)), chain(after, more=more))


NFT = (
    # Cells: what is looked up for one address alone.
    _looked_up(
        "which address is looked up in a set that another rule looks up in, too",
        [*(f"ip daddr {one} ip saddr {one} accept" for one in _TEN),
         "ip saddr 10.2.0.0/16 accept", *(f"ip daddr {one} drop" for one in _TEN),
         *(f"ip daddr {net} drop" for net in ("10.2.0.0/16", "10.1.0.1", "10.1.0.2"))],
        "ip saddr @s accept\n ip daddr @s drop\n ip daddr 10.1.0.1 drop\n ip daddr 10.1.0.2 drop",
        "set", "",
    ),
    _looked_up(
        "a mark ahead of the address that a rule asks for",
        [*(f"meta mark set 1 ip daddr {one} drop" for one in _TEN), "ip daddr 10.2.0.0/16 drop"],
        "ip daddr vmap @s", "map", " : goto x",
    ),
    # Time and size.
    _objects(
        "the timeout of a set",
        _DYNAMIC.format(",timeout", "timeout 10s"),
        _DYNAMIC.format(",timeout", "timeout 20s"),
        _SEEN,
    ),
    _objects(
        "whether the elements of a set expire",
        _DYNAMIC.format(",timeout", "timeout 10s"),
        _DYNAMIC.format("", ""),
        _SEEN,
    ),
    _objects(
        "the size of a set",
        _DYNAMIC.format("", "size 2;"),
        _DYNAMIC.format("", "size 200;"),
        _SEEN,
    ),
    _objects(
        "the timeout of an element",
        "set s { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 5s } }",
        "set s { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 500s } }",
        "ip saddr @s drop",
    ),
    _objects(
        "an element that expires, or stays",
        "set s { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 5s } }",
        "set s { type ipv4_addr; flags timeout; elements = { 10.0.0.1 } }",
        "ip saddr @s drop",
    ),
    Pair(
        "nft: the timeout that a rule gives an element",
        chain("add @s { ip saddr timeout 5s }\n ip saddr @s drop",
              more=_DYNAMIC.format(",timeout", "")),
        chain("add @s { ip saddr timeout 50s }\n ip saddr @s drop",
              more=_DYNAMIC.format(",timeout", "")),
    ),
    Pair(
        "nft: whether a timeout starts again",
        chain(_SEEN, more=_DYNAMIC.format(",timeout", "timeout 10s")),
        chain(_SEEN.replace("add", "update", 1), more=_DYNAMIC.format(",timeout", "timeout 10s")),
    ),
    # What a rate, a count or a draw is.
    _nft("the rate of a limit", "limit rate 5/second drop", "limit rate 6/second drop"),
    _nft("the period of a limit", "limit rate 5/second drop", "limit rate 5/minute drop"),
    _nft(
        "the burst of a limit",
        "limit rate 5/second burst 5 packets drop",
        "limit rate 5/second burst 9 packets drop",
    ),
    _nft("which side of a limit", "limit rate 5/second drop", "limit rate over 5/second drop"),
    _nft(
        "packets or bytes of a limit",
        "limit rate 500/second drop",
        "limit rate 500 bytes/second drop",
    ),
    _nft("the bytes of a quota", "quota 1000 bytes drop", "quota 2000 bytes drop"),
    _nft("which side of a quota", "quota 1000 bytes drop", "quota over 1000 bytes drop"),
    _nft(
        "what of a quota is used", "quota 1000 bytes drop", "quota 1000 bytes used 500 bytes drop"
    ),
    _nft(
        "the modulus of a draw", "numgen random mod 2 == 0 drop", "numgen random mod 3 == 0 drop"
    ),
    _nft("the modulus of a count", "numgen inc mod 2 == 0 drop", "numgen inc mod 3 == 0 drop"),
    _nft("the number of a count", "numgen inc mod 3 == 0 drop", "numgen inc mod 3 == 1 drop"),
    _nft("a draw or a count", "numgen random mod 2 == 0 drop", "numgen inc mod 2 == 0 drop"),
    # How often, and in which order.
    *(
        Pair(
            f"nft: how often {what} is used",
            chain(_JUMP_TWICE, more=f"chain l {{\n {rule}\n }}"),
            chain("jump l", more=f"chain l {{\n {rule}\n }}"),
        )
        for what, rule in (
            ("a limit", "limit rate 5/second meta mark set 1"),
            ("a count", "numgen inc mod 2 == 0 meta mark set 1"),
            ("a draw", "numgen random mod 2 == 0 meta mark set 1"),
            ("a quota", "quota 1000 bytes meta mark set 1"),
        )
    ),
    *(
        _nft(
            f"{what} before or behind a condition",
            f"{test} ip saddr 10.0.0.1 drop",
            f"ip saddr 10.0.0.1 {test} drop",
        )
        for what, test in (
            ("a limit", "limit rate 5/second"),
            ("a count", "numgen inc mod 2 == 0"),
            ("a quota", "quota 1000 bytes"),
        )
    ),
    Pair(
        "nft: a set is filled before or behind a condition",
        chain("add @s { ip saddr } tcp dport 80\n ip saddr @s drop", more=_DYNAMIC.format("", "")),
        chain("tcp dport 80 add @s { ip saddr }\n ip saddr @s drop", more=_DYNAMIC.format("", "")),
    ),
    Pair(
        "nft: a set is filled before or behind it is looked up",
        chain("add @s { ip saddr }\n ip saddr @s drop", more=_DYNAMIC.format("", "")),
        chain("ip saddr @s drop\n add @s { ip saddr }", more=_DYNAMIC.format("", "")),
    ),
    Pair(
        "nft: two counts that are one",
        chain("jump a\n jump b", more="chain a {\n numgen inc mod 2 == 0 drop\n }\n"
              " chain b {\n numgen inc mod 2 == 0 drop\n }"),
        chain("jump a\n jump a", more="chain a {\n numgen inc mod 2 == 0 drop\n }"),
    ),
    # Which object.
    Pair(
        "nft: which of two sets of one name",
        chain("ip saddr @s drop", more=_STATIC.format("elements = { 10.0.0.1 }"))
        + "table ip u {\n set s { type ipv4_addr; elements = { 10.0.0.2 } }\n chain c {\n"
        "  type filter hook forward priority 1; policy accept;\n ip saddr @s accept\n }\n}\n",
        chain("ip saddr @s accept", more=_STATIC.format("elements = { 10.0.0.1 }"))
        + "table ip u {\n set s { type ipv4_addr; elements = { 10.0.0.2 } }\n chain c {\n"
        "  type filter hook forward priority 1; policy accept;\n ip saddr @s drop\n }\n}\n",
    ),
    Pair(
        "nft: which of two sets a rule fills",
        chain("add @s { ip saddr }\n ip saddr @u drop",
              more=_TWO_SETS),
        chain("add @u { ip saddr }\n ip saddr @u drop",
              more=_TWO_SETS),
    ),
    _objects("an element is missing", _STATIC.format("elements = { 10.0.0.1, 10.0.0.2 }"),
             _STATIC.format("elements = { 10.0.0.1 }"), "ip saddr @s drop"),
    _objects("the elements of a set that rules fill",
             _DYNAMIC.format("", "elements = { 10.0.0.1 }"), _DYNAMIC.format("", ""),
             "ip saddr @s drop\n add @s { ip saddr }"),
    _objects("the end of an interval",
             "set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/24 } }",
             "set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/25 } }",
             "ip saddr @s drop"),
    _objects("the verdict of an element",
             "map m { type ipv4_addr : verdict; elements = { 10.0.0.1 : drop } }",
             "map m { type ipv4_addr : verdict; elements = { 10.0.0.1 : accept } }",
             "ip saddr vmap @m"),
    _objects("a part of a concatenated element",
             "set s { type ipv4_addr . inet_service; elements = { 10.0.0.1 . 80 } }",
             "set s { type ipv4_addr . inet_service; elements = { 10.0.0.1 . 81 } }",
             "ip saddr . tcp dport @s drop"),
    _nft("the element for all others", "ip saddr vmap { 10.0.0.1 : accept, * : drop }",
         "ip saddr vmap { 10.0.0.1 : accept }"),
    # Bytes.
    _nft("bytes that are another field", "@nh,64,8 5 drop", "@nh,72,8 5 drop"),
    _nft("a field and the bytes behind it", "tcp dport 80 drop", "tcp dport 80 @th,32,32 7 drop"),
    _nft("a field is written before or behind its bytes are read",
         "ip ttl set 5\n @nh,64,8 5 drop", "@nh,64,8 5 drop\n ip ttl set 5"),
    _nft("a field is written before or behind it is read",
         "ip dscp set 3\n ip dscp 3 drop", "ip dscp 3 drop\n ip dscp set 3"),
    _nft("the flags of fragments", "ip frag-off & 0x4000 == 0x4000 drop", ""),
    _nft("more fragments", "ip frag-off & 0x2000 == 0x2000 drop",
         "ip frag-off & 0x3fff != 0 drop", hook="prerouting", type_="filter -450"),
    _nft("ports of another protocol", "th dport 80 drop", "tcp dport 80 drop"),
    _nft("the type of a message that looks like a port", "th sport 2048 drop",
         "meta l4proto { 6, 17, 33, 132, 136 } th sport 2048 drop"),
    *(
        _nft(f"the type of a message before {field} is read", f"{field} 5 drop", f"{raw} 5 drop")
        for field, raw in (
            ("icmp id", "meta l4proto icmp @th,32,16"),
            ("icmp sequence", "meta l4proto icmp @th,48,16"),
            ("icmp mtu", "meta l4proto icmp @th,48,16"),
        )
    ),
    # What is seen of a packet, and when.
    *(
        _nft(f"{what} before or behind {change}", f"{seen}\n {change}", f"{change}\n {seen}")
        for what, seen in (
            ("a line of the log", "log"),
            ("what a group is given", "log group 1"),
            ("a copy", 'dup to 10.0.0.1 device "eth0"'),
        )
        for change in ("ip ttl set 5", "meta mark set 1", "ip dscp set 3")
    ),
    Pair(
        "nft: a program decides before or behind a mark is set",
        chain("queue num 1", type_="filter -5")
        + chain("meta mark set 1").replace(" t ", " u "),
        chain("queue num 1", type_="filter 5")
        + chain("meta mark set 1").replace(" t ", " u "),
    ),
    Pair(
        "nft: the mark that a packet is routed anew by",
        chain("meta mark set 3", hook="output", type_="route -150")
        + chain("meta mark set 2", hook="output").replace(" t ", " u "),
        chain("meta mark set 1", hook="output", type_="route -150")
        + chain("meta mark set 2", hook="output").replace(" t ", " u "),
    ),
    # What is looked up, and by what.
    *(
        _around(f"{what} before or behind {changed}", rule, change, type_, hook=hook, family=family)
        for what, rule, changed, change, type_, hook, family in (
            ("a route back", "fib saddr oif missing", "the destination is translated",
             "dnat to 10.0.0.1", "nat -100", "prerouting", "ip"),
            ("a route back by a device", "fib saddr . iif oif missing", "a service is set",
             "ip dscp set 4", "filter 0", "prerouting", "ip"),
            ("a route", "fib daddr oif missing", "the source is translated",
             "snat to 10.0.0.1", "nat 100", "postrouting", "ip"),
            ("a type", "fib daddr type local", "a service is set",
             "ip6 dscp set 4", "filter 0", "prerouting", "ip6"),
            ("a type by the mark", "fib daddr . mark type local", "a mark is set",
             "meta mark set 1", "filter 0", "prerouting", "ip6"),
            ("a gateway", "rt ip nexthop 10.0.0.1", "a packet is routed anew",
             "meta mark set 1", "route -150", "output", "ip"),
            ("a realm", "meta rtclassid 5", "a packet is routed anew",
             "meta mark set 1", "route -150", "output", "ip"),
            ("a realm", "meta rtclassid 5", "the destination is translated",
             "dnat to 10.0.0.1", "nat -100", "output", "ip"),
            ("the largest segment", "rt mtu 500", "a packet is routed anew",
             "meta mark set 1", "route -150", "output", "ip"),
            ("what encrypts", "rt ipsec exists", "the source is translated",
             "snat to 10.0.0.1", "nat 100", "postrouting", "ip"),
            ("how it is encrypted", "ipsec out reqid 1", "the destination is translated",
             "dnat to 10.0.0.1", "nat -100", "output", "ip"),
            ("a socket", "socket transparent 1", "a proxy has one",
             "meta l4proto tcp tproxy to :80", "filter -150", "prerouting", "ip"),
            ("a socket's mark", "socket mark 1", "a proxy has one",
             "meta l4proto tcp tproxy to :80", "filter -150", "prerouting", "ip"),
            ("a user", "meta skuid 1", "a proxy has a socket",
             "meta l4proto tcp tproxy to :80", "filter -150", "prerouting", "ip"),
        )
    ),
    _moved("a socket before or behind connection tracking",
           "socket transparent 1 meta pkttype set other", "prerouting", -250, -150),
    _moved("what a packet carries before or behind helpers of connections",
           "@th,160,32 5 drop", "postrouting", 0, 301),
    _moved("whether a connection is confirmed before or behind all",
           "ct status confirmed drop", "input", 0, 2147483647),
    _nft("what the node sends to all and hears itself",
         f'iifname "eth0" ct state new drop\n{_TRACKED}', _TRACKED,
         hook="prerouting", type_="filter -300"),
    _nft("a value that a map does not have",
         "meta pkttype set ip saddr map { 10.0.0.1 : host } drop", "meta pkttype set host drop"),
    *(
        Pair(f"nft: fragments beside a {kind} that has a name",
             chain(f"ip frag-off & 0x1fff != 0 drop\n {kind} name l counter", more=more),
             chain(f"{kind} name l counter", more=more))
        for kind, more in (
            ("limit", "limit l { rate 5/second; }"),
            ("quota", "quota l { 5 bytes; }"),
        )
    ),
    # Verdicts.
    _nft("reject or drop", "reject", "drop"),
    _nft("the reason of a rejection", "reject with icmp type host-unreachable",
         "reject with icmp type net-unreachable"),
    _nft("a reset takes TCP alone", "reject with tcp reset\n accept",
         "reject with tcp reset\n drop"),
    _nft("what stands behind continue", "continue drop", "continue"),
    Pair("nft: return or accept in a chain",
         chain("jump l\n drop", more="chain l {\n ip saddr 10.0.0.1 return\n }"),
         chain("jump l\n drop", more="chain l {\n ip saddr 10.0.0.1 accept\n }")),
    Pair("nft: jump or goto",
         chain("jump l\n drop", more="chain l {\n ip saddr 10.0.0.1 meta mark set 1\n }"),
         chain("goto l\n drop", more="chain l {\n ip saddr 10.0.0.1 meta mark set 1\n }")),
    _nft("the order of rules", "ip saddr 10.0.0.0/8 drop\n tcp dport 80 accept",
         "tcp dport 80 accept\n ip saddr 10.0.0.0/8 drop"),
    _nft("what follows an address that a map does not have",
         "dnat to ip daddr map { 10.0.0.1 : 10.0.0.2 }\n drop",
         "dnat to ip daddr map { 10.0.0.1 : 10.0.0.2 }",
         hook="prerouting", type_="nat -100"),
    # What is done.
    _nft("the prefix of a log", 'log prefix "a"', 'log prefix "b"'),
    _nft("the group of a log", "log group 1", "log group 2"),
    _nft("the level of a log", "log level warn", "log level info"),
    _nft("the bits of a mark", "meta mark set meta mark | 0x1", "meta mark set 0x1"),
    _nft("the mark that is set", "meta mark set 1", "ct mark set 1"),
    _nft("the size of a segment", "tcp option maxseg size set 1000",
         "tcp option maxseg size set 1001"),
    _nft("the queue", "queue num 1", "queue num 2"),
    _nft("whether a queue can be passed by", "queue num 1", "queue num 1 bypass"),
    _nft("where a copy goes", "dup to 10.0.0.1 device \"eth0\"", "dup to 10.0.0.2 device \"eth0\""),
    _nft("what is not tracked", "notrack", "", hook="prerouting", type_="filter -300"),
    _nft("the zone of a connection", "ct zone set 1", "ct zone set 2",
         hook="prerouting", type_="filter -300"),
    _nft("the port of a transparent proxy", "meta l4proto tcp tproxy to :80",
         "meta l4proto tcp tproxy to :81", hook="prerouting", type_="filter -150"),
    *(
        _nft(f"{what} of NAT", before, after, hook="prerouting", type_="nat -100")
        for what, before, after in (
            ("the address", "dnat to 10.0.0.1", "dnat to 10.0.0.2"),
            ("the port", "tcp dport 80 dnat to 10.0.0.1:80", "tcp dport 80 dnat to 10.0.0.1:81"),
            ("the range", "dnat to 10.0.0.1-10.0.0.4", "dnat to 10.0.0.1-10.0.0.5"),
            ("the flags", "dnat to 10.0.0.1-10.0.0.4", "dnat to 10.0.0.1-10.0.0.4 persistent"),
            ("the prefix", "dnat prefix to 10.0.0.0/24", "dnat prefix to 10.0.0.0/25"),
            ("the kind", "redirect", "dnat to 10.0.0.1"),
        )
    ),
    _nft("random ports of NAT", "masquerade", "masquerade fully-random",
         hook="postrouting", type_="nat 100"),
    # Where, and in which order.
    Pair("nft: the policy", chain(""), chain("").replace("policy accept", "policy drop")),
    Pair("nft: the hook", chain("drop"), chain("drop", hook="input")),
    Pair(
        "nft: the order of base chains",
        chain("meta mark set 1")
        + chain("meta mark 1 drop", type_="filter 10").replace(" t ", " u "),
        chain("meta mark set 1", type_="filter 20")
        + chain("meta mark 1 drop", type_="filter 10").replace(" t ", " u "),
    ),
    Pair(
        "nft: before or behind NAT",
        chain("ip daddr 10.0.0.1 drop", hook="prerouting", type_="filter -110")
        + chain("dnat to 10.0.0.1", hook="prerouting", type_="nat -100").replace(" t ", " u "),
        chain("ip daddr 10.0.0.1 drop", hook="prerouting", type_="filter -90")
        + chain("dnat to 10.0.0.1", hook="prerouting", type_="nat -100").replace(" t ", " u "),
    ),
    Pair(
        "nft: before or behind connection tracking",
        chain("ct state new drop", hook="prerouting", type_="filter -210"),
        chain("ct state new drop", hook="prerouting", type_="filter -190"),
    ),
    *(
        Pair(f"nft: a table that wakes up by {command}", _DORMANT, f"{_DORMANT}{command}\n")
        for command in ("add table ip t", "table ip t { }", "table ip t { comment \"a\"; }")
    ),
    Pair("nft: a table that falls asleep", chain("drop"),
         chain("drop") + "table ip t { flags dormant; }\n"),
    Pair("nft: a table that is deleted", chain("drop"), chain("drop") + "delete table ip t\n"),
    Pair("nft: the family", chain("drop"), chain("drop").replace("table ip ", "table ip6 ")),
)  # fmt: skip
