"""hashlimit: no more packets or bytes than a rate, for each address, port or pair of them.

Kernel: net/netfilter/xt_hashlimit.c, hashlimit_mt_common. A named table holds a bucket for each
key; all rules that name it share it, and the first one that is loaded decides its options. A bucket
that is not used for a while is forgotten, and full when its key comes again. A packet for which the
table has no room is dropped. ``--hashlimit-htable-size`` is how many chains the hash has, and
``--hashlimit-htable-gcinterval`` how soon forgotten buckets make room: no packet sees either.

Rates of bytes are kept in another way than nft's: a packet costs its length in steps of 16 bytes,
a bucket holds what comes in a second, and a burst fills it so many times more, but once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ...core.diagnostics import (
    BAD_VALUE,
    LIMITED_ROOM,
    NAME_CHANGED,
    NO_NFT_FORM,
    RATE_BY_TICKS,
    Problem,
)
from ...core.values import Address, mask_of_length
from ...iptables.ast import Match
from ...model.effects import Test
from ...model.headers import fragment_bits
from ...model.oracle import Bound, KeptSet, OracleKind
from ...model.packet import Event, NoMeaning
from ...nft import expressions as x
from ...nft import statements as s
from ...nft.ast import Set
from ...nft.expressions import NETWORK_HEADER
from .. import kinds as k
from ..context import ADDRESS_TYPE, DYNAMIC_SET_SIZE
from ..extension import Extension
from ..forms import NUMBER, number
from ..option_table import Form, Option, OptionTable, exactly_one, needs
from ..options import convert_word
from ..placement import ANYWHERE
from ..shared.ports import HEADERS
from ..shared.rates import UNITS, Rate, rates, written_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.values import Family
    from ...model.algebra import Word
    from ...model.effects import View
    from ..context import Context
    from ..options import GivenOptions

#: Parts of a second that the kernel counts in (XT_HASHLIMIT_SCALE_v2).
STEPS = 1_000_000

#: What a key can be made of, in the order of iptables-save.
PARTS = ("srcip", "srcport", "dstip", "dstport")

#: What libxt_hashlimit takes where nothing is said; times are in milliseconds.
USUAL_BURST, USUAL_GC_INTERVAL = 5, 1000

#: How long a bucket of bytes is kept, without and with a burst.
BYTE_EXPIRES, BURST_EXPIRES = 15_000, 60_000

LARGEST_BURST = 1_000_000

#: XT_HASHLIMIT_NAME_LEN less the zero; the kernel's NAME_MAX.
NAME_LENGTH = 254

_FULL = 0xFFFFFFFF
_STEP_BITS = 4  #: XT_HASHLIMIT_BYTE_SHIFT
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20}


@attrs.frozen
class ByteRate:
    """Bytes a second, as the kernel keeps them: what a step of 16 bytes costs of a second."""

    cost: int
    burst: int = 0  #: how often the bucket is filled beyond that

    @classmethod
    def of_bytes(cls, octets: int) -> ByteRate:
        """The cost that libxt_hashlimit computes (bytes_to_cost)."""
        cost = _FULL // ((octets >> _STEP_BITS) + 1)
        if cost == 0:
            raise ValueError(f"a rate of {octets} bytes is too high")
        return cls(cost)

    @property
    def bytes(self) -> int:
        """Bytes a second (cost_to_bytes)."""
        return _FULL // self.cost - 1 << _STEP_BITS

    def __str__(self) -> str:
        octets = self.bytes
        for unit, factor in reversed(_FACTORS.items()):
            whole = octets // factor
            if whole and ByteRate.of_bytes(whole * factor).cost == self.cost:
                return f"{whole}{unit}b/s"
        return f"{octets}b/s"

    @property
    def burst_text(self) -> str:
        """The bytes of the burst, in whole units of the largest one that fits."""
        octets = self.bytes * self.burst
        unit = next(unit for unit, factor in reversed(_FACTORS.items()) if octets >= factor)
        return f"{octets // _FACTORS[unit]}{unit}b"


@attrs.frozen(kw_only=True)
class Hashlimit(Match):
    """``-m hashlimit`` with its options."""

    above: bool
    rate: Rate | ByteRate
    burst: int = USUAL_BURST  #: packets; a ByteRate has its own
    parts: tuple[str, ...] = ()  #: of PARTS, in their order
    name: str
    size: int = 0  #: chains of the hash; 0: by the memory of the host
    most: int = 0  #: keys; 0: eight times the size
    gc_interval: int = USUAL_GC_INTERVAL
    expire: int  #: milliseconds that an unused bucket is kept
    source_length: int | None = None  #: bits of the address that count; None: all of them
    destination_length: int | None = None
    interval: int | None = None  #: ``--hashlimit-rate-match``, over so many seconds

    @property
    def shares(self) -> tuple[str, str]:
        """The table of this name."""
        return "hashlimit", self.name


def _parse_rate(text: str) -> tuple[Rate | ByteRate, int]:
    """A rate, and the seconds of the unit that it is written in."""
    if found := re.fullmatch(r"([0-9]{1,15})([km]?)b/s", text, re.ASCII):
        octets = int(found[1]) * _FACTORS[found[2]]
        if octets == 0:
            raise ValueError(f"“{text}” is not a rate")
        return ByteRate.of_bytes(octets), 1
    return Rate.parse(text, STEPS), UNITS[written_unit(text)]


def _parse_byte_burst(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,15})([km]?)b?", text, re.ASCII)
    if not found or int(found[1]) == 0:
        raise ValueError(f"“{text}” is not a number of bytes")
    return int(found[1]) * _FACTORS[found[2]]


def _parse_parts(text: str) -> tuple[str, ...]:
    listed = text.replace("|", ",").split(",")
    if not set(listed).issubset(PARTS):
        raise ValueError(f"“{text}” is not a list of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in listed)


def _parse_name(text: str) -> str:
    if not 0 < len(text.encode("utf-8", "surrogateescape")) <= NAME_LENGTH:
        raise ValueError(f"a table's name has 1 to {NAME_LENGTH} characters")
    if "/" in text or text in {".", ".."}:
        raise ValueError("a table's name is that of a file in /proc, too")
    return text


def meaning(node: Hashlimit, view: View) -> Test:
    """There is enough in the key's bucket, and it is spent."""
    algebra = view.state.algebra
    key = tuple(_key_words(node, view))
    if isinstance(node.rate, ByteRate):
        rate = node.rate
        bound = Bound(rate.bytes, "bytes", "second", rate.bytes * rate.burst, node.interval)
    else:
        bound = node.rate.bound(node.burst, node.interval)
    users = view.sharing.get(node.shares, (node,))
    if len({attrs.evolve(user, above=False) for user in users}) > 1:
        raise NoMeaning(f"the table {node.name} is used with different options")
    # htable_create: no fewer keys than chains, and eight times as many where nothing is said.
    room = max(node.most, node.size) if node.most else 8 * node.size or None
    table = KeptSet(f"hashlimit-{node.name}", size=room)
    within = view.says_of(OracleKind.WITHIN_OF_SET, table, bound, key=key)
    spent = Event("spend", (table, -(-node.expire // 1000), bound), key)
    return Test(view.negate(within, negated=node.above), ((algebra.true, spent),))


def _key_words(node: Hashlimit, view: View) -> Iterator[Word]:
    """What hashlimit_init_dst reads, addresses masked; a key of nothing is zero."""
    state, algebra = view.state, view.state.algebra
    bits = state.family.bits
    lengths = {"srcip": node.source_length, "dstip": node.destination_length}
    if not node.parts:
        yield state.word("saddr", 0)
    for part in node.parts:
        field = {"srcip": "saddr", "dstip": "daddr", "srcport": "sport", "dstport": "dport"}[part]
        word = state.fields[field]
        if part in lengths:
            length = bits if lengths[part] is None else lengths[part]
            mask = state.family.all_ones ^ ((1 << bits - (length or 0)) - 1)
            yield algebra.bvand(word, state.word(field, mask))
        else:
            # Of a further fragment whatever bytes stand where the ports would.
            elsewhere = fragment_bits(state, 0 if field == "sport" else 16, 16)
            yield algebra.ite(state.is_("fragment", 0), word, elsewhere)


def lower(node: Hashlimit, context: Context) -> tuple[s.UpdateSet, ...]:
    """A dynamic set whose elements have a limit each."""
    if node.interval is not None:
        raise context.refuse("nft limits the rate of packets, but does not measure it")
    parts = tuple(_key_parts(node, context))
    limit = _limit(node, context)
    size = max(node.most, node.size) if node.most else 8 * node.size or DYNAMIC_SET_SIZE
    context.approximate(
        LIMITED_ROOM,
        f"the table {node.name} becomes a set with room for {size} keys: beyond them the rule does"
        " not match, where xt_hashlimit drops the packet",
    )
    types = " . ".join(type_ for _, type_ in parts)
    set_ = Set("hashlimit", types, ("dynamic", "timeout"), size=size)
    name = context.limit_set(node.name, attrs.evolve(node, name=""), set_)
    keys = tuple(key for key, _ in parts)
    key = keys[0] if len(keys) == 1 else x.Concat(keys)
    # The kernel looks for old buckets once an interval, at least a second as a rule: so a whole
    # number of seconds is as exact.
    return (s.UpdateSet("update", name, key, -(-node.expire // 1000), limit),)


def _limit(node: Hashlimit, context: Context) -> s.Limit:
    if isinstance(node.rate, Rate):
        return node.rate.lower(node.burst, over=node.above, context=context)
    octets, burst = node.rate.bytes, node.rate.bytes * node.rate.burst
    if burst > _FULL:
        raise context.refuse(f"a burst of nft has at most {_FULL} bytes")
    context.approximate(
        RATE_BY_TICKS,
        "iptables counts bytes in steps of 16, and lets a burst pass once for each key, where nft"
        " counts single bytes, and lets a burst pass again after a pause",
    )
    return s.Limit(octets, "second", burst, node.above, "bytes")


def _key_parts(node: Hashlimit, context: Context) -> Iterator[tuple[x.Expression, str]]:
    """The parts of the key, with their types; where there is none, one that is always zero."""
    family = context.family
    header = NETWORK_HEADER[family]
    lengths = {"srcip": node.source_length, "dstip": node.destination_length}
    if not node.parts:
        yield x.Binary("&", x.Payload(header, "saddr"), _mask(family, 0)), ADDRESS_TYPE[family]
    for part in node.parts:
        if part in lengths:
            length = lengths[part]
            address: x.Expression = x.Payload(header, "saddr" if part == "srcip" else "daddr")
            if length is not None and length > family.bits:
                raise Problem(BAD_VALUE, f"an address of {family.title} has {family.bits} bits")
            if length is not None and length < family.bits:
                address = x.Binary("&", address, _mask(family, length))
            yield address, ADDRESS_TYPE[family]
        else:
            transport = HEADERS.get(context.protocol or 0)
            if not transport:
                raise context.refuse(
                    "nft has ports of one protocol only, and iptables counts packets of others"
                    " under port 0",
                    "such as -p tcp",
                )
            if family is not family.IP and not context.tracked:
                raise context.refuse("nft reads ports of IPv6 fragments, and iptables does not")
            yield x.Payload(transport, "sport" if part == "srcport" else "dport"), "inet_service"


def _mask(family: Family, length: int) -> x.Host:
    return x.Host(Address(family, mask_of_length(family, length)))


# --- which packets ------------------------------------------------------------------------------


def _draw(family: Family) -> k.ValueKind:
    lengths = k.maybe(k.Integers(0, family.bits - 1))
    seldom = k.OneOf(0, 0, k.Integers(1, 100_000))
    milliseconds = k.Among((1000, 60_000)) | k.Integers(1, _FULL)
    common = {
        "above": k.FLAG,
        "parts": k.Some(PARTS, smallest=0),
        "name": (k.Among(("ssh", "http")) | k.Unquoted(15)).filter(_is_table_name),
        "size": seldom,
        "most": seldom,
        "gc_interval": milliseconds,
        "expire": milliseconds,
        "source_length": lengths,
        "destination_length": lengths,
    }
    byte_rates = k.Build(
        lambda octets, burst: attrs.evolve(ByteRate.of_bytes(octets), burst=burst),
        k.Integers(16, 4096) | k.Integers(16, 1 << 30),
        k.OneOf(0, k.Integers(1, 5)),
    ).filter(_is_printed_rate)
    return k.OneOf(
        k.Build(
            Hashlimit,
            rate=rates(STEPS),
            burst=k.OneOf(USUAL_BURST, k.Integers(1, LARGEST_BURST)),
            # One of one second is not printed, and is read as that of the rate's unit.
            interval=k.maybe(k.Integers(2, 60)),
            **common,
        ),
        k.Build(Hashlimit, rate=byte_rates, **common),
    )


def _is_table_name(name: str) -> bool:
    return "/" not in name and name not in {".", ".."}


def _is_printed_rate(rate: ByteRate) -> bool:
    """Whether the printed burst is read as the same number of fillings."""
    if not rate.burst:
        return True
    text = rate.burst_text.removesuffix("b")
    octets = int(text.rstrip("km")) * _FACTORS[text.lstrip("0123456789")]
    return octets >= rate.bytes and -(-octets // rate.bytes) == rate.burst


def _usual_expire(node: Hashlimit) -> int:
    if isinstance(node.rate, ByteRate):
        return BURST_EXPIRES if node.rate.burst else BYTE_EXPIRES
    return UNITS[node.rate.unit] * 1000


def _burst_text(node: Hashlimit) -> str | None:
    if isinstance(node.rate, ByteRate):
        return node.rate.burst_text if node.rate.burst else None
    return str(node.burst)


def _rate(name: str, *, above: bool) -> Option:
    return Option(
        name,
        Form("NUMBER[/UNIT]", _parse_rate),
        ("above", "rate"),
        negatable=True,
        keep=lambda rate: (rate.negated is not above, rate.value),
        show=lambda node: node.rate if node.above is above else None,
    )


_BURST = number(LARGEST_BURST, smallest=1)

_OPTIONS = OptionTable.of(
    _rate("--hashlimit-upto", above=False),
    _rate("--hashlimit-above", above=True),
    Option(
        "--hashlimit",
        Form("NUMBER[/UNIT]", _parse_rate),
        ("above", "rate"),
        keep=lambda rate: (False, rate),
        show=lambda _node: None,
    ),
    # Which of the two it is depends on the rate.
    Option("--hashlimit-burst", Form("NUMBER|BYTES", str), show=_burst_text),
    Option("--hashlimit-mode", Form("PART[,PART...]", _parse_parts, ",".join), "parts"),
    Option("--hashlimit-name", Form("NAME", _parse_name), "name", required=True),
    Option("--hashlimit-htable-size", NUMBER, "size"),
    Option("--hashlimit-htable-max", NUMBER, "most"),
    Option("--hashlimit-htable-gcinterval", number(smallest=1), "gc_interval"),
    Option(
        "--hashlimit-htable-expire",
        number(smallest=1),
        "expire",
        show=lambda node: node.expire if node.expire != _usual_expire(node) else None,
    ),
    Option("--hashlimit-srcmask", number(128), "source_length"),
    Option("--hashlimit-dstmask", number(128), "destination_length"),
    Option("--hashlimit-rate-match", show=lambda node: True if node.interval is not None else None),
    Option(
        "--hashlimit-rate-interval",
        number(smallest=1),
        "interval",
        show=lambda node: node.interval if node.interval != 1 else None,
    ),
    exactly_one("--hashlimit-upto", "--hashlimit-above", "--hashlimit"),
    needs("--hashlimit-rate-interval", "--hashlimit-rate-match"),
)


def build(options: GivenOptions) -> Hashlimit:
    """Read the options; what is usual depends on the rate and the unit that it is written in."""
    fields = _OPTIONS.read(options)
    rate, seconds = fields.pop("rate")
    burst = options.place("--hashlimit-burst")
    usual_expire = seconds * 1000
    if not isinstance(rate, ByteRate):
        if burst is not None:
            fields["burst"] = convert_word(options.line, burst, _BURST.parse)
    elif burst is not None:
        octets = convert_word(options.line, burst, _parse_byte_burst)
        if octets < rate.bytes:
            message = f"the burst cannot be smaller than {rate.bytes} bytes"
            raise Problem(BAD_VALUE, message, span=options.line.span(burst, burst))
        rate = attrs.evolve(rate, burst=-(-octets // rate.bytes))
        usual_expire = BURST_EXPIRES
    else:
        usual_expire = BYTE_EXPIRES
    if options.has("--hashlimit-rate-match"):
        fields.setdefault("interval", seconds)
    return Hashlimit(rate=rate, **{"expire": usual_expire, **fields})


EXTENSION = Extension(
    name="hashlimit",
    node=Hashlimit,
    options=_OPTIONS,
    build=build,
    meaning=meaning,
    lower=lower,
    placement=ANYWHERE,
    draw=k.OfFamily(_draw),
    aim=lambda node, draft: draft.answer_all(lambda view: meaning(node, view), not node.above),
    nft="update @hashlimit-NAME { KEY timeout TIME limit rate [over] RATE burst N packets }",
    codes=(LIMITED_ROOM, RATE_BY_TICKS, NAME_CHANGED, NO_NFT_FORM),
)
