"""Tasks of many nodes through joblib."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.errors import CannotRead
from .process import stop_idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

try:
    import joblib
except ImportError as missing:
    raise ImportError(
        "a fleet needs joblib: pip install 'vpccni-nft[fleet]'", name="joblib"
    ) from missing

#: How many nodes are given to a back end at a time that answers when it has done all.
SLICE = 64

Result = TypeVar("Result")


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


def run(
    work: Callable[..., tuple[str, Result]],
    tasks: Mapping[str, Callable[[], tuple[Any, ...]]],
    failed: Callable[[str], Result],
) -> Iterator[tuple[str, Result]]:
    """What ``work`` gives of each task, by its key, as they are done.

    A task is what gives the arguments behind the key when it is given out: texts are not kept.
    Where joblib itself fails, the rest is tried once more; then ``failed`` gets the reason.
    """
    pending = dict(tasks)
    reason = ""
    try:
        for _ in range(2):
            try:
                for key, result in _spread(work, [*pending.items()]):
                    del pending[key]
                    yield key, result
            except Exception as error:  # noqa: BLE001 - back ends have exceptions of their own
                reason = f"{type(error).__name__}: {error}"[:1000]
        for key in pending:
            yield key, failed(reason)
    finally:
        stop_idle()


def _spread(
    work: Callable[..., tuple[str, Result]],
    tasks: Iterable[tuple[str, Callable[[], tuple[Any, ...]]]],
) -> Iterator[tuple[str, Result]]:
    calls: Iterator[Any] = (joblib.delayed(work)(key, *given()) for key, given in tasks)
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    except ValueError:  # multiprocessing, and Ray's back end, which is made of it
        while some := [*islice(calls, SLICE)]:
            yield from joblib.Parallel(batch_size=1)(some)
    else:
        yield from parallel(calls)
