"""Mutants: mistakes that a translation could make, each put into a right one on purpose.

A mistake is made wherever it can be, as a translator would make it. Each says by its name what is
wrong then; a mutant that changes nothing in a ruleset does not apply to it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from vpccni_nft import nft

from ..profiles import SCALE, share
from . import conditions, control, effects, incumbent  # noqa: F401 - they add their mutants
from .base import MUTANTS, Mutant, texts

texts("several ports are written as a range", r"\{ (\d+), (?:[^{}]*, )?(\d+) \}", r"\1-\2")
texts("a sign for “is not” is not written", r" != ", " ")
texts("the star of a wildcard is not written", r'\*"', '"')
texts("prefixes are not written", r"((?:ip|ip6) [sd]addr (?:!= )?[0-9a-f.:]+)/\d+", r"\1")
texts("masks of marks are not written", r"mark & 0x[0-9a-f]+ ==", "mark")
texts("a port that follows an address is not written", r"(dnat to [0-9.]+):\d+", r"\1")
texts("every hexadecimal digit after the first is lost", r"0x([0-9a-f])[0-9a-f]*", r"0x\1")


def sampled(shares: range) -> list[Mutant]:
    """The mutants of some eighths of all; by name, so that one that is new moves no other."""
    return [mutant for mutant in MUTANTS if zlib.crc32(mutant.name.encode()) % 8 in shares]


#: Every mutant goes through the model, usually a third through the proof and an eighth through the
#: kernel; nightly all.
REFUSED = {"a packet is counted after the verdict, so not at all"}  #: by the kernel
REPLAYED = [one for one in (MUTANTS if SCALE > 1 else sampled(range(1))) if one.name not in REFUSED]
PROVED = share(MUTANTS, 3)


def applicable(ruleset: nft.Ruleset) -> Iterator[tuple[Mutant, nft.Ruleset]]:
    """The mutants that change something, and what comes of each."""
    for mutant in MUTANTS:
        changed = mutant.apply(ruleset)
        if changed is not None:
            yield mutant, changed


__all__ = ["MUTANTS", "PROVED", "REPLAYED", "Mutant", "applicable", "sampled"]
