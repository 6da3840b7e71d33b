"""nft expressions: what a rule reads, and the literals it compares with.

A closed set; every pass over nft knows all of it. Names of keys, fields and flags are nft's own
words (nft(8)). Integers are in host order. What nft has no such field, word or value for is a
ValueError at construction.
"""

from .base import Expression
from .compound import Binary, Concat, Lookup
from .literals import (
    Flags,
    Hex,
    Host,
    Interface,
    Mac,
    Number,
    Prefix,
    Protocol,
    Range,
    String,
    Symbol,
    order,
)
from .selectors import (
    NETWORK_HEADER,
    Ct,
    ExtensionHeader,
    Fib,
    Hash,
    Inner,
    IpOption,
    Ipsec,
    Meta,
    Numgen,
    Osf,
    Payload,
    RawPayload,
    RawTcpOption,
    Rt,
    SctpChunk,
    Socket,
    SymmetricHash,
    TcpOption,
)
from .sets import AnonymousSet, CatchAll, Element, Pair, SetReference, all_but, require_data

__all__ = [
    "NETWORK_HEADER",
    "AnonymousSet",
    "Binary",
    "CatchAll",
    "Concat",
    "Ct",
    "Element",
    "Expression",
    "ExtensionHeader",
    "Fib",
    "Flags",
    "Hash",
    "Hex",
    "Host",
    "Inner",
    "Interface",
    "IpOption", "Ipsec",
    "Lookup",
    "Mac",
    "Meta",
    "Number",
    "Numgen",
    "Osf",
    "Pair",
    "Payload",
    "Prefix",
    "Protocol",
    "Range",
    "RawPayload",
    "RawTcpOption",
    "Rt",
    "SctpChunk",
    "SetReference",
    "Socket",
    "String",
    "Symbol",
    "SymmetricHash",
    "TcpOption",
    "all_but",
    "order",
    "require_data",
]  # fmt: skip
