"""Who writes rules on a node, and how their rules are known: a table, nothing else.

Two kinds of signs identify an owner. A ``ChainSign`` is how names of chains look. A ``RuleSign``
is how whole rules look, as iptables-save prints them; it is needed where rules stand in chains
that are not their owner's. In both tables the first that fits decides; ``ownership`` says in which
order the tables are asked.

Forms of rules have these signs for what differs from node to node:

- ``<net>``, ``<address>``, ``<if>``, ``<n>``, ``<mark>``, ``<hex>``: a network, an address, the
  name of an interface, a number, a mark, hexadecimal digits
- ``<prefix>``: how the names of the pods' interfaces begin
- ``<chain>``, ``<set>``: any chain, any name of a set
- ``<host>``: the network of one address, the same one wherever it stands in the form
- ``<link>``: a bridge of Docker's, the same one wherever it stands in the form
- ``...``: anything
- ``[text]``: there or not; ``{one|other}``: one of these

Sources: for the CNI, pkg/networkutils and the egress plugin at each of its releases; for the
others, dumps of nodes that they run on and their documentation.
"""

from __future__ import annotations

import attrs

from .releases import ANY, Releases

VPC_CNI, USER, UNKNOWN = "vpc-cni", "user", "unknown"


@attrs.frozen
class Owner:
    """One who writes rules."""

    name: str
    what: str


OWNERS = (
    Owner(VPC_CNI, "the Amazon VPC CNI, aws-node"),
    Owner("egress-cni", "its plugin for pods that leave through the other family"),
    Owner("kube-proxy", "kube-proxy, in any of its modes"),
    Owner("kubelet", "kubelet"),
    Owner("portmap", "the CNI plugin portmap: host ports of pods"),
    Owner("cni-plugins", "the CNI plugins bridge, ptp and firewall"),
    Owner("calico", "Calico's Felix"),
    Owner("docker", "the Docker daemon"),
    Owner("ecs-agent", "the Amazon ECS agent"),
    Owner("node-local-dns", "NodeLocal DNSCache"),
    Owner("kube2iam", "kube2iam or kiam: credentials for pods"),
    Owner("istio", "Istio"),
    Owner("linkerd", "Linkerd"),
    Owner("app-mesh", "AWS App Mesh"),
    Owner("cilium", "Cilium"),
    Owner("antrea", "Antrea"),
    Owner("flannel", "flannel"),
    Owner("weave", "Weave Net"),
    Owner("kube-router", "kube-router"),
    Owner("ip-masq-agent", "ip-masq-agent"),
    Owner("tailscale", "Tailscale"),
    Owner("wg-quick", "wg-quick of WireGuard"),
    Owner("fail2ban", "fail2ban"),
    Owner("ufw", "ufw"),
    Owner("firewalld", "firewalld"),
    Owner("shorewall", "Shorewall and Shorewall6"),
    Owner("firehol", "FireHOL"),
    Owner("arno", "Arno's iptables firewall"),
    Owner("apf", "Advanced Policy Firewall"),
    Owner("foomuuri", "Foomuuri"),
    Owner("libvirt", "libvirt: its networks, and its filters of guests"),
    Owner("lxc", "lxc-net of LXC"),
    Owner("incus", "Incus"),
    Owner("podman", "Podman's netavark"),
    Owner("networkmanager", "NetworkManager: connections that are shared"),
    Owner("systemd", "systemd-networkd"),
    Owner("neutron", "the agents of OpenStack Neutron"),
    Owner("miniupnpd", "MiniUPnPd"),
    Owner("nftlb", "nftlb"),
    Owner("kube-network-policies", "kube-network-policies"),
    Owner("crowdsec", "CrowdSec's firewall bouncer"),
    Owner("sshguard", "SSHGuard"),
    Owner("psad", "psad"),
    Owner("fwsnort", "fwsnort"),
    Owner("fwknop", "fwknopd"),
    Owner("opensnitch", "OpenSnitch"),
    Owner("sshuttle", "sshuttle"),
    Owner("vpccni-nft", "this program: rules that were moved"),
    Owner(USER, "no known owner: you, or a program of yours"),
    Owner(UNKNOWN, "uncertain: there are signs of an owner, but no form that it writes"),
)


@attrs.frozen
class ChainSign:
    """How the names of an owner's chains look."""

    owner: str
    pattern: str  #: a regular expression for the whole name
    releases: Releases = ANY  #: of the CNI
    remark: str = ""
    #: Whether people write into the chain, so that its owner's rules are known by form only.
    shared: bool = False
    #: Whether the name says little by itself: it counts beside a chain that its owner always has.
    beside: bool = False


_HASH = "[A-Z2-7]{16}"

#: The remark of a chain that its owner leaves to people.
FOR_USERS = "for rules of yours"

CHAINS = (
    ChainSign(
        "kube-proxy",
        f"KUBE-(SVC|SEP|EXT|FW|SVL|XLB)-{_HASH}",
        remark="one for each Service or endpoint",
    ),
    ChainSign(
        VPC_CNI, r"AWS-SNAT-CHAIN-\d+", Releases.of("1.3.0"), "source NAT", shared=True
    ),
    ChainSign(
        VPC_CNI, r"AWS-CONNMARK-CHAIN-\d+", Releases.of("1.8.0"), "marks of connections",
        shared=True,
    ),
    ChainSign("egress-cni", "CNI-E4-[0-9a-f]{21}", Releases.of("1.10.0"), "one for each pod"),
    ChainSign("egress-cni", "CNI-E6-[0-9a-f]{21}", Releases.of("1.13.0"), "one for each pod"),
    ChainSign("kubelet", "KUBE-(IPTABLES-HINT|KUBELET-CANARY)", remark="mark its back end"),
    ChainSign(
        "kubelet", "KUBE-(FIREWALL|MARK-DROP)", remark="in some releases kube-proxy writes it, too"
    ),
    ChainSign(
        "kube-proxy",
        "KUBE-(MARK-MASQ|POSTROUTING)",
        remark="kubelet makes it, too, before Kubernetes 1.28",
    ),
    ChainSign(
        "kube-proxy",
        "KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|FORWARD|PROXY-FIREWALL|PROXY-CANARY)",
    ),
    ChainSign(
        "kube-proxy",
        "KUBE-(NODE-PORT|LOAD-BALANCER|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER)",
        remark="mode ipvs",
    ),
    ChainSign(
        "kube-proxy", "KUBE-(PORTALS|NODEPORT)-(CONTAINER|HOST)", remark="mode userspace"
    ),
    ChainSign("kube-router", "KUBE-(ROUTER|POD-FW|NWPLCY|SRC|DST)-.+"),
    ChainSign("portmap", "CNI-HOSTPORT-(DNAT|SETMARK|MASQ|SNAT)"),
    ChainSign("portmap", "CNI-(DN|SN)-[0-9a-f]{21}", remark="one for each pod"),
    ChainSign("cni-plugins", "CNI-[0-9a-f]{24}", remark="ipMasq, one for each pod"),
    ChainSign("cni-plugins", "CNI-(FORWARD|ADMIN|ISOLATION-STAGE-[12])", remark="firewall"),
    ChainSign("calico", "cali-.+"),
    ChainSign("docker", "DOCKER-USER", remark=FOR_USERS, shared=True),
    ChainSign("docker", "DOCKER(-.+)?"),
    ChainSign("istio", "ISTIO_.+"),
    ChainSign("linkerd", "PROXY_INIT_.+"),
    ChainSign("app-mesh", "APPMESH_.+"),
    ChainSign("cilium", "(OLD_)?CILIUM_.+"),
    ChainSign("antrea", "ANTREA-.+"),
    ChainSign("flannel", "FLANNEL-.+"),
    ChainSign("weave", "WEAVE(-.+)?"),
    ChainSign("ip-masq-agent", "IP-MASQ-AGENT"),
    ChainSign("tailscale", "ts-(input|forward|postrouting)"),
    ChainSign("fail2ban", "(f2b|fail2ban)-.+"),
    ChainSign("ufw", "ufw6?-.+"),
    ChainSign(
        "firewalld",
        "(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)"
        "_((IN_|OUT_)?(ZONES|POLICIES).*|direct|dispatch)",
    ),
    ChainSign(
        "firewalld",
        "(IN|OUT|FWDI|FWDO|FWD|PRE|POST)_.+|RFC3964_IPv4",
        remark="of zones and policies",
        beside=True,
    ),
    ChainSign("shorewall", "shorewall|sh[al]-[lr]h-[0-9a-f]{20}"),
    ChainSign(
        "shorewall",
        "dynamic|reject|(log)?(drop|reject|flags)|smurfs|smurflog|sfilter|tcpflags|blacklst|blackout"
        r"|[~%@]\S+|\S+_(fwd|in|out|masq|dnat|frwd|mac|iop|oop)|(\S+[-2])?(fw|net|loc|dmz|vpn|all)"
        r"([-2]\S+)?",
        beside=True,
    ),
    ChainSign("firehol", "SMART_REJECT"),
    ChainSign("firehol", r"(in|out|pr)_.+|BLACKLIST\..+|[A-Z]+\.\d+\..+", beside=True),
    ChainSign("arno", "(BASE|EXT|INT|DMZ|POST)_(INPUT|OUTPUT|FORWARD)(_[A-Z]+)*_CHAIN"),
    ChainSign(
        "arno", "([A-Z]+_)+(CHAIN|CHK)|HOST_BLOCK_(SRC|DST)(_DROP)?|CONNTRACK_HELPER", beside=True
    ),
    ChainSign("apf", "TG(ALLOW|DENY)"),
    ChainSign(
        "apf",
        "TALLOW|TDENY|REFRESH_TEMP|TMP_DROP|(IN|OUT)_SANITY|FRAG_UDP|P2P|PZERO|PROHIBIT|RESET"
        "|DEG|LMAC|BLISTN|RABHIT|RABPSCAN|DSHIELD|SDROP|ECNSHAME",
        beside=True,
    ),
    ChainSign("fwknop", "FWKNOP_.+"),
    ChainSign("fwsnort", "FWSNORT_.+"),
    ChainSign("psad", "PSAD_.+"),
    ChainSign("neutron", "neutron-.+"),
    ChainSign("miniupnpd", "MINIUPNPD(-.+)?"),
    ChainSign("opensnitch", "opensnitch-filter-.+"),
    ChainSign("sshguard", "sshguard"),
    ChainSign("sshuttle", r"sshuttle-([mtd]-)?\d+"),
    ChainSign("networkmanager", "nm-sh-(in|fw)-.+"),
    ChainSign("crowdsec", "CROWDSEC_.+"),
    ChainSign("libvirt", "libvirt-(in|out|in-post|host-in)", remark="filters of guests"),
    ChainSign("libvirt", "[FH][IOJP]-.+", remark="one for each guest's interface", beside=True),
    ChainSign("libvirt", "LIBVIRT_.+"),
    ChainSign("podman", "NETAVARK.+"),
)  # fmt: skip


@attrs.frozen
class RuleSign:
    """How an owner's rules look."""

    owner: str
    table: str  #: empty: any
    form: str  #: see the head of this module
    releases: Releases = ANY  #: of the CNI
    remark: str = ""


#: The old way: a network that is not meant leads on to the next chain.
_CASCADE = "1.16.0"
#: The new way: a network that is meant returns.
_RETURNS = "1.16.1"

_LOCAL = "-m addrtype --dst-type LOCAL"
_SNAT = (
    '-m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source <address>'
)
_RESTORE = "-j CONNMARK --restore-mark --nfmask <mark> --ctmask <mark>"

_CNI_RULES = (
    RuleSign(VPC_CNI, "nat", f"-A POSTROUTING ! -d <net> {_SNAT}", Releases.of("1.0.0", "1.2.1")),
    # --- nat POSTROUTING: source NAT
    RuleSign(
        VPC_CNI, "nat",
        '-A POSTROUTING -m comment --comment "AWS SNAT CHAN" -j AWS-SNAT-CHAIN-0',
        Releases.of("1.3.0", "1.5.7"), "misspelt; later releases leave it where it is",
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0',
        Releases.of("1.6.0"),
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A AWS-SNAT-CHAIN-<n> ! -d <net> -m comment --comment "AWS SNAT CHAN"'
        " -j AWS-SNAT-CHAIN-<n>",
        Releases.of("1.3.0", "1.5.7"),
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A AWS-SNAT-CHAIN-<n> ! -d <net> -m comment --comment "AWS SNAT CHAIN[ EXCLUSION]"'
        " -j AWS-SNAT-CHAIN-<n>",
        Releases.of("1.6.0", _CASCADE),
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A AWS-SNAT-CHAIN-0[ -d <net>] -m comment --comment "AWS SNAT CHAIN[ EXCLUSION]"'
        " -j RETURN",
        Releases.of(_RETURNS), "without -d for 0.0.0.0/0",
    ),
    RuleSign(VPC_CNI, "nat", f"-A AWS-SNAT-CHAIN-<n> {_SNAT}", Releases.of("1.3.0", "1.6.4")),
    RuleSign(
        VPC_CNI, "nat", f"-A AWS-SNAT-CHAIN-<n> {_SNAT} --random", Releases.of("1.4.0", "1.6.4")
    ),
    RuleSign(
        VPC_CNI, "nat", f"-A AWS-SNAT-CHAIN-<n> {_SNAT} --random-fully",
        Releases.of("1.6.0", "1.6.4"),
    ),
    RuleSign(
        VPC_CNI, "nat", f"-A AWS-SNAT-CHAIN-<n> ! -o vlan+ {_SNAT}[ --{{random|random-fully}}]",
        Releases.of("1.7.0"),
    ),
    # --- nat PREROUTING: connections of pods that leave get the mark
    RuleSign(
        VPC_CNI, "nat",
        '-A PREROUTING -i <prefix>+ -m comment --comment "AWS, outbound connections"'
        " -m state --state NEW -j AWS-CONNMARK-CHAIN-0",
        Releases.of("1.8.0", "1.12.0"),
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A PREROUTING -i <prefix>+ -m comment --comment "AWS, outbound connections"'
        " -j AWS-CONNMARK-CHAIN-0",
        Releases.of("1.12.1"), "from v1.23.0 on with iptables-legacy only",
    ),
    RuleSign(
        VPC_CNI, "nat", f'-A PREROUTING -m comment --comment "AWS, CONNMARK" {_RESTORE}',
        Releases.of("1.8.0"), "from v1.23.0 on with iptables-legacy only",
    ),
    RuleSign(
        VPC_CNI, "nat",
        "-A AWS-CONNMARK-CHAIN-<n> ! -d <net> -m comment"
        ' --comment "AWS CONNMARK CHAIN, {VPC|EXCLUDED} CIDR" -j AWS-CONNMARK-CHAIN-<n>',
        Releases.of("1.8.0", _CASCADE),
    ),
    RuleSign(
        VPC_CNI, "nat",
        "-A AWS-CONNMARK-CHAIN-0[ -d <net>] -m comment"
        ' --comment "AWS CONNMARK CHAIN, {VPC|EXCLUDED} CIDR" -j RETURN',
        Releases.of(_RETURNS, "1.22.4"), "without -d for 0.0.0.0/0",
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A AWS-CONNMARK-CHAIN-0[ -d <net>] -m comment --comment "AWS CONNMARK CHAIN" -j RETURN',
        Releases.of("1.23.0"), "with iptables-legacy only",
    ),
    RuleSign(
        VPC_CNI, "nat",
        '-A AWS-CONNMARK-CHAIN-<n> -m comment --comment "AWS, CONNMARK"'
        " -j CONNMARK --set-xmark <mark>/<mark>",
        Releases.of("1.8.0"), "from v1.23.0 on with iptables-legacy only",
    ),
    # --- mangle PREROUTING: node ports, and replies of pods
    RuleSign(
        VPC_CNI, "mangle",
        f'-A PREROUTING -i <if> -m comment --comment "AWS, primary ENI" {_LOCAL} --limit-iface-in'
        " -j CONNMARK --set-xmark <mark>/<mark>",
        Releases.of("1.2.0"),
    ),
    RuleSign(
        VPC_CNI, "mangle",
        f'-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" {_RESTORE}',
        Releases.of("1.7.0"), "security groups for pods",
    ),
    RuleSign(
        VPC_CNI, "mangle",
        f'-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" {_RESTORE}',
        Releases.of("1.2.0"),
    ),
    RuleSign(
        VPC_CNI, "mangle",
        f'-A PREROUTING -i <prefix>+ -m comment --comment "AWS, primary ENI" {_RESTORE}',
        Releases.of("1.8.0"), "AWS_VPC_K8S_CNI_VETHPREFIX is set",
    ),
    # --- filter FORWARD, raw
    RuleSign(
        VPC_CNI, "filter",
        "-A FORWARD -d <net> -m conntrack --ctstate NEW"
        ' -m comment --comment "Block Node Local Pod access via IPv4" -j REJECT ...',
        Releases.of("1.10.0"), "IPv6 clusters",
    ),
    RuleSign(
        VPC_CNI, "filter",
        "-A FORWARD -d <net> -m conntrack --ctstate NEW"
        ' -m comment --comment "Block Node Local Pod access via IPv6" -j REJECT ...',
        Releases.of("1.13.0"), "ENABLE_V6_EGRESS",
    ),
    RuleSign(
        VPC_CNI, "raw",
        "-A {PREROUTING -i|OUTPUT -o} vlan+"
        ' -m comment --comment "AWS, conntrack zone for SGP strict mode" -j CT --zone 1',
        remark="in no release up to v1.23.1",
    ),
)  # fmt: skip

_DNS = "169.254.20.10/32"

RULES = (
    *_CNI_RULES,
    RuleSign("docker", "filter", "-A DOCKER-USER -j RETURN"),
    RuleSign("docker", "nat", "-A POSTROUTING -s <net> ! -o <link> -j MASQUERADE"),
    RuleSign(
        "docker", "nat",
        "-A POSTROUTING -s <host> -d <host> -p {tcp|udp|sctp} -m {tcp|udp|sctp} --dport <n>"
        " -j MASQUERADE",
        remark="a container that asks itself by its published port",
    ),
    RuleSign(
        "docker", "nat", "-A POSTROUTING -o <link> -m addrtype --src-type LOCAL -j MASQUERADE",
        remark="without its proxy in user space",
    ),
    RuleSign(
        "docker", "filter",
        "-A FORWARD -o <link> -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ),
    RuleSign("docker", "filter", "-A FORWARD -i <link>[ !] -o <link> -j {ACCEPT|DROP}"),
    RuleSign(
        "docker", "raw", "-A PREROUTING -d <net> ! -i <link> -j DROP",
        remark="from release 28 on: a container's address is reached by its bridge only",
    ),
    RuleSign(
        "docker", "raw",
        "-A PREROUTING -d 127.0.0.1/32 ! -i lo -p {tcp|udp|sctp} -m {tcp|udp|sctp} --dport <n>"
        " -j DROP",
        remark="a port that is published for the node itself only",
    ),
    RuleSign(
        "docker", "mangle",
        "-A POSTROUTING -p sctp -m sctp --sport <n> -j CHECKSUM --checksum-fill",
    ),
    RuleSign(
        "tailscale", "mangle",
        "-A {PREROUTING|OUTPUT} -m conntrack --ctstate ...-j CONNMARK --{save|restore}-mark"
        " --nfmask 0xff0000 --ctmask 0xff0000",
    ),
    RuleSign(
        "tailscale", "mangle",
        "-A FORWARD -o tailscale0 -p tcp -m tcp --tcp-flags SYN,RST SYN"
        " -j TCPMSS --clamp-mss-to-pmtu",
    ),
    RuleSign(
        "istio", "", "-A <chain> ...-{i|o} istio{in|out} ...", remark="the interfaces of ztunnel"
    ),
    RuleSign(
        "ecs-agent", "nat",
        "-A PREROUTING -d 169.254.170.2/32 -p tcp -m tcp --dport 80"
        " -j DNAT --to-destination 127.0.0.1:51679",
    ),
    RuleSign(
        "ecs-agent", "nat",
        "-A OUTPUT -d 169.254.170.2/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 51679",
    ),
    RuleSign("ecs-agent", "filter", "-A INPUT[[ !] -i <if>] -p tcp -m tcp --dport 51678 -j DROP"),
    RuleSign(
        "ecs-agent", "filter",
        "-A INPUT ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack"
        " ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    ),
    RuleSign(
        "kube2iam", "nat",
        "-A PREROUTING -d 169.254.169.254/32[{ !|} -i <if>[+]] -p tcp -m tcp --dport 80"
        " -j DNAT --to-destination <address>:<n>",
        remark="kiam writes the same form",
    ),
    RuleSign("node-local-dns", "", '-A <chain> ...--comment "NodeLocal DNS Cache: ...'),
    RuleSign(
        "node-local-dns", "raw",
        f"-A {{PREROUTING|OUTPUT}} -{{s|d}} {_DNS} -p {{tcp|udp}} -m {{tcp|udp}} --{{s|d}}port <n>"
        " -j {CT --notrack|NOTRACK}",
        remark="older releases write no comment",
    ),
    RuleSign(
        "node-local-dns", "filter",
        f"-A {{INPUT|OUTPUT}} -{{s|d}} {_DNS} -p {{tcp|udp}} -m {{tcp|udp}} --{{s|d}}port <n>"
        " -j ACCEPT",
        remark="older releases write no comment",
    ),
    RuleSign("calico", "", '-A <chain> ...--comment "cali:...'),
    RuleSign("wg-quick", "", '-A <chain> ...--comment "wg-quick(8) rule for ...'),
    RuleSign("cilium", "", '-A <chain> ...--comment "cilium...'),
    RuleSign("antrea", "", '-A <chain> ...--comment "Antrea: ...'),
    RuleSign("flannel", "", '-A <chain> ...--comment "flanneld ...'),
    RuleSign(
        "istio", "mangle", "-A <chain> ...-m {mark|connmark} --mark 0x539 ...",
        remark="the mark of its TPROXY mode",
    ),
    RuleSign(
        "istio", "mangle",
        "-A OUTPUT ...-m owner --{uid|gid}-owner <n> -j MARK --set-xmark 0x53a/0xffffffff",
        remark="the mark of its TPROXY mode",
    ),
    RuleSign("fail2ban", "", "-A <chain> ...-m set --match-set f2b-<set> src -j ..."),
    RuleSign("sshguard", "", "-A <chain> ...-m set --match-set sshguard{4|6} src -j ..."),
    RuleSign("crowdsec", "", "-A <chain> ...-m set --match-set crowdsec[6]-<set> src -j ..."),
    RuleSign("networkmanager", "", "-A <chain> ...--comment nm-shared-<if> ..."),
    RuleSign(
        "lxc", "filter",
        "-A INPUT -i lxcbr0 -p {tcp|udp} -m {tcp|udp} --dport {53|67} -j ACCEPT",
    ),
    RuleSign("lxc", "filter", "-A FORWARD -{i|o} lxcbr0 -j ACCEPT"),
    RuleSign(
        "lxc", "mangle",
        "-A POSTROUTING -o lxcbr0 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill",
    ),
    RuleSign(
        "opensnitch", "mangle",
        "-A OUTPUT -m conntrack --ctstate NEW,RELATED -j NFQUEUE --queue-num <n> --queue-bypass",
    ),
    RuleSign(
        "opensnitch", "filter",
        "-A INPUT -p udp -m udp --sport 53 -j NFQUEUE --queue-num <n> --queue-bypass",
    ),
)  # fmt: skip


@attrs.frozen
class TableSign:
    """How a table of nftables looks that an owner has to itself."""

    owner: str
    pattern: str  #: a regular expression for the whole name
    families: tuple[str, ...] = ("ip", "ip6", "inet")
    remark: str = ""


TABLES = (
    TableSign("kube-proxy", "kube-proxy", ("ip", "ip6"), "mode nftables"),
    TableSign(VPC_CNI, "aws-cni", ("ip", "ip6"), "from v1.23.0 on"),
    TableSign("portmap", "cni_hostport"),
    TableSign("cni-plugins", "cni_plugins_masquerade"),
    TableSign("docker", "docker-bridges", ("ip", "ip6"), "its nftables back end"),
    TableSign("calico", "calico", ("ip", "ip6"), "its nftables mode"),
    TableSign("istio", "istio-.+", remark="its nftables mode"),
    TableSign("podman", "netavark"),
    TableSign("firewalld", "firewalld"),
    TableSign("tailscale", "ts-.+"),
    TableSign("flannel", "flannel-ipv[46]|flannel"),
    TableSign("kube-network-policies", "kube-network-policies"),
    TableSign("kube-router", "kube-router.*"),
    TableSign("fail2ban", "f2b-table"),
    TableSign("crowdsec", "crowdsec6?"),
    TableSign("libvirt", "libvirt_network"),
    TableSign("sshguard", "sshguard"),
    TableSign("foomuuri", "foomuuri"),
    TableSign("incus", "incus|lxd"),
    TableSign("lxc", "lxc"),
    TableSign("networkmanager", "nm-.+"),
    TableSign("systemd", r"io\.systemd\.nat"),
    TableSign("nftlb", "nftlb"),
    TableSign("sshuttle", r"sshuttle-ipv[46]-\d+"),
    TableSign("wg-quick", "wg-quick-.+"),
    TableSign("vpccni-nft", "vpccni-.+"),
)

#: What a rule has to do with an owner where it is in no form that is known: the owner is uncertain
#: then. Interfaces that an owner makes, and marks that it alone is known to use.
TRACES = (
    ("docker", r"-[io] (?:docker0|docker_gwbridge|br-[0-9a-f]{12}) "),
    ("tailscale", r"-[io] tailscale\d+ |--(?:mark|set-xmark|nfmask) \S*0xff0000\b"),
    ("calico", r"-[io] (?:cali|tunl|vxlan\.calico|wireguard\.cali)\S* |0xffff0000\b"),
    ("flannel", r"-[io] (?:cni0|flannel[.\w-]*) "),
    ("weave", r"-[io] weave "),
    ("libvirt", r"-[io] virbr\d+ "),
    ("podman", r"-[io] podman\d+ "),
    ("lxc", r"-[io] lxcbr0 |-s 10\.0\.3\.0/24 ! -d 10\.0\.3\.0/24 -j MASQUERADE"),
    ("incus", r"-[io] (?:incus|lxd)br\d+ "),
    ("networkmanager", r"--comment \"?nm-shared-"),
    ("kube-proxy", r"--(?:mark|set-xmark) 0x4000/0x4000\b"),
    (VPC_CNI, r"--(?:mark|set-xmark|nfmask) 0x80(?:/0x80)?\b|--comment \"?AWS\b"),
)

#: Who fills built-in chains with rules that carry no sign: beside their chains no rule there is
#: known to be of anybody else.
WHOLE_TABLES = ("firewalld", "ufw", "shorewall", "firehol", "arno", "apf")

#: Who makes chains of any name, too: beside theirs no chain is known to be of anybody else.
ANY_CHAINS = ("firewalld", "shorewall", "firehol", "arno", "apf")
