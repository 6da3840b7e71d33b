"""Proofs: that two sides mean the same, or a packet that shows that they do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import vpccni_nft
from vpccni_nft import Family, iptables, nft
from vpccni_nft import strategies as own
from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.model.hook import run_hook
from vpccni_nft.model.packet import FIELDS, width
from vpccni_nft.proof.answers import Different, Equivalent, Unknown
from vpccni_nft.proof.counterexample import Counterexample
from vpccni_nft.proof.side import Side
from vpccni_nft.proof.terms import Terms
from vpccni_nft.proof.verify import ProofSettings
from vpccni_nft.proof.verify import verify as prove
from vpccni_nft.simulate.packet_text import parse_packet
from vpccni_nft.simulate.sample import chains_of, run

from ..support.agreement import Sides
from ..support.command import run as command
from ..support.corpus import FOLDER, NODES, READABLE, TRANSLATED, allowances, ipsets_of, name_of
from ..support.dumps import DUMP
from ..support.incumbent import CASES, LISTINGS, NODE, Case
from ..support.mutants import PROVED, Mutant
from ..support.profiles import FEW, NIGHTLY, share
from ..support.specimens import CALLED, SPECIMENS, Specimen
from ..support.terms import InCase, outcome_of

#: What every approximation that the models share is taken for.
EXACT = frozenset(APPROXIMATIONS.values())

Answer = Equivalent | Different | Unknown


# --- the corpus ---------------------------------------------------------------------------------


def codes_of(answer: Answer) -> set[str]:
    """The codes of an answer that is none."""
    return {one.code.name for one in answer.reasons} if isinstance(answer, Unknown) else set()


def check_translation(path: Path, *, optimize: bool) -> None:
    """Nothing taken for exact: equivalent, or not known for the very codes that must be allowed."""
    dump, sets = path.read_text(), ipsets_of(path)
    needed = allowances(dump)
    translation = vpccni_nft.translate(dump, allow=needed, ipset_save=sets, optimize=optimize)
    script = nft.parse(translation.script())
    answer = prove(Side((translation.dump,)), Side((script,)), ProofSettings())
    approximated = set(needed) - ({"T103"} if sets else set())
    if approximated:
        assert codes_of(answer) == {"V002"}
        assert isinstance(answer, Unknown)
        assert {one.hint.split()[-1] for one in answer.reasons} == approximated
    else:
        assert isinstance(answer, Equivalent)


@pytest.mark.parametrize("path", share(TRANSLATED, 5), ids=name_of)
def test_a_dump_means_what_its_translation_means(path: Path) -> None:
    check_translation(path, optimize=False)


#: Two whole nodes, and what the CNI of each release writes.
OPTIMIZED = [
    path
    for path in NODES
    if path.parent.name == "vpccni"
    or path.stem in {"eks-1.28-ipv6-cluster-ip6tables", "eks-1.29-cni-1.18-imds-block"}
]


@pytest.mark.parametrize("path", share(OPTIMIZED, 5), ids=name_of)
def test_what_the_optimizer_makes_of_a_dump_means_the_same(path: Path) -> None:
    check_translation(path, optimize=True)


@pytest.mark.parametrize(
    "name", ["eks-1.29-cni-1.18-calico-nft", "eks-1.28-ipv6-cluster-ip6tables"]
)
def test_a_node_is_proved_where_its_approximations_are_allowed(name: str) -> None:
    path = FOLDER / "node" / f"{name}.save"
    dump, sets = path.read_text(), ipsets_of(path)
    needed = allowances(dump)
    script = vpccni_nft.translate(dump, allow=needed, ipset_save=sets).script()
    answer = vpccni_nft.verify(dump, script, ipset_save=sets, allow=needed)
    assert isinstance(answer, Equivalent)
    assumed = [one for one in answer.assumptions if one.startswith("T")]
    assert {one.partition(":")[0] for one in assumed} <= set(needed)
    assert assumed


#: Usually a third of those whose translation is not proved.
BY_ITSELF = [path for path in share(READABLE, 3) if NIGHTLY or path not in share(TRANSLATED, 5)]


@pytest.mark.parametrize("path", BY_ITSELF, ids=name_of)
def test_a_dump_means_what_it_means_itself(path: Path) -> None:
    dump, sets = path.read_text(), ipsets_of(path)
    one, other = (vpccni_nft.parse(dump, ipset_save=sets) for _ in "ab")
    answer = prove(Side((one,)), Side((other,)), ProofSettings())
    assert isinstance(answer, Equivalent)


# --- mistakes -----------------------------------------------------------------------------------


def small_first() -> list[Specimen]:
    return sorted(SPECIMENS, key=lambda one: (one is not CALLED, one.dump.count("\n-A ")))


@pytest.mark.parametrize("mutant", PROVED, ids=str)
def test_a_mutant_is_shown_to_differ(mutant: Mutant) -> None:
    settings = ProofSettings(seconds=10, first=True, counters=True, allow=EXACT)
    for specimen in small_first():
        mutated = mutant.apply(specimen.after)
        if mutated is None:
            continue
        sides = Side((specimen.before,)), Side((mutated,))
        answer = prove(*sides, settings)
        if isinstance(answer, Different):
            for found in answer.counterexamples:
                assert_replays(found, *sides)
            return
    pytest.fail("the mutant survives: no ruleset shows it")


def assert_replays(found: Counterexample, before: Side, after: Side) -> None:
    """The packet does what the answer says, in both interpreters."""
    packet = found.plain.packet
    assert found.differences
    outcomes = [run(tuple(side.chains(packet.family)), packet) for side in (before, after)]
    assert outcomes == [found.before.outcome, found.after.outcome]
    if found.in_text:
        told = parse_packet(found.plain.text, packet.family).packet
        told_outcomes = [run(tuple(side.chains(packet.family)), told) for side in (before, after)]
        assert told_outcomes[0] != told_outcomes[1]


# --- found in the wild --------------------------------------------------------------------------

LEGACY = (FOLDER / "vpccni" / "v1.23-legacy-default.save").read_text()
_NATIVE = (FOLDER / "native" / "v1.23-nft-default.nft").read_text()

#: The rules that version 1.23 of the CNI writes natively, in a table of their own.
NATIVE = _NATIVE[_NATIVE.index("table ip aws-cni") :]

#: The dump without those that it replaced.
REST = "".join(
    line
    for line in LEGACY.splitlines(keepends=True)
    if "AWS, outbound connections" not in line
    and not ("-A PREROUTING" in line and '"AWS, CONNMARK"' in line)
)

_FIB = "\t\tfib daddr type local return\n"
_RESTORE = "\t\tcounter packets 0 bytes 0 meta mark set ct mark & 0x00000080\n"
_CALL = "\t\tcounter packets 0 bytes 0 jump restore\n"
_HELPER = """\
table ip aws-cni {
	chain restore {
		ct mark & 0x80 == 0x80 meta mark set meta mark | 0x80
		ct mark & 0x80 == 0x0 meta mark set meta mark & 0xffffff7f
	}
"""

#: The restore that writes no other bits.
MASKED = NATIVE.replace(_RESTORE, _CALL).replace("table ip aws-cni {\n", _HELPER)


def packets(answer: Answer) -> list[dict[str, str]]:
    """The packets of an answer, by key."""
    assert isinstance(answer, Different), answer
    texts = (found.plain.text for found in answer.counterexamples)
    return [dict(word.split("=", 1) for word in text.split()) for text in texts]


def is_wiped(packet: dict[str, str]) -> bool:
    """Whether a bit of the mark is lost that is not the CNI's (amazon-vpc-cni-k8s, issue 3872)."""
    return packet["hook"] == "prerouting" and bool(int(packet.get("mark", "0"), 0) & ~0x80)


def is_to_the_node(packet: dict[str, str]) -> bool:
    """Whether it is for the node itself: then its mark is not made that of the connection."""
    return packet.get("fib-daddr") == "local"


def test_the_native_table_of_the_cni_wipes_marks_and_leaves_out_packets_to_the_node() -> None:
    assert len({LEGACY, REST}) == 2
    found = packets(vpccni_nft.verify(LEGACY, [REST, NATIVE], per_hook=True))
    assert {is_to_the_node(one) for one in found} == {True, False}
    assert all(is_wiped(one) for one in found if not is_to_the_node(one))


def test_with_two_rules_for_the_bit_only_packets_to_the_node_differ() -> None:
    for found in packets(vpccni_nft.verify(LEGACY, [REST, MASKED], per_hook=True)):
        assert is_to_the_node(found)
        assert not is_wiped(found)


def test_without_the_rule_for_the_node_only_the_wiped_mark_differs() -> None:
    answer = vpccni_nft.verify(LEGACY, [REST, NATIVE.replace(_FIB, "")], per_hook=True)
    assert all(map(is_wiped, packets(answer)))
    assert isinstance(answer, Different)
    assert not answer.reasons


def test_with_both_mended_the_native_table_means_what_the_rules_meant() -> None:
    answer = vpccni_nft.verify(LEGACY, [REST, MASKED.replace(_FIB, "")], per_hook=True)
    assert isinstance(answer, Equivalent)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistranslation_of_iptables_restore_translate_is_shown(case: Case) -> None:
    answer = vpccni_nft.verify(case.dump, case.listing, allow=APPROXIMATIONS)
    assert isinstance(answer, Different)
    if case.packet:
        packet = parse_packet(case.packet).packet
        sides = (vpccni_nft.parse(case.dump), nft.parse(case.listing))
        one, other = (run(chains_of(side, Family.IP), packet) for side in sides)
        assert one != other


def test_what_iptables_restore_translate_makes_of_the_rules_of_the_cni_is_shown() -> None:
    """Each of its restores wipes the other bits of the mark, and nothing else is wrong."""
    listing = (LISTINGS / f"{NODE.stem}.nft").read_text()
    answer = vpccni_nft.verify(NODE.read_text(), listing, per_hook=True)
    assert isinstance(answer, Different)
    assert all(found.differences.keys() == {"mark"} for found in answer.counterexamples)
    wrong = {
        step.number
        for found in answer.counterexamples
        for step in found.after.steps
        if step.kind == "rule" and step.does_something
    }
    assert wrong


# --- sides of any kind --------------------------------------------------------------------------

OTHER = DUMP.replace("-s 10.0.0.0/8", "-s 10.0.0.0/9")


@attrs.frozen
class Forms:
    """A ruleset as a dump and as nft has it."""

    dump: str

    @property
    def script(self) -> str:
        return vpccni_nft.translate(self.dump).script()


@pytest.mark.parametrize("before", ["dump", "script"])
@pytest.mark.parametrize("after", ["dump", "script"])
def test_a_side_can_be_a_dump_or_a_script(before: str, after: str) -> None:
    one, other = getattr(Forms(DUMP), before), getattr(Forms(OTHER), after)
    assert isinstance(vpccni_nft.verify(one, getattr(Forms(DUMP), after)), Equivalent)
    found = packets(vpccni_nft.verify(one, other))
    assert [one["path"] for one in found] == ["input"]
    assert found[0]["saddr"] == "10.128.0.10"


def test_a_table_can_move_from_the_dump_to_nft_alone() -> None:
    filters, raw = DUMP, "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.0.0/8 -j DROP\nCOMMIT\n"
    moved = vpccni_nft.translate(raw).script()
    assert isinstance(vpccni_nft.verify(filters + raw, [filters, moved]), Equivalent)
    (found,) = packets(vpccni_nft.verify(filters + raw, filters))
    assert found == {"path": "output", "daddr": "10.0.0.10"}


def test_rules_that_meet_no_packet_make_no_difference() -> None:
    unused = DUMP.replace(":KUBE-FIREWALL", ":UNUSED - [0:0]\n:KUBE-FIREWALL").replace(
        "COMMIT", "-A UNUSED -j DROP\nCOMMIT"
    )
    assert isinstance(vpccni_nft.verify(DUMP, unused), Equivalent)


def test_bits_that_are_shifted_by_nothing_are_compared_as_they_are() -> None:
    shifted, other = (
        DUMP.replace("COMMIT", f'-A INPUT -m u32 --u32 "{test}" -j DROP\nCOMMIT')
        for test in ("0x8>>0x0&0xff<<0x0=0x1", "0x8>>0x0&0xff<<0x0=0x2")
    )
    assert isinstance(vpccni_nft.verify(shifted, other), Different)


def test_counting_rules_differ_only_where_counters_are_compared() -> None:
    counting = DUMP.replace("COMMIT", "-A INPUT -s 10.9.0.0/16\nCOMMIT")
    assert isinstance(vpccni_nft.verify(DUMP, counting), Equivalent)
    assert isinstance(vpccni_nft.verify(DUMP, counting, counters=True), Different)


def test_only_one_side_that_tracks_connections_is_not_known() -> None:
    tracking = DUMP.replace("COMMIT", "-A OUTPUT -m conntrack --ctstate NEW\nCOMMIT")
    assert codes_of(vpccni_nft.verify(DUMP, tracking)) == {"V004"}


def test_a_rule_that_the_model_does_not_know_is_not_known() -> None:
    base = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter;\n"
    odd, usual = (f"{base}\t\t{rule} drop\n\t}}\n}}\n" for rule in ("@ih,0,8 5", "ip ttl 5"))
    assert codes_of(vpccni_nft.verify(odd, usual)) == {"V003"}


# --- the model over terms and over numbers ------------------------------------------------------


@given(own.rulesets(most_tables=2), st.integers(0, 2**16))
@FEW
def test_the_terms_of_a_hook_say_what_the_interpreter_does(
    ruleset: iptables.Ruleset, seed: int
) -> None:
    sides = Sides.of(iptables.save(ruleset))
    assume(sides is not None)
    assert sides is not None
    for family in sides.families:
        for chains in (chains_of(sides.before, family), chains_of(sides.after, family)):
            terms, states = Terms(), {}
            fields = {name: terms.variable(name, width(name, family)) for name in FIELDS}
            for packet in sides.packets(family, 10, seed):
                hook = packet.hook
                if hook not in states:
                    states[hook] = run_hook(terms, family, hook, chains, fields)
                assert outcome_of(states[hook], InCase(packet)) == run(chains, packet)


@given(own.rulesets(most_tables=1))
@FEW
def test_a_drawn_ruleset_means_what_its_translation_means(ruleset: iptables.Ruleset) -> None:
    sides = Sides.of(iptables.save(ruleset))
    assume(sides is not None)
    assert sides is not None
    answer = prove(
        Side((sides.before,)), Side((sides.after,)), ProofSettings(seconds=5, allow=EXACT)
    )
    assert isinstance(answer, Equivalent) or codes_of(answer) <= {"V001", "V003"}


# --- the command --------------------------------------------------------------------------------

KEYS = [
    "answer",
    "hooks",
    "assumptions",
    "packets",
    "classes",
    "reasons",
    "status",
    "accepted",
    "paths",
]
PACKET_KEYS = [
    "family",
    "hook",
    "on_path",
    "packet",
    "fields",
    "answers",
    "differences",
    "kernel",
    "before",
    "after",
]

#: A rule that nft has no exact form of.
RECENT = DUMP.replace(
    "COMMIT",
    "-A INPUT -m recent --rcheck --name x --mask 255.255.255.255 --rsource -j DROP\nCOMMIT",
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, dump in {"node": DUMP, "other": OTHER, "recent": RECENT}.items():
        (tmp_path / f"{name}.save").write_text(dump)
        script = vpccni_nft.translate(dump, allow=["T101"]).script()
        (tmp_path / f"{name}.nft").write_text(script)
    (tmp_path / "broken.nft").write_text("table ip {\n")
    return tmp_path


def both(folder: Path, before: str, after: str) -> list[str]:
    return ["--before", str(folder / before), "--after", str(folder / after)]


@pytest.mark.parametrize(
    ("before", "after", "code", "word"),
    [
        ("node.save", "node.nft", 0, "equivalent: every packet"),
        ("node.save", "other.nft", 1, "packet: path=input saddr=10.128.0.10"),
        ("recent.save", "recent.nft", 3, "unknown[V002]"),
    ],
    ids=["equivalent", "different", "unknown"],
)
def test_verify_exits_with_its_answer(
    files: Path, before: str, after: str, code: int, word: str
) -> None:
    done = command("verify", *both(files, before, after))
    assert (done.code, done.err) == (code, "")
    assert word in done.out


def test_an_approximation_can_be_allowed(files: Path) -> None:
    done = command("verify", *both(files, "recent.save", "recent.nft"), "--allow", "T101")
    assert done.code == 0
    assert "assumed: T101: a recent list becomes a dynamic set" in done.out


def test_what_differs_is_shown_with_both_files_and_the_lines_of_the_rules(files: Path) -> None:
    done = command("verify", *both(files, "node.save", "other.nft"))
    for file in ("node.save", "other.nft"):
        assert f"\n{files / file}:\n" in done.out
    assert "  verdict: accept / drop" in done.out
    assert "7 -A INPUT -s 10.0.0.0/8 -p tcp -j ACCEPT" in done.out


def test_verify_as_json_has_the_same_keys_whatever_the_answer(files: Path) -> None:
    answers = {}
    for before, after in (("node", "node"), ("node", "other"), ("recent", "recent")):
        done = command("verify", *both(files, f"{before}.save", f"{after}.nft"), "--json")
        found = json.loads(done.out)
        assert list(found) == KEYS
        answers[found["answer"]] = found
    assert answers.keys() == {"equivalent", "different", "unknown"}
    assert "ip input" in answers["equivalent"]["hooks"]
    (packet,) = answers["different"]["packets"]
    assert list(packet) == PACKET_KEYS
    assert packet["differences"] == {"verdict": ["accept", "drop"]}
    (reason,) = answers["unknown"]["reasons"]
    assert (reason["code"], reason["kind"]) == ("V002", "unknown")


def test_the_packet_that_is_shown_can_be_explained(files: Path) -> None:
    done = command("verify", *both(files, "node.save", "other.nft"), "--json")
    text = json.loads(done.out)["packets"][0]["packet"]
    shown = command("explain", str(files / "node.save"), str(files / "other.nft"), "--packet", text)
    assert shown.code == 1


def test_no_more_packets_are_shown_than_asked_for(files: Path) -> None:
    many = DUMP.replace("COMMIT", "-A OUTPUT -j DROP\n-A FORWARD -s 10.9.0.0/16 -j ACCEPT\nCOMMIT")
    (files / "many.save").write_text(many)
    all_of_them = command("verify", *both(files, "node.save", "many.save"), "--json")
    assert len(json.loads(all_of_them.out)["packets"]) == 2
    one = command("verify", *both(files, "node.save", "many.save"), "--most", "1", "--json")
    assert len(json.loads(one.out)["packets"]) == 1


def test_hardly_any_time_gives_an_answer_or_none_but_never_a_wrong_one(files: Path) -> None:
    done = command("verify", *both(files, "node.save", "other.nft"), "--seconds", "0.001")
    assert done.code == 1 or (done.code == 3 and "V001" in done.out)


def test_verify_reads_standard_input_once(files: Path) -> None:
    done = command("verify", "--before", "-", "--after", str(files / "node.nft"), stdin=DUMP)
    assert done.code == 0
    twice = command("verify", "--before", "-", "--after", "-", stdin=DUMP)
    assert twice.code == 2
    assert "only one of the files can be standard input" in twice.err


@pytest.mark.parametrize("file", ["missing.nft", "broken.nft"])
def test_a_file_that_cannot_be_read_is_named(files: Path, file: str) -> None:
    done = command("verify", *both(files, "node.save", file))
    assert (done.code, done.out) == (2, "")
    assert str(files / file) in done.err


@pytest.mark.parametrize("arguments", [("--after", "x"), ("--before", "x")])
def test_verify_needs_both_sides(arguments: tuple[str, str]) -> None:
    assert command("verify", *arguments).code == 2


def without_z3(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys; sys.modules['z3'] = None;"
        "from vpccni_nft.cli.commands import cli; cli(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(vpccni_nft.__file__).parent.parent)},
    )


def test_without_the_solver_verify_says_how_to_get_it(files: Path) -> None:
    done = without_z3("verify", *both(files, "node.save", "node.nft"))
    assert done.returncode == 2
    assert "pip install 'vpccni-nft[verify]'" in done.stderr
    assert without_z3("translate", str(files / "node.save")).returncode == 0


# --- translate --verify -------------------------------------------------------------------------


def test_a_translation_that_is_proved_is_written(files: Path) -> None:
    done = command("translate", "--verify", str(files / "node.save"))
    assert done.code == 0
    assert done.out == (files / "node.nft").read_text()
    assert "equivalent: every packet" in done.err


def test_a_translation_that_is_proved_with_what_is_allowed_says_so(files: Path) -> None:
    arguments = ("translate", "--verify", "-O", str(files / "recent.save"), "--allow", "T101")
    done = command(*arguments)
    assert (done.code, bool(done.out)) == (0, True)
    assert "assumed: T101" in done.err


def test_what_is_not_proved_is_not_written(files: Path) -> None:
    """Here for want of the solver."""
    output = files / "new.nft"
    done = without_z3("translate", "--verify", str(files / "node.save"), "-o", str(output))
    assert done.returncode == 2
    assert not output.exists()


def test_a_translation_that_differs_is_not_written(files: Path) -> None:
    output = files / "new.nft"
    program = """
import sys
from vpccni_nft.translation import Translation
right = Translation.script
Translation.script = lambda self, form="nft": right(self, form).replace("10.0.0.0/8", "10.0.0.0/9")
from vpccni_nft.cli.commands import cli
cli(sys.argv[1:])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "translate", "--verify", files / "node.save", "-o", output],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(vpccni_nft.__file__).parent.parent)},
    )
    assert done.returncode == 1, done.stderr
    assert "packet: hook=input saddr=10.128.0.10" in done.stderr
    assert not output.exists()


def test_objects_that_name_what_is_not_there_are_refused_as_a_text_is() -> None:
    set_ = nft.expressions.SetReference("nowhere")
    match = nft.statements.Match(nft.expressions.Payload("ip", "saddr"), "==", set_)
    chain = nft.Chain("c", (nft.Rule((match,)),), nft.Hook("filter", "input", 0))
    side = Side((nft.Ruleset((nft.Table(Family.IP, "t", (chain,)),)),))
    with pytest.raises(vpccni_nft.Refused) as refused:
        prove(side, side, ProofSettings())
    (found,) = refused.value.diagnostics
    assert (found.code.name, found.message) == ("P018", "the table t has no set nowhere")
