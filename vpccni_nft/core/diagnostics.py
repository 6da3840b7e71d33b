"""Problems that are found in the input, and the one catalogue of their codes.

A code's first letter tells where it comes from: P parsing, T translating, O optimizing,
V verifying, M moving a node.
``docs/codes`` has a page for each code; a test holds that catalogue and pages agree.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .span import Span


class Kind(enum.Enum):
    """What a code means for the translation."""

    ERROR = "error"  #: refused, whatever the caller says
    APPROXIMATION = "approximation"  #: refused unless the caller allows this code
    NOTE = "note"  #: never refused; the packets see no difference
    UNKNOWN = "unknown"  #: a reason why a proof has no answer


@attrs.frozen
class Code:
    """One entry of the catalogue."""

    name: str  #: such as ``T101``
    kind: Kind
    title: str

    def __str__(self) -> str:
        return self.name


NOT_A_DUMP = Code("P001", Kind.ERROR, "the input is not the output of iptables-save")
SYNTAX = Code("P002", Kind.ERROR, "the line cannot be read")
BAD_VALUE = Code("P003", Kind.ERROR, "an option has a value that it cannot have")
HOST_NAME = Code("P004", Kind.ERROR, "a host name stands where an address belongs")
UNKNOWN_MATCH = Code("P005", Kind.ERROR, "the match is not known")
UNKNOWN_TARGET = Code("P006", Kind.ERROR, "the target is not known")
UNKNOWN_OPTION = Code("P007", Kind.ERROR, "the option is not known")
BAD_OPTION = Code("P008", Kind.ERROR, "options are missing, doubled, or do not go together")
INCOMPLETE_DUMP = Code("P009", Kind.ERROR, "the dump was incomplete when it was written")
CUT_SHORT = Code("P010", Kind.ERROR, "the dump is cut short")
BAD_STRUCTURE = Code("P011", Kind.ERROR, "the lines of the dump contradict each other")
FAMILY_UNKNOWN = Code("P012", Kind.ERROR, "nothing tells IPv4 from IPv6")
FAMILY_MIXED = Code("P013", Kind.ERROR, "IPv4 and IPv6 are mixed in one table")
LEGACY_TABLES = Code("P014", Kind.NOTE, "the node also has iptables-legacy tables")
TAKEN_FOR_FILTER = Code("P015", Kind.NOTE, "a listing is taken for the filter table")
NFT_SYNTAX = Code("P016", Kind.ERROR, "the nft ruleset cannot be read")
IPSET_SYNTAX = Code("P017", Kind.ERROR, "the output of ipset save cannot be read")

NO_NFT_FORM = Code("T001", Kind.ERROR, "nftables cannot say this")
BAD_PLACE = Code("T002", Kind.ERROR, "the kernel does not take this rule in this place")
MISSING_CHAIN = Code("T003", Kind.ERROR, "the rule jumps to a chain that the table does not have")
CHAIN_LOOP = Code("T004", Kind.ERROR, "chains jump in a circle")
TOO_DEEP = Code("T005", Kind.ERROR, "jumps are nested deeper than nftables allows")
UNKNOWN_TABLE = Code("T006", Kind.ERROR, "the table is not one of iptables' own")
MISSING_SET = Code("T007", Kind.ERROR, "the rule names an ipset that is not there")

ELEMENT_COUNTERS = Code("O001", Kind.ERROR, "JSON cannot set the counters of elements")

RECENT_LIST = Code("T101", Kind.APPROXIMATION, "a recent list becomes a dynamic set")
NOT_BRIDGED = Code("T102", Kind.APPROXIMATION, "no packet is taken to cross a bridge")
EMPTY_SET = Code("T103", Kind.APPROXIMATION, "an ipset is declared, but empty")
REVERSE_PATH = Code("T104", Kind.APPROXIMATION, "reverse path checks differ for some sources")
LOG_PREFIX = Code("T105", Kind.APPROXIMATION, "a log prefix has characters nft cannot hold")
IPV6_LOCAL = Code("T106", Kind.APPROXIMATION, "local IPv6 addresses differ at the edges")
NO_QUOTA = Code("T107", Kind.APPROXIMATION, "an nfacct object is taken to have no quota")
RATE_BY_TICKS = Code("T108", Kind.APPROXIMATION, "iptables and nft count a rate differently")
LIMITED_ROOM = Code("T109", Kind.APPROXIMATION, "a set that packets fill can be full")
KERNEL_ZONE = Code("T110", Kind.APPROXIMATION, "the kernel's time zone is taken for UTC")
FINGERPRINT = Code("T111", Kind.APPROXIMATION, "nft takes the first system that fits a packet")
RELATED_SOURCE = Code("T112", Kind.APPROXIMATION, "related connections go by their own source")
WHOLE_PACKETS = Code("T113", Kind.APPROXIMATION, "no fragment is taken to come")
TCP_OPTIONS = Code("T114", Kind.APPROXIMATION, "TCP options are taken to be well-formed")
LASTING_DEVICE = Code("T115", Kind.APPROXIMATION, "an interface is looked up once")
MSS_OPTION = Code("T116", Kind.APPROXIMATION, "every TCP SYN is taken to have an MSS option")

COMMENT_CHANGED = Code("T201", Kind.NOTE, "a comment is shortened or respelt")
NAME_CHANGED = Code("T202", Kind.NOTE, "a name is respelt")
ACCOUNTING_MOVED = Code("T203", Kind.NOTE, "an nfacct object becomes a named counter")
CHAINS_MERGED = Code("T204", Kind.NOTE, "a cascade of chains is flattened")
IPSET_COPIED = Code("T205", Kind.NOTE, "an ipset becomes a set of the table")

NO_TIME = Code("V001", Kind.UNKNOWN, "the proof ran out of time")
APPROXIMATED = Code("V002", Kind.UNKNOWN, "the model approximates a rule")
NO_MEANING = Code("V003", Kind.UNKNOWN, "the model does not know what a rule does")
OTHER_DRAWS = Code("V005", Kind.UNKNOWN, "choices by chance are made in other ways")
ONE_SIDE_TRACKS = Code("V004", Kind.UNKNOWN, "only one side turns connection tracking on")
CNI_IN_SEVERAL = Code("M001", Kind.ERROR, "the CNI's rules are in several back ends")
BACK_ENDS_MIXED = Code("M002", Kind.ERROR, "the CNI uses another back end than kubelet")
PROXY_IN_SEVERAL = Code("M003", Kind.ERROR, "kube-proxy's rules are in several back ends")
KUBELET_IN_SEVERAL = Code("M004", Kind.ERROR, "kubelet's chains are in several back ends")
OTHER_PROGRAM = Code("M005", Kind.ERROR, "a dump is of another program than it is given for")
MISPRINTED = Code("M006", Kind.ERROR, "iptables-nft-save printed rules wrongly")
DUMPS_DISAGREE = Code("M007", Kind.ERROR, "the dump and the nft ruleset show different rules")
TOLD_BY_COUNT = Code("M008", Kind.NOTE, "the back end is told by the number of rules alone")
OTHER_DEFAULT = Code("M009", Kind.NOTE, "the program iptables is of the other back end")
CONNMARK_ELSEWHERE = Code("M010", Kind.NOTE, "the CNI's connmark rules are not in the dump")

OLD_RULES = Code("M101", Kind.NOTE, "the CNI's rules are of several releases or settings")
SHARED_CHAIN = Code("M102", Kind.ERROR, "rules of several owners hang together")
NOTHING_OWNED = Code("M103", Kind.ERROR, "no rule is of the owner that was asked for")
MOVE_DIFFERS = Code("M104", Kind.ERROR, "the owner's rules do something else beside the rest")
MOVE_UNPROVED = Code("M105", Kind.ERROR, "it is not proved that the parts do what the whole did")
NATIVE_TABLE_TAKEN = Code("M106", Kind.ERROR, "the CNI's table has rules of these names already")
ORDER_TAKEN = Code("M107", Kind.NOTE, "the order of base chains of one priority is taken for given")
WRITES_AGAIN = Code("M201", Kind.ERROR, "an owner would write its rules again")
TWO_BACK_ENDS = Code("M202", Kind.ERROR, "rules stand in both back ends")
ALREADY_MOVED = Code("M203", Kind.ERROR, "the node has tables of a migration")
NOT_PROVED = Code("M204", Kind.ERROR, "it is not proved that the node would mean the same")
ACTS_TWICE = Code("M205", Kind.ERROR, "a rule would act twice while it is there twice")
NODE_CHANGED = Code("M206", Kind.ERROR, "the node is not as the plan has it")

#: Every code, in the order of their names.
CATALOGUE: tuple[Code, ...] = tuple(
    sorted((value for value in globals().values() if isinstance(value, Code)), key=str)
)

#: The approximations that a caller may allow, by name.
APPROXIMATIONS: dict[str, Code] = {
    code.name: code for code in CATALOGUE if code.kind is Kind.APPROXIMATION
}


#: The most characters of a message, and of what it quotes: the input may be of any length.
MESSAGE_LENGTH = 400
QUOTE_LENGTH = 100

_LONG_QUOTE = re.compile(rf"(?<=“)([^”]{{{QUOTE_LENGTH}}})[^”]+|(\S{{{QUOTE_LENGTH}}})\S+")


def shortened(text: str) -> str:
    """A text that fits a message."""
    text = _LONG_QUOTE.sub(lambda found: f"{found[1] or found[2]}…", text)
    return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 1]}…"


@attrs.frozen
class Diagnostic:
    """One problem, at its place."""

    code: Code
    #: The reason, as a sentence without a full stop.
    message: str = attrs.field(converter=shortened)
    span: Span | None = attrs.field(default=None, eq=False)  #: None where it is the whole input
    hint: str = ""  #: what the user can do
    allowed: bool = False  #: whether the caller allowed this approximation

    @property
    def refuses(self) -> bool:
        """Whether there can be no translation because of it."""
        return self.code.kind is Kind.ERROR or (
            self.code.kind is Kind.APPROXIMATION and not self.allowed
        )


class Problem(Exception):  # noqa: N818 - not every problem is an error; the code decides
    """Raised where a problem is found; whoever knows the place turns it into a diagnostic."""

    def __init__(
        self, code: Code, message: str, *, span: Span | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint

    def at(self, span: Span | None) -> Diagnostic:
        """The diagnostic, at the problem's own place or else at this one."""
        return Diagnostic(self.code, self.message, self.span or span, self.hint)


class Refused(Exception):  # noqa: N818 - the field's word
    """The input cannot be translated; ``diagnostics`` has every reason."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        from .render import render

        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__("\n".join(render(found) for found in self.diagnostics if found.refuses))
