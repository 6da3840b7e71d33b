"""The benchmarks run, and their nodes are what they should be; no times are held."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vpccni_nft
from benchmarks import load, packets, proof, report, startup, translate
from benchmarks.eks_node import CNI_VERSIONS, eks_node
from benchmarks.tables import Program, Table
from vpccni_nft.iptables import save

from ..support.corpus import FOLDER
from ..support.namespaces import Namespace

#: Dumps of a node with the generator's version of the CNI and one CIDR.
CORPUS = {
    "1.4": "vpccni/v1.4-default",
    "1.8": "vpccni/v1.8-default",
    "1.14": "node/eks-1.26-cni-1.14",
    "1.20": "vpccni/v1.18-nft-default",
    "1.23": "vpccni/v1.23-legacy-default",
}


def rules(dump: str, words: str = "") -> list[str]:
    return [line for line in dump.splitlines() if line.startswith("-A") and words in line]


def test_the_same_seed_makes_the_same_node() -> None:
    assert eks_node(50, seed=3) == eks_node(50, seed=3)
    assert eks_node(50, seed=3) != eks_node(50, seed=4)


@pytest.mark.parametrize("cni", CNI_VERSIONS)
def test_a_node_is_translated_without_codes(cni: str) -> None:
    translation = vpccni_nft.translate(eks_node(60, cni=cni))
    assert not translation.refused
    assert not translation.diagnostics


@pytest.mark.parametrize("cni", CNI_VERSIONS)
def test_a_node_is_written_as_iptables_save_writes_it(cni: str) -> None:
    dump = eks_node(60, cni=cni)
    assert save(vpccni_nft.parse(dump)) == dump


@pytest.mark.parametrize("cni", CNI_VERSIONS)
def test_the_rules_of_the_cni_are_those_of_the_corpus(cni: str) -> None:
    corpus = (FOLDER / f"{CORPUS[cni]}.save").read_text()
    generated = eks_node(10, cni=cni, cidrs=["10.0.0.0/16"])
    assert sorted(rules(generated, "AWS")) == sorted(rules(corpus, "AWS"))


@pytest.mark.parametrize("backend", ["legacy", "nft"])
@pytest.mark.kernel
def test_the_kernel_takes_a_node_and_saves_the_same_rules(
    backend: str, fresh_namespace: Namespace, tmp_path: Path
) -> None:
    dump = eks_node(100)
    file = tmp_path / "node.save"
    file.write_text(dump)
    fresh_namespace.run(f"iptables-{backend}-restore", str(file))
    saved = fresh_namespace.run(f"iptables-{backend}-save")
    assert sorted(rules(saved)) == sorted(rules(dump))


@pytest.mark.parametrize("services", [4, 5, 100])
def test_a_node_has_as_many_services_as_asked_for(services: int) -> None:
    # Of NAT for those with endpoints, of the filter table for those without.
    portals = rules(eks_node(services), "-A KUBE-SERVICES -d 172.20.")
    assert len({tuple(rule.split()[3:6]) for rule in portals}) == services


def test_no_port_of_the_node_is_given_twice() -> None:
    ports = re.findall(r"-A KUBE-NODEPORTS .* --dport (\d+)", eks_node(14000))
    assert len(ports) == len(set(ports)) == 2768


@pytest.mark.parametrize("program", [translate.PROGRAM, proof.PROGRAM, startup.PROGRAM], ids=str)
def test_a_program_prints_its_table(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_tables(program, capsys, monkeypatch)


@pytest.mark.parametrize("program", [load.PROGRAM, packets.PROGRAM], ids=str)
@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_a_program_that_loads_rulesets_prints_its_tables(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_tables(program, capsys, monkeypatch)


def check_tables(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of everything will do, where no times are held."""
    for module in (load, proof, startup, translate):
        for runs in ("RUNS", "_RUNS"):
            monkeypatch.setattr(module, runs, 1, raising=False)
    sizes = [str(services) for services in program.quickly[:1]]
    monkeypatch.setattr("sys.argv", [program.name, *sizes])
    program.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    header, rows = lines[0].split("|"), [line.split("|") for line in lines[1:]]
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(header)}


#: What the targets and the pictures ask for.
COLUMNS = [
    *("ruleset", "program", "translation", "Services", "rules"),
    *(
        "time (s)",
        "load (s)",
        "both (s)",
        "TCP, last",
        "time (ms)",
        "more than python (ms)",
        "peak (MB)",
    ),
]


def test_the_page_holds_all_tables_and_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table = Table("A title", [{**dict.fromkeys(COLUMNS, 1.5), "ruleset": "-O0"}])
    run = {program.name: [table, table] for program in report.PROGRAMS}
    pages = []
    for name in ("one", "two"):
        report.write(run, tmp_path / name, quick=True)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        pages.append([path.read_text() for path in files])
    assert pages[0] == pages[1]
    page = (tmp_path / "one" / "benchmarks.md").read_text()
    for program in report.PROGRAMS:
        assert f"python -m benchmarks.{program.name} --quick\n" in page
    for picture in re.findall(r"\(benchmarks/(\S+)\)", page):
        assert (tmp_path / "one" / "benchmarks" / picture).read_text().startswith("<?xml")
