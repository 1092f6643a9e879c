"""Speed of `Predictor` in a plain Python process, with `tmunet.keep_memory()`, and in the process of the command.

    python benchmarks/plain_process.py [--names tmunet_s tmunet_b ulite] [--rounds 3] [--threads 1]

Each turn is a fresh process that predicts one image of 512 x 512 and one of 1024 x 1024 pixels, networks built for these sizes
with fresh weights, and takes the fastest of its calls after one to warm up. The kinds of process take turns. Processor time (user
and system) stands beside wall time, which means less on a machine that is shared. Page faults are those of one call.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

KINDS = ("plain", "keep_memory", "command")
SIZES = (512, 1024)


def main() -> None:
    """Measure, print and write the page; or, as a child, measure one process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", nargs="+", default=["tmunet_s", "tmunet_b", "ulite"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/plain_process.md"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child, given.names[0], given.calls, given.threads)))
        return
    page = f"""# A plain Python process

`python benchmarks/plain_process.py --names {" ".join(given.names)} --rounds {given.rounds} --calls {given.calls}
--threads {given.threads}`: `Predictor`, one image, batch 1, float32, {given.threads} thread,
fresh processes in turns, medians of {given.rounds} rounds. Ratios are medians of those of each round.

| network | process | CPU ms, 512 | CPU / plain | wall / plain | CPU ms, 1024 | CPU / plain | growth, CPU (wall) | page faults |
|---|---|---|---|---|---|---|---|---|
"""
    print(page, end="", flush=True)
    for name in given.names:
        found: dict[str, list[dict[str, list[float]]]] = {kind: [] for kind in KINDS}
        for turn in range(given.rounds):
            for kind in KINDS[turn % 3 :] + KINDS[: turn % 3]:
                words = [sys.executable, __file__, "--child", kind, "--names", name]
                numbers = ["--calls", str(given.calls), "--threads", str(given.threads)]
                done = subprocess.run([*words, *numbers], capture_output=True, text=True, check=True)
                found[kind].append(json.loads(done.stdout))
        for kind, rounds in found.items():
            line = row(name, kind, rounds, found["plain"])
            print(line, end="", flush=True)
            page += line
    given.out.write_text(page, encoding="utf-8")


def row(name: str, kind: str, rounds: list[dict[str, list[float]]], plain: list[dict[str, list[float]]]) -> str:
    """Return a line of the table."""

    def middle(size: int, which: int) -> float:
        return statistics.median(one[str(size)][which] for one in rounds)

    def ratio(size: int, which: int) -> float:
        pairs = zip(rounds, plain, strict=True)
        return statistics.median(a[str(size)][which] / b[str(size)][which] for a, b in pairs)

    def growth(which: int) -> float:
        return statistics.median(one[str(SIZES[1])][which] / one[str(SIZES[0])][which] for one in rounds)

    small, large = SIZES
    return (
        f"| `{name}` | {kind} | {1e3 * middle(small, 1):.0f} | {ratio(small, 1):.2f} | {ratio(small, 0):.2f} "
        f"| {1e3 * middle(large, 1):.0f} | {ratio(large, 1):.2f} | {growth(1):.2f} ({growth(0):.2f}) "
        f"| {middle(small, 2):,.0f} / {middle(large, 2):,.0f} |\n"
    )


def measure(kind: str, name: str, calls: int, threads: int) -> dict[str, list[float]]:
    """Return wall seconds, CPU seconds and page faults of the fastest call for each size, in this process."""
    if kind == "command":
        from tmunet.cli.process_setup import prepare_process

        prepare_process()
    else:
        os.environ.pop("OMP_WAIT_POLICY", None)
    import numpy as np
    import torch

    import tmunet
    from tmunet.data.data_config import Preprocess
    from tmunet.model_config import ModelConfig

    if kind == "keep_memory":
        tmunet.keep_memory()
    torch.set_num_threads(threads)
    found = {}
    for size in SIZES:
        config = ModelConfig(name, preprocess=Preprocess(size=size))
        predict = tmunet.Predictor(tmunet.TrainedModel(config.create_network().eval(), config), device="cpu")
        image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
        predict(image)
        times = []
        for _ in range(calls):
            wall, cpu = time.perf_counter(), time.process_time()
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            predict(image)
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
            times.append((time.perf_counter() - wall, time.process_time() - cpu, float(faults)))
        found[str(size)] = [min(one) for one in zip(*times, strict=True)]
    return found


if __name__ == "__main__":
    main()
