"""Throughput of 1, 2 and 4 Dask workers with the work replaced by a sleep of the measured length: what the scheduler adds.

    python benchmarks/many_machines.py --write benchmarks/many_machines.md

A sleep takes no processor, so four workers on two cores show what four machines would, but for their disk and network. The
workers are threads of one process that talk to the scheduler over TCP.
"""

import argparse
import os
import platform
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

from distributed import Client, LocalCluster

from tmunet.files import write_text
from tmunet.machines.dask_pool import DaskPool
from tmunet.machines.pool import split_parts
from tmunet.model_config import packaged_model
from tmunet.prediction.predictor import Predictor

SAMPLE = Path(__file__).parents[1] / "src" / "tmunet" / "sample" / "images"
WORKERS = (1, 2, 4)
SECONDS = 5.0  # of sleep for each worker in a measurement


def measure_image() -> float:
    """Median seconds of `nuclei-t` for one sample image: read, predict, postprocess; on the machine that runs this."""
    predictor, seconds = Predictor(packaged_model()), []
    for image in sorted(SAMPLE.iterdir())[:20]:
        start = time.perf_counter()
        predictor(image)
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def sleep_part(seconds: float, part: Sequence[int]) -> int:
    """Stand in for the prediction of a part."""
    for _ in part:
        time.sleep(seconds)
    return len(part)


def throughput(pool: DaskPool, images: int, seconds: float, single: bool) -> float:
    """Images a second through the pool; `single` gives each image to the scheduler by itself."""
    items = range(images)
    parts = [items[i : i + 1] for i in items] if single else split_parts(items, pool.workers)
    start = time.perf_counter()
    done = sum(pool.map(partial(sleep_part, seconds), parts))
    assert done == images
    return images / (time.perf_counter() - start)


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    length = measure_image()
    rows = []
    for workers in WORKERS:
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
            ) as cluster,
            Client(cluster) as client,
        ):
            pool = DaskPool(client)
            images = round(SECONDS / length) * workers
            throughput(pool, 8 * workers, 0.0, single=False)  # warm-up
            parts = throughput(pool, images, length, single=False)
            single = throughput(pool, images, length, single=True)
            nothing = throughput(pool, 500, 0.0, single=True)
            rows.append((workers, images, parts, parts * length / workers, single, single * length / workers, nothing))
    lines = [
        "# Many machines",
        "",
        f"`python benchmarks/many_machines.py --write benchmarks/many_machines.md`. An image of `nuclei-t` takes "
        f"{1000 * length:.0f} ms here; each is a sleep of that length. {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, distributed {version('distributed')}; load average at the end: {os.getloadavg()[0]:.1f}; "
        "on a busy machine the numbers are noise and lower ends.",
        "",
        "Efficiency: images a second, over those of as many workers without any overhead. The last column gives the scheduler",
        "single images that take no time: the most that it hands out.",
        "",
        "| workers | images | images/s, in parts | efficiency | one by one | efficiency | one by one, no work |",
        "|---|---|---|---|---|---|---|",
        *(f"| {w} | {n} | {p:.1f} | {e:.2f} | {s:.1f} | {f:.2f} | {z:.0f} |" for w, n, p, e, s, f, z in rows),
    ]
    text = "\n".join(lines) + "\n"
    if given.write is None:
        print(text)
    else:
        write_text(given.write, text)


if __name__ == "__main__":
    main()
