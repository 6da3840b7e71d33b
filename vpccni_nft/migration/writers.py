"""Who puts rules back that were taken from iptables, and when.

A rule stays moved only where no program writes it again. What stands here is from the agents'
sources and documentation.
"""

from __future__ import annotations

#: When an owner writes its rules again; an owner that is not here does it when it starts.
AGAIN: dict[str, str] = {
    "vpc-cni": "aws-node writes its rules when it starts, and when networks of the VPC change; it"
    " takes the back end that the chain KUBE-IPTABLES-HINT is in",
    "kube-proxy": "kube-proxy in iptables mode writes its rules whenever a Service or an endpoint"
    " changes, and knows nothing of a copy: move it with --proxy-mode nftables instead",
    "kubelet": "kubelet writes its chains when it starts, and when its canary chain is gone",
    "egress-cni": "the plugin writes rules for each pod that starts, and deletes them with the pod",
    "portmap": "the plugin writes rules for each pod that starts, and deletes them with the pod",
    "cni-plugins": "the plugins write rules for each pod that starts, and delete them with the pod",
    "calico": "Felix compares its rules with what it wants all the time, and puts them back",
    "cilium": "the agent writes its rules when it starts and while it runs",
    "antrea": "the agent puts its rules back every minute",
    "kube-router": "kube-router writes its rules again every few minutes",
    "flannel": "flanneld looks for its rules every few seconds, and puts them back",
    "weave": "the agent writes its rules when it starts and while it runs",
    "ip-masq-agent": "the agent writes its rules again every minute",
    "istio": "the rules are of a pod, not of the node: istio-cni writes them when a pod starts",
    "tailscale": "tailscaled writes its rules when it starts, and when its settings change",
    "fail2ban": "fail2ban writes a rule for each address that it bans",
    "unknown": "nothing shows who wrote these rules, so whoever did may write them again",
    "vpccni-nft": "these rules were moved before",
    "docker": "the daemon writes its rules when it starts, and for each container",
}

#: What is better than to move an owner's rules: that it writes to nftables itself.
INSTEAD: dict[str, str] = {
    "kube-proxy": "change its mode: with --proxy-mode nftables it deletes these rules itself",
    "vpc-cni": "from v1.23.0 on it writes what it can to nftables itself, where iptables is"
    " iptables-nft: update it, or replace the node with one whose iptables is that",
    "calico": "change Felix's data plane to nftables: it deletes these rules itself",
    "kubelet": "its rules do no harm where they are: leave them to it",
}

#: Of this owner no program is known that would write the rules again.
STAYS = "user"

#: Empty chains that agents look at. Without its canary kubelet and kube-proxy write everything
#: again, and without the hint the CNI takes another back end. They hold no rules, and stay.
KEPT_CHAINS = frozenset({"KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY"})


def writes_again(owner: str) -> str:
    """When an owner puts its rules back."""
    return AGAIN.get(owner, f"{owner} writes its rules when it starts")


def instead(owner: str) -> str:
    """What to do rather than to move an owner's rules."""
    return INSTEAD.get(owner, "leave its rules to it, or stop it for good")
