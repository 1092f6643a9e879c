"""Jobs of a Slurm cluster (submitit)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tmunet.errors import TMUNetError, UsageError, WorkerError
from tmunet.extras import require

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

TRIES = 3  # of a job that is preempted or killed
JOBS = 16  # at once, unless slurm_array_parallelism says otherwise: each one loads the model anew


class SlurmPool:
    """Jobs of an array, one a part; see `tmunet.machines.pool.Pool`.

    Args:
        settings: of submitit, such as {slurm_partition: gpu, timeout_min: 60}; `cluster: local` runs processes on this machine.
        folder: for the files of submitit, on a disk that all machines share.

    Raises:
        MissingExtraError: submitit is not installed.
        UsageError: there is no such cluster here, or no such setting.
    """

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        self._executor = slurm_executor(settings, folder)
        self.workers = int(settings.get("slurm_array_parallelism", JOBS))

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Yield ``function(item)`` in the order of the items."""
        from submitit.core.utils import FailedJobError, UncompletedJobError

        call = partial(_catch, function)
        jobs = self._executor.map_array(call, items)
        try:
            for index, item in enumerate(items):
                for left in reversed(range(TRIES)):
                    try:
                        result: _Result | TMUNetError = jobs[index].result()
                        break
                    except FailedJobError:  # another error than ours, with its traceback
                        raise
                    except UncompletedJobError as error:
                        if not left:
                            raise WorkerError(
                                f"Part {index + 1} of {len(items)}: {TRIES} jobs ended without a result. "
                                f"See {jobs[index].paths.stderr}. {str(error).splitlines()[0]}"
                            ) from None
                        jobs[index] = self._executor.submit(call, item)
                if isinstance(result, TMUNetError):
                    raise result
                yield result
        finally:
            cancel_jobs(jobs)


def _catch(function: Callable[[_Item], _Result], item: _Item) -> _Result | TMUNetError:
    """Call a function in a job; our errors are results, since of others submitit keeps the traceback only."""
    try:
        return function(item)
    except TMUNetError as error:
        return error


def slurm_executor(settings: Mapping[str, Any], folder: Path) -> Any:
    """Create an executor of submitit.

    Args:
        settings: of submitit; `cluster` is slurm by default, or local.
        folder: for the files of submitit.

    Raises:
        MissingExtraError: submitit is not installed.
        UsageError: there is no such cluster here, or no such setting.
    """
    submitit = require("submitit", extra="cluster")
    parameters = dict(settings)
    cluster = parameters.pop("cluster", "slurm")
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**parameters)
    except Exception as error:  # of many kinds, from asserts to missing programs
        raise UsageError(
            f"slurm: submitit does not take these settings on this machine: {error}", code="slurm"
        ) from None
    return executor


def cancel_jobs(jobs: Sequence[Any]) -> None:
    """Cancel the jobs that have not ended."""
    for job in jobs:
        if not job.done():
            job.cancel(check=False)
