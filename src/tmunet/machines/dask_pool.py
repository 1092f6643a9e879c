"""Workers of a Dask scheduler (dask.distributed)."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from tmunet import __version__
from tmunet.errors import UsageError, WorkerError
from tmunet.extras import require

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

LOCAL = "local"
WAIT = 30  # seconds for a scheduler and its first worker


class DaskPool:
    """Workers of a scheduler; see `tmunet.machines.pool.Pool`. A part of a lost worker is done again, up to three times.

    Args:
        client: of the scheduler.

    Raises:
        WorkerError: no worker comes within half a minute.
        UsageError: a worker has another version of tmunet, or none.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        try:
            client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError:
            raise WorkerError(
                f"{client.scheduler.address}: expected workers, but none came in {WAIT} s; start them with: dask worker "
                f"{client.scheduler.address} --nthreads 1"
            ) from None
        found = client.run(_version)
        if others := {address: version for address, version in found.items() if version != __version__}:
            address, version = next(iter(others.items()))
            raise UsageError(
                f"{address}: expected tmunet {__version__} on every worker, as here, but found {version}; install it there.",
                code="worker-version",
            )
        self.workers = len(found)

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Yield ``function(item)`` in the order of the items."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        futures = self._client.map(function, items, pure=False)  # pure ones of a former call would not be run again
        try:
            for index, future in enumerate(futures):
                try:
                    result: _Result = future.result()
                except KilledWorker as error:
                    raise WorkerError(
                        f"Part {index + 1} of {len(items)} was lost with each of the workers that tried it, as when memory "
                        f"runs out; give workers more, or images a smaller --batch-size. {error}"
                    ) from None
                except FutureCancelledError as error:
                    raise WorkerError(f"The scheduler is gone: {error}") from None
                yield result
        finally:
            self._client.cancel(futures)


def _version() -> str:
    from tmunet import __version__

    return __version__


@contextmanager
def open_dask(address: str) -> Iterator[DaskPool]:
    """Connect to a scheduler, or start one with a worker a core here, which end with the block.

    Raises:
        MissingExtraError: dask.distributed is not installed.
        UsageError: this is no address.
        WorkerError: the scheduler does not answer, or has no worker.
    """
    distributed = require("distributed", extra="dask")
    if address != LOCAL and "://" not in address:
        raise UsageError(
            f"Expected --dask to be local or an address such as tcp://head:8786, but got {address!r}.", code="value"
        )
    if address == LOCAL:
        cores = os.cpu_count() or 1
        with (
            distributed.LocalCluster(n_workers=cores, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield DaskPool(client)
        return
    try:
        client = distributed.Client(address, timeout=WAIT)
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkerError(f"{address}: expected a Dask scheduler, but: {str(error).splitlines()[0]}") from None
    with client:
        yield DaskPool(client)
