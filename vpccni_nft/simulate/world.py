"""What the world answers in an explanation: what was said of it, or else a plain default."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family
from ..model.headers import CHANGING
from ..model.hook import BY_DEVICE, ROUTED_BY, TO_THE_NODE
from ..model.oracle import DRAWS, OracleKind
from ..model.packet import ADDRESS_TYPES, CONNECTION, NAME_BYTES, SHOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ..model.concrete import Question

#: Bits of a random draw.
RANDOM_BITS = 31

#: The address that masquerading takes, where none is given: one for documentation.
PRIMARY = {
    Family.IP: Address.parse("192.0.2.254").value,
    Family.IP6: Address.parse("2001:db8::fe").value,
}

_TYPE_NAMES = {number: name for name, number in ADDRESS_TYPES.items()}


#: What the world answers with yes: no limit is reached, and the packet is long enough.
_USUALLY_YES = {
    OracleKind.WITHIN,
    OracleKind.WITHIN_OF_SET,
    OracleKind.CONNECTIONS,
    OracleKind.HAS_BITS_FURTHER_ON,
}

#: The fields that answers hang on, each in its own place.
_ABOUT = {
    OracleKind.ROUTE: ROUTED_BY,
    OracleKind.ROUTE_DEVICE: ROUTED_BY,
    OracleKind.ROUTE_REALM: ROUTED_BY,
    OracleKind.FORWARDED_PRIORITY: ("tos", "priority"),
    OracleKind.SOCKET_FIELD: ("iif", *CONNECTION),
    OracleKind.QUEUE_DROPS: (*SHOWN, "oif"),
}

#: What is put to every packet, or used of no packet that a text can describe.
_UNSAID = {
    OracleKind.FRAGMENT_BYTE,
    OracleKind.ROUTE_REALM,
    OracleKind.SOCKET_FIELD,
    OracleKind.FORWARDED_PRIORITY,
    OracleKind.DEVICE_GROUP,
    OracleKind.WHOLE_LENGTH,
}

#: The packet has all the bytes that are asked for.
_LENGTHS = {OracleKind.NETWORK_LENGTH, OracleKind.TRANSPORT_LENGTH}


@attrs.define(eq=False)
class World(Mapping["Question", int]):
    """Answers to all questions; ``asked`` keeps those that were put."""

    family: Family
    types: dict[int, int] = attrs.Factory(dict)  #: what the routing table takes an address for
    route_back: bool | None = None
    random: float | None = None  #: what every draw gives, from 0 to 1
    primary: int | None = None  #: the address of interfaces
    members: dict[str, bool] = attrs.Factory(dict)  #: whether any key is in a set, by its name
    to_the_node: bool = False  #: whether routing takes packets for the node's own
    device: int = 0  #: by which other packets leave
    asked: dict[Question, int] = attrs.field(factory=dict, init=False)

    def __getitem__(self, question: Question) -> int:
        answer = self._answer(question)
        self.asked[question] = answer
        return answer

    def __iter__(self) -> Iterator[Question]:
        return iter(self.asked)

    def __len__(self) -> int:
        return len(self.asked)

    def _answer(self, question: Question) -> int:  # noqa: PLR0912 - one for each kind
        oracle, arguments = question
        match oracle.kind, oracle.parameters:
            case OracleKind.FIB_TYPE, _:
                return self.types.get(arguments[0], default_type(self.family, arguments[0]))
            case OracleKind.ROUTE_BACK, _:
                return int(self.route_back is not False)
            case OracleKind.ROUTE, _:
                return TO_THE_NODE if self.to_the_node else BY_DEVICE
            case OracleKind.ROUTE_DEVICE, _:
                return self.device
            case OracleKind.PRIMARY_ADDRESS, _:
                return PRIMARY[self.family] if self.primary is None else self.primary
            case OracleKind.FORWARDED_PRIORITY, _:
                return arguments[1] if len(arguments) > 1 else 0
            case OracleKind.RANDOM, _:
                return int((self.random or 0) * (1 << RANDOM_BITS))
            case OracleKind.NUMBER_BELOW, (int(modulus),):
                return int((self.random or 0) * modulus)
            case ((OracleKind.CHOSEN_ADDRESS | OracleKind.CHOSEN_PORT), (int(first), _)):
                return first
            case OracleKind.FREE_PORT, _:
                return arguments[CONNECTION.index("sport")]
            case OracleKind.MEMBER, _:
                return self.members.get(str(oracle.object), False)
            case kind, _ if kind in _LENGTHS:
                return 0xFFFF
            case kind, _:
                return int(kind in _USUALLY_YES)

    def unasked(self) -> list[str]:
        """The keys of a packet text that say something that nothing asked for."""
        kinds = {oracle.kind for oracle, _ in self.asked}
        sets = {str(one.object) for one, _ in self.asked if one.kind is OracleKind.MEMBER}
        said = {
            "route-back": (self.route_back is not None, OracleKind.ROUTE_BACK in kinds),
            "random": (self.random is not None, bool(kinds & DRAWS)),
            "primary": (self.primary is not None, OracleKind.PRIMARY_ADDRESS in kinds),
            **{f"in:{name}": (True, name in sets) for name in self.members},
        }
        return [key for key, (given, asked) in said.items() if given and not asked]

    def answers(self) -> list[str]:
        """What was asked and answered, as sentences."""
        return [
            answer_sentence(self.family, *item)
            for item in self.asked.items()
            if item[0][0].kind not in _UNSAID
            and not (item[0][0].kind is OracleKind.ROUTE_DEVICE and self.to_the_node)
        ]


Arguments = tuple[int, ...]


@attrs.frozen(eq=False)
class Answers(Mapping["Question", int]):
    """Some answers that are given; all other questions have the usual ones."""

    given: Mapping[Question, int]
    usual: Mapping[Question, int]

    def __getitem__(self, question: Question) -> int:
        return self.given[question] if question in self.given else self.usual[question]

    def __iter__(self) -> Iterator[Question]:
        return iter(self.given)

    def __len__(self) -> int:
        return len(self.given)

    def without(self, questions: Collection[Question]) -> Answers:
        """The same, with the usual answers to some questions."""
        usual = set(questions)
        fewer = {key: value for key, value in self.given.items() if key not in usual}
        return attrs.evolve(self, given=fewer)

    def about(
        self,
        others: Mapping[int, Collection[int]],
        fields: tuple[Mapping[str, int], Mapping[str, int]],
        usual: Mapping[Question, int],
    ) -> Answers:
        """The same answers about other addresses and interfaces, by those that they replace.

        ``fields`` are those of the packet, before and after: where an answer hangs on many of them,
        each is replaced in its own place.
        """
        before, after = (tuple(one[name] for name in CHANGING) for one in fields)
        given: dict[Question, int] = {}
        for (oracle, arguments), value in self.given.items():
            if names := _ABOUT.get(oracle.kind):
                pairs = zip(names, arguments, strict=False)
                now = (fields[1][name] if word == fields[0][name] else word for name, word in pairs)
                given[oracle, tuple(now)] = value
                continue
            count = len(arguments) - len(before)
            rest = after if count >= 0 and arguments[count:] == before else ()
            first = arguments[:count] if rest else arguments
            for chosen in product(*(others.get(argument, (argument,)) for argument in first)):
                given[oracle, (*chosen, *rest)] = value
        return Answers(given, usual)


@attrs.frozen(eq=False)
class NotedAnswers(Mapping["Question", int]):
    """The same answers; ``asked`` keeps the questions that were put."""

    answers: Mapping[Question, int]
    asked: dict[Question, int] = attrs.field(factory=dict, init=False)

    def __getitem__(self, question: Question) -> int:
        self.asked[question] = answer = self.answers[question]
        return answer

    def __iter__(self) -> Iterator[Question]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)


def world_words(family: Family, fields: Mapping[str, int], answers: Answers) -> dict[Question, str]:
    """The words of a packet text that give these answers, where it has such words."""
    found: dict[Question, str] = {}
    for (oracle, arguments), value in answers.given.items():
        question = (oracle, arguments)
        yes = "yes" if value else "no"
        match oracle.kind, oracle.parameters:
            case OracleKind.FIB_TYPE, _ if value in _TYPE_NAMES:
                for end in ("saddr", "daddr"):
                    if arguments[0] == fields[end]:
                        found[question] = f"fib-{end}={_TYPE_NAMES[value]}"
            case OracleKind.ROUTE_BACK, _:
                found[question] = f"route-back={yes}"
            case OracleKind.PRIMARY_ADDRESS, _:
                found[question] = f"primary={Address(family, value)}"
            case OracleKind.MEMBER, _ if " " not in str(oracle.object):
                found[question] = f"in:{oracle.object}={yes}"
            case OracleKind.RANDOM, _:
                # The middle of what comes to this number.
                found[question] = f"random={(value + 0.5) / (1 << RANDOM_BITS)}"
            case OracleKind.NUMBER_BELOW, (int(modulus),):
                found[question] = f"random={(value + 0.5) / modulus}"
    return found


def default_type(family: Family, address: int) -> int:
    """What an address is, by itself; all that is not special is unicast."""
    if family is Family.IP:
        special = {
            address >> 24 == 127: "local",
            address >> 28 == 0xE: "multicast",
            address == family.all_ones: "broadcast",
        }
    else:
        special = {address == 1: "local", address >> 120 == 0xFF: "multicast"}
    return ADDRESS_TYPES[special.get(True, "unicast")]


def answer_sentence(family: Family, question: Question, answer: int) -> str:
    """An answer of the world, for a reader."""
    oracle, arguments = question
    yes = "yes" if answer else "no"
    match oracle.kind, oracle.parameters:
        case OracleKind.FIB_TYPE, _:
            address, interface, *_ = arguments
            on = f" on {interface_name(interface)}" if interface else ""
            return f"fib type of {Address(family, address)}{on}: {_TYPE_NAMES.get(answer, answer)}"
        case ((OracleKind.ROUTE_BACK | OracleKind.ROUTE_BACK_TO_ITSELF), _):
            return f"{oracle} to {Address(family, arguments[0])}: {yes}"
        case OracleKind.PRIMARY_ADDRESS, _:
            return f"address of {interface_name(arguments[0])}: {Address(family, answer)}"
        case OracleKind.ROUTE, _:
            said = {TO_THE_NODE: "to the node itself", BY_DEVICE: "by a device"}
            return f"{_routed(family, arguments)} {said.get(answer, 'nowhere')}"
        case OracleKind.ROUTE_DEVICE, _:
            return f"{_routed(family, arguments)} by {interface_name(answer) or 'no device'}"
        case OracleKind.RANDOM, _:
            return f"{oracle}: {answer / (1 << RANDOM_BITS):.3g}"
        case OracleKind.MEMBER, _:
            keys = " . ".join(str(Address(family, key)) for key in arguments)
            return f"{keys} in {oracle.object}: {yes}"
        case OracleKind.CHOSEN_ADDRESS, (int(first), int(last)):
            ends = f"{Address(family, first)}-{Address(family, last)}"
            return f"address of {ends}: {Address(family, answer)}"
        case _:
            return f"{oracle}: {answer}"


def _routed(family: Family, arguments: Arguments) -> str:
    """A packet that is routed, by what is most of what routing sees."""
    seen = dict(zip(ROUTED_BY, arguments, strict=True))
    ends = [str(Address(family, seen[end])) for end in ("saddr", "daddr")]
    mark = f" with the mark {seen['mark']:#x}" if seen["mark"] else ""
    return f"routing sends {ends[0]} to {ends[1]}{mark}"


def interface_name(word: int) -> str:
    """The name that ``semantics.packet.interface_word`` made a number of."""
    return word.to_bytes(NAME_BYTES, "big").rstrip(b"\0").decode("utf-8", "surrogateescape")
