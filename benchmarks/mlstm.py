"""The mLSTM alone: what the network runs beside the chunkwise specification and two quadratic forms, on the CPU.

    python benchmarks/mlstm.py [--rounds 9] [--threads 1] [--out benchmarks/mlstm.md]

Time: all forms of a shape take turns in one process, so that ratios hold on a noisy machine. Memory: how far the resident set
of a fresh process rises above what it was with the inputs in place.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tmunet.cli.process_setup import prepare_process
from tmunet.files import write_text
from tmunet.versions import versions

SHAPES = ((1024, 64), (4096, 32), (16384, 32))  # tokens T, channels D of a head; 1 image, 4 heads
HEADS, CHUNK = 4, 32
FORMS = ("fast", "chunkwise", "quadratic", "parallel")
LINEAR = ("fast", "chunkwise")
LONGEST = 4096  # tokens; the quadratic forms of more take 15 GB


def call(form: str, T: int, D: int, backward: bool) -> Callable[[], Any]:
    """Forward, or forward and backward, of one form on fixed random tokens; gates as after training."""
    import torch

    from tmunet.nn.mlstm import mlstm, mlstm_chunkwise, mlstm_parallel
    from tmunet_lab.baselines.tmunet_released import mlstm_quadratic

    forms: dict[str, Callable[..., torch.Tensor]] = {
        "fast": partial(mlstm, forget_gate="sigmoid", chunk_size=CHUNK),
        "chunkwise": partial(mlstm_chunkwise, chunk_size=CHUNK),
        "quadratic": mlstm_quadratic,
        "parallel": mlstm_parallel,
    }
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, HEADS, T, D) for _ in range(3))
    k = k if form == "quadratic" else k / D**0.5
    tokens = [q, k, v, torch.randn(1, HEADS, T), torch.randn(1, HEADS, T) + 3]

    def forward() -> None:
        with torch.no_grad():
            forms[form](*tokens)

    def both() -> None:
        leaves = [x.detach().requires_grad_() for x in tokens]
        forms[form](*leaves).square().sum().backward()

    return both if backward else forward


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process, bytes."""
    with Path("/proc/self/status").open(encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def growth(form: str, T: int, D: int, backward: bool) -> int:
    """Bytes that the first call adds to a fresh process."""
    words = [sys.executable, __file__, "--child", form, str(T), str(D), str(int(backward))]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def rows(T: int, D: int, rounds: int) -> list[str]:
    """The lines of one shape."""
    from tmunet_lab.bench.timing import ratio, time_interleaved

    forms = [form for form in FORMS if form in LINEAR or T <= LONGEST]
    lines = []
    for backward in (False, True):
        times = time_interleaved({form: call(form, T, D, backward) for form in forms}, rounds, 1)
        memory = {form: growth(form, T, D, backward) for form in forms}
        for form in forms:
            slower = "-"
            if "quadratic" in forms:
                spread = ratio(times["quadratic"], times[form])
                slower = f"{spread.median:.1f} ({spread.low:.1f} to {spread.high:.1f})"
            less = f"{memory['quadratic'] / memory[form]:.0f}" if "quadratic" in forms else "-"
            lines.append(
                f"| {T} | {D} | {'forward + backward' if backward else 'forward'} | `{form}` "
                f"| {statistics.median(times[form]) * 1e3:.1f} | {slower} | {memory[form] / 1e6:.0f} | {less} |"
            )
    return lines


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/mlstm.md"))
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    prepare_process()
    import torch

    torch.set_num_threads(given.threads)
    if given.child:
        form, T, D, backward = given.child
        step = call(form, int(T), int(D), backward == "1")
        before = resident("VmRSS")
        step()
        print(resident("VmHWM") - before)
        return
    from tmunet_lab.bench.environment import processor

    lines = [
        "# The mLSTM alone",
        "",
        f"`python benchmarks/mlstm.py --rounds {given.rounds} --threads {given.threads}`: 1 image, {HEADS} heads, float32, "
        f"chunks of {CHUNK} tokens; medians of calls in turns. `fast` is the form that the network runs (with chunks of 64 where "
        "D is 64 or more), `chunkwise` the specification in linear time, `parallel` that in quadratic time, `quadratic` the form "
        "of the paper's released code. The ratios are those of `quadratic` to each form, by rounds, with their quartiles.",
        "",
        "| tokens T | D | | form | ms | times faster than `quadratic` | MB added | times less than `quadratic` |",
        "|---|---|---|---|---|---|---|---|",
        *(line for T, D in SHAPES for line in rows(T, D, given.rounds)),
        "",
        f"{processor()}; {', '.join(f'{name} {version}' for name, version in versions().items())}",
        "",
    ]
    write_text(given.out, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
