"""A process in which one network predicts once, so that its memory is nobody else's: `python -m tmunet.cli.alone JOB`."""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from tmunet.cli.process import prepare_process
from tmunet.errors import TMUNetError

if TYPE_CHECKING:
    from tmunet.bench.inference import Conditions
    from tmunet.bench.memory import Peak, TooMuch

START = 120.0  # seconds for Python, torch and the network


def predict_alone(label: str, size: int, batch: int, conditions: "Conditions") -> "Peak | TooMuch":
    """Predict one batch in a fresh process; see `measure_peak`.

    Raises:
        TMUNetError: the process failed for another reason than its limits.
    """
    from tmunet.bench.memory import Peak, TooMuch

    job = json.dumps({"label": label, "size": size, "batch": batch, "conditions": asdict(conditions)})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tmunet.cli.alone", job],
            capture_output=True,
            text=True,
            timeout=START + conditions.seconds,
        )
    except subprocess.TimeoutExpired:
        return TooMuch(f"takes longer than {conditions.seconds:g} s")
    if done.returncode == -9:  # the system's own guard against running out of memory
        return TooMuch("was killed by the system, most likely for its memory")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise TMUNetError(f"{label} at {size} pixels, batch {batch}, failed in a process of its own: {last[0]}")
    answer = json.loads(done.stdout)
    return TooMuch(**answer) if "reason" in answer else Peak(**answer)


def main(job: str) -> None:
    """Predict, and print what it took as JSON."""
    prepare_process()
    from tmunet.bench.inference import Conditions
    from tmunet.bench.memory import measure_peak

    found = json.loads(job)
    conditions = Conditions(**found["conditions"])
    print(json.dumps(asdict(measure_peak(found["label"], found["size"], found["batch"], conditions))))


if __name__ == "__main__":
    main(sys.argv[1])
