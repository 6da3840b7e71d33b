"""Move one owner's rules to nftables and leave the rest to iptables.

Both parts together are proved to do what the whole did, or the move is refused with a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from .. import iptables, nft
from ..core.diagnostics import MOVE_DIFFERS, MOVE_UNPROVED, ORDER_TAKEN, Diagnostic, Refused
from ..core.span import Source
from ..lowering import TranslateOptions
from ..lowering.ruleset import lower
from ..model.packet import NoMeaning
from ..optimizer import optimize as optimized
from ..proof.answers import Different, Equivalent, Unknown
from ..proof.order import GIVEN_ORDER
from ..proof.side import Side
from ..proof.verify import ProofSettings, verify
from ..simulate.packet_text import KEY_OF
from ..simulate.report import value_text
from ..simulate.trace import parts, trace
from ..text.sources import parse_sources
from ..translation import Translation, in_order
from .native import native, uncascaded
from .owners import VPC_CNI
from .partition import UNKNOWN_PARTS, take
from .priorities import Occupied, placed, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from ..core.values import Family
    from ..proof.answers import Answer
    from ..proof.counterexample import Counterexample
    from .priorities import BaseChainName

Layout = Literal["mirror", "native"]


@attrs.frozen
class Move(Translation):
    """One owner's part as nft objects, what stays, and the proof. ``dump`` is that part alone."""

    #: What stays with iptables.
    rest: iptables.Ruleset = attrs.field(factory=iptables.Ruleset, kw_only=True, repr=False)
    #: What the proof says; None where there was nothing to prove.
    answer: Answer | None = attrs.field(default=None, kw_only=True)


def move(  # noqa: PLR0913 - one for each option
    text: str | bytes,
    owner: str,
    *,
    layout: Layout = "mirror",
    beside: Sequence[str | bytes] = (),
    name: str = "<string>",
    family: Family | None = None,
    allow: Collection[str] = (),
    counters: Literal["keep", "zero", "none"] = "keep",
    ipset_save: str | bytes | None = None,
    seconds: float = 60,
) -> Move:
    r"""Translate one owner's rules, and prove that they do the same beside the others'.

    ``beside`` are nft rulesets that are on the node before and after, such as what ``nft list table
    ip kube-proxy`` prints. ``layout`` is ``mirror`` or, for the CNI, its own form: ``native``. The
    other options are those of ``translate`` and ``verify``. Problems are in the result, whose
    ``ruleset`` and ``script()`` raise Refused. Raises ValueError where an option is something else,
    Refused where ``beside`` cannot be read, and ImportError without z3-solver.

    >>> dump = "*nat\n:POSTROUTING ACCEPT [0:0]\n:AWS-SNAT-CHAIN-0 - [0:0]\n" + (
    ...     '-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0\n'
    ...     '-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN\n'
    ...     "COMMIT\n")
    >>> print(move(dump, "vpc-cni", layout="native").script().expandtabs(4))  # doctest: +ELLIPSIS
    # Written by vpccni-nft ...
    add table ip aws-cni
    delete table ip aws-cni
    table ip aws-cni {
        chain nat-postrouting {
            type nat hook postrouting priority 110; policy accept;
            counter jump snat-source comment "AWS SNAT CHAIN"
        }
        chain snat-source {
            ip daddr 10.0.0.0/16 counter return comment "AWS SNAT CHAIN"
        }
    }
    <BLANKLINE>
    """
    if layout not in {"mirror", "native"}:
        raise ValueError(f"{layout} is not one of mirror, native")
    options = TranslateOptions.of(
        counters=counters, allow=allow, family=family, ipset_save=ipset_save
    )
    tables = [nft.parse(one, f"<beside {number}>") for number, one in enumerate(beside, 1)]
    moving = OwnerExtraction(owner, layout, tuple(tables), options, seconds)
    return moving.of((Source.of(text, name),))


@attrs.frozen
class OwnerExtraction:
    """What is to be moved, and how."""

    owner: str
    layout: Layout = "mirror"
    beside: tuple[nft.Ruleset, ...] = ()  #: what is on the node before and after
    options: TranslateOptions = attrs.Factory(TranslateOptions)
    seconds: float = 60  #: for each question to the solver
    progress: Callable[[str], None] = lambda _: None

    def __attrs_post_init__(self) -> None:
        if self.layout == "native" and self.owner != VPC_CNI:
            raise ValueError(f"the native layout is for {VPC_CNI} only")
        if self.layout == "native" and self.options.optimize:
            raise ValueError("the native layout has the rules that the CNI knows, not optimized")

    def of(self, sources: Sequence[Source]) -> Move:
        """Move the owner's rules of one node, from one text or several."""
        sets = self.options.ipset_save
        whole, found = parse_sources(sources, self.options.family, sets)
        reported = [one for one in found if one.code not in UNKNOWN_PARTS]
        every = (*sources, sets) if sets else tuple(sources)
        taken, rest, lowered, ruleset, answer = whole, whole, None, nft.Ruleset(), None
        try:
            if not any(one.refuses for one in reported):
                taken, rest = take(whole, self.owner)
                lowered, more = self._lowered(taken)
                reported += more
                if not any(one.refuses for one in reported):
                    ruleset, answer = self._proved(whole, taken, rest, lowered)
                    reported += self._of_answer(answer, taken)
                    reported += self._of_order(whole, rest, ruleset, answer)
        except Refused as refused:
            reported += refused.diagnostics
        faithful = lowered if self.options.optimize else None
        return Move(
            tuple(in_order(reported, every)), taken, ruleset, faithful, rest=rest, answer=answer
        )

    def _lowered(self, taken: iptables.Ruleset) -> tuple[nft.Ruleset, tuple[Diagnostic, ...]]:
        return lower(uncascaded(taken) if self.layout == "native" else taken, self.options)

    def _proved(
        self,
        whole: iptables.Ruleset,
        taken: iptables.Ruleset,
        rest: iptables.Ruleset,
        lowered: nft.Ruleset,
    ) -> tuple[nft.Ruleset, Answer]:
        """The parts with their base chains where they are not wrong, and what the proof says."""
        known: list[Counterexample] = []

        def attempt(sides: dict[BaseChainName, int]) -> tuple[nft.Ruleset, Answer]:
            ruleset = self._laid_out(lowered, sides)
            before, after = self._sides(whole, rest, ruleset)
            # What differs in one order of base chains often does in another one, and to send a
            # packet is a thousandth of a proof.
            if again := [one for one in known if _differs_again(one, before, after)]:
                return ruleset, Different(tuple(again))
            answer = self._verify(before, after)
            if isinstance(answer, Different):
                known.extend(answer.counterexamples)
            return ruleset, answer

        return search(whole, taken, attempt)

    def _laid_out(self, lowered: nft.Ruleset, sides: dict[BaseChainName, int]) -> nft.Ruleset:
        ruleset = placed(lowered, sides, Occupied.by(*self.beside))
        if self.layout == "native":
            return native(ruleset, self.beside)
        return optimized(ruleset) if self.options.optimize else ruleset

    def _sides(
        self, whole: iptables.Ruleset, rest: iptables.Ruleset, ruleset: nft.Ruleset
    ) -> tuple[Side, Side]:
        """The node before and after; the script is read again for that."""
        script = nft.parse(nft.serialize(ruleset), "the script")
        beside = (_without(one, script) for one in self.beside)
        return Side((*self.beside, whole)), Side((*beside, rest, script))

    def _verify(self, before: Side, after: Side) -> Answer:
        """Whether the parts do what the whole did."""
        settings = ProofSettings(
            seconds=self.seconds, most=1, first=True, order=GIVEN_ORDER, allow=self.options.allow
        )
        return verify(before, after, settings, self.progress)

    def _of_answer(self, answer: Answer, taken: iptables.Ruleset) -> Iterator[Diagnostic]:
        match answer:
            case Different(found):
                yield from (_differs(one, self.owner, taken) for one in found)
            case Unknown(reasons):
                yield Diagnostic(MOVE_UNPROVED, "no difference was found, and no proof either")
                yield from reasons

    def _of_order(
        self,
        whole: iptables.Ruleset,
        rest: iptables.Ruleset,
        ruleset: nft.Ruleset,
        answer: Answer,
    ) -> Iterator[Diagnostic]:
        """What ran first before, of iptables' chains and others of their priority, is unknown."""
        if not self.beside or not isinstance(answer, Equivalent):
            return
        before, after = self._sides(whole, rest, ruleset)
        *beside, script = after.rulesets
        other = self._verify(Side(before.rulesets[::-1]), Side((*reversed(beside), script)))
        if isinstance(other, Different):
            yield Diagnostic(
                ORDER_TAKEN,
                "before, base chains that stand at a priority of iptables' are assumed to have"
                " run before it; otherwise it differs for the packet"
                f" {other.counterexamples[0].plain.text}",
                hint="it is the order that the CNI gives to its own table",
            )


def search(
    whole: iptables.Ruleset,
    taken: iptables.Ruleset,
    attempt: Callable[[dict[BaseChainName, int]], tuple[nft.Ruleset, Answer]],
) -> tuple[nft.Ruleset, Answer]:
    """The first order of base chains that is not wrong; where all are, the first one.

    ``attempt`` takes the side of each base chain, and gives the ruleset and what a proof says of
    it. The hooks are tried independently: what is wrong at one says nothing of another one.
    """
    choices = turns(whole, taken)
    chosen = dict.fromkeys(choices, 0)
    first: tuple[nft.Ruleset, Answer] | None = None
    while True:
        sides = {place: side for hook in choices
                 for place, side in choices[hook][chosen[hook]].items()}  # fmt: skip
        ruleset, answer = attempt(sides)
        first = first or (ruleset, answer)
        if not isinstance(answer, Different):
            return ruleset, answer
        for hook in {(one.family, one.hook) for one in answer.counterexamples}:
            if hook not in choices or chosen[hook] + 1 == len(choices[hook]):
                return first
            chosen[hook] += 1


def _differs_again(found: Counterexample, before: Side, after: Side) -> bool:
    """Whether a packet that has been treated differently is so by other sides, too."""
    try:
        outcomes = [trace(side.rulesets, found.plain.packet).outcome for side in (before, after)]
    except NoMeaning:
        return False
    return bool(parts(*outcomes, counts=False))


def _without(ruleset: nft.Ruleset, script: nft.Ruleset) -> nft.Ruleset:
    """What is left where a script replaces its own tables."""
    replaced = {(table.family, table.name) for table in script.tables}
    tables = (one for one in ruleset.tables if (one.family, one.name) not in replaced)
    return attrs.evolve(ruleset, tables=tuple(tables))


def _differs(found: Counterexample, owner: str, taken: iptables.Ruleset) -> Diagnostic:
    own = {id(rule) for table in taken.tables for chain in table.chains for rule in chain.rules}
    spans = [rule.span for rule in found.culprits
             if isinstance(rule, iptables.Rule) and id(rule) in own]  # fmt: skip
    changes = "; ".join(
        f"{KEY_OF.get(name, name)} {value_text(name, one, found.family)} becomes"
        f" {value_text(name, other, found.family)}"
        for name, (one, other) in found.differences.items()
    )
    return Diagnostic(
        MOVE_DIFFERS,
        f"the rules of {owner} do not behave the same in base chains of their own:"
        f" for the packet {found.plain.text} {changes}",
        spans[0] if spans else None,
        "leave these rules to iptables, or move the others with them: translate without --owner",
    )
