"""The CNI's connmark rules: read, written in the other form, and proved to be what they were."""

from __future__ import annotations

import pytest

import vpccni_nft
from vpccni_nft.core.diagnostics import LEFT_OVER, OTHER_CNI_RULES
from vpccni_nft.core.span import Source
from vpccni_nft.node.catalogues import acceptances
from vpccni_nft.node.kube_proxy.leftovers import leftovers
from vpccni_nft.node.kube_proxy.on_node import Mode, Parts
from vpccni_nft.node.kube_proxy.predict import NotGiven
from vpccni_nft.node.vpc_cni.connmark import Connmark, as_restore_file, as_table, restores_by_bit
from vpccni_nft.node.vpc_cni.predict import Release, predicted
from vpccni_nft.node.vpc_cni.read import read_iptables, read_table
from vpccni_nft.proof.answers import Different, Equivalent
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.verify import ProofSettings, verify
from vpccni_nft.text.saved_from import SavedFrom

from ..support.corpus import FOLDER

CIDRS = ("10.0.0.0/16",)

#: What the rules of dumps mean, of each generation from v1.12.1 on.
MEANT = {
    "v1.12.1-default": Connmark("eni", 0x80, ("192.168.0.0/16",)),
    "v1.12.1-upgraded-from-v1.11": Connmark("eni", 0x80, CIDRS),
    "v1.18-nft-default": Connmark("eni", 0x80, CIDRS),
    "v1.18-host-exclusion": Connmark(
        "eni", 0x80, ("198.51.100.0/25", "203.0.113.7/32", "10.0.0.0/16")
    ),
    "v1.21-connmark-prefix": Connmark("eks", 0x1000000, CIDRS),
    "v1.23-legacy-exclude-all": Connmark(
        "eni",
        0x80,
        ("0.0.0.0/0", "172.16.0.0/12", "10.20.0.0/16", "100.64.0.0/16", "10.0.0.0/16"),
    ),
}

#: Two rules of the CNI, and what a mistake in a dump would make of them.
JUMP = '-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j'
RESTORE = '-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark'
MARK = "-A AWS-CONNMARK-CHAIN-0 -m comment"
JUMPS = f"{JUMP} AWS-CONNMARK-CHAIN-0\n"


def dump_of(name: str) -> str:
    return (FOLDER / f"vpccni/{name}.save").read_text()


def side_of(*texts: str) -> Side:
    return Side.of([Source.of(text) for text in texts])


@pytest.mark.parametrize("name", MEANT)
def test_what_the_rules_mean_is_read(name: str) -> None:
    assert read_iptables(vpccni_nft.parse(dump_of(name))) == MEANT[name]


@pytest.mark.parametrize("meant", MEANT.values(), ids=str)
def test_both_forms_are_read_back(meant: Connmark) -> None:
    assert read_iptables(vpccni_nft.parse(as_restore_file(meant))) == meant
    assert read_table(vpccni_nft.nft.parse(as_table(meant))) == meant


def test_the_table_is_that_which_the_cni_wrote() -> None:
    listed = (FOLDER / "native/v1.23-nft-default.nft").read_text()
    table = vpccni_nft.nft.parse(listed[listed.index("table ip aws-cni") :])
    meant = read_table(table)
    assert meant == MEANT["v1.18-nft-default"]
    assert vpccni_nft.nft.parse(as_table(meant)) == table


def test_a_table_that_keeps_the_other_bits_is_read() -> None:
    meant = Connmark("eni", 0x180, CIDRS)
    (restore,) = [line for line in as_table(meant).splitlines() if "meta mark" in line]
    by_bit = as_table(meant).replace(restore, "\n".join(restores_by_bit(0x180)))
    assert by_bit.count("meta mark set meta mark") == 4
    assert read_table(vpccni_nft.nft.parse(by_bit)) == meant


@pytest.mark.parametrize("name", ["v1.14-three-cidrs-exclude", "v1.18-nft-default"])
def test_the_table_is_predicted_and_the_way_back(name: str) -> None:
    before = side_of(dump_of(name))
    change = predicted(before, Release.V1_23, SavedFrom.NFT)
    accept = acceptances(["vpc-cni-native"], before, change.after)
    found = verify(before, change.after, ProofSettings(accept=accept, paths=True, first=True))
    assert isinstance(found, Equivalent), found
    back = predicted(change.after, Release.V1_22)
    assert isinstance(verify(before, back.after, ProofSettings(first=True)), Equivalent)
    assert "deleted by hand" in back.assumptions[0]


def test_a_mark_that_the_table_wipes_is_found() -> None:
    """kube-proxy up to 1.24 drops by a bit of the mark that it sets ahead of the CNI's rules."""
    drop = (
        dump_of("v1.18-nft-default").replace(
            JUMP, f"-A PREROUTING -d 192.0.2.1/32 -j MARK --set-xmark 0x8000/0x8000\n{JUMP}"
        )
        + "*filter\n:INPUT ACCEPT [0:0]\n"
        "-A INPUT -s 0.0.0.0/1 -m mark --mark 0x8000/0x8000 -j DROP\nCOMMIT\n"
    )
    before = side_of(drop)
    after = predicted(before, Release.V1_23).after
    accept = acceptances(["vpc-cni-native"], before, after)
    found = verify(before, after, ProofSettings(accept=accept, paths=True, first=True))
    assert isinstance(found, Different)


def test_the_back_end_decides() -> None:
    legacy = side_of(dump_of("v1.23-legacy-default"))
    kept = predicted(legacy, Release.V1_23)
    assert kept.after == legacy
    assert "iptables-legacy" in kept.assumptions[0]
    silent = side_of(dump_of("v1.18-nft-default").replace(" (nf_tables)", "").replace("8.9", "8.4"))
    with pytest.raises(NotGiven, match="which back end"):
        predicted(silent, Release.V1_23)
    assert Parts.of(predicted(silent, Release.V1_23, SavedFrom.NFT).after).native.tables


def test_external_snat_has_no_table() -> None:
    before = side_of(dump_of("v1.18-externalsnat"))
    change = predicted(before, Release.V1_23, SavedFrom.NFT)
    assert (change.script, "external SNAT" in change.assumptions[0]) == ("", True)
    (nat,) = (table for table in Parts.of(change.after).dump.tables if table.name == "nat")
    assert not any(chain.name.startswith("AWS-CONNMARK") for chain in nat.chains)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (JUMPS, f"{JUMPS}{JUMPS.replace('eni', 'pod')}", "each of 2 rules leads to"),
        (JUMPS, JUMPS.replace("-j", "-m state --state NEW -j"), "leads to AWS-CONNMARK-CHAIN-0"),
        (JUMPS, JUMPS.replace("PREROUTING", "OUTPUT").replace("-i", "-o"), "leads to"),
        (JUMPS, "", "no rule leads to AWS-CONNMARK-CHAIN-0"),
        (RESTORE, f"-A PREROUTING -j ACCEPT\n{RESTORE} --nfmask 0x80 --ctmask 0x80\n{RESTORE}",
         "each of 2 rules restores the mark"),
        ("--nfmask 0x80", "--nfmask 0xff", "this is not the rule of the CNI that restores"),
        ("--set-xmark 0x80/0x80", "--set-xmark 0x40/0x40", "0x40 is set in AWS-CONNMARK-CHAIN-0"),
        (MARK, f"-A AWS-CONNMARK-CHAIN-0 -p udp -j RETURN\n{MARK}", "does not write this rule"),
        (MARK, f"-A AWS-CONNMARK-CHAIN-0 ! -d 10.0.0.0/8 -j RETURN\n{MARK}", "does not write"),
        (MARK, f"-A AWS-CONNMARK-CHAIN-0 -j LOG\n{MARK}", "does not write this rule"),
        ("AWS-CONNMARK-CHAIN-0", "AWS-MINE", "there are no connmark rules of the CNI"),
    ],
)  # fmt: skip
def test_other_rules_are_refused(old: str, new: str, message: str) -> None:
    nat = dump_of("v1.18-nft-default").partition("*nat")[2]
    assert old in nat
    with pytest.raises(vpccni_nft.Refused, match=message) as refused:
        predicted(side_of(f"*nat{nat.replace(old, new)}"), Release.V1_23, SavedFrom.NFT)
    assert {one.code for one in refused.value.diagnostics} == {OTHER_CNI_RULES}


def test_a_restore_ahead_of_the_chain_is_refused() -> None:
    lines = dump_of("v1.18-nft-default").splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(JUMP))
    lines[place : place + 2] = lines[place + 1], lines[place]
    with pytest.raises(vpccni_nft.Refused, match="restored ahead of"):
        predicted(side_of("\n".join(lines)), Release.V1_23)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("priority -90", "priority -95", "is not where the CNI has it"),
        ("fib daddr type local return", "fib saddr type local return", "have other rules"),
        ("counter ct mark set", "ct state new ct mark set", "have other rules"),
        ("ct mark & 0x80", "ct mark & 0x40", "does not restore the mark"),
        ("chain snat-mark {", "chain mine { accept; }\nchain snat-mark {", "has other chains"),
        ("table ip aws-cni {\n", "table ip aws-cni {\nflags dormant\n", "has other chains"),
        ("aws-cni", "mine", "there is no table ip aws-cni"),
    ],
)
def test_other_tables_are_refused(old: str, new: str, message: str) -> None:
    table = as_table(Connmark("eni", 0x80, CIDRS))
    assert old in table
    with pytest.raises(vpccni_nft.Refused, match=message):
        predicted(side_of(table.replace(old, new)), Release.V1_22)


def test_a_release_that_is_there_has_nothing_to_predict() -> None:
    with pytest.raises(vpccni_nft.Refused, match="has its table aws-cni already"):
        predicted(side_of(as_table(Connmark("eni", 0x80, CIDRS))), Release.V1_23)
    with pytest.raises(vpccni_nft.Refused, match="in iptables already"):
        predicted(side_of(dump_of("v1.18-nft-default")), Release.V1_22)


def test_rules_of_both_forms_are_left_over() -> None:
    both = side_of(dump_of("v1.18-nft-default"), as_table(Connmark("eni", 0x80, CIDRS)))
    (found,) = leftovers(both, Mode.IPTABLES)
    assert (found.code, "in AWS-CONNMARK-CHAIN-0 and in its table" in found.message) == (
        LEFT_OVER,
        True,
    )
