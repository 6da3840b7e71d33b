"""A whole path: the hooks that a packet goes through, and what the kernel does between them.

A received packet goes through prerouting and is routed; then it comes to input, or to forward and
postrouting. A packet that is made here goes through output and postrouting. Routing is a function
of all that it can see, otherwise unknown. What leaves by the loopback device is received again, as
another packet.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from ..core.values import Family
from .hook import ROUTED_BY, SOURCE_HOOKS, Route, go_through, route_anew, run_hook
from .oracle import Oracle, OracleKind
from .packet import ANEW, CONNECTION, DROP, ROUTED, STATUS_BITS, Event, State, interface_word, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .algebra import Algebra, Bool, Word
    from .hook import BaseChain, Program


@attrs.frozen
class Path:
    """The hooks of a packet, the one at which it enters first; or a hook by itself."""

    name: str
    hooks: tuple[str, ...]
    is_whole: bool = True

    @property
    def entry(self) -> str:
        """Where packets come in."""
        return self.hooks[0]

    @classmethod
    def at(cls, hook: str) -> Path:
        """A hook by itself."""
        return cls(hook, (hook,), is_whole=False)


RECEIVED = Path("received", ("prerouting", "input", "forward", "postrouting"))
MADE_HERE = Path("made here", ("output", "postrouting"))

PATHS = (RECEIVED, MADE_HERE)

#: Fields that a socket has, which the kernel looks for behind prerouting (ip_rcv_finish_core).
_OF_SOCKETS = ("has_socket", "uid", "gid", "cgroup")

#: Fields that say of the packet or its connection what other fields or bindings say, too.
_SAID_OTHERWISE = (
    *_OF_SOCKETS, "iif_group", "oif_group", "realm", "ct_original_saddr", "ct_original_daddr",
    "ct_original_sport", "ct_original_dport", "ct_reply_saddr", "ct_reply_daddr", "ct_reply_sport",
    "ct_reply_dport",
)  # fmt: skip


def run_path(  # noqa: PLR0913 - those of a hook, and what paths have besides
    algebra: Algebra,
    family: Family,
    path: Path,
    chains: Iterable[BaseChain],
    fields: Mapping[str, Word],
    watch: Callable[[object, Bool, Bool], None] | None = None,
    calls: Callable[[Program, str, State, Bool], Bool | None] | None = None,
    *,
    internal: int = 0,
    unrouted: int = 0,
    comes_to: Callable[[State, str], None] | None = None,
) -> State:
    """Send a packet through all base chains of a path.

    What is left in the state can be seen from outside: nothing of a packet that was dropped but
    that, and what happened on its way. ``internal`` are bits of the mark that neither routing nor
    whoever gets the packet looks at. ``comes_to`` is called at each hook that the packet may reach,
    and with none at the end.
    """
    if not path.is_whole:
        return run_hook(algebra, family, path.entry, chains, fields, watch, calls)
    state = State.start(algebra, family, path.entry, fields)
    state.watch, state.calls = watch, calls
    state.on_path, state.leaves_by = True, state.fields["oif"]
    state.internal, state.unrouted = internal, unrouted
    whether = ROUTED if path is RECEIVED else ANEW
    zeros = {name: state.word(name, 0) for name in (*ROUTED_BY, "ct_mark")}
    state.routed = {**zeros, whether: algebra.const(0, 1)}
    way = _Way(state, tuple(chains), dict(fields), comes_to)
    if path is RECEIVED:
        way.of_received()
    else:
        way.of_made_here()
    if comes_to:
        comes_to(state, "")
    way.end()
    return state


@attrs.frozen
class _Way:
    state: State
    chains: tuple[BaseChain, ...]
    entry: Mapping[str, Word]  #: the packet as it came
    comes_to: Callable[[State, str], None] | None

    def of_received(self) -> None:
        """Prerouting, then input, or forward and postrouting."""
        state, algebra = self.state, self.state.algebra
        self._go_through("prerouting")
        for when, verdict in tuple(state.verdicts):
            if verdict.kind == "reject":
                # It is answered by a packet that has no route yet.
                state.emit(when, Event("answer ahead of routing"))
        if algebra.impossible(state.live):
            return
        route = Route.of(state)
        no, yes = (algebra.const(one, 1) for one in (0, 1))
        state.routed |= {**route.seen, "ct_mark": state.fields["ct_mark"]}
        state.routed[ROUTED] = algebra.ite(state.live, yes, no)
        for field in _OF_SOCKETS:
            asked = Oracle(OracleKind.SOCKET_FIELD, field)
            connection = (state.fields["iif"], *(state.fields[name] for name in CONNECTION))
            state.fields[field] = algebra.ask(asked, connection, width(field, state.family))
        state.fields["realm"] = route.realm
        state.set_verdict(algebra.all(state.live, route.is_missing), DROP)
        live, routed = state.live, dict(state.fields)

        delivered, to_the_node = self._deliver(algebra.all(live, route.to_the_node))

        state.live = algebra.all(live, algebra.not_(route.to_the_node))
        state.fields = routed
        self._forward(route)
        self._go_through("forward")
        self._go_through("postrouting")
        state.live = algebra.any(delivered, state.live)
        for field, value in to_the_node.items():
            if value is not state.fields[field]:
                state.assign(route.to_the_node, field, value)

    def _deliver(self, where: Bool) -> tuple[Bool, dict[str, Word]]:
        """Input: where the packet is delivered, and its fields then.

        IPv4 puts fragments together ahead of it (ip_local_deliver): the first one stands for all of
        them, and the others have come as far as they come. IPv6 does so behind it (ip6_input).
        """
        state, algebra = self.state, self.state.algebra
        if state.family is Family.IP6:
            state.live = where
            self._go_through("input")
            return state.live, state.fields
        ahead = dict(state.fields)
        first = state.is_("fragment", 0)
        whole = algebra.ask(Oracle(OracleKind.WHOLE_LENGTH), (), width("length", state.family))
        state.assign(state.is_("fragmented", 1), "length", whole)
        state.fields |= {name: state.word(name, 0) for name in ("fragment", "fragmented")}
        state.live = algebra.all(where, first)
        self._go_through("input")
        state.fields |= {name: ahead[name] for name in ("fragment", "fragmented", "length")}
        return algebra.any(state.live, algebra.all(where, algebra.not_(first))), state.fields

    def _forward(self, route: Route) -> None:
        """What ip_forward and ip6_forward do ahead of the hook.

        What has been forwarded too often is dropped, like what has no route. How the kernel answers
        it is not looked at.
        """
        state, algebra = self.state, self.state.algebra
        last = algebra.ule(state.fields["ttl"], state.word("ttl", 1))
        state.set_verdict(algebra.all(state.live, last), DROP)
        bits = width("ttl", state.family)
        less = algebra.bvadd(state.fields["ttl"], state.word("ttl", (1 << bits) - 1), bits)
        state.assign(state.live, "ttl", less)
        asked = Oracle(OracleKind.FORWARDED_PRIORITY)
        seen = [state.fields["tos"]]
        if state.family is Family.IP6:  # whether it is set anew there is not known
            seen.append(state.fields["priority"])
        bits = width("priority", state.family)
        state.fields["priority"] = algebra.ask(asked, tuple(seen), bits)
        self._leave_by(route.device)

    def of_made_here(self) -> None:
        """Output, a new route where one is needed, and postrouting."""
        state, algebra = self.state, self.state.algebra
        self._go_through("output")
        if state.leaves_by is not state.fields["oif"]:
            stays = algebra.equal(state.leaves_by, state.fields["oif"])
            group = state.fields["oif_group"]
            self._leave_by(state.leaves_by)
            state.assign(stays, "oif_group", group)
        self._go_through("postrouting")

    def _leave_by(self, device: Word) -> None:
        state = self.state
        state.fields["oif"] = device
        asked = Oracle(OracleKind.DEVICE_GROUP)
        bits = width("oif_group", state.family)
        state.fields["oif_group"] = state.algebra.ask(asked, (device,), bits)

    def _go_through(self, hook: str) -> None:
        state = self.state
        if state.algebra.impossible(state.live):
            return
        state.enter(hook)
        if self.comes_to:
            self.comes_to(state, hook)
        go_through(state, hook, self.chains, partial(_note_binding, state, hook))

    def end(self) -> None:
        """Leave what can be seen from outside.

        Of a packet that was dropped, that is what its connection keeps, if that is not its first
        packet; the mark is seen by whoever gets the packet, but for the bits that are internal.
        """
        state, algebra, entry = self.state, self.state.algebra, self.entry
        dropped = algebra.any(*(when for when, verdict in state.verdicts if verdict == DROP))
        bit = state.word("ct_status", STATUS_BITS["confirmed"])
        is_first = algebra.not_(algebra.equal(algebra.bvand(entry["ct_status"], bit), bit))
        lost = algebra.all(dropped, is_first)
        leaves_by = state.fields["oif"]
        if state.internal:
            others = state.word("mark", ~state.internal & (1 << 32) - 1)
            seen = algebra.bvand(state.fields["mark"], others)
            stays = state.is_("oif", interface_word("lo"))
            state.assign(algebra.all(state.live, algebra.not_(stays)), "mark", seen)
        state.fields["oif"] = algebra.ite(state.live, leaves_by, entry["oif"])
        for field, value in entry.items():
            if field in _SAID_OTHERWISE:
                state.fields[field] = value
            elif state.fields[field] is not value:
                state.assign(lost if field == "ct_mark" else dropped, field, value)
        kept = algebra.not_(lost)
        state.bindings = [(algebra.all(when, kept), one) for when, one in state.bindings]


def _note_binding(state: State, hook: str, ahead: Mapping[str, Word]) -> None:
    """What follows from what NAT has done at a hook; ``ahead`` is the packet before that.

    Answers are expected from where the packet is sent now, and a new destination has a new route
    (nf_nat_core.c, nf_nat_setup_info; nf_nat_proto.c, nf_nat_ipv4_local_fn).
    """
    algebra = state.algebra
    here, end = ("s", "d") if hook in SOURCE_HOOKS else ("d", "s")
    bound = algebra.not_(algebra.equal(ahead[f"{here}nat_done"], state.fields[f"{here}nat_done"]))
    for part in ("addr", "port"):
        state.assign(bound, f"ct_reply_{end}{part}", state.fields[f"{here}{part}"])
    if hook == "output":
        same = algebra.equal(ahead["daddr"], state.fields["daddr"])
        route_anew(state, algebra.all(state.live, algebra.not_(same)))
