"""What `tmunet reproduce` says of its runs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tmunet_lab.experiments.execute_plan import Watch
    from tmunet_lab.experiments.execute_run import Outcome
    from tmunet_lab.experiments.planned_runs import Key, PlannedRun
    from tmunet_lab.experiments.run_state import Examined


def teller(total: int) -> "Watch":
    """Says of each run when it starts and how it ends."""
    from tmunet_lab.experiments.duration import duration

    started = itertools.count(1)

    def tell(run: "PlannedRun", outcome: "Outcome | None") -> None:
        name = run.folder.path.name
        if outcome is None:
            print(f"[{next(started)}/{total}] {name}: log in {run.log}", flush=True)
        else:
            detail = f"\n{outcome.detail}" if outcome.detail else ""
            print(f"{name}: {outcome.state} after {duration(outcome.seconds)}{detail}", flush=True)

    return tell


def summary(examined: "Sequence[Examined]", outcomes: "Mapping[Key, Outcome]", missing: "Mapping[Key, str]") -> str:
    """How many runs are done and failed, and why the others are not there, each reason once."""
    done = [run for run, state in examined if state.name == "done"]
    failed = sum(outcome.state == "failed" for outcome in outcomes.values())
    now = sum(run.key in outcomes for run in done)
    lines = [f"{len(done)} of {len(examined)} runs are done, {now} of them now; {failed} failed."]
    names: dict[str, list[str]] = {}
    for run, _ in examined:
        if run.key in missing:
            names.setdefault(missing[run.key], []).append(run.folder.path.name)
    for reason, (first, *more) in names.items():
        lines.append(f"  {first}{f' and {len(more)} more' if more else ''}: {reason}")
    return "\n".join(lines)
