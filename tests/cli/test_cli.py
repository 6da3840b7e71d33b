"""The command as its users run it; in a process of its own where that makes a difference."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

import vpccni_nft
from vpccni_nft.core.exit_codes import ExitCode
from vpccni_nft.extensions import MATCHES, TARGETS

from ..support.command import command, environment, run, run_process
from ..support.dumps import APPROXIMATE, DUMP, DUMP6, NODE, UNMARKED, WRONG

COMMANDS = ("translate", "check", "extensions")

_ESCAPE = re.compile(rb"\x1b\[[0-9;]*m")


def script_of(*dumps: str) -> str:
    return vpccni_nft.translate("".join(dumps)).script()


# --- translate: what goes in, what comes out ----------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["no file", "a dash"])
def test_translate_reads_standard_input(arguments: tuple[str, ...]) -> None:
    done = run("translate", *arguments, stdin=DUMP)
    assert (done.code, done.err) == (0, "")
    assert done.out == script_of(DUMP)
    assert "ip saddr 10.0.0.0/8" in done.out


def test_translate_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "node.save"
    file.write_text(DUMP)
    done = run("translate", str(file))
    assert (done.code, done.out, done.err) == (0, script_of(DUMP), "")


def test_several_files_become_one_script(tmp_path: Path) -> None:
    v4, v6 = tmp_path / "v4.save", tmp_path / "v6.save"
    v4.write_text(DUMP)
    v6.write_text(DUMP6)
    done = run("translate", str(v4), str(v6))
    assert (done.code, done.err) == (0, "")
    assert done.out == script_of(DUMP, DUMP6)
    assert re.findall(r"^table (\S+ \S+) {$", done.out, re.MULTILINE) == [
        "ip vpccni-filter",
        "ip6 vpccni-filter",
    ]


def test_standard_input_can_be_one_of_several_files(tmp_path: Path) -> None:
    v6 = tmp_path / "v6.save"
    v6.write_text(DUMP6)
    done = run("translate", "-", str(v6), stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP, DUMP6))


def test_problems_name_the_file_that_they_are_in(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.save", tmp_path / "bad.save"
    good.write_text(DUMP6)
    bad.write_text(WRONG)
    done = run("translate", str(good), str(bad))
    assert (done.code, done.out) == (1, "")
    assert f"{bad}:4:13: error[P004]" in done.err
    assert str(good) not in done.err


def test_the_same_table_in_two_files_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first.save", tmp_path / "second.save"
    first.write_text(DUMP)
    second.write_text(DUMP)
    done = run("translate", str(first), str(second))
    assert (done.code, done.out) == (1, "")
    assert f"{second}:2:1: error[P011]" in done.err


def test_the_family_can_be_given_where_the_text_does_not_show_it() -> None:
    refused = run("translate", stdin=UNMARKED)
    assert (refused.code, refused.out) == (1, "")
    assert "error[P012]" in refused.err
    for family in ("ip", "ip6"):
        done = run("translate", "--family", family, stdin=UNMARKED)
        assert (done.code, done.err) == (0, "")
        assert f"\ntable {family} vpccni-filter {{\n" in done.out


def test_the_family_of_the_text_wins_over_the_option() -> None:
    done = run("translate", "--family", "ip6", stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP))


def test_format_json_writes_the_same_ruleset_as_json() -> None:
    done = run("translate", "--format", "json", stdin=DUMP)
    assert (done.code, done.err) == (0, "")
    ruleset = vpccni_nft.translate(DUMP).ruleset
    assert json.loads(done.out) == vpccni_nft.nft.as_json(ruleset)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("keep", "ip saddr 10.0.0.0/8 meta l4proto tcp counter packets 7 bytes 420 accept"),
        ("zero", "ip saddr 10.0.0.0/8 meta l4proto tcp counter accept"),
        ("none", "ip saddr 10.0.0.0/8 meta l4proto tcp accept"),
    ],
)
def test_counters_go_on_or_begin_at_zero_or_are_left_out(mode: str, expected: str) -> None:
    done = run("translate", "--counters", mode, stdin=DUMP)
    assert done.code == 0
    assert expected in [line.strip() for line in done.out.splitlines()]
    assert ("counter" in done.out) is (mode != "none")


def test_counters_are_kept_where_nothing_is_said() -> None:
    by_default = run("translate", stdin=DUMP)
    assert by_default.out == run("translate", "--counters", "keep", stdin=DUMP).out


def test_an_approximation_is_refused_until_it_is_allowed() -> None:
    refused = run("translate", stdin=APPROXIMATE)
    assert (refused.code, refused.out) == (1, "")
    assert "approximation[T105]:" in refused.err
    assert "--allow T105" in refused.err
    allowed = run("translate", "--allow", "T105", stdin=APPROXIMATE)
    assert allowed.code == 0
    assert 'log prefix "say ?hi?"' in allowed.out
    assert "approximation[T105] (allowed):" in allowed.err


def test_allowing_one_approximation_allows_no_other() -> None:
    assert run("translate", "--allow", "T101", stdin=APPROXIMATE).code == 1


@pytest.mark.parametrize("code", ["T999", "", "t105", "P001", "T001", "T201"])
def test_allowing_what_is_no_approximation_is_wrong_usage(code: str) -> None:
    done = run("translate", "--allow", code, stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "--allow" in done.err


@pytest.mark.parametrize("version", ["nft=1.0.1", "nft=1.0.6", "nft=1.1", "nft=2.0.0"])
def test_a_target_at_or_above_the_floor_is_taken(version: str) -> None:
    done = run("translate", "--target", version, stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP))


@pytest.mark.parametrize(
    "version",
    [
        "nft=1.0.0",
        "nft=0.9.9",
        "nft=1",
        "nft",
        "1.0.6",
        "nft=1.0.6x",
        "nft=",
        "nft=९.०",
        "nft=-1.0",
    ],
)
def test_another_target_is_wrong_usage(version: str) -> None:
    done = run("translate", "--target", version, stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "--target" in done.err


# --- translate: the output file is whole, or as it was ------------------------------------------


def limit_file_size() -> None:
    """As a full disk does: the file can be made, but not written to its end."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


def test_an_output_file_holds_what_standard_output_would(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    done = run("translate", "-o", str(output), stdin=DUMP)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert output.read_text() == script_of(DUMP)
    assert os.listdir(tmp_path) == ["node.nft"]


def test_a_new_output_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    mask = os.umask(0o027)
    try:
        run("translate", "-o", str(output), stdin=DUMP)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


def test_an_output_file_that_is_replaced_keeps_its_rights(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    output.write_text("old")
    output.chmod(0o604)
    run("translate", "-o", str(output), stdin=DUMP)
    assert output.read_text() == script_of(DUMP)
    assert stat.S_IMODE(output.stat().st_mode) == 0o604


def test_an_output_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.nft", tmp_path / "link.nft"
    real.write_text("old")
    link.symlink_to(real)
    done = run("translate", "-o", str(link), stdin=DUMP)
    assert done.code == 0
    assert link.is_symlink()
    assert real.read_text() == script_of(DUMP)


@pytest.mark.parametrize(
    ("text", "code"), [(WRONG, 1), (APPROXIMATE, 1), ("no dump at all\n", 2), ("", 2)]
)
def test_a_refused_input_leaves_the_output_file_as_it_was(
    text: str, code: int, tmp_path: Path
) -> None:
    output = tmp_path / "node.nft"
    assert run("translate", "-o", str(output), stdin=text).code == code
    assert not output.exists()
    output.write_text("the rules of yesterday")
    assert run("translate", "-o", str(output), stdin=text).code == code
    assert output.read_text() == "the rules of yesterday"
    assert os.listdir(tmp_path) == ["node.nft"]


def test_an_unreadable_second_file_leaves_the_output_file_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    output.write_text("the rules of yesterday")
    missing = str(tmp_path / "missing.save")
    assert run("translate", "-", missing, "-o", str(output), stdin=DUMP).code == 2
    assert output.read_text() == "the rules of yesterday"


def test_a_full_disk_leaves_the_output_file_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "node.nft"
    output.write_text("the rules of yesterday")
    # Or else the limit would hold for the modules that Python compiles, too.
    env = environment(PYTHONDONTWRITEBYTECODE="1")
    arguments = ("translate", "-o", str(output))
    done = run_process(*arguments, stdin=DUMP, before=limit_file_size, env=env)
    assert done.code == 2
    assert f"cannot write {output}" in done.err
    assert output.read_text() == "the rules of yesterday"
    assert os.listdir(tmp_path) == ["node.nft"]


def test_an_output_in_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    # Root may write anywhere unless it gives this capability away.
    prefix = ("setpriv", "--bounding-set", "-dac_override") if os.geteuid() == 0 else ()
    output = folder / "node.nft"
    done = run_process("translate", "-o", str(output), stdin=DUMP, prefix=prefix)
    assert (done.code, done.out) == (2, "")
    assert f"cannot write {output}" in done.err
    assert os.listdir(folder) == []


@pytest.mark.parametrize("name", ["", "missing/node.nft", "file/node.nft"])
def test_an_output_that_cannot_be_is_an_error(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("")
    done = run("translate", "-o", str(folder / name), stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert "cannot write" in done.err
    assert os.listdir(folder) == ["file"]
    assert os.listdir(tmp_path) == ["folder"]


def test_the_output_can_be_a_device() -> None:
    done = run_process("translate", "-o", "/dev/stdout", stdin=DUMP)
    assert (done.code, done.out) == (0, script_of(DUMP))


@pytest.mark.parametrize("settings", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["", "unbuffered"])
@pytest.mark.parametrize(
    "arguments",
    [("translate",), ("translate", "-o", "/dev/full"), ("check", "--json"), ("extensions",)],
    ids=" ".join,
)
def test_a_full_disk_behind_the_output_is_reported_and_is_no_refusal(
    arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*arguments),
            input=DUMP.encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
            env=environment(**settings),
        )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.stderr.count(b"No space left") == 1
    assert done.returncode == 2


@pytest.mark.parametrize("descriptor", [0, 1])
def test_a_closed_input_or_output_is_an_error_without_a_traceback(descriptor: int) -> None:
    done = run_process("translate", stdin=DUMP, before=lambda: os.close(descriptor))
    assert done.code == 2
    assert done.err


@pytest.mark.parametrize(
    "settings",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=["locale C", "ascii"],
)
def test_the_script_is_utf8_whatever_the_locale(settings: dict[str, str]) -> None:
    text = DUMP.replace("-j DROP", '-m comment --comment "naïve ✓" -j DROP')
    done = run_process("translate", stdin=text, env=environment(**settings))
    assert (done.code, done.out) == (0, script_of(text))
    assert 'comment "naïve ✓"' in done.out


# --- exit codes and unreadable input ------------------------------------------------------------


@pytest.mark.parametrize("name", ["translate", "check"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        (DUMP, 0),
        (WRONG, 1),
        (APPROXIMATE, 1),
        ("", 2),
        ("hello\n", 2),
        ("\x7fELF\x02\x01\x01\0", 2),
        ("table ip filter {\n}\n", 2),
    ],
    ids=["exact", "wrong", "approximate", "empty", "text", "binary", "nft"],
)
def test_the_exit_code_distinguishes_done_refused_and_unreadable(
    name: str, text: str, code: int
) -> None:
    done = run(name, stdin=text)
    assert done.code == code
    assert bool(done.out) is (name == "translate" and code == 0)
    assert (done.err == "") is (name == "translate" and code == 0)


@pytest.mark.parametrize("name", ["translate", "check"])
@pytest.mark.parametrize(
    ("file", "reason"),
    [(".", "Is a directory"), ("missing.save", "No such file"), ("file/x", "Not a directory")],
)
def test_a_file_that_cannot_be_read_is_reported_by_its_name(
    name: str, file: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(DUMP)
    path = str(tmp_path / file)
    done = run(name, path)
    assert (done.code, done.out) == (2, "")
    assert f"cannot read {path}: {reason}" in done.err


@pytest.mark.parametrize("name", ["translate", "check"])
def test_the_name_of_a_file_cannot_steer_the_terminal(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\x07\udcff.save"
    for content in (None, WRONG, "nothing"):
        if content is not None:
            path.write_text(content)
        done = run(name, str(path))
        assert done.code in {1, 2}
        assert ".save" in done.err
        assert not set(done.err).difference("\n").intersection(map(chr, range(32)))


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("translate", "--nonsense"),
        ("translate", "--family", "ip5"),
        ("translate", "--family", "inet"),
        ("translate", "--format", "yaml"),
        ("translate", "--counters", "some"),
        ("translate", "-o"),
        ("check", "--allow"),
        ("extensions", "more"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_says_so(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, stdin=DUMP)
    assert (done.code, done.out) == (2, "")
    assert re.search("^Error: ", done.err, re.MULTILINE)


# --- diagnostics --------------------------------------------------------------------------------


def pointed_at(err: str) -> list[tuple[int, int, str]]:
    """The line, the column and the text over the carets, of every diagnostic."""
    found = []
    pattern = re.compile(
        r"^<stdin>:(?P<line>\d+):(?P<column>\d+): \w+\[[PT]\d{3}\].*\n"
        r" (?P<number>\d+) \| (?P<code>.*)\n"
        r" +\| (?P<blank> *)(?P<carets>\^+)$",
        re.MULTILINE,
    )
    for one in pattern.finditer(err):
        assert one["line"] == one["number"]
        start = len(one["blank"])
        text = one["code"][start : start + len(one["carets"])]
        found.append((int(one["line"]), int(one["column"]), text))
    return found


@pytest.mark.parametrize("name", ["translate", "check"])
def test_all_problems_are_reported_in_one_run_with_their_places(name: str) -> None:
    done = run(name, stdin=WRONG)
    assert done.code == 1
    assert pointed_at(done.err) == [
        (4, 13, "node.example.com"),
        (6, 13, "NO-SUCH-CHAIN"),
        (7, 13, "nonsense"),
    ]
    assert done.err.splitlines()[-1] == "3 errors"


def test_a_place_in_a_very_long_line_is_still_pointed_at() -> None:
    rule = "-A INPUT " + "-m mark --mark 0x1 " * 200 + "-s nowhere -j DROP"
    done = run("check", stdin=UNMARKED.replace("-A INPUT -j DROP", rule), env=environment())
    assert (3, rule.index("nowhere") + 1, "nowhere") in pointed_at(done.err)


def test_not_more_than_fifty_problems_are_written_out() -> None:
    rules = "".join(f"-A INPUT -s host{number} -j DROP\n" for number in range(80))
    done = run("translate", stdin=DUMP.replace("COMMIT\n", f"{rules}COMMIT\n"))
    assert done.code == 1
    assert len(pointed_at(done.err)) == 50
    assert done.err.splitlines()[-2:] == ["... and 30 more", "80 errors"]


def test_check_writes_nothing_to_standard_output_without_json() -> None:
    done = run("check", stdin=DUMP)
    assert (done.code, done.out) == (0, "")
    assert done.err == "exact: nothing is refused, approximated or changed\n"


def test_check_agrees_with_translate_about_what_is_allowed() -> None:
    assert run("check", stdin=APPROXIMATE).code == 1
    assert run("check", "--allow", "T105", stdin=APPROXIMATE).code == 0
    assert run("check", stdin=UNMARKED).code == 1
    assert run("check", "--family", "ip6", stdin=UNMARKED).code == 0


def test_check_lists_changes_that_translate_only_counts() -> None:
    text = DUMP.replace("KUBE-FIREWALL", "1st+chain")
    checked, translated = run("check", stdin=text), run("translate", stdin=text)
    assert (checked.code, translated.code) == (0, 0)
    assert "note[T202]" in checked.err
    assert "note[T202]" not in translated.err
    assert translated.err == "1 note (vpccni-nft check shows them)\n"


def test_check_json_has_stable_keys() -> None:
    done = run("check", "--json", stdin=WRONG)
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out)
    assert report.keys() == {"refused", "diagnostics"}
    assert report["refused"] is True
    first: dict[str, Any] = report["diagnostics"][0]
    assert first == {
        "code": "P004",
        "kind": "error",
        "refuses": True,
        "message": "“node.example.com” is not an address",
        "hint": "names are never looked up: write the address that the kernel holds",
        "file": "<stdin>",
        "line": 4,
        "column": 13,
        "end_column": 29,
    }
    assert all(one.keys() == first.keys() for one in report["diagnostics"])
    assert [one["code"] for one in report["diagnostics"]] == ["P004", "T003", "P005"]


@pytest.mark.parametrize(("text", "code"), [(DUMP, 0), ("", 2), ("what\n", 2)])
def test_check_json_is_json_for_every_input(text: str, code: int) -> None:
    done = run("check", "--json", stdin=text)
    assert (done.code, done.err) == (code, "")
    report = json.loads(done.out)
    assert report["refused"] is (code != 0)
    assert bool(report["diagnostics"]) is (code != 0)


def test_check_json_has_every_problem_however_many() -> None:
    rules = "".join(f"-A INPUT -s host{number} -j DROP\n" for number in range(80))
    done = run("check", "--json", stdin=DUMP.replace("COMMIT\n", f"{rules}COMMIT\n"))
    assert len(json.loads(done.out)["diagnostics"]) == 80


# --- extensions ---------------------------------------------------------------------------------


def test_extensions_json_lists_every_room_with_stable_keys() -> None:
    done = run("extensions", "--json")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert all(row.keys() == {"kind", "name", "what", "nft", "codes"} for row in rows)
    assert {row["name"] for row in rows if row["kind"] == "match"} == MATCHES.keys()
    assert {row["name"] for row in rows if row["kind"] == "target"} == TARGETS.keys()
    assert len(rows) == len(MATCHES) + len(TARGETS)
    assert [row["name"] for row in rows if not row["what"] or not row["nft"]] == []


def test_the_table_of_extensions_has_a_line_for_each() -> None:
    done = run("extensions")
    assert (done.code, done.err) == (0, "")
    starts = {tuple(line.split()[:2]) for line in done.out.splitlines()}
    assert {("match", name) for name in MATCHES} <= starts
    assert {("target", name) for name in TARGETS} <= starts


# --- help ---------------------------------------------------------------------------------------


def examples(name: str) -> list[str]:
    _, found, text = run(name, "--help").out.partition("Examples:\n")
    assert found, f"{name} --help has no examples"
    return [line.strip() for line in text.partition("\n\n")[0].splitlines() if line.strip()]


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_says_what_a_command_does(name: str, flag: str) -> None:
    done = run(*name.split(), flag)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: ")
    assert "--help" in done.out


def test_help_lists_the_commands_and_the_exit_codes() -> None:
    out = run("--help").out
    listed = re.findall(r"^  (\w+)  ", out.partition("Commands:\n")[2], re.MULTILINE)
    assert set(COMMANDS) <= set(listed)
    codes = re.findall(r"^ +(\d+) +\w", out.partition("Exit codes:\n")[2], re.MULTILINE)
    assert list(map(int, codes)) == list(ExitCode)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_work_as_they_stand(name: str, tmp_path: Path) -> None:
    """With other programs' names standing for programs that only copy."""
    programs = tmp_path / "programs"
    programs.mkdir()
    stubs = {
        "iptables-save": f"cat {tmp_path}/node.save",
        "nft": "cat",
        "jq": "cat",
        "vpccni-nft": f'exec {shlex.join(command())} "$@"',
    }
    for program, line in stubs.items():
        stub = programs / program
        stub.write_text(f"#!/bin/sh\n{line}\n")
        stub.chmod(0o755)
    for file, text in {
        "node.ipset": "",
        "node.save": NODE,
        "node.v4.save": DUMP,
        "node.v6.save": DUMP6,
    }.items():
        (tmp_path / file).write_text(text)
    found = examples(name)
    assert len(found) >= 2
    for line in found:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=120,
            env=environment(PATH=f"{programs}:{os.environ['PATH']}"),
        )
        assert done.returncode == 0, (line, done.stderr.decode())
        assert f"vpccni-nft {name}" in line


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").out == f"vpccni-nft, version {vpccni_nft.__version__}\n"


# --- terminals and pipes ------------------------------------------------------------------------


def on_a_terminal(*arguments: str, stdin: str) -> bytes:
    """What a command writes to its standard error where that is a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env=environment(TERM="xterm"),
    ) as process:
        os.close(slave)
        assert process.stdin
        process.stdin.write(stdin.encode())
        process.stdin.close()
        seen = b""
        while chunk := _read_terminal(master):
            seen += chunk
    os.close(master)
    return seen.replace(b"\r\n", b"\n")


def _read_terminal(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize("name", ["translate", "check"])
def test_diagnostics_have_colour_on_a_terminal_and_nowhere_else(name: str) -> None:
    plain = run(name, stdin=WRONG).err.encode()
    coloured = on_a_terminal(name, stdin=WRONG)
    assert b"\x1b" not in plain
    assert b"\x1b[31m" in coloured
    assert _ESCAPE.sub(b"", coloured) == plain


def test_a_long_input_shows_a_sign_of_life_on_a_terminal_only() -> None:
    rules = "-A INPUT -s 10.0.0.0/8 -j DROP\n" * 6000
    text = DUMP.replace("COMMIT\n", f"{rules}COMMIT\n")
    assert b"translating 6,0" in on_a_terminal("translate", stdin=text)
    assert run("translate", stdin=text).err == ""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("translate", DUMP.replace("COMMIT\n", "-A INPUT -j ACCEPT\n" * 20000 + "COMMIT\n")),
        ("check --json", DUMP.replace("COMMIT\n", "-A INPUT -s x\n" * 2000 + "COMMIT\n")),
        ("check 2>&1", DUMP.replace("COMMIT\n", "-A INPUT -s x\n" * 2000 + "COMMIT\n")),
        ("extensions", ""),
        ("extensions --json", ""),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_a_reader_that_stops_early_is_no_error(line: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "node.save"
    file.write_text(text)
    errors = tmp_path / "errors"
    done = subprocess.run(
        ["bash", "-c", f"{{ {shlex.join(command())} {line} < {file}; }} 2> {errors} | head -1"],
        capture_output=True,
        check=False,
        timeout=120,
        env=environment(),
    )
    assert len(done.stdout.splitlines()) == 1
    assert errors.read_text() == ""
