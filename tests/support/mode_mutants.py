"""Mistakes in the nftables side of kube-proxy's two modes: what no acceptance may hide."""

from __future__ import annotations

import re

import attrs

from .corpus import FOLDER

_MODES = FOLDER / "modes"


@attrs.frozen
class ModeMutant:
    """One mistake in a table of kube-proxy."""

    scenario: str
    generation: str
    name: str
    pattern: str  #: what is there
    wrong: str  #: what is there instead

    def __str__(self) -> str:
        return f"{self.scenario}-{self.generation}-{self.name}"

    @property
    def sides(self) -> tuple[str, str]:
        """The dump of the iptables mode, and the table with the mistake."""
        before, after = sides_of(self.scenario, self.generation)
        mutated, count = re.subn(self.pattern, self.wrong, after, flags=re.MULTILINE)
        assert count, f"{self} applies to nothing"
        return before, mutated


def sides_of(scenario: str, generation: str) -> tuple[str, str]:
    """The same Services in both modes."""
    before = (_MODES / f"{scenario}.save").read_text()
    return before, (_MODES / f"{scenario}.{generation}.nft").read_text()


def _all(scenario: str, generation: str, *each: tuple[str, str, str]) -> tuple[ModeMutant, ...]:
    return tuple(ModeMutant(scenario, generation, *one) for one in each)


_LINE = "^add (?:rule|element) ip kube-proxy "

MUTANTS = (
    *_all(
        "02-clusterip", "1.33",
        ("endpoint-of-another-address", r"dnat to 10\.180\.0\.1:80", "dnat to 10.180.0.2:80"),
        ("endpoint-of-another-port", r"dnat to 10\.180\.0\.1:80", "dnat to 10.180.0.1:8080"),
        ("endpoint-lost", rf"{_LINE}endpoint\S+ meta l4proto tcp dnat to .*\n", ""),
        ("service-lost", rf"{_LINE}service-ips .*\n", ""),
        ("service-of-another-port", r"tcp \. 80 : goto service", "tcp . 81 : goto service"),
        ("service-of-another-protocol", r"\. tcp \. 80 : goto s", ". udp . 80 : goto s"),
        ("hairpin-lost", rf"{_LINE}endpoint\S+ ip saddr 10\.180\.0\.1 jump .*\n", ""),
        ("masquerade-of-outsiders-lost", rf"{_LINE}service\S+ ip daddr .*\n", ""),
        ("masquerade-of-insiders", r"ip saddr != 10\.0\.0\.0/8 jump", "ip saddr 10.0.0.0/8 jump"),
        ("cluster-range-of-pods", r"!= 10\.0\.0\.0/8 jump", "!= 10.0.0.0/9 jump"),
        ("no-masquerading", r"^add rule ip kube-proxy masquerading masquerade .*\n", ""),
        ("masquerading-of-all", r"^add rule ip kube-proxy masquerading mark and 0x4000 .*\n", ""),
        ("mark-left-behind", r"^.* masquerading mark set mark xor 0x4000\n", ""),
        ("other-mark", r"mark set mark or 0x4000", "mark set mark or 0x8000"),
        ("unused-ports-dropped", r"@cluster-ips reject", "@cluster-ips drop"),
        ("unallocated-rejected", r"\{ 172\.30\.0\.0/16 \} drop", "{ 172.30.0.0/16 } reject"),
        ("pods-dropped", r"ip daddr \{ 172\.30\.0\.0/16 \} drop", "ip daddr 10.0.0.0/8 drop"),
        ("replies-checked", r"filter-forward ct state new jump", "filter-forward jump"),
        ("nothing-at-prerouting", r"^.*add rule ip kube-proxy nat-prerouting .*\n", ""),
        ("nothing-at-output", r"^.*add rule ip kube-proxy nat-output .*\n", ""),
        ("policy-drops", r"hook forward priority 0 ;", "hook forward priority 0 ; policy drop ;"),
        ("address-of-no-service", r"(^add element .* cluster-ips) .*$", r"\g<0>\n\1 { 8.8.8.8 }"),
        ("another-mark-too", r"meta l4proto tcp dnat", "mark set mark or 1 meta l4proto tcp dnat"),
    ),
    *_all(
        "02-clusterip", "1.37",
        ("hairpin-lost", rf"{_LINE}hairpin-connections .*\n", ""),
        ("hairpin-of-another", r"\. 10\.180\.0\.1 \. tcp", ". 10.180.0.9 . tcp"),
        ("endpoint-of-another-port", r"dnat to 10\.180\.0\.1:80", "dnat to 10.180.0.1:8080"),
        ("masquerade-of-outsiders-lost", r"^.*services ip daddr @cluster-ips ip saddr .*\n", ""),
        ("masquerading-lost", r"^.*masquerading mark and 0x4000 != 0 .*\n", ""),
    ),
    *_all(
        "04-nodeport", "1.33",
        ("nodeport-lost", rf"{_LINE}service-nodeports .*\n", ""),
        ("nodeport-of-another-port", r"tcp \. 3003 : goto", "tcp . 3004 : goto"),
        ("masquerade-lost", rf"{_LINE}external\S+ jump mark-for-masquerade\n", ""),
        ("endpoint-of-another-port", r"dnat to 10\.180\.0\.3:80", "dnat to 10.180.0.3:8080"),
        ("nodeports-at-any-address", r"services ip daddr @nodeport-ips meta", "services meta"),
    ),
    *_all(
        "06-lb-source-ranges", "1.33",
        ("range-wider", r"203\.0\.113\.0/25", "203.0.113.0/24"),
        ("range-narrower", r"203\.0\.113\.0/25", "203.0.113.0/26"),
        ("ranges-reversed", r"ip saddr != \{ (.*) \} drop", r"ip saddr { \1 } drop"),
        ("firewall-lost", rf"{_LINE}firewall-ips .*\n", ""),
        ("firewall-rejects", r"(ip saddr != \{ .* \}) drop", r"\1 reject"),
    ),
    *_all(
        "11-no-endpoints", "1.33",
        ("reject-turned-to-drop", r"reject-chain reject", "reject-chain drop"),
        ("cluster-ip-answers-not", rf"{_LINE}no-endpoint-services {{ 172.*\n", ""),
        (
            "address-of-no-service", r"(^add element .* no-endpoint-services) .*$",
            r"\g<0>\n\1 { 8.8.8.8 . tcp . 80 : goto reject-chain }",
        ),
        ("nodeport-answers-not", rf"{_LINE}no-endpoint-nodeports .*\n", ""),
    ),
    *_all(
        "10-itp-local-none", "1.33",
        ("drop-turned-to-reject", r'("ns1/svc1:p80" \}?\s*): drop', r"\1: goto reject-chain"),
        ("lost", rf"{_LINE}no-endpoint-services .*\n", ""),
    ),
)  # fmt: skip

#: Mistakes on a whole node of the benchmarks, beside the CNI's rules: the generation, what is
#: there, and what is there instead.
NODE_MUTANTS = {
    "endpoint lost": ("1.33", rf"{_LINE}endpoint-\S+service-2/\S+ meta l4proto .*\n", ""),
    "endpoint's port": ("1.33", r"dnat to 10\.64\.0\.7:8080", "dnat to 10.64.0.7:8081"),
    "endpoint of another Service": ("1.33", r"dnat to 10\.64\.0\.1:", "dnat to 10.64.0.4:"),
    "unequal chances": ("1.33", r"numgen random mod 3 vmap \{ 0 : (goto \S+) , 1 : goto \S+",
                        r"numgen random mod 3 vmap { 0 : \1 , 1 : \1"),
    "hairpin lost": ("1.33", rf"{_LINE}endpoint-\S+ ip saddr 10\.64\.0\.1 jump .*\n", ""),
    "masquerade of outsiders lost": ("1.33", rf"{_LINE}service-\S+service-1/\S+ ip daddr .*\n", ""),
    "masquerade of NodePorts lost": ("1.33", rf"{_LINE}external\S+ jump mark-for-masq.*\n", ""),
    "NodePort lost": ("1.33", rf"{_LINE}service-nodeports .*\n", ""),
    "another NodePort": ("1.33", r"tcp \. 30003 : goto", "tcp . 30004 : goto"),
    "NodePorts anywhere": ("1.33", r"services ip daddr @nodeport-ips meta", "services meta"),
    "Service lost": ("1.33", rf"{_LINE}service-ips {{ 172\.30\.1\.2 .*\n", ""),
    "the CNI's mark for NodePorts": ("1.33", r"(add rule ip kube-proxy nat-prerouting) jump",
                                     r"\1 tcp dport 30003 mark set mark or 0x80\n\g<0>"),
    "masquerading by another mark": ("1.33", r"mark set mark or 0x4000", "mark set mark or 0x8000"),
    "unused ports dropped": ("1.33", r"@cluster-ips reject", "@cluster-ips drop"),
    "pods dropped": ("1.33", r"ip daddr \{ 172\.30\.0\.0/16 \} drop", "ip daddr 10.0.0.0/8 drop"),
    "endpoint lost from a map": ("1.37", r"mod 3 map \{ 0 : \S+ \. 8080 , ", "mod 2 map { "),
    "endpoint's port in a map": ("1.37", r"10\.64\.0\.7 \. 8080", "10.64.0.7 . 8081"),
    "hairpin of another": ("1.37", r"\{ (10\.64\.0\.1) \. 10\.64\.0\.1 \.", r"{ \1 . 10.64.0.2 ."),
    "masquerade of insiders": ("1.37", r"ip saddr != (10\.0\.0\.0/8 mark)", r"ip saddr \1"),
    "NodePorts not masqueraded": ("1.37", r"(external-\S+) mark set mark or 0x4000", r"\1"),
}  # fmt: skip

#: Scenarios that are equal but for what is accepted. Without endpoints nothing is known of what the
#: set of hairpin connections holds, which is there from 1.36 on.
EQUAL = tuple(
    (scenario, generation)
    for generation in ("1.33", "1.36", "1.37")
    for scenario in ("02-clusterip", "04-nodeport", "06-lb-source-ranges", "11-no-endpoints")
    if scenario != "11-no-endpoints" or generation == "1.33"
)
