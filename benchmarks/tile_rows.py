"""Size of the tiles of fine feature maps in inference: each size in turns, beside whole maps.

    python benchmarks/tile_rows.py [--rounds 9] [--threads 2] [--out benchmarks/tile_rows.md]

`LARGE` and `TILE` of `tmunet.nn.inference.tiled_tmunet` follow from the page.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tmunet.cli.process_setup import prepare_process
from tmunet.files import write_text
from tmunet.versions import versions

NETWORKS = ("tmunet_t", "tmunet_s", "tmunet_b")
SIZES = (512, 1024)
TILES = (1, 2, 4, 8, 16)  # MiB
WHOLE = 2**20  # MiB, larger than any map


def call(network: Any, image: Any, mib: int) -> None:
    """One image; maps of more than two tiles go in tiles of `mib` MiB."""
    import torch

    from tmunet.nn.inference import tiled_tmunet

    tiled_tmunet.TILE, tiled_tmunet.LARGE = mib * 2**20, 2 * mib * 2**20
    with torch.inference_mode():
        network(image)


def row(name: str, size: int, rounds: int, threads: int) -> str:
    """A line of the table: time with tiles of each size over that with whole maps, by rounds."""
    import torch

    from tmunet.nn.inference import tiled_tmunet
    from tmunet.nn.inference.optimize import optimize_for_inference
    from tmunet.registry import create_model
    from tmunet_lab.bench.timing import ratio, time_interleaved

    chosen = tiled_tmunet.TILE // 2**20
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network, image = optimize_for_inference(create_model(name).eval()), torch.randn(1, 3, size, size)
    calls: dict[str, Callable[[], object]] = {str(mib): partial(call, network, image, mib) for mib in (WHOLE, *TILES)}
    times = time_interleaved(calls, rounds, warm_up=1)
    cells = []
    for mib in TILES:
        spread = ratio(times[str(mib)], times[str(WHOLE)])
        median = f"**{spread.median:.2f}**" if mib == chosen else f"{spread.median:.2f}"
        cells.append(f"{median} ({spread.low:.2f} to {spread.high:.2f})")
    return f"| `{name}` | {size} | {' | '.join(cells)} |"


def table(prepare: Callable[[], None] | None, rounds: int, threads: int) -> str:
    """Lines of a table, each measured in a process of its own, which is set up by `prepare`."""
    lines = []
    for name in NETWORKS:
        for size in SIZES:
            with ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare) as process:
                lines.append(process.submit(row, name, size, rounds, threads).result())
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/tile_rows.md"))
    given = parser.parse_args()
    head = f"| network | pixels a side | {' | '.join(f'{mib} MiB' for mib in TILES)} |\n|---|---|{'---|' * len(TILES)}"
    command_line, library = (table(prepare, given.rounds, given.threads) for prepare in (prepare_process, None))

    from tmunet_lab.bench.environment import processor

    page = f"""# Size of a tile

`python benchmarks/tile_rows.py --rounds {given.rounds} --threads {given.threads}`: 1 image, float32. Maps of more than two
tiles are computed tile by tile. Time over that of whole maps, medians and quartiles of the ratios by rounds; bold is the
package's size.

## In the command `tmunet`, which keeps the memory of one map for the next

{head}
{command_line}

## In a process of Python as it is, which gives large maps back to the system

{head}
{library}

{processor()}; {", ".join(f"{name} {version}" for name, version in versions().items())}
"""
    print(page)
    write_text(given.out, page)


if __name__ == "__main__":
    main()
