"""Records of a node in a namespace, by the command and by the script: all commands read them."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpccni_nft.node.files import node_of, read_fleet
from vpccni_nft.node.record import script
from vpccni_nft.node.snapshot import FACTS

from ..support.command import command, environment, run, run_process
from ..support.corpus import FOLDER
from ..support.namespaces import Namespace

NODE = FOLDER / "vpccni" / "v1.23-nft-default.save"

#: What two records of one node may differ in.
_TIMES = re.compile(r"(?m)^(?:taken: .*|# (?:Generated|Completed) .*)\n")


@pytest.fixture
def node() -> Iterator[Namespace]:
    """A node with rules in both back ends and in a table of its own, an ipset and a route."""
    with Namespace() as namespace:
        namespace.run("iptables-nft-restore", script=NODE.read_text())
        namespace.run("iptables-legacy", "-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP")
        namespace.load(
            "table ip own {\n\tchain c {\n\t\tcounter packets 5 bytes 7 accept\n\t}\n}\n"
        )
        namespace.run("ipset", "create", "blocked", "hash:ip")
        namespace.run("ip", "link", "add", "eni1", "type", "veth", "peer", "name", "pod1")
        namespace.run("ip", "address", "add", "10.0.0.7/24", "dev", "eni1")
        namespace.run("ip", "rule", "add", "fwmark", "0x80/0x80", "lookup", "main")
        yield namespace


def inside(node: Namespace, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    more = {"PATH": path} if path else {}
    return subprocess.run(
        ("nsenter", f"--net=/run/netns/{node.name}", *words),
        capture_output=True,
        text=True,
        check=False,
        env=environment(**more),
    )


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: _TIMES.sub("", path.read_text()) for path in folder.iterdir()}


def test_the_script_and_the_command_make_the_same_record(node: Namespace, tmp_path: Path) -> None:
    alone = tmp_path / "record.sh"
    alone.write_text(script())
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    by_command = inside(node, *command("record", str(tmp_path / "one" / "node")))
    by_script = inside(node, "sh", str(alone), str(tmp_path / "two" / "node"))
    assert (by_command.returncode, by_script.returncode) == (0, 0), by_command.stderr
    assert files_of(tmp_path / "one" / "node") == files_of(tmp_path / "two" / "node")
    assert (tmp_path / "one" / "node").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "one" / "node").iterdir()} == {
        0o600
    }


def test_a_record_has_everything_that_decides_packets(node: Namespace, tmp_path: Path) -> None:
    done = inside(node, *command("record", str(tmp_path / "node.tar.gz")))
    assert done.returncode == 0, done.stderr
    snapshot = node_of((tmp_path / "node.tar.gz",))
    assert not snapshot.problem
    assert "-s 192.0.2.1/32 -j DROP" in snapshot.texts["iptables-legacy.save"]
    assert "AWS-SNAT-CHAIN-0" in snapshot.texts["iptables-nft.save"]
    assert "table ip own" in snapshot.texts["nft.txt"]
    assert "create blocked hash:ip" in snapshot.texts["ipset.save"]
    assert set(snapshot.facts) == set(FACTS)
    assert '"10.0.0.7"' in snapshot.facts["addresses.json"]
    assert '"fwmark":"0x80"' in snapshot.facts["policies.json"]
    assert "net/ipv4/conf/eni1/rp_filter = " in snapshot.facts["sysctl.txt"]
    with tarfile.open(tmp_path / "node.tar.gz") as archive:
        file = archive.extractfile("node/nft.txt")
        assert file
        assert b"counter packets 5 bytes 7" in file.read()


def test_recording_changes_nothing(node: Namespace, tmp_path: Path) -> None:
    def there_is() -> list[str]:
        listed = inside(node, "nft", "-a", "list", "ruleset").stdout
        return [listed, _TIMES.sub("", node.run("iptables-legacy-save"))]

    before = there_is()
    assert inside(node, *command("record", str(tmp_path / "node"))).returncode == 0
    assert there_is() == before


@pytest.mark.parametrize("name", ["node", "node.tar.gz"])
def test_every_command_that_takes_a_node_takes_a_record(
    node: Namespace, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    assert inside(node, *command("record", str(target))).returncode == 0
    detected = run("detect", str(target))
    assert "vpc-cni     iptables-nft" in detected.out
    assert run("inventory", str(target)).code == 0
    verified = run("verify", "--before", str(target), "--after", str(target), "--order", "same")
    assert (verified.code, verified.err) == (0, "")
    (only,) = read_fleet(target if target.is_dir() else tmp_path).nodes
    assert only.name == "node"
    assert not only.read().problem


def test_a_record_that_is_there_is_kept(node: Namespace, tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    done = inside(node, *command("record", str(tmp_path / "node")))
    assert done.returncode == 2
    assert "is there already: choose another name" in done.stderr
    assert list((tmp_path / "node").iterdir()) == []


def _programs_without(folder: Path, *names: str) -> str:
    """The script with a folder of links to all programs of the machine but some."""
    folder.mkdir()
    for place in ("/sbin", "/bin", "/usr/sbin", "/usr/bin"):
        for program in Path(place).iterdir():
            link = folder / program.name
            if program.name not in names and not link.is_symlink():
                link.symlink_to(program)
    return re.sub("(?m)^PATH=.*$", f"PATH={folder}", script())


def test_a_program_that_is_missing_or_fails_is_listed(node: Namespace, tmp_path: Path) -> None:
    text = _programs_without(tmp_path / "bin", "ipset", "nft")
    (tmp_path / "bin" / "nft").write_text("#!/bin/sh\necho no luck >&2\nexit 4\n")
    (tmp_path / "bin" / "nft").chmod(0o755)
    (tmp_path / "record.sh").write_text(text)
    done = inside(node, "sh", str(tmp_path / "record.sh"), str(tmp_path / "node"))
    assert done.returncode == 3, done.stderr
    listed = (tmp_path / "node" / "record.txt").read_text().splitlines()
    assert "ipset.save: missing: ipset save" in listed
    assert "nft.txt: failed: nft list ruleset: no luck" in listed
    assert not (tmp_path / "node" / "nft.txt").exists()
    assert "iptables-nft.save: ok: iptables-nft-save -c" in listed


def test_a_node_with_one_iptables_alone_is_recorded(node: Namespace, tmp_path: Path) -> None:
    names = [
        f"{family}tables-{back_end}-save"
        for family in ("ip", "ip6")
        for back_end in ("nft", "legacy")
    ]
    text = _programs_without(tmp_path / "bin", *names)
    (tmp_path / "record.sh").write_text(text)
    done = inside(node, "sh", str(tmp_path / "record.sh"), str(tmp_path / "node"))
    assert done.returncode == 0, done.stderr
    assert "AWS-SNAT-CHAIN-0" in node_of((tmp_path / "node",)).texts["iptables-nft.save"]


def test_without_rules_nothing_is_written(node: Namespace, tmp_path: Path) -> None:
    programs = [
        f"{name}{end}" for name in ("iptables", "ip6tables") for end in ("", "-nft", "-legacy")
    ]
    text = _programs_without(tmp_path / "bin", "nft", *(f"{name}-save" for name in programs))
    (tmp_path / "record.sh").write_text(text)
    done = inside(node, "sh", str(tmp_path / "record.sh"), str(tmp_path / "node"))
    assert done.returncode == 2
    assert "no rules could be read" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "record.sh"]


def test_what_was_collected_before_becomes_a_record(tmp_path: Path) -> None:
    for name in ("folder", "archive.tar.gz"):
        done = run("record", "--from", str(NODE), str(tmp_path / name))
        assert (done.code, done.err) == (0, f"recorded: {tmp_path / name}\n")
        found = node_of((tmp_path / name,))
        assert not found.problem
        assert found.texts == node_of((NODE,)).texts
        assert "routes.json: missing: not in " in found.facts["record.txt"]
    again = run("record", "--from", str(NODE), str(tmp_path / "folder"))
    assert (again.code, "is there already" in again.err) == (2, True)


def test_the_printed_script_is_the_one_that_runs() -> None:
    printed = run_process("record", "--print-script")
    assert (printed.code, printed.out) == (0, script())
    wrong = run("record", "--print-script", "somewhere")
    assert (wrong.code, "goes alone" in wrong.err) == (2, True)


#: What of root's capabilities a record takes, and what is not read without one of them.
CAPABILITIES = {
    "+net_admin,+net_raw": (0, set()),
    "+net_admin": (3, {"iptables-legacy.save"}),
    "+net_raw": (3, {"iptables-legacy.save", "iptables-nft.save", "nft.txt", "ipset.save"}),
}


@pytest.mark.parametrize("given", CAPABILITIES)
def test_a_record_takes_two_capabilities(given: str, node: Namespace, tmp_path: Path) -> None:
    code, lost = CAPABILITIES[given]
    (tmp_path / "record.sh").write_text(script())
    sets = (f"--bounding-set=-all,{given}", f"--inh-caps=-all,{given}", "--no-new-privs")
    done = inside(node, "setpriv", *sets, "sh", str(tmp_path / "record.sh"), str(tmp_path / "node"))
    assert done.returncode == code, done.stderr
    listed = (tmp_path / "node" / "record.txt").read_text()
    failed = set(re.findall(r"(?m)^(\S+): failed: ", listed))
    assert lost <= failed if lost else not failed, listed
