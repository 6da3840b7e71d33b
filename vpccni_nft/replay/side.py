"""One of the two nodes: a namespace with an agent in it, and a ruleset."""

from __future__ import annotations

import enum
import pickle
import re
import subprocess
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from ..core.isolated import PROGRAMS, environment, path_of
from ..core.isolated import command as isolated
from ..core.values import Family
from ..semantics.iptables import PLACES
from . import probes
from .topology import TRIAL_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .conversation import Conversation, Seen
    from .netlink import Connection
    from .topology import Topology

#: Settings of the kernel, for every device: what would make answers depend on anything but rules.
_SETTINGS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv4/icmp_msgs_per_sec": 1000000,
    "net/ipv4/icmp_echo_ignore_broadcasts": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/tcp_timestamps": 0,
    "net/ipv4/tcp_synack_retries": 0,
    "net/ipv6/auto_flowlabels": 0,
    "net/ipv4/neigh/default/gc_thresh3": 65536,
    "net/ipv6/neigh/default/gc_thresh3": 65536,
    "net/ipv6/route/max_size": 1 << 20,
}
_SETTINGS_OF_DEVICES = {
    "ipv4/conf/{}/rp_filter": 0,
    "ipv4/conf/{}/accept_local": 1,
    "ipv4/conf/{}/route_localnet": 1,
    "ipv4/conf/{}/send_redirects": 0,
    "ipv4/conf/{}/log_martians": 0,
    "ipv6/conf/{}/accept_ra": 0,
    "ipv6/conf/{}/accept_dad": 0,
    "ipv6/conf/{}/router_solicitations": 0,
    "ipv6/conf/{}/mldv2_unsolicited_report_interval": 3600000,
}
_TABLE = re.compile(r"^\*(\w+)", re.MULTILINE)

#: What the names of sets for recent lists begin with, and what a script with such a set must have:
#: it may include another one.
_RECENT = "recent-"
_MAY_HOLD_RECENT = re.compile(rf"{_RECENT}|\binclude\b")

#: What a script must have to change the probes' rules: it may name their table, or flush whatever
#: there is, or delete by number, or hold all of this in another file.
_MAY_REACH_PROBES = re.compile(rf"{probes.TABLE}|\b(?:flush|handle|include)\b")

#: Only there when conntrack is.
_SETTINGS_OF_CONNTRACK = {"net/netfilter/nf_conntrack_checksum": 0}


class Backend(enum.Enum):
    """Which programs take an iptables-save dump."""

    LEGACY = "legacy"
    NFT = "nft"


class ReplayError(Exception):
    """A ruleset was not taken, or this machine lacks something."""


@attrs.frozen
class Text:
    """A ruleset as text; ``family`` is that of a dump, None for an nft script."""

    content: str
    family: Family | None
    name: str = ""  #: as messages call it


class ReplaySide:
    """A namespace of its own name, which goes away with the ``with`` block."""

    def __init__(
        self, node: Topology, *, backend: Backend = Backend.LEGACY, kernel_log: bool = False
    ):
        self.name = f"vpccni-{uuid.uuid4().hex[:8]}"
        self.backend = backend
        self._node = node
        self._kernel_log = kernel_log
        self._agent: subprocess.Popen[bytes] | None = None
        #: The tables of the dumps that are loaded.
        self._dumps: dict[Family, set[str]] = {family: set() for family in Family}
        #: Whether there are tables of nft.
        self._holds_nft = False
        #: Whether there are ipsets.
        self._holds_ipsets = False
        #: The sets that stand for recent lists, where a script has any.
        self._holds_recent = False
        self._dynamic: list[tuple[Family, str, str]] = []
        #: The script that gave the probes their rules, while they have them.
        self._probes = ""
        self._has_set_up_conntrack = False
        #: Whether conntrack runs, once a ruleset is there.
        self.tracked = dict.fromkeys(Family, False)

    def __enter__(self) -> Self:
        run("ip", "netns", "add", self.name)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._agent:
            # It has nothing to save, and may be amid an answer that is no longer read.
            self._agent.kill()
            self._agent.wait()
            for pipe in filter(None, (self._agent.stdin, self._agent.stdout)):
                with suppress(OSError):
                    pipe.close()
        run("ip", "netns", "delete", self.name)

    def _start(self) -> None:
        self._agent = subprocess.Popen(
            (_found("ip"), "netns", "exec", self.name, *isolated("vpccni_nft.replay.agent")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env=environment(),
        )
        self._send((self.name, self._node.taps, self._node.groups, self._kernel_log))
        self._answer()
        self._set(_SETTINGS | self._settings_of_devices())
        for options, lines in self._node.commands():
            self.run("ip", *options, "-batch", "-", script="\n".join(lines) + "\n")
        for family in Family:
            self.nft(probes.hooks(family))

    def _settings_of_devices(self) -> dict[str, int]:
        devices = ("all", "default", "lo", *self._node.taps)
        return {
            f"net/{path.format(device)}": value
            for path, value in _SETTINGS_OF_DEVICES.items()
            for device in devices
            if not (device == "all" and "accept_dad" in path)
        }

    def _set(self, settings: dict[str, int]) -> None:
        """Write settings, those that this kernel has; one process for all of them."""
        lines = (f"[ ! -e {path} ] || echo {value} > {path}" for path, value in settings.items())
        self.run("sh", "-e", script="cd /proc/sys\n" + "\n".join(lines) + "\n")

    # --- the ruleset ----------------------------------------------------------------------------

    def load(self, texts: Iterable[Text]) -> None:
        """Take a ruleset. ReplayError where the kernel does not."""
        for text in texts:
            try:
                self._take(text)
            except ReplayError as error:
                raise ReplayError(f"{text.name}: {error}" if text.name else str(error)) from None
        if self._holds_recent:
            self._dynamic = list(_dynamic_sets(self.run("nft", "-t", "list", "sets")))
        self.tracked = self._find_out_tracking()

    def _take(self, text: Text) -> None:
        self._holds_nft |= text.family is None or self.backend is Backend.NFT
        if text.family is None:
            self._holds_recent |= bool(_MAY_HOLD_RECENT.search(text.content))
            self.nft(text.content)
            if not self._probes:
                self._check_probes()
        else:
            self._restore(text.family, text.content)
            self._dumps[text.family] |= set(_TABLE.findall(text.content))

    def _check_probes(self) -> None:
        """Raise ReplayError where a script has taken the probes' tables with the others."""
        tables = self.run("nft", "list", "tables").splitlines()
        if any(f"table {family.value} {probes.TABLE}" not in tables for family in Family):
            raise ReplayError(
                "the script deletes tables that it does not make, such as by “flush ruleset”, and"
                f" with them {probes.TABLE}, by which packets are seen: leave that out, as nothing"
                " else is there before it"
            )

    def restore_ipsets(self, lines: str) -> None:
        """Make ipsets, by lines as ipset(8) saves them."""
        self.run("ipset", "restore", script=lines)
        self._holds_ipsets = True

    def unload(self) -> None:
        """Take the ruleset away again, and all that was made for it."""
        for family, tables in self._dumps.items():
            if tables:
                self._restore(family, "".join(map(_empty_table, sorted(tables))))
            tables.clear()
        if self._holds_ipsets:
            self.run("ipset", "destroy")
            self._holds_ipsets = False
        if self._holds_nft:
            names = [line.split()[1:] for line in self.run("nft", "list", "tables").splitlines()]
            script = (f"delete table {family} {name}\n" for family, name in names)
            self.nft("".join(line for line in script if f" {probes.TABLE}\n" not in line))
        self._holds_nft = self._holds_recent = False
        self._dynamic = []

    def _restore(self, family: Family, dump: str) -> None:
        program = {Family.IP: "iptables", Family.IP6: "ip6tables"}[family]
        wait = ("-w",) if self.backend is Backend.LEGACY else ()
        self.run(f"{program}-{self.backend.value}-restore", *wait, script=dump)

    def probe(self, tracked: Mapping[Family, bool], *, begin: bool = False) -> None:
        """Give the probes their rules, in place of those that they have; see ``probes.rules``."""
        script = ""
        for family in Family:
            flush = f"flush chain {family.value} {probes.TABLE}"
            script += "".join(f"{flush} {chain}\n" for chain in probes.chains())
            script += probes.rules(family, tracked=tracked[family], begin=begin)
        if script == self._probes:
            return
        self.nft(script)
        self._probes = script
        if any(tracked.values()) and not self._has_set_up_conntrack:
            self._set(_SETTINGS_OF_CONNTRACK)
            self._has_set_up_conntrack = True

    def _find_out_tracking(self) -> dict[Family, bool]:
        """Whether the ruleset makes the kernel track connections, and how nft reads a mark.

        Found out by a packet in two fragments: conntrack puts them together before any rule, and
        so before the first probe, sees them.
        """
        self.probe(dict.fromkeys(Family, False), begin=True)
        found = {}
        for family in Family:
            ((events,),) = self.ask("play", [self._node.fragmented(family)])
            begun = [event for event in events if event.kind == "begin" and event.headers]
            found[family] = not any(event.headers.fragmented for event in begun)
            if begun and begun[0].mark != TRIAL_MARK:
                self.ask("set_mark_order", "little")
        return found

    def nft(self, script: str) -> str:
        """Load a script.

        By a file: nft takes some malformed input on standard input for an empty one.
        """
        if _MAY_REACH_PROBES.search(script):
            self._probes = ""
        with tempfile.NamedTemporaryFile() as file:
            file.write(script.encode("utf-8", "surrogateescape"))
            file.flush()
            try:
                return self.run("nft", "-f", file.name)
            except ReplayError as error:
                raise ReplayError(str(error).replace(f"{file.name}:", "line ")) from None

    def run(self, *command: str, script: str = "") -> str:
        """Run a program in the namespace."""
        return run("ip", "netns", "exec", self.name, *command, script=script)

    # --- the agent ------------------------------------------------------------------------------

    def ask(self, name: str, *arguments: object) -> Any:
        """Call a method of the agent."""
        self._send((name, arguments, {}))
        return self._answer()

    def begin(self, conversations: list[Conversation], *, connections: bool) -> None:
        """Let the agent hold conversations; ``end`` gives what is seen."""
        arguments = (conversations, self._dynamic)
        self._send(("hold", arguments, {"connections": connections}))

    def end(self) -> tuple[list[Seen], list[Connection]]:
        """What was seen of the conversations that were begun, and their connections if wanted."""
        answer: tuple[list[Seen], list[Connection]] = self._answer()
        return answer

    def _send(self, request: object) -> None:
        assert self._agent
        assert self._agent.stdin
        pickle.dump(request, self._agent.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        self._agent.stdin.flush()

    def _answer(self) -> Any:
        assert self._agent
        assert self._agent.stdout
        try:
            return pickle.load(self._agent.stdout)
        except EOFError:
            raise ReplayError("the process inside the namespace has ended; see above why") from None


def _empty_table(name: str) -> str:
    """A dump of a table without rules."""
    chains = "".join(f":{chain} ACCEPT [0:0]\n" for table, chain in PLACES if table == name)
    return f"*{name}\n{chains}COMMIT\n"


def _dynamic_sets(listing: str) -> Iterator[tuple[Family, str, str]]:
    """Family, table and name of the sets that stand for recent lists."""
    family = table = name = ""
    for line in listing.splitlines():
        words = line.split()
        match words[:1]:
            case ["table"]:
                family, table = words[1:3]
            case ["set"]:
                name = words[1]
                if name.startswith(_RECENT) and family in {one.value for one in Family}:
                    yield Family(family), table, name


def run(*command: str, script: str = "") -> str:
    """Run a program; ReplayError with what it says where it fails."""
    done = subprocess.run(
        (_found(command[0]), *command[1:]),
        input=script.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
        timeout=120,
        env=environment(),
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        name = Path(command[4] if command[:3] == ("ip", "netns", "exec") else command[0]).name
        raise ReplayError(f"{name}: {reason or f'exit code {done.returncode}'}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _found(program: str) -> str:
    """Where a program is, whatever ``PATH`` says: it runs as root."""
    if found := path_of(program):
        return found
    raise ReplayError(f"{program} is missing from {PROGRAMS}")
