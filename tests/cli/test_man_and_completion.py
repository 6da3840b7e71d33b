"""Pages for man, and what shells complete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import click
import pytest

from vpccni_nft.cli.commands import cli
from vpccni_nft.cli.man import pages
from vpccni_nft.core.diagnostics import APPROXIMATIONS, CATALOGUE
from vpccni_nft.node.partition import OWNER_NAMES

from ..support.command import environment, run

PAGES = pages()


def shown(name: str) -> str:
    """A page as man shows it; a warning of its program fails the test."""
    program = shutil.which("groff")
    assert program, "groff, which man needs, is not installed"
    done = subprocess.run(
        [program, "-man", "-ww", "-Tutf8", "-P-cbou"],
        input=PAGES[name].encode(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_every_command_of_the_help_has_a_page() -> None:
    helped = run("--help").out.partition("Commands:")[2]
    listed = set(re.findall(r"^  (\w+)  ", helped, re.MULTILINE))
    assert {f"vpccni-nft-{name}.1" for name in listed} <= PAGES.keys()
    assert {"vpccni-nft.1", "vpccni-nft-migrate-plan.1", "vpccni-nft-switch-gate.1"} <= PAGES.keys()
    assert "vpccni-nft-migrate-watch.1" not in PAGES  # it is hidden


def test_a_page_says_what_the_help_says() -> None:
    page = shown("vpccni-nft-translate.1")
    text = " ".join(page.split())
    helped = run("translate", "--help").out
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", helped, re.MULTILINE)
    assert len(options) > 10
    assert {option for option in options if option not in text} == set()
    assert "iptables-save | vpccni-nft translate | nft -f -" in page
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS"):
        assert f"\n{title}\n" in page
    assert "refused; with --owner or --verify also: something would differ" in text


def test_lists_keep_their_lines() -> None:
    page = shown("vpccni-nft-explain.1")
    assert re.search(
        r"^ +ctstate +new, established, related, invalid, untracked$", page, re.MULTILINE
    )


def test_no_page_has_a_request_that_groff_does_not_know() -> None:
    whole = "".join(PAGES.values())
    assert set(re.findall(r"^[.'](\w+)", whole, re.MULTILINE)) <= {
        "TH", "SH", "PP", "TP", "nf", "fi",
    }  # fmt: skip


# --- completion -----------------------------------------------------------------------------------


def completed(*words: str) -> list[str]:
    """What click tells bash, each with its kind."""
    variables = {
        "_VPCCNI_NFT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("vpccni-nft", *words)),
        "COMP_CWORD": str(len(words)),
    }
    return run(env=environment(**variables)).out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("tra",), ["plain,translate"]),
        (("translate", "--owner", "vpc-"), ["plain,vpc-cni"]),
        (("migrate", "plan", "DIR", "--force-owner", ""), [f"plain,{one}" for one in OWNER_NAMES]),
        (("migrate", "plan", "DIR", "--owner", "al"), ["plain,all"]),
        (("check", "--allow", "T"), [f"plain,{one}" for one in sorted(APPROXIMATIONS)]),
        (("code", "t1"), [f"plain,{one}" for one in CATALOGUE if one.name.startswith("T1")]),
        (("verify", "--accept", "kube"), ["plain,kube-proxy-modes", "file,kube"]),
        (("check", "no"), ["file,no"]),
        (("fleet", "du"), ["dir,du"]),
        (("check", "--output-format", "s"), ["plain,sarif"]),
    ],
)
def test_a_shell_completes(words: tuple[str, ...], expected: list[str]) -> None:
    assert completed(*words) == expected


def test_every_option_that_names_a_file_is_completed() -> None:
    def all_params(command: click.Command) -> list[click.Parameter]:
        below = command.commands.values() if isinstance(command, click.Group) else ()
        return [*command.params, *(param for one in below for param in all_params(one))]

    context = click.Context(cli, **cli.context_settings)
    left = {
        (param.name, param.metavar)
        for param in all_params(cli)
        if re.search("FILE|DIR|NODE", param.metavar or "")
        and not param.shell_complete(context, "x")
    }
    assert not left


@pytest.mark.parametrize("name", ["", "check"])
def test_help_is_the_same_once_its_page_is_made(name: str) -> None:
    assert run(*name.split(), "-h") == run(*name.split(), "--help")
    page = "-".join(["vpccni-nft", *name.split()])
    assert r"\fB\-h, \-\-help\fR" in PAGES[f"{page}.1"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_calls_the_command(shell: str) -> None:
    env = environment(_VPCCNI_NFT_COMPLETE=f"{shell}_source", PATH=os.environ["PATH"])
    script = run(env=env).out
    assert f"_VPCCNI_NFT_COMPLETE={shell}_complete" in script
    assert "vpccni-nft" in script
