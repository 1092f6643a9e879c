"""Peak memory of one call in a fresh subprocess: `python -m tmunet_lab.bench.subprocess_probe JOB` answers in JSON."""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from tmunet.errors import TMUNetError

if TYPE_CHECKING:
    from tmunet_lab.bench.peak_memory import LimitExceeded, Peak
    from tmunet_lab.bench.workload import Conditions

START = 120.0  # seconds for Python, torch and the network


def measure_in_subprocess(label: str, size: int, batch: int, conditions: "Conditions") -> "Peak | LimitExceeded":
    """Run `measure_peak` in a fresh process.

    Raises:
        TMUNetError: the process failed for another reason than its limits.
    """
    from tmunet_lab.bench.peak_memory import LimitExceeded, Peak

    job = json.dumps({"label": label, "size": size, "batch": batch, "conditions": asdict(conditions)})
    command = [sys.executable, "-m", "tmunet_lab.bench.subprocess_probe", job]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=START + conditions.seconds)
    except subprocess.TimeoutExpired:
        return LimitExceeded("time", f"takes longer than {conditions.seconds:g} s")
    if done.returncode == -9:  # the out-of-memory killer
        return LimitExceeded("killed", "was killed by the system, most likely for its memory")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise TMUNetError(f"{label} at {size} pixels, batch {batch}, failed in its subprocess: {last[0]}")
    answer = json.loads(done.stdout)
    return LimitExceeded(**answer) if "reason" in answer else Peak(**answer)


def main(job: str) -> None:
    """Measure, and print the answer as JSON."""
    from tmunet.cli.process_setup import prepare_process

    prepare_process()  # before torch is imported
    from tmunet_lab.bench.peak_memory import measure_peak
    from tmunet_lab.bench.workload import Conditions

    found = json.loads(job)
    conditions = Conditions(**found["conditions"])
    print(json.dumps(asdict(measure_peak(found["label"], found["size"], found["batch"], conditions))))


if __name__ == "__main__":
    main(sys.argv[1])
