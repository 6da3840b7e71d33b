"""What becomes of the repeats of a form: one text, with their values in its places.

Two rules of the form with values of our own are lowered aside, the usual way, and so is the first
repeat. Where each becomes one rule, with nothing else needed or said, and their texts differ in
nothing but these values, all others become the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..text.nft_script import Written, rule_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..iptables.ast import Rule
    from ..text.forms import Repeat, RepeatedForm
    from .rule import RuleLowering

#: The first numbers of the values of our own.
_FIRST, _SECOND = 10, 60

#: What writes a rule, from its values.
_Writer = Callable[..., str]


class NodesNeeded(Exception):  # noqa: N818 - no error: the usual way is taken
    """What is to be done looks into rules of which the text alone is known."""


class RepeatLowering:
    """Writes the repeats of one table; ``aside`` lowers rules that are in no chain.

    What is said of a rule, and what it needs, comes from what the rules of a table share.
    """

    def __init__(self, aside: RuleLowering) -> None:
        self._aside = aside
        self._writers: dict[tuple[RepeatedForm, frozenset[str]], _Writer | None] = {}
        self._kept: list[Rule] = []  # what is known of nodes is known by their ids

    def written(self, repeat: Repeat, hooks: frozenset[str]) -> Written | None:
        """The rule as it stands below these built-in chains; None where it has to be lowered."""
        form, values, _, callee = repeat
        try:
            write = self._writers[form, hooks]
        except KeyError:
            write = self._writers[form, hooks] = self._learn(repeat, hooks)
        return write and tuple.__new__(Written, (write(*values), callee))

    def rule(self, repeat: Repeat) -> Rule:
        """The rule with its nodes, which stay where they are."""
        self._kept.append(rule := repeat.rule)
        return rule

    def _learn(self, repeat: Repeat, hooks: frozenset[str]) -> _Writer | None:
        marks, form = repeat.form.marks(_FIRST), repeat.form
        tried = (marks, form.marks(_SECOND), repeat.values)
        texts = [self._text(repeat._replace(values=values), hooks) for values in tried]
        if None in texts:
            return None
        write = _writer(str(texts[0]), marks)
        return write if texts == [write(*values) for values in tried] else None

    def _text(self, repeat: Repeat, hooks: frozenset[str]) -> str | None:
        rules, rest = self._aside.lower(self.rule(repeat), hooks, "aside", sees_templates=False)
        alone = len(rules) == 1 and not rest and not self._aside.used_shared
        return rule_text(rules[0]) if alone else None


def _writer(text: str, marks: Sequence[str]) -> _Writer:
    """What writes such a text, with other values in place of these marks."""
    places = {mark: f"{{{place}}}" for place, mark in enumerate(marks)}
    pattern = "|".join(map(re.escape, marks))
    escaped = text.replace("{", "{{").replace("}", "}}")
    return re.sub(pattern, lambda found: places[found[0]], escaped).format
