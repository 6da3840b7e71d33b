"""One packet through one ruleset or two: what each rule does, and where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.diagnostics import APPROXIMATIONS, NO_NFT_FORM, TOO_DEEP, Diagnostic, Refused
from ..core.values import Family
from ..lowering import TranslateOptions
from ..model.packet import interface_word
from ..nft.unread import unread_rules
from ..text.language import detect_language
from ..text.sources import parse_sources
from ..translation import translate_sources
from .packet_text import parse_packet
from .trace import parts, trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.diagnostics import Code
    from ..core.span import Source
    from ..nft.unread import At
    from .packet_text import PacketText
    from .sample import Packet
    from .trace import Trace


#: Why a dump that is understood has no translation.
_NO_TRANSLATION = frozenset({NO_NFT_FORM, TOO_DEEP})


@attrs.frozen
class NamedRuleset:
    """A ruleset, and what it is called."""

    name: str
    ruleset: iptables.Ruleset | nft.Ruleset

    @property
    def language(self) -> str:
        """The language that it is written in."""
        return "iptables" if isinstance(self.ruleset, iptables.Ruleset) else "nft"


@attrs.frozen
class Explanation:
    """A packet's way through each ruleset."""

    read: PacketText
    sides: tuple[NamedRuleset, ...]
    traces: tuple[Trace, ...]  #: of each side
    differences: dict[str, tuple[object, object]]  #: by what differs; empty where both agree
    approximations: tuple[Code, ...]  #: that the translation, which is one of the sides, takes
    not_read: tuple[str, ...] = ()  #: of rules that are not read, whether the packet comes to them
    #: The rules for which a dump has no translation, and so stands alone.
    untranslated: tuple[Diagnostic, ...] = ()


def explain(
    sources: Sequence[Source],
    packet: str,
    family: Family | None = None,
    ipset_save: Source | None = None,
) -> Explanation:
    """Walk a packet through one text and its translation, or through two texts.

    ``ipset_save`` is what ipset save printed, for dumps whose rules name sets.

    A text that is an nft ruleset stands alone, and so does a dump with a rule that nft cannot
    express. Raises Refused where a text cannot be read, BadPacketText where the packet cannot, and
    NoMeaning where it comes to a rule that the model knows nothing of.
    """
    sides, approximations, untranslated = _sides(sources, family, ipset_save)
    read = parse_packet(packet, family or _family_of(sides[0]))
    traces = tuple(trace((side.ruleset,), read.packet) for side in sides)
    # A file beside its own translation: both count the same packets.
    found = parts(traces[0].outcome, traces[-1].outcome, counts=len(sources) == 1)
    not_read = dict.fromkeys(line for side in sides for line in _not_read(side, read.packet))
    return Explanation(read, sides, traces, found, approximations, tuple(not_read), untranslated)


def _not_read(side: NamedRuleset, packet: Packet) -> Iterator[str]:
    """What is said of rules that are not read."""
    if isinstance(side.ruleset, nft.Ruleset):
        for found in unread_rules(side.ruleset):
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
    sources: Sequence[Source], family: Family | None, ipset_save: Source | None
) -> tuple[tuple[NamedRuleset, ...], tuple[Code, ...], tuple[Diagnostic, ...]]:
    """What is shown, the approximations of a translation, and why there is none."""
    if len(sources) > 1 or detect_language(sources[0]).is_nft:
        return tuple(_side(source, family, ipset_save) for source in sources), (), ()
    allow = frozenset(APPROXIMATIONS.values())
    options = TranslateOptions(allow=allow, family=family, ipset_save=ipset_save)
    translation = translate_sources(sources, options)
    (source,) = sources
    if refusing := tuple(one for one in translation.diagnostics if one.refuses):
        if {one.code for one in refusing} - _NO_TRANSLATION:
            raise Refused(translation.diagnostics)
        return (NamedRuleset(source.name, translation.dump),), (), refusing
    again = nft.parse(translation.script(), "the translation")
    sides = (
        NamedRuleset(source.name, translation.dump),
        NamedRuleset(f"the translation of {source.name}", again),
    )
    return sides, tuple(sorted(translation.allowed, key=str)), ()


def _side(source: Source, family: Family | None, ipset_save: Source | None) -> NamedRuleset:
    if detect_language(source).is_nft:
        return NamedRuleset(source.name, nft.parse(source.content, source.name))
    dump, diagnostics = parse_sources((source,), family, ipset_save)
    if refusing := [found for found in diagnostics if found.refuses]:
        raise Refused(refusing)
    return NamedRuleset(source.name, dump)


def _family_of(side: NamedRuleset) -> Family:
    """IPv4 where there is a table of it."""
    families = [family for table in side.ruleset.tables for family in table.families]
    return Family.IP if Family.IP in families or not families else families[0]
