"""Chunk size S of the mLSTM: all sizes in turns, at the sequence lengths and head widths of TM-UNet.

    python benchmarks/chunk.py [--rounds 15] [--threads 2] [--out benchmarks/chunk.md]

`tmunet.nn.xlstm.default_chunk_size` follows from the page.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tmunet.cli.process_setup import prepare_process
from tmunet.files import write_text
from tmunet.versions import versions

SHAPES = ((4096, 8), (4096, 16), (4096, 32), (1024, 16), (1024, 32), (1024, 64), (256, 32), (256, 64), (256, 128))
"""Tokens T and channels D of a head, of TM-UNet t, s and b at 512 x 512."""
SIZES = (8, 16, 32, 64, 128)
HEADS = 8  # 4 of each direction
REFERENCE = 32


def call(T: int, D: int, S: int, backward: bool) -> Callable[[], Any]:
    """Forward, or forward and backward, on fixed random tokens; gates as after training."""
    import torch

    from tmunet.nn.mlstm import mlstm

    torch.manual_seed(0)
    q, k, v = (torch.randn(HEADS, 1, T, D) for _ in range(3))
    i, f = torch.randn(HEADS, 1, T), torch.randn(HEADS, 1, T) + 3
    leaves = tuple(x.requires_grad_(backward) for x in (q, k, v, i, f))

    def forward() -> Any:
        return mlstm(q, k, v, i, f, "sigmoid", S)

    def both() -> None:
        torch.autograd.grad(forward().square().sum(), leaves)

    return both if backward else forward


def rows(T: int, D: int, rounds: int) -> list[str]:
    """Two lines of the table: time of each chunk size over that of the reference, by rounds."""
    from tmunet.nn.xlstm import default_chunk_size
    from tmunet_lab.bench.timing import ratio, time_interleaved

    lines = []
    for what, backward in (("forward", False), ("forward + backward", True)):
        times = time_interleaved({str(S): call(T, D, S, backward) for S in SIZES}, rounds, 3)
        ratios = {S: ratio(times[str(S)], times[str(REFERENCE)]).median for S in SIZES}
        cells = " | ".join(
            f"**{value:.2f}**" if default_chunk_size(D) == S else f"{value:.2f}" for S, value in ratios.items()
        )
        lines.append(f"| {T} | {D} | {what} | {cells} |")
    return lines


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/chunk.md"))
    given = parser.parse_args()
    prepare_process()
    import torch

    from tmunet_lab.bench.environment import processor

    torch.set_num_threads(given.threads)
    table = "\n".join(line for T, D in SHAPES for line in rows(T, D, given.rounds))
    page = f"""# Tokens of a chunk

`python benchmarks/chunk.py --rounds {given.rounds} --threads {given.threads}`: 1 image, {HEADS} heads,
float32. Time over that of chunks of {REFERENCE} tokens, medians of the ratios by rounds; bold is what the network takes.

| tokens T | D | | {" | ".join(f"S = {S}" for S in SIZES)} |
|---|---|---|{"---|" * len(SIZES)}
{table}

{processor()}; {", ".join(f"{name} {version}" for name, version in versions().items())}
"""
    print(page)
    write_text(given.out, page)


if __name__ == "__main__":
    main()
