"""What the world answers in an explanation: what was said of it, or else a plain default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import attrs

from ..core.values import Address, Family
from ..model.packet import ADDRESS_TYPES, NAME_BYTES

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

#: What nft reads of a fragment without a transport header: asked for, but of no other packet used.
_FRAGMENTS = "bytes of a fragment"

_TYPE_NAMES = {number: name for name, number in ADDRESS_TYPES.items()}
_NUMBER = re.compile(r"number below (\d+) at ")
_CHOICE = re.compile(r"(?:address|port) of (\d+)-\d+")


@attrs.define(eq=False)
class World(Mapping["Question", int]):
    """Answers to all questions; ``asked`` keeps those that were put."""

    family: Family
    types: dict[int, int] = attrs.Factory(dict)  #: what the routing table takes an address for
    route_back: bool | None = None
    random: float | None = None  #: what every draw gives, from 0 to 1
    primary: int | None = None  #: the address of interfaces
    members: dict[str, bool] = attrs.Factory(dict)  #: whether any key is in a set, by its name
    asked: dict[Question, int] = attrs.field(factory=dict, init=False)

    def __getitem__(self, question: Question) -> int:
        answer = self._answer(question)
        self.asked[question] = answer
        return answer

    def __iter__(self) -> Iterator[Question]:
        return iter(self.asked)

    def __len__(self) -> int:
        return len(self.asked)

    def _answer(self, question: Question) -> int:
        oracle, arguments = question
        if oracle == "fib type":
            return self.types.get(arguments[0], default_type(self.family, arguments[0]))
        if oracle == "route back":
            return int(self.route_back is not False)
        if oracle == "primary address":
            return PRIMARY[self.family] if self.primary is None else self.primary
        if oracle.startswith("random at "):
            return int((self.random or 0) * (1 << RANDOM_BITS))
        if below := _NUMBER.match(oracle):
            return int((self.random or 0) * int(below[1]))
        if oracle.startswith(("within ", "connections at ")):
            return 1  # no limit is reached
        if oracle.startswith("has bits "):
            return 1  # the packet is long enough
        if oracle.startswith("member of "):
            return self.members.get(oracle.removeprefix("member of "), False)
        choice = _CHOICE.fullmatch(oracle)
        return int(choice[1]) if choice else 0

    def unasked(self) -> list[str]:
        """The keys of a packet text that say something that nothing asked for."""
        oracles = {
            "random" if _NUMBER.match(oracle) else oracle.partition(" at ")[0]
            for oracle, _ in self.asked
        }
        said = {
            "route-back": (self.route_back is not None, "route back"),
            "random": (self.random is not None, "random"),
            "primary": (self.primary is not None, "primary address"),
            **{f"in:{name}": (True, f"member of {name}") for name in self.members},
        }
        return [key for key, (given, oracle) in said.items() if given and oracle not in oracles]

    def answers(self) -> list[str]:
        """What was asked and answered, as sentences."""
        return [
            answer_sentence(self.family, *item)
            for item in self.asked.items()
            if not item[0][0].startswith(_FRAGMENTS)
        ]


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

    def without(self, question: Question) -> Answers:
        """The same, with the usual answer to a question."""
        fewer = {key: value for key, value in self.given.items() if key != question}
        return attrs.evolve(self, given=fewer)

    def about(
        self, others: Mapping[int, Collection[int]], usual: Mapping[Question, int]
    ) -> Answers:
        """The same answers about other addresses and interfaces, by those that they replace."""
        given = {
            (oracle, chosen): value
            for (oracle, arguments), value in self.given.items()
            for chosen in product(*(others.get(argument, (argument,)) for argument in arguments))
        }
        return Answers(given, usual)


def world_words(family: Family, fields: Mapping[str, int], answers: Answers) -> dict[Question, str]:
    """The words of a packet text that give these answers, where it has such words."""
    found: dict[Question, str] = {}
    for (oracle, arguments), value in answers.given.items():
        question = (oracle, arguments)
        below = _NUMBER.match(oracle)
        if oracle == "fib type" and value in _TYPE_NAMES:
            for end in ("saddr", "daddr"):
                if arguments[0] == fields[end]:
                    found[question] = f"fib-{end}={_TYPE_NAMES[value]}"
        elif oracle == "route back":
            found[question] = f"route-back={'yes' if value else 'no'}"
        elif oracle == "primary address":
            found[question] = f"primary={Address(family, value)}"
        elif oracle.startswith("member of ") and len(oracle.split()) == 3:
            found[question] = f"in:{oracle.removeprefix('member of ')}={'yes' if value else 'no'}"
        elif oracle.startswith("random at ") or below:
            # The middle of what comes to this number.
            parts = int(below[1]) if below else 1 << RANDOM_BITS
            found[question] = f"random={(value + 0.5) / parts}"
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
    if oracle == "fib type":
        address, interface = arguments
        on = f" on {interface_name(interface)}" if interface else ""
        return f"fib type of {Address(family, address)}{on}: {_TYPE_NAMES.get(answer, answer)}"
    if oracle.startswith("route back"):
        return f"{oracle} to {Address(family, arguments[0])}: {yes}"
    if oracle == "primary address":
        return f"address of {interface_name(arguments[0])}: {Address(family, answer)}"
    if oracle.startswith("random at "):
        return f"{oracle}: {answer / (1 << RANDOM_BITS):.3g}"
    if oracle.startswith("member of "):
        keys = " . ".join(str(Address(family, key)) for key in arguments)
        return f"{keys} in {oracle.removeprefix('member of ')}: {yes}"
    if _CHOICE.fullmatch(oracle) and oracle.startswith("address"):
        first, last = (Address(family, int(part)) for part in oracle.split()[-1].split("-"))
        return f"address of {first}-{last}: {Address(family, answer)}"
    return f"{oracle}: {answer}"


def interface_name(word: int) -> str:
    """The name that ``semantics.packet.interface_word`` made a number of."""
    return word.to_bytes(NAME_BYTES, "big").rstrip(b"\0").decode("utf-8", "surrogateescape")
