"""All nodes of a fleet through joblib."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from ..core.errors import CannotRead
from .process import examine_apart, stop_idle
from .report import FAILED, UNREADABLE, Report, new_report, of_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from ..node.files import Fleet, NodeFiles
    from ..node.snapshot import Snapshot
    from .examine import FleetSettings

try:
    import joblib
except ImportError as missing:
    raise ImportError(
        "a fleet needs joblib: pip install 'vpccni-nft[fleet]'", name="joblib"
    ) from missing

#: How many nodes are given to a back end at a time that answers when it has done all.
SLICE = 64


@attrs.frozen
class _Group:
    """Nodes with the same rules."""

    key: str
    place: NodeFiles  #: of the first one, which is examined for all
    members: list[tuple[str, Mapping[str, str]]] = attrs.Factory(list)  #: names and files


@contextmanager
def spread(backend: str, jobs: int) -> Iterator[None]:
    """Within it, nodes are spread with a back end of joblib. Raises CannotRead without it."""
    with _cluster(backend), joblib.parallel_config(backend=backend, n_jobs=jobs):
        yield


def _cluster(backend: str) -> AbstractContextManager[object]:
    """What joblib's back ends of other projects need to be there."""
    try:
        if backend == "dask":
            from distributed import Client

            client: AbstractContextManager[object] = Client()
            return client
        if backend == "ray":
            from ray.util.joblib import register_ray

            register_ray()
    except ImportError as missing:
        raise CannotRead(f"--backend {backend}: {missing}") from None
    return nullcontext()


def survey(fleet: Fleet, settings: FleetSettings) -> Iterator[Report]:
    """Examine every node; the reports come as the nodes are done."""
    groups: dict[str, _Group] = {}
    for place in fleet.nodes:
        # Texts are not kept: those of a large fleet are more than a machine holds.
        node = place.read()
        if node.problem:
            report = new_report(UNREADABLE, node.problem)
            yield of_node(node.name, node.files, None, None, report)
        else:
            group = groups.setdefault(node.key, _Group(node.key, place))
            group.members.append((node.name, node.files))
    try:
        for key, report in _examined(groups, settings):
            group = groups[key]
            for name, files in group.members:
                like = group.place.name if name != group.place.name else None
                yield of_node(name, files, key, like, report)
    finally:
        stop_idle()


def _examined(
    groups: Mapping[str, _Group], settings: FleetSettings
) -> Iterator[tuple[str, Report]]:
    """The report of each group; where joblib itself fails, the rest is tried once more."""
    pending = dict(groups)
    reason = ""
    for _ in range(2):
        try:
            for key, report in _run([*pending.values()], settings):
                del pending[key]
                yield key, report
        except Exception as error:  # noqa: BLE001 - back ends have exceptions of their own
            reason = f"{type(error).__name__}: {error}"[:1000]
    for key in pending:
        yield key, new_report(FAILED, reason)


def _run(groups: Iterable[_Group], settings: FleetSettings) -> Iterator[tuple[str, Report]]:
    # Read as they are given out.
    tasks: Iterator[Any] = (
        joblib.delayed(_examine)(group.key, group.place.read(), settings) for group in groups
    )
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    except ValueError:  # multiprocessing, and Ray's back end, which is made of it
        while some := [*islice(tasks, SLICE)]:
            yield from joblib.Parallel(batch_size=1)(some)
    else:
        yield from parallel(tasks)


def _examine(key: str, node: Snapshot, settings: FleetSettings) -> tuple[str, Report]:
    """What a worker of joblib does."""
    if node.problem or node.key != key:
        return key, new_report(UNREADABLE, "its files changed while they were read")
    return key, examine_apart(node.texts, settings)
