"""Sets of ipset, as the text that ``ipset save`` prints, with rules that look them up."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..core.values import Address, Family
from ..extensions.matches.set import MatchSet
from ..extensions.shared.set_names import Members
from ..extensions.targets.set import SetTarget
from ..iptables import Chain, Counters, Policy, Rule, Ruleset, Table
from .rooms import BUILT_IN
from .values import negatable, perhaps, protocols

#: The types whose elements have addresses of a family.
_OF_ADDRESSES = (
    "hash:ip", "hash:net", "hash:ip,port", "hash:net,port", "hash:ip,port,ip", "hash:ip,port,net",
    "hash:net,net", "hash:net,port,net", "hash:ip,mac", "hash:ip,mark", "hash:net,iface",
)  # fmt: skip
_OTHERS = ("hash:mac", "bitmap:port")

#: Few values, so that elements hold each other and packets are in them.
_ENDS = {Family.IP: "10.0.0.0", Family.IP6: "fd00::"}
_MACS = ("00:11:22:33:44:55", "00:00:00:00:00:01")
_INTERFACES = ("eth0", "eni1")


def _address(family: Family) -> SearchStrategy[str]:
    base = Address.parse(_ENDS[family]).value
    return st.integers(0, 15).map(lambda host: str(Address(family, base + host)))


def _network(family: Family) -> SearchStrategy[str]:
    base = Address.parse(_ENDS[family]).value

    def network(host: int, free: int) -> str:
        address = Address(family, base + (host >> free << free))
        return f"{address}/{family.bits - free}"

    return st.builds(network, st.integers(0, 15), st.integers(0, 4))


def _port(family: Family) -> SearchStrategy[str]:
    message = "icmp" if family is Family.IP else "ipv6-icmp"
    return st.sampled_from(
        ("tcp:80", "tcp:81", "udp:80", "udplite:80", "sctp:80", "dccp:0", "gre:0", "200:0",
         f"{message}:echo-request", f"{message}:200/7")
    )  # fmt: skip


def _element(family: Family, type_: str) -> SearchStrategy[str]:
    parts = {
        "ip": _address(family),
        "net": _network(family),
        "port": st.sampled_from(("80", "81")) if type_ == "bitmap:port" else _port(family),
        "mac": st.sampled_from(_MACS),
        "mark": st.sampled_from(("0x00000001", "0x00000081")),
        "iface": st.sampled_from(_INTERFACES),
    }
    kinds = type_.partition(":")[2].split(",")
    return st.tuples(*(parts[kind] for kind in kinds)).map(",".join)


@st.composite
def ipset_saves(draw: st.DrawFn, family: Family, names: tuple[str, ...]) -> dict[str, list[str]]:
    """For each name the lines of a set; those of a list of all others under ``all``."""
    lines: dict[str, list[str]] = {}
    for name in names:
        type_ = draw(st.sampled_from((*_OF_ADDRESSES, *_OTHERS)))
        of_family = f" family {'inet' if family is Family.IP else 'inet6'}"
        options = of_family if type_ in _OF_ADDRESSES else ""
        if type_ == "bitmap:port":
            options += " range 0-1023"
        elif type_ == "hash:ip" and draw(st.booleans()):
            options += f" netmask {family.bits - 1}"
        timeout = draw(st.sampled_from((None, None, 0, 60)))
        if timeout is not None:
            options += f" timeout {timeout}"
        elements = draw(st.lists(_element(family, type_), max_size=6, unique=True))
        lines[name] = [f"create {name} {type_}{options}"]
        for element in elements:
            nomatch = "net" in type_ and draw(st.booleans()) and draw(st.booleans())
            lines[name].append(f"add {name} {element}{' nomatch' * nomatch}")
    lines["all"] = ["create all list:set size 8", *(f"add all {name}" for name in names)]
    return lines


@st.composite
def rulesets_with_ipsets(draw: st.DrawFn) -> tuple[Ruleset, str]:
    """A table whose rules name sets, and what ``ipset save`` prints of these."""
    family = draw(st.sampled_from(Family))
    names = ("a", "b")
    lines = draw(ipset_saves(family, names))
    table = draw(st.sampled_from(("filter", "mangle", "nat")))
    chain = "INPUT" if table == "filter" else "PREROUTING"
    ways = st.lists(st.sampled_from(("src", "dst")), min_size=1, max_size=3).map(tuple)
    members = st.builds(Members, st.sampled_from((*names, *names, "all")), ways)
    match = st.builds(MatchSet, members=negatable(members), return_nomatch=st.booleans())
    changed = st.builds(Members, st.sampled_from(names), ways)
    seconds = perhaps(st.integers(0, 60))
    target = perhaps(
        st.one_of(
            st.builds(SetTarget, add=changed, exist=st.booleans(), timeout=seconds),
            st.builds(SetTarget, add=changed, delete=changed),
            st.builds(SetTarget, delete=changed),
        )
    )
    rules = tuple(
        Rule(
            protocol=draw(perhaps(negatable(protocols))),
            matches=tuple(draw(st.lists(match, min_size=1, max_size=2))),
            target=draw(target),
        )
        for _ in range(draw(st.integers(1, 3)))
    )
    chains = tuple(
        Chain(name, Policy.ACCEPT, rules if name == chain else (), Counters(0, 0))
        for name in BUILT_IN[table]
    )
    text = "\n".join(line for those in lines.values() for line in those)
    return Ruleset((Table(family, table, chains),)), f"{text}\n"
