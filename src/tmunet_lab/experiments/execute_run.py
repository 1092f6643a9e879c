"""Do what is left of one run: train or resume, then score, each in a process of its own, through the commands anyone can type."""

import re
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from tmunet.errors import TMUNetError
from tmunet_lab.experiments.commands import evaluate_command, resume_command, train_command
from tmunet_lab.experiments.planned_runs import PlannedRun
from tmunet_lab.experiments.processes import Stop
from tmunet_lab.experiments.run_state import State, state_of

LAST_LINES = 8  # of the log of a run that failed, in the report
TOLD_EVERY = "10"  # seconds between two updates of a progress bar, which in a log are lines


@dataclass(frozen=True)
class Outcome:
    """How an attempt to complete a run ended.

    Attributes:
        state: "stopped" can go on with the next command; "busy" means that another process works on the run.
        seconds: that it took.
        detail: why it is not done: for "failed", the last lines of the log.
    """

    state: Literal["done", "failed", "stopped", "busy"]
    seconds: float
    detail: str = ""


def complete(run: PlannedRun, environment: Mapping[str, str], stop: Stop) -> Outcome:
    """Do what is left of a run; what its commands say goes to `run.log`.

    Args:
        run: whose data set is there.
        environment: environment variables of its commands.
        stop: runs the commands.
    """
    start = time.monotonic()
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("ab") as log:
        if not _lock(log):
            return Outcome("busy", 0.0, f"another process works on it and writes {run.log}")
        try:
            state, detail = _complete(run, environment, stop, log)
        except (TMUNetError, OSError) as error:
            state, detail = "failed", str(error)
    return Outcome(state, time.monotonic() - start, detail)


def _complete(
    run: PlannedRun, environment: Mapping[str, str], stop: Stop, log: IO[bytes]
) -> tuple[Literal["done", "failed", "stopped"], str]:
    for command in _left(run, state_of(run)):
        log.write(f"$ {shlex.join(['tmunet', *command])}\n".encode())
        log.flush()
        variables = {**environment, "TQDM_MININTERVAL": TOLD_EVERY}
        code = stop.run([sys.executable, "-m", "tmunet", *command], variables, log)
        if stop.asked:
            return "stopped", ""
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            return (
                "failed",
                f"tmunet {command[0]} ended with {how}. The last lines of {run.log}:\n{last_lines(run.log)}",
            )
    left = state_of(run)
    return ("done", "") if left.name == "done" else ("failed", f"all commands ended well, but the run is {left.name}")


def _left(run: PlannedRun, state: State) -> list[list[str]]:
    """The commands that a run still needs."""
    scoring = [evaluate_command(run, protocol) for protocol in state.unscored]
    if state.name == "to do":
        _clear(run.folder.path)
        return [train_command(run), *scoring]
    return [resume_command(run), *scoring] if state.name == "interrupted" else scoring


def _clear(folder: Path) -> None:
    """Remove what a run leaves that is killed before its settings are written: they come last, and nothing is trained yet."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()


def last_lines(log: Path) -> str:
    """The last lines of the last command of a log, progress bars in their last state only, indented."""
    text = re.split(r"(?m)^\$ tmunet .*\n", log.read_bytes().decode("utf-8", errors="replace"))[-1]
    lines = [line.rstrip().rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join(f"    {line}" for line in [line for line in lines if line][-LAST_LINES:])


def _lock(log: IO[bytes]) -> bool:
    """Hold a log as long as it is open here or in a command that writes it, which may outlive us; False if another holds it."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
