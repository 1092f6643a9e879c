"""Map a function over parts of the work on other processes or machines; one interface for Dask and Slurm."""

import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tmunet.errors import InputError, UsageError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

LARGEST_PART = 32  # items: what a lost worker has to do again, and how often the progress moves
PARTS_FOR_EACH = 4  # worker at least, so that all end at about the same time

ONE_AT_A_TIME = threading.Lock()
"""Held by a part that runs a network: threads of one worker would only take each other's cores."""


class Pool(Protocol):
    """Workers elsewhere that share the disk with this process.

    Attributes:
        workers: how many there are.
    """

    workers: int

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Yield ``function(item)`` in the order of the items; the item of a worker that is lost is given to another.

        Function, items and results are pickled. An exception of the function is raised where its result is due.

        Raises:
            WorkerError: workers were lost again and again, or there is none.
        """


def open_pool(dask: str | None, slurm: Mapping[str, Any] | None, folder: Path) -> AbstractContextManager[Pool | None]:
    """Open the workers that a command line asks for; None stays in this process.

    Args:
        dask: address of a scheduler, such as "tcp://head:8786", or "local" for one worker a core of this machine.
        slurm: settings of submitit.
        folder: for the files of submitit, on a disk that all machines share.

    Raises:
        UsageError: both are given, or a setting does not fit.
        MissingExtraError: the package is not installed.
        WorkerError: the scheduler cannot be reached, or has no worker.
    """
    if dask is not None and slurm is not None:
        raise UsageError("Expected --dask or --slurm, but got both.", code="flags")
    if dask is not None:
        from tmunet.machines.dask_pool import open_dask

        return open_dask(dask)
    if slurm is not None:
        from tmunet.machines.slurm_pool import SlurmPool

        return nullcontext(SlurmPool(slurm, folder))
    return nullcontext(None)


def split_parts(items: Sequence[_Item], workers: int) -> list[Sequence[_Item]]:
    """Split items into parts, in their order: several for each worker, of at most `LARGEST_PART`.

    >>> split_parts("abcdefghijk", 2)
    ['ab', 'cd', 'ef', 'gh', 'ij', 'k']
    """
    length = min(LARGEST_PART, max(1, -(-len(items) // (PARTS_FOR_EACH * max(1, workers)))))
    return [items[start : start + length] for start in range(0, len(items), length)]


def check_shared(path: Path) -> None:
    """Check in a worker that it sees a file or folder which the calling process sees.

    Raises:
        InputError: it does not, or the worker runs elsewhere without this disk.
    """
    if not path.exists():
        raise InputError(
            f"{path}: expected a disk that all machines share, but {platform.node()} does not see this; give images and -o "
            "on a disk that is mounted everywhere under the same path.",
            code="not-shared",
            path=path,
        )
