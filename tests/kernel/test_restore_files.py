"""Files that are written by hand, as the kernel has them after iptables-restore loaded them."""

from __future__ import annotations

import random
import shutil
from collections import Counter

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vpccni_nft import Family, iptables
from vpccni_nft import strategies as own
from vpccni_nft.core.span import Source
from vpccni_nft.text.sources import parse_sources

from ..support.handwriting import Hand
from ..support.namespaces import LoadError, Namespace, cannot_run
from ..support.printed import PRINTED, rules_of
from ..support.profiles import NIGHTLY, SCALE

PROGRAMS = {
    (Family.IP, "legacy"): "iptables-legacy",
    (Family.IP, "nft"): "iptables-nft",
    (Family.IP6, "legacy"): "ip6tables-legacy",
    (Family.IP6, "nft"): "ip6tables-nft",
}

DRAWN = settings(
    derandomize=not NIGHTLY,
    database=None,
    deadline=None,
    max_examples=(60 if NIGHTLY else 40) * SCALE,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)

pytestmark = pytest.mark.kernel


def loaded(namespace: Namespace, program: str, text: str) -> list[str] | None:
    """The rules that the kernel has of a file, None where iptables-restore does not take it."""
    try:
        namespace.run(f"{program}-restore", script=text)
        return rules_of(namespace.run(f"{program}-save"))
    except LoadError as error:
        hypothesis.note(str(error))
        return None


def read(text: str, family: Family) -> list[str] | None:
    """The rules that this program reads, None where it refuses the file."""
    ruleset, problems = parse_sources((Source.of(text),), family)
    if any(problem.refuses for problem in problems):
        hypothesis.note(str(problems))
        return None
    return rules_of(iptables.save(ruleset))


def added(rules: list[str]) -> list[str]:
    return [rule for rule in rules if rule.startswith("-A")]


@pytest.mark.parametrize("back_end", ["legacy", "nft"])
@pytest.mark.parametrize("family", Family)
def test_a_written_file_is_read_as_the_kernel_has_it(
    family: Family, back_end: str, fresh_namespace: Namespace
) -> None:
    program = PROGRAMS[family, back_end]
    if not shutil.which(f"{program}-restore"):
        cannot_run(f"{program}-restore is missing")
    seen: Counter[str] = Counter()

    @given(st.data(), st.randoms())
    @DRAWN
    def check(data: st.DataObject, drawn: random.Random) -> None:
        name = data.draw(st.sampled_from(tuple(own.BUILT_IN)))
        table = data.draw(own.tables(family, name, PRINTED, most_rules=1))
        printed = iptables.save(iptables.Ruleset((table,))).split("\n")
        hand = Hand(drawn)
        chains = [line for line in printed if line.startswith(":") and " - " in line]
        rules = [hand.line(line) for line in printed if line.startswith("-A")]
        text = "\n".join([f"*{name}", *chains, *rules, "COMMIT", ""])
        hypothesis.note(text)
        kernel = loaded(fresh_namespace, program, text)
        loaded(fresh_namespace, program, f"*{name}\nCOMMIT\n")
        if kernel is None:
            seen["refused"] += 1
            return
        seen["accepted"] += 1
        ours = read(text, family)
        assert ours is not None
        assert added(ours) == added(kernel)

    check()
    assert seen["accepted"] > DRAWN.max_examples // 2
