"""Benchmark `tmunet check` on a large data set: time and peak memory.

    python benchmarks/check.py [--pairs 10000]

Makes pairs of 384 x 288 RGB images (PNG and JPEG in turns) and 1-bit PNG masks in a temporary folder, with a split, and runs the
command on them in a subprocess.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tmunet.files import write_json

WIDTH, HEIGHT = 384, 288


def write_pair(folder: Path, index: int) -> None:
    """Write a smooth random image with noise; the mask is an ellipse."""
    random = np.random.default_rng(index)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.int16)
    picture = (smooth + random.integers(-4, 5, smooth.shape, np.int16)).clip(0, 255).astype(np.uint8)
    Image.fromarray(picture).save(folder / "images" / f"{index:05}.{'png' if index % 2 else 'jpg'}")
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    center, radii = random.uniform(0.3, 0.7, 2) * (HEIGHT, WIDTH), random.uniform(20, 80, 2)
    mask = ((y - center[0]) / radii[0]) ** 2 + ((x - center[1]) / radii[1]) ** 2 < 1
    Image.fromarray(mask).save(folder / "masks" / f"{index:05}.png")


def make(folder: Path, pairs: int) -> None:
    """Make the data set, with a split 7:1:2."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda index: write_pair(folder, index), range(pairs)))
    names = [f"{index:05}" for index in range(pairs)]
    train, val = pairs * 7 // 10, pairs * 8 // 10
    write_json(folder / "split.json", {"train": names[:train], "val": names[train:val], "test": names[val:]})


def main() -> None:
    """Make the data set, check it, and print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as temporary:
        make(Path(temporary) / "set", pairs)
        size = sum(path.stat().st_size for path in Path(temporary).rglob("*.*g")) / 1e6
        print(f"{pairs:,} pairs of {WIDTH} x {HEIGHT} pixels, {size:,.0f} MB")
        code = "import sys; from tmunet.cli.check import run; sys.exit(run(sys.argv[1:]))"
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, f"{temporary}/set"], capture_output=True, text=True)
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout.splitlines()[-1] if done.stdout else done.stderr)
    print(f"{wall:.1f} s; {used.ru_utime + used.ru_stime:.1f} s of processor time; {used.ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
