"""JUnit's XML, which CI systems show as tests: https://github.com/testmoapp/junitxml."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from .findings import TITLES, Standing

if TYPE_CHECKING:
    from .findings import Findings, Remark, Subject

#: How a subject that has not passed is called: what is not known is no failure, but no success.
_TAGS = {Standing.FAILED: "failure", Standing.UNKNOWN: "error"}


def report_of(found: Findings) -> str:
    """One suite, with a test for each thing that was looked at."""
    counts = {
        "tests": len(found.subjects),
        "failures": sum(one.standing is Standing.FAILED for one in found.subjects),
        "errors": sum(one.standing is Standing.UNKNOWN for one in found.subjects),
    }
    numbers = {name: str(count) for name, count in counts.items()}
    name = f"vpccni-nft {found.command}"
    root = Xml.Element("testsuites", {"name": name, **numbers})
    suite = Xml.SubElement(root, "testsuite", {"name": name, **numbers, "skipped": "0"})
    for subject in found.subjects:
        _add(suite, subject, f"vpccni-nft.{found.command}")
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(suite: Xml.Element, subject: Subject, group: str) -> None:
    test = Xml.SubElement(suite, "testcase", {"classname": group, "name": subject.name})
    lines = "\n".join(_line(one) for one in subject.remarks)
    if subject.standing is Standing.PASSED:
        if lines:
            Xml.SubElement(test, "system-out").text = lines
        return
    first = min(subject.remarks, key=_weight, default=None)
    why = {
        "message": first.message if first else TITLES["undecided"],
        "type": first.rule if first else "undecided",
    }
    if subject.standing is Standing.FAILED and not first:
        why = {"message": TITLES["different"], "type": "different"}
    Xml.SubElement(test, _TAGS[subject.standing], why).text = lines


def _weight(one: Remark) -> int:
    return ["error", "warning", "note"].index(one.level.value)


def _line(one: Remark) -> str:
    parts = [one.file, one.line, one.column]
    place = ":".join(str(part) for part in parts if part is not None)
    hint = f"\n  {one.hint}" if one.hint else ""
    return f"{f'{place}: ' if place else ''}{one.level.value}[{one.rule}]: {one.message}{hint}"
