"""Speed of TM-UNet in two source trees: a process for each, which take turns, so that a busy machine disturbs both alike.

    git worktree add /tmp/before COMMIT
    python benchmarks/before_after.py /tmp/before/src src [--rounds 15] [--threads 1] [--names tmunet_b tmunet_s tmunet_t]

Inference: 512 x 512 pixels, batch 1, `optimize_for_inference`. Training step: 256 x 256 pixels, batch 4, forward and backward.
Prints the median ratio of the second tree to the first by turns, of wall time and of CPU time (user and system), and quartiles.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

JOBS = ("inference", "training step")


def main() -> None:
    """Measure and print the table; or, as a child, run calls on demand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", help="two folders that hold the package tmunet")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--names", nargs="+", default=["tmunet_b", "tmunet_s", "tmunet_t"])
    given = parser.parse_args()
    if not given.trees:
        serve(given.threads)
        return
    before, after = (Tree(path, given.threads) for path in given.trees)
    print("| network | | wall, after / before | CPU, after / before | ms before |\n|---|---|---|---|---|")
    for name in given.names:
        for job in JOBS:
            times: list[tuple[list[float], list[float]]] = []
            for turn in range(given.rounds + 2):  # two turns to warm up
                trees = (before, after) if turn % 2 else (after, before)
                seconds = {tree: tree.run(job, name) for tree in trees}
                if turn > 1:
                    times.append((seconds[before], seconds[after]))
            wall, cpu = ([b[k] / a[k] for a, b in times] for k in (0, 1))
            ms = statistics.median(a[0] for a, _ in times) * 1e3
            print(f"| `{name}` | {job} | {spread(wall)} | {spread(cpu)} | {ms:.0f} |", flush=True)


def spread(ratios: list[float]) -> str:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


class Tree:
    """A process that has imported one source tree."""

    def __init__(self, path: str, threads: int) -> None:
        words = [sys.executable, __file__, "--threads", str(threads)]
        environment = {**os.environ, "PYTHONPATH": str(Path(path).resolve())}
        self.process = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def run(self, job: str, name: str) -> list[float]:
        """Return the wall and CPU seconds of one call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name} {job}\n")
        return [float(word) for word in self.process.stdout.readline().split()]


def serve(threads: int) -> None:
    """Answer each line, a network and a job, by the seconds of one call."""
    import torch

    torch.set_num_threads(threads)
    calls: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        name, _, job = line.strip().partition(" ")
        if line not in calls:
            calls[line] = inference(name) if job == JOBS[0] else training_step(name)
        start, cpu = time.perf_counter(), time.process_time()
        calls[line]()
        print(time.perf_counter() - start, time.process_time() - cpu, flush=True)


def inference(name: str) -> Callable[[], object]:
    """One image through the optimized network."""
    import torch

    from tmunet.nn.inference.optimize import optimize_for_inference
    from tmunet.registry import create_model

    network, image = optimize_for_inference(create_model(name)), torch.randn(1, 3, 512, 512)

    def call() -> None:
        with torch.inference_mode():
            network(image)

    return call


def training_step(name: str) -> Callable[[], object]:
    """Forward and backward of one batch."""
    import torch

    from tmunet.registry import create_model

    network, images = create_model(name).train(), torch.randn(4, 3, 256, 256)
    parameters = list(network.parameters())
    return lambda: torch.autograd.grad(network(images).square().mean(), parameters)


if __name__ == "__main__":
    main()
