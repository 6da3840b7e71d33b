"""One packet through one ruleset or two: what each rule does, and where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .. import iptables, nft
from ..core.diagnostics import APPROXIMATIONS, NO_NFT_FORM, TOO_DEEP, Diagnostic, Refused
from ..core.span import Source
from ..core.values import Family
from ..lowering import TranslateOptions
from ..model.packet import interface_word
from ..nft.unread import unread_rules
from ..text.language import detect_language
from ..text.sources import parse_sources
from ..translation import translate_ruleset, translate_sources
from .other_names import OWN_NAMES
from .packet_text import parse_packet
from .trace import parts, trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.diagnostics import Code
    from ..nft.unread import At
    from .other_names import OtherNames
    from .packet_text import PacketText
    from .sample import Packet
    from .trace import Trace

#: A text, or its objects.
Given = Source | iptables.Ruleset | nft.Ruleset

#: Why a dump that is understood has no translation.
_NO_TRANSLATION = frozenset({NO_NFT_FORM, TOO_DEEP})


@attrs.frozen
class NamedSide:
    """The rulesets that are on a node together, and what they are called."""

    name: str
    rulesets: tuple[iptables.Ruleset | nft.Ruleset, ...]
    by_table: bool = False  #: whether each set of nft is its table's
    other_names: Mapping[Family, OtherNames] = attrs.Factory(dict)  #: as a side of a proof has them

    @property
    def language(self) -> str:
        """The languages that they are written in."""
        are_dumps = (isinstance(one, iptables.Ruleset) for one in self.rulesets)
        return ", ".join(dict.fromkeys("iptables" if one else "nft" for one in are_dumps))

    def trace(self, packet: Packet) -> Trace:
        """The way of a packet through all of them."""
        names = self.other_names.get(packet.family, OWN_NAMES)
        return trace(self.rulesets, packet, by_table=self.by_table, other_names=names)


@attrs.frozen
class Explanation:
    """A packet's way through each ruleset."""

    read: PacketText
    sides: tuple[NamedSide, ...]
    traces: tuple[Trace, ...]  #: of each side
    differences: dict[str, tuple[object, object]]  #: by what differs; empty where both agree
    approximations: tuple[Code, ...] = ()  #: that the translation, which is one of the sides, takes
    not_read: tuple[str, ...] = ()  #: of rules that are not read, whether the packet comes to them
    #: The rules for which a dump has no translation, and so stands alone.
    untranslated: tuple[Diagnostic, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON, as ``explain --json`` prints it (``docs/schemas/explain.json``)."""
        from .as_dict import dict_of_explanation

        return dict_of_explanation(self)


def explain(
    sources: Sequence[Given],
    packet: str,
    family: Family | None = None,
    ipset_save: Source | None = None,
) -> Explanation:
    """Walk a packet through one text or its objects and their translation, or through two of them.

    ``ipset_save`` is what ipset save printed, for dumps whose rules name sets.

    A text that is an nft ruleset stands alone, and so does a dump with a rule that nft cannot
    express. Raises Refused where a text cannot be read, BadPacketText where the packet cannot, and
    NoMeaning where it comes to a rule that the model knows nothing of.
    """
    sides, approximations, untranslated = _sides(sources, family, ipset_save)
    # A file beside its own translation: both count the same packets.
    found = explain_sides(sides, packet, family, counts=len(sources) == 1)
    return attrs.evolve(found, approximations=approximations, untranslated=untranslated)


def explain_sides(
    sides: Sequence[NamedSide], packet: str, family: Family | None = None, *, counts: bool = False
) -> Explanation:
    """Walk a packet through one side or two; with ``counts`` they differ where counters do.

    Raises BadPacketText and NoMeaning.
    """
    read = parse_packet(packet, family or _family_of(sides[0]))
    traces = tuple(side.trace(read.packet) for side in sides)
    differing = parts(traces[0].outcome, traces[-1].outcome, counts=counts)
    not_read = dict.fromkeys(line for side in sides for line in _not_read(side, read.packet))
    return Explanation(read, tuple(sides), traces, differing, not_read=tuple(not_read))


def _not_read(side: NamedSide, packet: Packet) -> Iterator[str]:
    """What is said of rules that are not read."""
    for ruleset in side.rulesets:
        for found in unread_rules(ruleset) if isinstance(ruleset, nft.Ruleset) else ():
            if any(_may_come(at, packet) for at in found.where):
                yield f"{found.name}: {found.effect}"
            else:
                yield f"{found.name}: this packet does not come to it"


def _may_come(at: At, packet: Packet) -> bool:
    """Whether a packet may come to rules that are called for some devices, or on a bridge."""
    field = {"come in": "iif", "leave": "oif"}.get(at.way)
    device = packet.fields[field] if field else 0
    # Where it leaves is not known before it is routed; what is made here came in nowhere.
    if field == "iif" and not device:
        return False
    return not (device and at.devices) or device in map(interface_word, at.devices)


def _sides(
    sources: Sequence[Given], family: Family | None, ipset_save: Source | None
) -> tuple[tuple[NamedSide, ...], tuple[Code, ...], tuple[Diagnostic, ...]]:
    """What is shown, the approximations of a translation, and why there is none."""
    first = sources[0]
    is_nft = isinstance(first, nft.Ruleset) or (
        isinstance(first, Source) and detect_language(first).is_nft
    )
    if len(sources) > 1 or is_nft:
        return tuple(_side(source, family, ipset_save) for source in sources), (), ()
    allow = frozenset(APPROXIMATIONS.values())
    options = TranslateOptions(allow=allow, family=family, ipset_save=ipset_save)
    if isinstance(first, iptables.Ruleset):
        translation, name = translate_ruleset(first, options), "the ruleset"
    else:
        assert isinstance(first, Source)
        translation, name = translate_sources((first,), options, nodes=True), first.name
    if refusing := tuple(one for one in translation.diagnostics if one.refuses):
        if {one.code for one in refusing} - _NO_TRANSLATION:
            raise Refused(translation.diagnostics)
        return (NamedSide(name, (translation.dump,)),), (), refusing
    again = translation.read_back("the translation")
    sides = (
        NamedSide(name, (translation.dump,)),
        NamedSide(f"the translation of {name}", (again,)),
    )
    return sides, tuple(sorted(translation.allowed, key=str)), ()


def _side(source: Given, family: Family | None, ipset_save: Source | None) -> NamedSide:
    if not isinstance(source, Source):
        return NamedSide("the ruleset", (source,))
    if detect_language(source).is_nft:
        return NamedSide(source.name, (nft.parse(source.content, source.name),))
    dump, diagnostics = parse_sources((source,), family, ipset_save)
    if refusing := [found for found in diagnostics if found.refuses]:
        raise Refused(refusing)
    return NamedSide(source.name, (dump,))


def _family_of(side: NamedSide) -> Family:
    """IPv4 where there is a table of it."""
    tables = (table for ruleset in side.rulesets for table in ruleset.tables)
    families = [family for table in tables for family in table.families]
    return Family.IP if Family.IP in families or not families else families[0]
