"""No byte of a dump becomes syntax of nft: the kernel holds what the dump says, and no more."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given

import vpccni_nft
from vpccni_nft.nft import names

from ..support.as_json import as_json
from ..support.hostile import (
    EVIL,
    NEVER_GIVEN,
    PLACES,
    Objects,
    Place,
    fewer,
    hostile,
    inventory,
    loaded,
    translate,
)
from ..support.namespaces import Namespace


@pytest.mark.kernel
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_hostile_strings_make_nothing_but_what_the_dump_says(
    place: Place, namespace: Namespace
) -> None:
    @fewer()
    @given(place.strings())
    @example(place.evil())
    @example(place.evil(sorted(names.KEYWORDS)))
    def every(texts: list[str]) -> None:
        held = inventory(loaded(translate(place.make(texts)), namespace))
        assert held["tables"] == [("ip", "vpccni-filter")]
        assert len(set(held["chains"])) == 3 + place.chains * len(texts)
        assert len(set(held["sets"])) == place.sets * len(texts)
        assert len(set(held["counters"])) == place.counters * len(texts)
        assert held["rules"].total() == place.rules * len(texts)

    assert len(place.evil()) > 10
    every()


#: A dump with ``*nat`` and no chains is odd, but clear.
OUR_TABLES = {("ip", f"vpccni-{table}") for table in ("filter", "mangle", "nat", "raw", "security")}


@pytest.mark.kernel
@pytest.mark.parametrize("name", NEVER_GIVEN)
def test_a_hostile_string_that_is_never_given_to_nft_makes_nothing_either(
    name: str, namespace: Namespace
) -> None:
    seen: set[str] = set()

    @given(hostile(60))
    def every(text: str) -> None:
        translation = translate(NEVER_GIVEN[name](text))
        if translation.refused or translation.script() in seen:
            return
        held = inventory(loaded(translation, namespace))
        assert set(held["tables"]) <= OUR_TABLES
        assert held["rules"].total() == 1
        seen.add(translation.script())

    for text in EVIL:
        every = example(text)(every)
    every()


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_hostile_strings_stay_between_quotes_or_are_respelt(place: Place) -> None:
    """The same without a kernel: what is not quoted has no character that could hurt."""

    @given(place.strings())
    @example(place.evil())
    def every(texts: list[str]) -> None:
        check_characters(translate(place.make(texts)))

    every()


@pytest.mark.parametrize("name", NEVER_GIVEN)
def test_a_hostile_string_that_is_never_given_to_nft_is_not_in_the_script(name: str) -> None:
    @given(hostile(60))
    def every(text: str) -> None:
        translation = translate(NEVER_GIVEN[name](text))
        if not translation.refused:
            check_characters(translation)

    for text in EVIL:
        every = example(text)(every)
    every()


def check_characters(translation: vpccni_nft.Translation) -> None:
    header, *lines = translation.script().splitlines()
    assert header == f"# Written by vpccni-nft {vpccni_nft.__version__}."
    for line in lines:
        assert line.replace("\t", "").isprintable()
        bare = re.sub('"[^"]*"', "", line)
        assert re.fullmatch(r"[\w\t ./:;,=!@&<>{}-]*", bare, re.ASCII), ascii(line)
    assert json.loads(as_json(translation) or "{}") is not None


# --- the strings themselves ---------------------------------------------------------------------


def rules_of(objects: Objects) -> list[dict[str, Any]]:
    return [entry["rule"] for entry in objects if "rule" in entry]


def shown_interface(text: str) -> str:
    """How nft lists the name: a star at its end is escaped, a wildcard is a star."""
    if text.endswith("+"):
        return f"{text[:-1]}*"
    if text.endswith("*"):
        return f"{text[:-1]}\\*"
    return text


@pytest.mark.kernel
def test_an_interface_keeps_its_name_or_is_refused(namespace: Namespace) -> None:
    place = next(place for place in PLACES if place.name == "interface")

    @fewer()
    @given(place.strings())
    @example(place.evil())
    def every(texts: list[str]) -> None:
        found = rules_of(loaded(translate(place.make(texts)), namespace))
        for text, rule in zip(texts, found, strict=True):
            tests = [step["match"]["right"] for step in rule["expr"] if "match" in step]
            assert tests == ([] if text == "+" else [shown_interface(text)])

    every()


@pytest.mark.kernel
def test_a_log_prefix_reaches_the_kernel_as_it_was_or_needs_to_be_allowed(
    namespace: Namespace,
) -> None:
    place = next(place for place in PLACES if place.name == "log prefix")

    @fewer()
    @given(place.strings())
    @example(place.evil())
    def every(texts: list[str]) -> None:
        found = rules_of(loaded(translate(place.make(texts)), namespace))
        for text, rule in zip(texts, found, strict=True):
            (prefix,) = (step["log"]["prefix"] for step in rule["expr"] if "log" in step)
            is_exact = not vpccni_nft.translate(place.make([text])).refused
            assert (prefix == text) is is_exact

    every()


@pytest.mark.kernel
def test_a_comment_reaches_the_kernel_as_it_was_or_with_a_note(namespace: Namespace) -> None:
    place = PLACES[0]

    @fewer()
    @given(place.strings())
    @example(place.evil())
    def every(texts: list[str]) -> None:
        translation = translate(place.make(texts))
        lines = {found.span.line for found in translation.diagnostics if found.span}
        found = rules_of(loaded(translation, namespace))
        for number, (text, rule) in enumerate(zip(texts, found, strict=True), start=6):
            assert (rule.get("comment", "") == text) is (number not in lines)

    every()
