"""What stands between a plan's directory and root: who made it, and whether it is as it was."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vpccni_nft.cli.commands import cli
from vpccni_nft.core.errors import CannotRead
from vpccni_nft.core.version import __version__
from vpccni_nft.migration import custody
from vpccni_nft.migration.journal import JournalState, Phase, boot, clock, load, store

RULES = """\
*filter
:FORWARD ACCEPT [0:0]
[0:0] -A FORWARD -s 192.0.2.0/24 -j DROP
COMMIT
"""

COMMANDS = ("run", "confirm", "rollback", "status", "verify")


def planned(folder: Path, *options: str, rules: str = RULES) -> Result:
    for name, text in (("legacy.save", rules), ("node.nft", "")):
        (folder / name).write_text(text)
    return CliRunner().invoke(
        cli,
        ["migrate", "plan", str(folder / "plan"), "--nft", str(folder / "node.nft"),
         "--iptables-legacy-save", str(folder / "legacy.save"), *options],
    )  # fmt: skip


def made_in(folder: Path) -> Path:
    found = planned(folder)
    assert found.exit_code == 0, found.output
    return folder / "plan"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in(tmp_path_factory.mktemp("made"))


@pytest.fixture
def plan(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "plan"))


def migrate(command: str, plan: Path) -> Result:
    return CliRunner().invoke(cli, ["migrate", command, str(plan)])


def test_a_plan_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        plan = made_in(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o077 for path in (plan, *plan.rglob("*"))} == {0}


def test_a_link_where_a_draft_was_expected_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/file").touch()
    (tmp_path / ".plan.draft").symlink_to(tmp_path / "victim")
    made_in(tmp_path)
    assert (tmp_path / "victim/file").exists()
    assert (tmp_path / ".plan.draft").is_symlink()


def test_no_plan_is_written_where_others_could_change_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(AssertionError, match="can be written by others"):
        made_in(tmp_path)
    assert not list(tmp_path.glob("*plan*"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["apply.nft", "remove.nft", "plan.json", "plan.md", "SHA256SUMS"])
def test_a_plan_that_was_changed_is_used_for_nothing(name: str, command: str, plan: Path) -> None:
    with (plan / name).open("a") as file:
        file.write("\n")
    if name == "SHA256SUMS":
        (plan / name).write_text("")
    found = migrate(command, plan)
    assert found.exit_code == 2
    assert "plan again" in found.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_plan_that_others_can_write_is_used_for_nothing(command: str, plan: Path) -> None:
    plan.chmod(0o777)
    found = migrate(command, plan)
    assert found.exit_code == 2
    assert "can be written by others" in found.output


@pytest.mark.parametrize("command", COMMANDS)
def test_who_is_not_root_reads_a_sentence(
    command: str, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = plan.stat().st_uid or 1234
    for path in (plan, *plan.rglob("*")) if os.geteuid() == 0 else ():
        os.chown(path, user, user)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    found = migrate(command, plan)
    assert found.exit_code == 2
    assert "use sudo" in found.output


def test_a_confirmation_that_cannot_be_written_is_none(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = JournalState(boot=boot()).to(Phase.WAITING, deadline=clock() + 60)
    store(plan, waiting)
    monkeypatch.setattr(import_module("vpccni_nft.cli.commands.migrate"), "_need_root", bool)
    monkeypatch.setattr("vpccni_nft.migration.run.problems_of", lambda *_: [])

    def full(handle: int, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(custody, "_fill", full)
    found = migrate("confirm", plan)
    assert found.exit_code == 1, found.output
    assert "not confirmed" in found.output
    assert "No space left" in found.output
    assert load(plan).phase is Phase.WAITING
    assert not list(plan.glob(".state*"))


# --- what is proved of a plan ---------------------------------------------------------------------

#: Rules of raw, as node-local-dns writes them, beside rules of nat, which make the kernel put
#: fragments together before raw sees them.
LOCAL_DNS = """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -j NOTRACK
-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 53 -j NOTRACK
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
COMMIT
"""


def test_what_another_table_does_to_fragments_counts(tmp_path: Path) -> None:
    found = planned(tmp_path, "--force-owner", "node-local-dns", rules=LOCAL_DNS)
    assert found.exit_code == 0, found.output


def test_the_hint_of_a_packet_is_a_command_that_works(
    tmp_path: Path,
) -> None:
    rules = """\
*filter
:FORWARD ACCEPT [0:0]
:ts-forward - [0:0]
-A FORWARD -s 192.0.2.1/32 -j ACCEPT
-A FORWARD -j ts-forward
-A ts-forward -s 192.0.2.0/24 -j DROP
COMMIT
"""
    found = planned(tmp_path, "--owner", "tailscale", "--force-owner", "tailscale", rules=rules)
    assert found.exit_code == 1
    assert "M204" in found.output
    command = found.output.partition("its path: ")[2].splitlines()[0]
    words = shlex.split(command)
    assert words[:2] == ["vpccni-nft", "explain"]
    explained = CliRunner().invoke(cli, words[1:])
    assert explained.exit_code == 0, explained.output


# --- what a plan says -----------------------------------------------------------------------------


def test_plan_md_has_what_a_decision_needs(made: Path) -> None:
    page = (made / "plan.md").read_text()
    for wanted in (
        "| planned on the host |",
        "| date | 20",
        f"| vpccni-nft | {__version__} |",
        f"sudo vpccni-nft migrate rehearse {made}",
        f"sudo vpccni-nft migrate run {made} --confirm-timeout 900",
        f"sudo vpccni-nft migrate confirm {made}",
        f"sudo vpccni-nft migrate rollback {made}",
        "## When the machine is started again",
        "-A FORWARD -s 192.0.2.0/24 -j DROP",
        "ip saddr 192.0.2.0/24 counter drop",
    ):
        assert wanted in page, wanted


def test_a_rule_cannot_write_into_plan_md(tmp_path: Path) -> None:
    rules = RULES.replace("-j DROP", '-m comment --comment "```` # Approved" -j DROP')
    assert planned(tmp_path, rules=rules).exit_code == 0
    page = (tmp_path / "plan/plan.md").read_text()
    assert page.count("\n`````\n") == 4


def test_a_forced_owner_is_warned_of(tmp_path: Path) -> None:
    found = planned(tmp_path, "--force-owner", "node-local-dns", rules=LOCAL_DNS)
    assert "warning: --force-owner node-local-dns: " in found.output


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"phase": "waiting"}'])
def test_a_journal_that_is_damaged_is_said_to_be(text: str, plan: Path) -> None:
    (plan / "state.json").write_text(text)
    with pytest.raises(CannotRead, match=r"state\.json is damaged: delete it"):
        load(plan)
