"""JUnit's XML, which CI systems show as tests: https://github.com/testmoapp/junitxml."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from .findings import TITLES, Outcome

if TYPE_CHECKING:
    from .findings import Case, Finding, Findings

#: How a case that has not passed is called: what is not known is no failure, but no success.
_TAGS = {Outcome.FAILED: "failure", Outcome.UNKNOWN: "error"}


def report_of(found: Findings) -> str:
    """One suite, with a test for each thing that was looked at."""
    counts = {
        "tests": len(found.cases),
        "failures": sum(one.outcome is Outcome.FAILED for one in found.cases),
        "errors": sum(one.outcome is Outcome.UNKNOWN for one in found.cases),
    }
    numbers = {name: str(count) for name, count in counts.items()}
    name = f"vpccni-nft {found.command}"
    root = Xml.Element("testsuites", {"name": name, **numbers})
    suite = Xml.SubElement(root, "testsuite", {"name": name, **numbers, "skipped": "0"})
    for case in found.cases:
        _add(suite, case, f"vpccni-nft.{found.command}")
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(suite: Xml.Element, case: Case, group: str) -> None:
    test = Xml.SubElement(suite, "testcase", {"classname": group, "name": case.name})
    lines = "\n".join(_line(one) for one in case.findings)
    if case.outcome is Outcome.PASSED:
        if lines:
            Xml.SubElement(test, "system-out").text = lines
        return
    first = min(case.findings, key=_weight, default=None)
    why = {
        "message": first.message if first else TITLES["undecided"],
        "type": first.rule if first else "undecided",
    }
    if case.outcome is Outcome.FAILED and not first:
        why = {"message": TITLES["different"], "type": "different"}
    Xml.SubElement(test, _TAGS[case.outcome], why).text = lines


def _weight(one: Finding) -> int:
    return ["error", "warning", "note"].index(one.level.value)


def _line(one: Finding) -> str:
    parts = [one.file, one.line, one.column]
    place = ":".join(str(part) for part in parts if part is not None)
    hint = f"\n  {one.hint}" if one.hint else ""
    return f"{f'{place}: ' if place else ''}{one.level.value}[{one.rule}]: {one.message}{hint}"
