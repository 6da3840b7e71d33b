"""Rules as people write them: what iptables-save prints, in other words that mean the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vpccni_nft.core.span import split_words
from vpccni_nft.extensions.shared.value_names import ICMP_TYPES, ICMPV6_TYPES
from vpccni_nft.iptables.services import SERVICES

_LONG = {
    "-s": ("--source", "--src"), "-d": ("--destination", "--dst"), "-i": ("--in-interface",),
    "-o": ("--out-interface",), "-p": ("--protocol", "--proto"), "-f": ("--fragments",),
    "-m": ("--match",), "-j": ("--jump",), "-g": ("--goto",),
}  # fmt: skip

_OTHER_NAMES = {
    "--sport": "--source-port", "--dport": "--destination-port", "--sports": "--source-ports",
    "--dports": "--destination-ports", "--ttl-eq": "--ttl",
}  # fmt: skip

_IMPLIED = {
    "tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmp": "icmp", "ipv6-icmp": "icmp6", "udplite": "",
}  # fmt: skip

_SERVICE = {str(port): name for name, port in SERVICES.items()}
_MESSAGE = {
    "--icmp-type": {number: name for name, number in ICMP_TYPES.items()},
    "--icmpv6-type": {number: name for name, number in ICMPV6_TYPES.items()},
}

#: An option, its value, and a ``!`` before it.
Group = list[str]


class Hand:
    """One who writes rules, each time in other words."""

    def __init__(self, drawn: random.Random) -> None:
        self._random = drawn

    def line(self, printed: str) -> str:
        """A line that iptables-save prints, as written by hand."""
        words = split_words(printed)
        assert words is not None
        command, chain, *rest = words
        base, extensions, target = self._parts(rest)
        parts = [group for match in extensions for group in self._match(match, base)]
        before = [group for group in base if "-p" in group or self._often()]
        after = [group for group in base if group not in before]
        ordered = [*before, *([target] if self._often() else []), *parts, *after]
        if target and target not in ordered:
            ordered.append(target)
        words = [self._command(command), chain]
        for group in ordered:
            words += self._group(group)
        return (" " if self._often() else "  ").join(words)

    def _often(self) -> bool:
        return self._random.random() < 0.7

    def _command(self, command: str) -> str:
        return self._random.choice((command, "--append", "-I", "--insert", "--app"))

    def _parts(self, words: list[str]) -> tuple[list[Group], list[Group], Group]:
        """The options of the base specification, the matches, and the target."""
        base: list[Group] = []
        extensions: list[Group] = []
        target: Group = []
        group: Group = []
        negated: Group = []
        for word in words:
            if word == "!":
                negated = ["!"]
            elif word in {"-m", "-j", "-g"}:
                group = [word]
                if word == "-m":
                    extensions.append(group)
                else:
                    target = group
            elif word in _LONG and group[:1] not in (["-m"], ["-j"]):
                group = [*negated, word]
                base.append(group)
                negated = []
            else:
                group += [*negated, word]
                negated = []
        return base, extensions, target

    def _match(self, match: Group, base: list[Group]) -> Iterator[Group]:
        """Without its name where the protocol implies it."""
        protocol = next((group[1] for group in base if group[0] == "-p"), "")
        if len(match) > 2 and _IMPLIED.get(protocol) == match[1] and self._often():
            yield match[2:]
        else:
            yield match

    def _group(self, group: Group) -> Iterator[str]:
        named = ""
        for word in group:
            if word in _LONG and word != named:
                yield self._random.choice((word, *_LONG[word]))
            elif word.startswith("--"):
                yield self._option(word)
            else:
                yield self._value(named, word)
            named = word

    def _option(self, word: str) -> str:
        word = _OTHER_NAMES.get(word, word) if self._often() else word
        if self._often():
            return word
        shortened = word[: self._random.randint(5, max(5, len(word)))]
        # iptables-restore prints its help, and ends well without a rule.
        return word if shortened == "--help" else shortened

    def _value(self, option: str, word: str) -> str:
        if option in {"--sport", "--dport"} and self._often():
            return _SERVICE.get(word, word)
        if option in _MESSAGE and self._often():
            return _MESSAGE[option].get(word, word)
        if option in {"-s", "-d"} and self._random.random() < 0.2:
            return f"{word},{word}"
        if option == "-p" and word == "tcp":
            return self._random.choice(("tcp", "TCP", "6"))
        quotes = '"' not in word and "\\" not in word and self._random.random() < 0.1
        return f'"{word}"' if quotes and word != "!" else word
