"""LOG: a line in the kernel's log, and on with the next rule.

Kernel: net/netfilter/xt_LOG.c. It calls nf_log_packet with a level, flags and a prefix, as
nft_log.c does; neither puts a blank after the prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import LOG_PREFIX
from ...core.values import parse_integer
from ...iptables.ast import Target
from ...model.effects import Effect
from ...model.packet import Event
from ...nft import statements as s
from .. import kinds as k
from ..extension import Extension
from ..forms import text_of
from ..option_table import Form, Option, OptionTable
from ..placement import ANYWHERE
from ..shared.prefixes import lower_prefix
from ..shared.value_names import LOG_LEVELS
from ..shared.words import flags

if TYPE_CHECKING:
    from ...model.effects import View
    from ..context import Context

#: Bytes of a prefix (struct xt_log_info).
PREFIX_LENGTH = 29

#: nft's words for the levels of syslog; it leaves out that of warnings.
LEVELS = ("emerg", "alert", "crit", "err", "", "notice", "info", "debug")
WARNING = 4

#: The kernel's levels (kern_levels.h) in the words of events, where that of warnings is empty.
_KERN = {0: "emerg", 1: "alert", 2: "crit", 3: "err", 4: "", 5: "notice", 6: "info", 7: "debug"}


@attrs.frozen(kw_only=True)
class Log(Target):
    """``-j LOG`` with its options."""

    prefix: str = ""
    level: int = WARNING
    tcp_sequence: bool = False
    tcp_options: bool = False
    ip_options: bool = False
    uid: bool = False
    macdecode: bool = False


def _parse_level(text: str) -> int:
    level = LOG_LEVELS.get(text)
    return parse_integer(text, len(LEVELS) - 1) if level is None else level


def meaning(node: Log, _view: View) -> Effect:
    """nf_log_packet with the level, the NF_LOG flags and the prefix."""
    logged = {
        "tcp sequence": node.tcp_sequence,
        "tcp options": node.tcp_options,
        "ip options": node.ip_options,
        "skuid": node.uid,
        "ether": node.macdecode,
    }
    words = tuple(sorted(word for word, is_set in logged.items() if is_set))
    return Effect(events=(Event("log", (node.prefix, _KERN[node.level], words)),))


def lower(node: Log, context: Context) -> tuple[s.Statement, ...]:
    """The statement of the same name."""
    prefix = lower_prefix(node.prefix, context)
    words = flags(
        ("tcp sequence", node.tcp_sequence),
        ("tcp options", node.tcp_options),
        ("ip options", node.ip_options),
        ("skuid", node.uid),
        ("ether", node.macdecode),
    )
    return (s.Log(prefix, LEVELS[node.level], tuple(words)),)


EXTENSION = Extension(
    name="LOG",
    node=Log,
    options=OptionTable.of(
        Option("--log-prefix", text_of("a log prefix", PREFIX_LENGTH), "prefix"),
        Option("--log-level", Form("NUMBER", _parse_level), "level"),
        Option("--log-tcp-sequence", field="tcp_sequence"),
        Option("--log-tcp-options", field="tcp_options"),
        Option("--log-ip-options", field="ip_options"),
        Option("--log-uid", field="uid"),
        Option("--log-macdecode", field="macdecode"),
    ),
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.Build(
        Log,
        prefix=k.OneOf("", k.Quoted(PREFIX_LENGTH)),
        level=k.Integers(0, 7),
        tcp_sequence=k.FLAG,
        tcp_options=k.FLAG,
        ip_options=k.FLAG,
        uid=k.FLAG,
        macdecode=k.FLAG,
    ),
    nft='log prefix "..." level LEVEL flags FLAGS',
    codes=(LOG_PREFIX,),
)
