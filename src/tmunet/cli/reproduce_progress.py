"""Report the progress of `tmunet reproduce`."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tmunet_lab.experiments.run_status import InspectedRun
    from tmunet_lab.experiments.runner import RunOutcome, Watch
    from tmunet_lab.experiments.runs import PlannedRun, RunKey


def progress_logger(total: int) -> "Watch":
    """Print a line when a run starts and when it ends."""
    from tmunet_lab.experiments.time_estimate import duration

    started = itertools.count(1)

    def log(run: "PlannedRun", outcome: "RunOutcome | None") -> None:
        name = run.folder.path.name
        if outcome is None:
            print(f"[{next(started)}/{total}] {name}: log in {run.log}", flush=True)
        else:
            reason = f"\n{outcome.reason}" if outcome.reason else ""
            print(f"{name}: {outcome.status} after {duration(outcome.seconds)}{reason}", flush=True)

    return log


def format_summary(
    inspected: "Sequence[InspectedRun]", outcomes: "Mapping[RunKey, RunOutcome]", missing: "Mapping[RunKey, str]"
) -> str:
    """Count runs that are done and failed, and list the reasons of the others, each once."""
    done = [run for run, _ in inspected if run.key not in missing]
    failed = sum(outcome.status == "failed" for outcome in outcomes.values())
    now = sum(run.key in outcomes for run in done)
    lines = [f"{len(done)} of {len(inspected)} runs are done, {now} of them now; {failed} failed."]
    names: dict[str, list[str]] = {}
    for run, _ in inspected:
        if run.key in missing:
            names.setdefault(missing[run.key], []).append(run.folder.path.name)
    for reason, (first, *more) in names.items():
        lines.append(f"  {first}{f' and {len(more)} more' if more else ''}: {reason}")
    return "\n".join(lines)
