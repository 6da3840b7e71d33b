"""The nftables language: objects, and their texts.

All classes of rulesets, statements and expressions are here by one name each. Both languages have a
Rule, so write ``nft.Rule`` and ``iptables.Rule``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..core.late import late
from ..core.values import Address, Family, Network, WideFamily
from .ast import (
    Chain,
    CounterObject,
    Hook,
    Map,
    OtherChain,
    OtherTable,
    Rule,
    Ruleset,
    Set,
    Table,
)

if TYPE_CHECKING:
    from .expressions import *  # noqa: F403
    from .objects import (  # noqa: F401 - __all__ has them
        CtExpectation,
        CtHelper,
        CtTimeout,
        Flowtable,
        NamedStatement,
    )
    from .statements import *  # noqa: F403

_EXPRESSIONS = (
    "AnonymousSet", "Binary", "CatchAll", "Concat", "Ct", "Element", "Expression",
    "ExtensionHeader", "Fib", "Flags", "Hash", "Hex", "Host", "Inner", "Interface", "IpOption",
    "Ipsec", "Lookup", "Mac", "Meta", "Number", "Numgen", "Osf", "Pair", "Payload", "Prefix",
    "Protocol", "Range", "RawPayload", "RawTcpOption", "Rt", "SctpChunk", "SetReference", "Socket",
    "String", "Symbol", "SymmetricHash", "TcpOption",
)  # fmt: skip
_STATEMENTS = (
    "Accept", "Assign", "Continue", "Counter", "CtCount", "Drop", "Dup", "Goto", "Jump", "Last",
    "Limit", "Log", "Match", "NamedCounter", "Nat", "Notrack", "Queue", "Quota", "Reject",
    "ResetOption", "Return", "Statement", "Synproxy", "Tproxy", "UpdateSet", "UseObject", "Verdict",
    "VerdictMap",
)  # fmt: skip
_OBJECTS = ("CtExpectation", "CtHelper", "CtTimeout", "Flowtable", "NamedStatement")

#: What loads when it is first asked for, by the module that has it.
_LAZY = {
    name: module
    for module, names in (
        ("expressions", _EXPRESSIONS), ("statements", _STATEMENTS), ("objects", _OBJECTS)
    )
    for name in names
}  # fmt: skip


if not TYPE_CHECKING:  # or each name that is wrong would be a name of anything

    def __getattr__(name: str) -> Any:
        if name in _LAZY:
            return getattr(import_module(f".{_LAZY[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def as_json(ruleset: Ruleset) -> dict[str, Any]:
    """The commands that ``nft -j -f`` reads, for ``json.dumps``: libnftables-json(5)."""
    commands: dict[str, Any] = late("nft.as_json")(ruleset)
    return commands


def parse(text: str | bytes, name: str = "<string>") -> Ruleset:
    r"""Read a script for ``nft -f``, or what ``nft list ruleset`` prints; else Refused.

    >>> parse("table ip t {\n chain c {\n  accept # handle 4\n }\n}").tables[0].name
    't'
    """
    ruleset: Ruleset = late("nft.parse")(text, name)
    return ruleset


def serialize(ruleset: Ruleset, header: str = "") -> str:
    """The script for ``nft -f``; each line of ``header`` becomes a comment at its top."""
    script: str = late("nft.serialize")(ruleset, header)
    return script


__all__ = [  # noqa: PLE0604 - the names above
    "Address", "Chain", "CounterObject", "Family", "Hook", "Map", "Network", "OtherChain",
    "OtherTable", "Rule", "Ruleset", "Set", "Table", "WideFamily", "as_json", "parse", "serialize",
    *_EXPRESSIONS, *_STATEMENTS, *_OBJECTS,
]  # fmt: skip
