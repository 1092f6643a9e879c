"""Kill commands at random moments, run them again, and compare what they wrote with the result of an undisturbed run.

    python tools/kill.py [predict import ...] --times 50 --seed 0 [--out PAGE.md]

Each try starts the command in a fresh folder, sends SIGKILL to it and its children at a random moment between the first file
that it writes and its end, and runs the command that continues it. Then every file must equal that of the undisturbed run, and
there must be no file more or less; of JSON files that state when and how they were made, these entries are left out.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from torch.utils._pytree import tree_leaves

from tmunet.cli.demo import sample_folder

TMUNET = [sys.executable, "-m", "tmunet"]
SPEEDS = {"loader_images_per_s", "step_images_per_s"}
VOLATILE = {"command", "calls", "seconds", "date", "created", "time", "machine", "versions", *SPEEDS}
"""Entries of JSON files that differ between two undisturbed runs."""


@dataclass(frozen=True)
class Job:
    """A command that is killed.

    Attributes:
        start: the folder of this try -> words of the command; it writes to `folder / "out"`.
        go_on: the same for the command that continues it, by default `start`.
        prepare: makes the input in the folder of all tries.
        leave_out: suffixes of files that hold times, of which only the names are compared.
    """

    start: Callable[[Path, Path], list[str]]
    go_on: Callable[[Path, Path], list[str]] | None = None
    prepare: Callable[[Path], None] = lambda _: None
    leave_out: tuple[str, ...] = ()


def main() -> int:
    """Run the tries of each job, and print one row a job; the exit code is 1 if one differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", help=f"of {', '.join(JOBS)}; by default all")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Markdown page of the table")
    given = parser.parse_args()
    rows, failures = [], 0
    for name in given.jobs or JOBS:
        wrong = list(faults(JOBS[name], given.times, random.Random(f"{given.seed} {name}")))
        for fault in wrong:
            print(f"{name}: {fault}", file=sys.stderr)
        failures += len(wrong)
        rows.append(f"| {name} | {given.times} | {given.times - len(wrong)} |")
        print(rows[-1], flush=True)
    if given.out:
        given.out.write_text(page(given.times, given.seed, rows))
    return int(failures > 0)


def page(times: int, seed: int, rows: list[str]) -> str:
    """The table as Markdown."""
    head = (
        f"# Killed and run again\n\n`python tools/kill.py --times {times} --seed {seed}`: SIGKILL at a random moment between\n"
        "the first file and the end, then the command that continues it. Equal: the same files with the same content as without\n"
        "a kill.\n\n"
    )
    return head + "| command | kills | equal |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def faults(job: Job, times: int, draw: random.Random) -> Iterator[str]:
    """Kill a job `times` times; yield what differed."""
    with tempfile.TemporaryDirectory(prefix="tmunet-kill-") as name:
        root = Path(name)
        job.prepare(root)
        folder = root / "run"  # always the same, since some files state their path
        seconds, failed = run(job.start(root, folder), folder)
        if failed:
            raise SystemExit(f"the undisturbed command failed:\n{failed}")
        expected = tree(folder, job.leave_out)
        for turn in range(times):
            shutil.rmtree(folder)
            run(job.start(root, folder), folder, kill_after=draw.uniform(0, seconds))
            failed = ""
            if tree(folder, job.leave_out) != expected:  # else it had ended, and some commands refuse to overwrite
                _, failed = run((job.go_on or job.start)(root, folder), folder)
            found = tree(folder, job.leave_out)
            if failed:
                yield f"try {turn}: the second command failed: {failed[-600:]}"
            elif found != expected:
                differ = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
                yield f"try {turn}: differ: {', '.join(differ[:5])}"


def run(words: list[str], folder: Path, kill_after: float | None = None) -> tuple[float, str]:
    """Run a command, or kill it some seconds after its first file.

    Returns:
        Seconds from the first file to the end, and its output if it failed without being killed.
    """
    folder.mkdir(exist_ok=True)
    before = names(folder)
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder)
        while process.poll() is None and names(folder) == before:
            time.sleep(0.005)
        first = time.perf_counter()
        if kill_after is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        output.seek(0)
        return time.perf_counter() - first, output.read() if code and kill_after is None else ""


def names(folder: Path) -> set[Path]:
    """Paths of all files and folders below a folder, which may change meanwhile."""
    return {Path(place, name) for place, folders, files in os.walk(folder) for name in folders + files}


def tree(folder: Path, leave_out: tuple[str, ...]) -> dict[str, str]:
    """Path -> hash of each file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): "" if path.as_posix().endswith(leave_out) else digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def digest(path: Path) -> str:
    """Hash of a file, of JSON without the entries that state when it was made, of a checkpoint's weights and optimizer state."""
    if path.suffix == ".ckpt":  # Lightning also notes the score of this process
        checkpoint = torch.load(path, weights_only=False)
        states = tree_leaves([checkpoint["state_dict"], checkpoint["optimizer_states"]])
        return hashlib.sha256(b"".join(x.numpy().tobytes() for x in states if isinstance(x, torch.Tensor))).hexdigest()
    content = path.read_bytes()
    if path.suffix == ".json":
        content = json.dumps(lasting(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def lasting(value: Any) -> Any:
    """JSON without volatile entries."""
    if isinstance(value, dict):
        return {k: lasting(v) for k, v in value.items() if k not in VOLATILE}
    return [lasting(v) for v in value] if isinstance(value, list) else value


def write_slide(root: Path) -> None:
    """Write a tiled pyramid of 3,000 x 3,000 pixels with dark disks."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:3000, :3000]
    pixels = np.full((3000, 3000, 3), 235, np.uint8)
    for cy, cx in draw.integers(40, 2960, (120, 2)):
        pixels[(y - cy) ** 2 + (x - cx) ** 2 < 400] = (90, 60, 140)
    with tifffile.TiffWriter(root / "slide.tif") as tiff:
        settings: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
        tiff.write(pixels, subifds=1, resolution=(20000, 20000), resolutionunit="CENTIMETER", **settings)
        tiff.write(pixels[::4, ::4], subfiletype=1, **settings)


SAMPLE = sample_folder()
TRAINING = ["--recipe=strong", "--model=tmunet_t", "--epochs=5", "--preprocess.size=64", "--device=cpu", "--seed=0"]


def training(_: Path, folder: Path) -> list[str]:
    """A short training."""
    return [*TMUNET, "train", f"--data={SAMPLE}", f"--out={folder / 'out'}", *TRAINING]


def training_again(root: Path, folder: Path) -> list[str]:
    """What the output of an interrupted training says to run."""
    begun = (folder / "out").exists()
    return [*TMUNET, "train", "--resume", str(folder / "out")] if begun else training(root, folder)


JOBS: dict[str, Job] = {
    "predict": Job(
        lambda _, folder: [*TMUNET, "predict", str(SAMPLE / "images"), "-o", str(folder / "out"), "--overlays"],
    ),
    "import": Job(
        lambda _, folder: [*TMUNET, "import", str(SAMPLE), str(folder / "out"), "--title", "copy"],
    ),
    "check --fix": Job(
        lambda _, folder: [*TMUNET, "check", str(SAMPLE), "--fix", str(folder / "out")],
    ),
    "evaluate": Job(
        lambda _, folder: [
            *(*TMUNET, "evaluate", "--model", "nuclei-t", "--data", str(SAMPLE)),
            *("--subset", "test", "--out", str(folder / "out")),
        ],
        leave_out=(".html",),
    ),
    "export": Job(
        lambda _, folder: [*TMUNET, "export", "nuclei-t", "--format", "torch", "-o", str(folder / "out")],
        leave_out=(".pt2",),
    ),
    "train": Job(training, training_again, leave_out=("model/README.md",)),  # the card states speeds
    "slide": Job(
        lambda root, folder: [
            *(*TMUNET, "predict", str(root / "slide.tif"), "-m", "nuclei-t"),
            *("--mpp", "0.5", "-o", str(folder / "out")),
        ],
        prepare=write_slide,
    ),
}

if __name__ == "__main__":
    sys.exit(main())
