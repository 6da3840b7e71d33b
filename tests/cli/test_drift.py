"""A stored plan against what a node has later on."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import vpccni_nft
from vpccni_nft.cli.commands import cli
from vpccni_nft.node.partition import take

from ..support.command import Run, run, run_process
from ..support.corpus import FOLDER
from ..support.namespaces import Namespace

NODE = (FOLDER / "vpccni" / "v1.23-nft-default.save").read_text()
SCRIPT = vpccni_nft.translate(NODE).script()

#: The CNI's own table, which was there before, and is not moved.
OTHERS = (FOLDER / "native" / "v1.23-nft-default.nft").read_text()
NATIVE = "table ip aws-cni {" + OTHERS.partition("table ip aws-cni {")[2]

BLOCKS = "table ip own {\n\tchain c {\n\t\ttype filter hook forward priority 5;\n\t\tdrop\n\t}\n}\n"


def plan_of(root: Path, owner: str = "all", dump: str = NODE) -> Path:
    """A directory as migrate plan writes it."""
    plan = root / "plan"
    if owner == "all":
        script = vpccni_nft.translate(dump).script()
        after = re.sub(r"^(-A .*|:\S+ - .*)\n", "", dump, flags=re.MULTILINE)
    else:
        script = run("translate", "--owner", owner, stdin=dump).out
        after = vpccni_nft.iptables.save(take(vpccni_nft.parse(dump), owner)[1])
    tables = []
    for name, left in re.findall(r"^\*(\S+)\n(.*?)^COMMIT$", after, re.MULTILINE | re.DOTALL):
        place = f"iptables-nft.{name}"
        write(plan / "tables" / place / "after", f"*{name}\n{left}COMMIT\n")
        saved = dump[dump.index(f"*{name}\n") :]
        write(plan / "tables" / place / "saved", saved[: saved.index("COMMIT") + 7])
        tables.append(
            {
                "name": place,
                "slot": "iptables_nft_save",
                "family": "ip",
                "table": name,
                "nft_table": f"vpccni-{name}",
            }
        )
    write(plan / "before" / "iptables-nft.save", dump)
    write(plan / "before" / "ruleset.nft", OTHERS)
    write(plan / "apply.nft", script)
    about = {
        "format": 1,
        "id": "1234",
        "owner": owner,
        "allowed": [],
        "dumps": {"iptables_nft_save": "before/iptables-nft.save"},
        "nft": "before/ruleset.nft",
        "tables": tables,
        "rules": {"moved": {"vpc-cni": 9}, "stay": {}},
        "files": sums(plan),
    }
    write(plan / "plan.json", json.dumps(about))
    lines = "".join(f"{one}  {name}\n" for name, one in sums(plan).items())
    write(plan / "SHA256SUMS", lines)
    return plan


def sums(plan: Path) -> dict[str, str]:
    files = [path for path in plan.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(plan)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def drift(plan: Path, dump: str, ruleset: str, *more: str) -> tuple[Run, dict[str, Any]]:
    write(plan.parent / "now" / "iptables-nft.save", dump)
    write(plan.parent / "now" / "nft.txt", ruleset)
    now = str(plan.parent / "now")
    # Within this process: most of a short proof's time is the start of another one.
    done = CliRunner().invoke(cli, ["verify", "--plan", str(plan), "--now", now, "--json", *more])
    answer = json.loads(done.stdout) if done.stdout else {}
    return Run(done.exit_code, done.stdout, done.stderr), answer


def test_a_node_as_the_plan_left_it_means_the_same(tmp_path: Path) -> None:
    done, answer = drift(plan_of(tmp_path), "", NATIVE + SCRIPT)
    assert (done.code, answer["answer"]) == (0, "equivalent")
    assert "ip postrouting" in answer["hooks"]


def test_a_rule_that_is_gone_is_shown_with_a_packet(tmp_path: Path) -> None:
    lines = SCRIPT.splitlines(keepends=True)
    without = "".join(
        line for line in lines if "--set-xmark" not in line and "AWS, SNAT" not in line
    )
    assert without != SCRIPT
    plan = plan_of(tmp_path)
    for more, hook in (((), "forward"), (("--moved",), "postrouting")):
        done, answer = drift(plan, "", NATIVE + without, *more)
        assert (done.code, answer["answer"]) == (1, "different")
        assert answer["packets"][0]["hook"] == hook


def test_a_node_that_was_rolled_back_means_the_same(tmp_path: Path) -> None:
    assert drift(plan_of(tmp_path), NODE, NATIVE)[0].code == 0


def test_a_node_without_the_rules_at_all_does_not(tmp_path: Path) -> None:
    assert drift(plan_of(tmp_path), "", NATIVE, "--first")[0].code == 1


def test_rules_of_others_count_unless_only_what_moved_is_compared(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert drift(plan, "", NATIVE + SCRIPT + BLOCKS, "--first")[0].code == 1
    assert drift(plan, "", NATIVE + SCRIPT + BLOCKS, "--moved")[0].code == 0
    assert drift(plan, "", SCRIPT, "--first")[0].code == 1
    assert drift(plan, "", SCRIPT, "--moved")[0].code == 0


def test_rules_that_the_owner_put_back_count_where_they_do_something_else(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert drift(plan, NODE, NATIVE + SCRIPT, "--moved")[0].code == 0
    other = NODE.replace("0x80", "0x40")
    assert other != NODE
    assert drift(plan, other, NATIVE + SCRIPT, "--moved")[0].code == 1


def test_a_copy_is_stale_where_its_owner_has_written_other_rules_since(tmp_path: Path) -> None:
    """The copy goes on translating what a network that was added should return."""
    plan = plan_of(tmp_path)
    rule = next(line for line in NODE.splitlines() if "-A AWS-SNAT-CHAIN-0 -d 10.0" in line)
    again = NODE.replace(rule, f"{rule.replace('10.0', '100.64')}\n{rule}")
    assert again != NODE
    done, answer = drift(plan, again, NATIVE + SCRIPT)
    assert (done.code, answer["answer"]) == (1, "equivalent")
    assert "stale copy: vpc-cni has written 1 other rule since: " in answer["stale"][0]
    assert "100.64.0.0/16" in answer["stale"][0]
    assert drift(plan, again, NATIVE)[1]["stale"] == []


def test_a_plan_of_one_owner_expects_the_others_to_stay(tmp_path: Path) -> None:
    own = "-A POSTROUTING -o eth9 -j ACCEPT\n"
    dump = NODE.replace("-A ", own + "-A ", 1)
    plan = plan_of(tmp_path, "vpc-cni", dump)
    script = (plan / "apply.nft").read_text()
    rest = vpccni_nft.iptables.save(take(vpccni_nft.parse(dump), "vpc-cni")[1])
    assert own in rest
    assert drift(plan, rest, NATIVE + script)[0].code == 0
    other = rest.replace("-j ACCEPT", "-j DROP")
    assert drift(plan, other, NATIVE + script, "--first")[0].code == 1
    assert drift(plan, other, NATIVE + script, "--moved")[0].code == 0
    assert drift(plan, NODE.replace("0x80", "0x40"), NATIVE + script, "--moved")[0].code == 1


def test_rules_of_iptables_nft_that_no_dump_shows_are_requested(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    write(tmp_path / "nft.txt", OTHERS + SCRIPT)
    done = run("verify", "--plan", str(plan), "--now", str(tmp_path / "nft.txt"))
    assert (done.code, done.out) == (2, "")
    assert "what iptables-nft-save prints is missing" in done.err
    write(tmp_path / "iptables-nft.save", "")
    done = run("verify", "--plan", str(plan), "--now", str(tmp_path / "iptables-nft.save"))
    assert done.code == 2


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("hello", "is no plan"),
        ('{"format": 2}', "another version"),
        ('{"format": 1}', "list other files"),
    ],
)
def test_a_plan_that_is_none_is_reported(about: str, said: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    (plan / "plan.json").write_text(about)
    done, _ = drift(plan, "", SCRIPT)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("name", ["plan.json", "apply.nft", "tables/iptables-nft.nat/after"])
def test_a_plan_that_was_changed_proves_nothing(name: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    with (plan / name).open("a") as file:
        file.write("\n")
    done, _ = drift(plan, "", OTHERS + SCRIPT)
    assert (done.code, done.out) == (2, "")
    assert "was changed after the plan was made" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--plan", "p", "--before", "a"),
        ("--plan", "p", "--family", "ip"),
        ("--now", "a", "--before", "a", "--after", "b"),
        ("--moved", "--before", "a", "--after", "b"),
        ("--before", "a"),
        (),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run("verify", *arguments).code == 2


@pytest.mark.kernel
def test_without_files_this_node_is_read(tmp_path: Path, fresh_namespace: Namespace) -> None:
    plan = plan_of(tmp_path)

    def now() -> int:
        prefix = ("ip", "netns", "exec", fresh_namespace.name)
        return run_process("verify", "--plan", str(plan), "--moved", prefix=prefix).code

    assert now() == 1
    fresh_namespace.load((plan / "apply.nft").read_text())
    assert now() == 0
    fresh_namespace.run("nft", "flush", "chain", "ip", "vpccni-nat", "POSTROUTING")
    assert now() == 1
