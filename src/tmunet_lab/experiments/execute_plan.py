"""Complete several runs on this machine, as many at once as there are workers."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue

from tmunet_lab.experiments.execute_run import Outcome, complete
from tmunet_lab.experiments.planned_runs import Key, PlannedRun
from tmunet_lab.experiments.processes import Stop

Watch = Callable[[PlannedRun, Outcome | None], object]
"""Told of a run that starts (no outcome yet) and of one that ends."""


def execute(
    runs: Sequence[PlannedRun], environments: Sequence[Mapping[str, str]], seconds: float | None, watch: Watch
) -> dict[Key, Outcome]:
    """Complete runs in their order; one that fails does not stop the others.

    Args:
        runs: what is to be completed.
        environments: one for each worker: variables in which it differs from this process. One that this process has already
            from outside, as the number of threads, stays.
        seconds: after which nothing is started and what runs is stopped; None waits for all.
        watch: told of starts and ends.

    Returns:
        The outcomes of those that were started.

    Raises:
        KeyboardInterrupt: after what runs has been stopped.
    """
    free: SimpleQueue[Mapping[str, str]] = SimpleQueue()
    for environment in environments:
        free.put(environment)
    stop = Stop()
    outcomes: dict[Key, Outcome] = {}

    def work(run: PlannedRun) -> None:
        if stop.asked:
            return
        environment = free.get()
        try:
            watch(run, None)
            outcomes[run.key] = complete(run, _environment(environment), stop)
            watch(run, outcomes[run.key])
        finally:
            free.put(environment)

    with ThreadPoolExecutor(len(environments)) as pool:
        futures = [pool.submit(work, run) for run in runs]
        try:
            _, late = wait(futures, timeout=seconds)
            if late:
                stop.ask()
        except BaseException:
            stop.ask()
            raise
    for future in futures:
        future.result()
    return outcomes


def _environment(worker: Mapping[str, str]) -> dict[str, str]:
    named = {name: value for name, value in os.environ.items() if name == "OMP_NUM_THREADS"}
    return {**os.environ, **worker, **named}
