"""A ruleset as it is loaded and as it is understood: dumps, nft scripts, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .. import iptables, nft
from ..core.diagnostics import Refused
from ..core.values import Family
from ..extensions.shared.set_names import Members
from ..lowering.jumps import check_names
from ..simulate.constants import values_in
from ..text.language import Language, by_language, detect_language
from ..text.sources import parse_sources
from .side import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.span import Source


@attrs.frozen
class Contents:
    """All that is on one side."""

    texts: tuple[Text, ...]
    #: The dumps, as one ruleset.
    rules: iptables.Ruleset
    #: The scripts, those that this package's reader of nft understands.
    scripts: tuple[nft.Ruleset, ...]
    ipsets: str = ""  #: what ipset(8) is to restore before the dumps are loaded

    @classmethod
    def of(
        cls,
        sources: Sequence[Source],
        family: Family | None = None,
        ipset_save: Source | None = None,
    ) -> Contents:
        """Read sources. Raises Refused where a dump cannot be read.

        Without the output of ``ipset save``, sets that rules name are there, and empty.
        """
        dumps, _ = by_language(sources)
        # A blank text is a script: nft takes it, and loads nothing.
        dumps = [one for one in dumps if detect_language(one) is not Language.BLANK]
        ruleset, diagnostics = parse_sources(dumps, family, ipset_save)
        diagnostics += check_names(ruleset)
        if any(found.refuses for found in diagnostics):
            raise Refused(diagnostics)
        texts = [*_texts_of_dumps(dumps, ruleset)]
        scripts = []
        for source in sources:
            if source not in dumps:
                texts.append(Text(source.content, None, source.name))
                scripts += _read_script(source)
        ipsets = ipset_save.content if ipset_save else "".join(_empty_sets(ruleset))
        return cls(tuple(texts), ruleset, tuple(scripts), ipsets if dumps else "")

    @property
    def of_nft(self) -> bool:
        """Whether there is a script among them."""
        return any(text.family is None for text in self.texts)


def _texts_of_dumps(dumps: Sequence[Source], ruleset: iptables.Ruleset) -> Iterable[Text]:
    """The dumps as they stand, or as they are understood: of both families, in pieces, listed."""
    families = {table.family for table in ruleset.tables}
    whole = len(dumps) == len(families) == 1
    if whole and detect_language(dumps[0]) is Language.IPTABLES_SAVE:
        (family,) = families
        yield Text(dumps[0].content, family, dumps[0].name)
        return
    for family in families:
        tables = tuple(table for table in ruleset.tables if table.family is family)
        names = " and ".join(dump.name for dump in dumps)
        yield Text(iptables.save(iptables.Ruleset(tables)), family, names)


def _empty_sets(ruleset: iptables.Ruleset) -> Iterator[str]:
    """A line for ipset(8) for each set that rules name."""
    seen: set[str] = set()
    for table in ruleset.tables:
        family = "inet" if table.family is Family.IP else "inet6"
        for value in values_in(table):
            if isinstance(value, Members) and value.name not in seen:
                seen.add(value.name)
                yield f"create {value.name} hash:net family {family}\n"


def _read_script(source: Source) -> list[nft.Ruleset]:
    try:
        return [nft.parse(source.content)]
    except Refused:
        # It can be loaded and compared all the same; only its constants are not known.
        return []
