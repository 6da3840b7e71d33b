"""Problems that are found in the input, and the one catalogue of their codes.

A code's first letter says where it comes from: P parsing, T translating, O optimizing,
V verifying, M moving a node. ``docs/codes`` has a page for each code. Tests compare the catalogue
with the pages, and look for a use of each code.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

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
    KNOWN = "known"  #: a difference between programs' own rules, which a caller may accept


@attrs.frozen
class Code:
    """One entry of the catalogue."""

    name: str  #: such as ``T101``
    kind: Kind
    title: str

    def __str__(self) -> str:
        return self.name


#: Every code, in the order of their names. A code is declared here and nowhere else.
CATALOGUE: tuple[Code, ...] = (
    # known differences of kube-proxy's modes, and of the CNI's releases: node/known_differences
    INVALID_FORWARDED := Code("K001", Kind.KNOWN, "INVALID packets are forwarded"),
    UNUSED_PORTS := Code("K002", Kind.KNOWN, "unused ports of ClusterIPs are rejected"),
    UNALLOCATED := Code("K003", Kind.KNOWN, "ClusterIPs that no Service has are dropped"),
    LOCALNET := Code("K004", Kind.KNOWN, "packets to loopback addresses are not kept out"),
    LOOPBACK_NODEPORTS := Code("K005", Kind.KNOWN, "loopback addresses have no NodePorts"),
    NODEPORT_ADDRESSES := Code(
        "K006", Kind.KNOWN, "the node's further addresses have no NodePorts"
    ),
    NODEPORT_IS_LOCAL := Code(
        "K007", Kind.KNOWN, "addresses for NodePorts need not be the node's to the rules"
    ),
    NO_ENDPOINTS := Code("K008", Kind.KNOWN, "Services without endpoints answer on every way"),
    SOURCE_RANGES := Code("K009", Kind.KNOWN, "source ranges of Services are checked before NAT"),
    PORTS_MASQUERADED := Code("K010", Kind.KNOWN, "unused ports of ClusterIPs are masqueraded"),
    HAIRPIN_BY_ADDRESS := Code("K011", Kind.KNOWN, "hairpin connections are found by address"),
    MARKS_OVERWRITTEN := Code("K101", Kind.KNOWN, "the CNI's table overwrites the marks of others"),
    LOCAL_UNMARKED := Code("K102", Kind.KNOWN, "the CNI's table leaves packets to the node alone"),
    # moving a node
    CNI_IN_SEVERAL := Code("M001", Kind.ERROR, "the CNI's rules are in several back ends"),
    BACK_ENDS_MIXED := Code("M002", Kind.ERROR, "the CNI uses another back end than kubelet"),
    PROXY_IN_SEVERAL := Code("M003", Kind.ERROR, "kube-proxy's rules are in several back ends"),
    KUBELET_IN_SEVERAL := Code("M004", Kind.ERROR, "kubelet's chains are in several back ends"),
    OTHER_PROGRAM := Code(
        "M005", Kind.ERROR, "a dump was written by a different program than stated"
    ),
    MISPRINTED := Code("M006", Kind.ERROR, "iptables-nft-save printed rules wrongly"),
    DUMPS_DISAGREE := Code("M007", Kind.ERROR, "the dump and the nft ruleset show different rules"),
    GUESSED_BY_COUNT := Code(
        "M008", Kind.NOTE, "the back end is guessed from the number of rules alone"
    ),
    OTHER_DEFAULT := Code("M009", Kind.NOTE, "the iptables program uses the other back end"),
    CONNMARK_ELSEWHERE := Code("M010", Kind.NOTE, "the CNI's connmark rules are not in the dump"),
    BACK_END_UNKNOWN := Code("M011", Kind.NOTE, "the back end of a dump is unknown"),
    COPY_IS_STALE := Code("M012", Kind.ERROR, "rules that were moved are in iptables again"),
    MARKS_WIPED := Code("M013", Kind.NOTE, "the CNI's own rules clear the marks of others"),
    OLD_RULES := Code("M101", Kind.NOTE, "the CNI's rules come from several releases or settings"),
    SHARED_CHAIN := Code("M102", Kind.ERROR, "rules of several owners depend on each other"),
    NOTHING_OWNED := Code("M103", Kind.ERROR, "no rule belongs to the requested owner"),
    MOVE_DIFFERS := Code(
        "M104", Kind.ERROR, "the owner's rules behave differently beside the rest"
    ),
    MOVE_UNPROVED := Code("M105", Kind.ERROR, "the parts are not proved to do what the whole did"),
    NATIVE_TABLE_TAKEN := Code(
        "M106", Kind.ERROR, "the CNI's table has rules of these names already"
    ),
    ORDER_TAKEN := Code("M107", Kind.NOTE, "the order of base chains of equal priority is assumed"),
    MARKS_SHARED := Code("M108", Kind.NOTE, "two owners write the same bits of a mark"),
    WRITES_AGAIN := Code("M201", Kind.ERROR, "an owner would write its rules again"),
    TWO_BACK_ENDS := Code("M202", Kind.ERROR, "both back ends hold rules"),
    ALREADY_MOVED := Code("M203", Kind.ERROR, "the node has tables of a migration"),
    NOT_PROVED := Code("M204", Kind.ERROR, "the node is not proved to behave the same"),
    ACTS_TWICE := Code("M205", Kind.ERROR, "a rule would act twice while both rulesets are loaded"),
    NODE_CHANGED := Code("M206", Kind.ERROR, "the node no longer matches the plan"),
    OTHER_PROXY_RULES := Code(
        "M301", Kind.ERROR, "kube-proxy's rules are not those of any Services"
    ),
    LEFT_OVER := Code("M302", Kind.ERROR, "rules of what a node has left are still there"),
    OTHER_CNI_RULES := Code("M303", Kind.ERROR, "the CNI does not write its connmark rules so"),
    # optimizing
    ELEMENT_COUNTERS := Code("O001", Kind.ERROR, "JSON cannot set the counters of elements"),
    # parsing
    NOT_A_DUMP := Code("P001", Kind.ERROR, "the input is not the output of iptables-save"),
    SYNTAX := Code("P002", Kind.ERROR, "the line cannot be read"),
    BAD_VALUE := Code("P003", Kind.ERROR, "an option has a value that it cannot have"),
    HOST_NAME := Code("P004", Kind.ERROR, "a host name is given where an address is needed"),
    UNKNOWN_MATCH := Code("P005", Kind.ERROR, "the match is not known"),
    UNKNOWN_TARGET := Code("P006", Kind.ERROR, "the target is not known"),
    UNKNOWN_OPTION := Code("P007", Kind.ERROR, "the option is not known"),
    BAD_OPTION := Code(
        "P008", Kind.ERROR, "options are missing, given twice, or cannot be combined"
    ),
    INCOMPLETE_DUMP := Code("P009", Kind.ERROR, "the dump was incomplete when it was written"),
    CUT_SHORT := Code("P010", Kind.ERROR, "the dump is truncated"),
    BAD_STRUCTURE := Code("P011", Kind.ERROR, "the lines of the dump contradict each other"),
    FAMILY_UNKNOWN := Code("P012", Kind.ERROR, "it is unclear whether a table is IPv4 or IPv6"),
    FAMILY_MIXED := Code("P013", Kind.ERROR, "IPv4 and IPv6 are mixed in one table"),
    LEGACY_TABLES := Code("P014", Kind.NOTE, "the node also has iptables-legacy tables"),
    TAKEN_FOR_FILTER := Code("P015", Kind.NOTE, "a listing is read as the filter table"),
    NFT_SYNTAX := Code("P016", Kind.ERROR, "the nft ruleset cannot be read"),
    IPSET_SYNTAX := Code("P017", Kind.ERROR, "the output of ipset save cannot be read"),
    NFT_MISSING := Code(
        "P018", Kind.ERROR, "the nft ruleset names something that it does not have"
    ),
    NFT_LOOP := Code("P019", Kind.ERROR, "chains of the nft ruleset jump in a circle"),
    POLICY_ASSUMED := Code("P020", Kind.NOTE, "the policy of a built-in chain is taken for ACCEPT"),
    FAMILY_BY_NAME := Code("P021", Kind.NOTE, "the family is taken from the name of the file"),
    BAD_ACCEPTANCE := Code("P022", Kind.ERROR, "a file of accepted differences cannot be read"),
    # translating
    NO_NFT_FORM := Code("T001", Kind.ERROR, "nftables cannot express this"),
    BAD_PLACE := Code("T002", Kind.ERROR, "the kernel does not accept this rule here"),
    MISSING_CHAIN := Code(
        "T003", Kind.ERROR, "the rule jumps to a chain that the table does not have"
    ),
    CHAIN_LOOP := Code("T004", Kind.ERROR, "chains jump in a circle"),
    TOO_DEEP := Code("T005", Kind.ERROR, "jumps are nested deeper than nftables allows"),
    UNKNOWN_TABLE := Code("T006", Kind.ERROR, "the table is not one of iptables' own"),
    MISSING_SET := Code("T007", Kind.ERROR, "the rule names an ipset that is not in the input"),
    RECENT_LIST := Code("T101", Kind.APPROXIMATION, "a recent list becomes a dynamic set"),
    NOT_BRIDGED := Code("T102", Kind.APPROXIMATION, "packets are assumed not to cross a bridge"),
    EMPTY_SET := Code("T103", Kind.APPROXIMATION, "an ipset is declared, but empty"),
    REVERSE_PATH := Code("T104", Kind.APPROXIMATION, "reverse path checks differ for some sources"),
    LOG_PREFIX := Code("T105", Kind.APPROXIMATION, "a log prefix has characters nft cannot hold"),
    IPV6_LOCAL := Code("T106", Kind.APPROXIMATION, "local IPv6 addresses differ at the edges"),
    NO_QUOTA := Code("T107", Kind.APPROXIMATION, "an nfacct object is assumed to have no quota"),
    RATE_BY_TICKS := Code("T108", Kind.APPROXIMATION, "iptables and nft count a rate differently"),
    LIMITED_ROOM := Code("T109", Kind.APPROXIMATION, "a set that packets fill can be full"),
    KERNEL_ZONE := Code("T110", Kind.APPROXIMATION, "the kernel's time zone is assumed to be UTC"),
    FINGERPRINT := Code(
        "T111", Kind.APPROXIMATION, "nft takes the first system that matches a packet"
    ),
    RELATED_SOURCE := Code(
        "T112", Kind.APPROXIMATION, "related connections are hashed by their own source"
    ),
    WHOLE_PACKETS := Code("T113", Kind.APPROXIMATION, "packets are assumed not to be fragments"),
    TCP_OPTIONS := Code("T114", Kind.APPROXIMATION, "TCP options are assumed to be well-formed"),
    LASTING_DEVICE := Code("T115", Kind.APPROXIMATION, "an interface is looked up once"),
    MSS_OPTION := Code(
        "T116", Kind.APPROXIMATION, "every TCP SYN is assumed to have an MSS option"
    ),
    ERRORS_OF_UNTRACKED := Code(
        "T117", Kind.APPROXIMATION, "the node sends no ICMP error about an untracked packet"
    ),
    KERNEL_SOCKETS := Code(
        "T118", Kind.APPROXIMATION, "the kernel's own sockets are taken for none"
    ),
    LATE_CHECKSUM := Code("T119", Kind.APPROXIMATION, "a checksum is left to the device"),
    RECENT_RATE := Code("T120", Kind.APPROXIMATION, "a count of recent becomes a rate"),
    COMMENT_CHANGED := Code("T201", Kind.NOTE, "a comment is shortened or respelt"),
    NAME_CHANGED := Code("T202", Kind.NOTE, "a name is respelt"),
    ACCOUNTING_MOVED := Code("T203", Kind.NOTE, "an nfacct object becomes a named counter"),
    CHAINS_MERGED := Code("T204", Kind.NOTE, "a cascade of chains is flattened"),
    IPSET_COPIED := Code("T205", Kind.NOTE, "an ipset becomes a set of the table"),
    # verifying
    NO_TIME := Code("V001", Kind.UNKNOWN, "the proof ran out of time"),
    APPROXIMATED := Code("V002", Kind.UNKNOWN, "the model approximates a rule"),
    NO_MEANING := Code("V003", Kind.UNKNOWN, "the model does not know what a rule does"),
    ONE_SIDE_TRACKS := Code("V004", Kind.UNKNOWN, "only one side turns connection tracking on"),
    OTHER_DRAWS := Code(
        "V005", Kind.UNKNOWN, "the two sides make random choices in different ways"
    ),
    SAME_TABLE := Code("V006", Kind.UNKNOWN, "a table of iptables and one of nft may be one table"),
    SEARCH_INCOMPLETE := Code("V007", Kind.UNKNOWN, "not every difference was searched for"),
    CONTRADICTED := Code(
        "V008", Kind.UNKNOWN, "the interpreter does not show what the proof found"
    ),
    TIMED_OUT := Code("V009", Kind.UNKNOWN, "the whole proof ran out of time"),
    NO_ROOM := Code("V010", Kind.UNKNOWN, "the proof grew too large"),
    ORDER_MATTERS := Code(
        "V011", Kind.UNKNOWN, "the order of base chains decides, and is not known"
    ),
    TOO_MANY_ORDERS := Code("V012", Kind.UNKNOWN, "base chains may run in too many orders"),
    SHARED_NAME := Code("V013", Kind.UNKNOWN, "one name stands for several sets or counters"),
    UNREAD_RULES := Code("V014", Kind.UNKNOWN, "packets may go through rules that are not read"),
)  # fmt: skip

#: Codes of a text that is no ruleset at all, or none that nft loads.
UNREADABLE_CODES = frozenset({NOT_A_DUMP, NFT_SYNTAX, NFT_MISSING, NFT_LOOP})

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

    @property
    def kind(self) -> Kind:
        """What its code means for a translation."""
        return self.code.kind

    @property
    def file(self) -> str | None:
        """The name of the text that it is about; None where it is the whole input."""
        return self.span.source.name if self.span else None

    @property
    def line(self) -> int | None:
        """The line, from 1."""
        return self.span.line if self.span else None

    @property
    def column(self) -> int | None:
        """The column of the first character that is meant, from 1."""
        return self.span.start if self.span else None

    @property
    def end_column(self) -> int | None:
        """The column behind the last character."""
        return self.span.end if self.span else None

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON (``docs/schemas``); what no terminal shows is replaced."""
        from .render import printable

        return {
            "code": self.code.name,
            "kind": self.kind.value,
            "refuses": self.refuses,
            "allowed": self.allowed,
            "message": printable(self.message),
            "hint": printable(self.hint),
            "file": self.file and printable(self.file),
            "line": self.line,
            "column": self.column,
            "end_column": self.end_column,
        }


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
