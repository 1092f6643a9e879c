"""Cost of the guards: `read_image` beside the bare decoder (Pillow, tifffile), interleaved, in processor time.

    python benchmarks/guards.py [FOLDER ...] [--rounds 9] [--out benchmarks/guards.md]

Each folder of images, and the sample of the package; the same pictures are also written as TIFF and read with tifffile.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

import tmunet
from tmunet.data.io.images import IMAGE_SUFFIXES, read_image
from tmunet.files import write_text
from tmunet.versions import versions

SAMPLE = Path(tmunet.__file__).parent / "sample" / "images"
LIMIT = 1.05  # the cost of the guards that we allow ourselves


def by_pillow(path: Path) -> NDArray[np.generic]:
    """Decode as one does without guards."""
    with Image.open(path) as image:
        return np.asarray(image)


def by_tifffile(path: Path) -> NDArray[np.generic]:
    """Decode as one does without guards."""
    with tifffile.TiffFile(path) as file:
        return file.pages[0].asarray(maxworkers=1)


def seconds(read: Callable[[Path], object], path: Path) -> float:
    """Processor time of one call."""
    begun = time.process_time()
    read(path)
    return time.process_time() - begun


def row(name: str, paths: list[Path], bare: Callable[[Path], object], rounds: int) -> str:
    """A line of the table: each file by both readers in turns, the first of them changing; ratios of whole rounds."""
    ratios, ours_ms, bare_ms = [], [], []
    for number in range(-1, rounds):  # the first fills the file cache
        ours, plain = 0.0, 0.0
        for place, path in enumerate(paths):
            if (number + place) % 2:
                ours += seconds(read_image, path)
                plain += seconds(bare, path)
            else:
                plain += seconds(bare, path)
                ours += seconds(read_image, path)
        if number >= 0:
            ratios.append(ours / plain)
            ours_ms.append(ours / len(paths) * 1000)
            bare_ms.append(plain / len(paths) * 1000)
    low, median, high = statistics.quantiles(ratios, n=4)
    return (
        f"| {name} | {len(paths)} | {statistics.median(bare_ms):.3f} | {statistics.median(ours_ms):.3f} | "
        f"{median:.3f} ({low:.3f} to {high:.3f}) |"
    )


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of images")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/guards.md"))
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for folder in [SAMPLE, *given.folders]:
            name = "sample" if folder == SAMPLE else folder.resolve().parent.name
            paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
            rows.append(row(f"{name}, {paths[0].suffix[1:].upper()}, Pillow", paths, by_pillow, given.rounds))
            for compression in (None, "zlib"):
                tiffs = []
                for path in paths:
                    tiffs.append(Path(temporary) / f"{name}-{path.stem}.tif")
                    tifffile.imwrite(tiffs[-1], by_pillow(path), compression=compression)
                kind = "Deflate" if compression else "uncompressed"
                rows.append(row(f"{name}, TIFF {kind}, tifffile", tiffs, by_tifffile, given.rounds))

    from tmunet_lab.bench.environment import processor

    folders = "".join(f" {'/'.join(folder.parts[-2:])}" for folder in given.folders)
    lines = "\n".join(rows)
    page = f"""# Cost of the guards

`python benchmarks/guards.py{folders} --rounds {given.rounds}`: `read_image`, which checks sizes, frames, pages and stored
bytes and turns the image upright, beside the bare decoder to an array. Processor time of one image, medians over the rounds; the
ratio is the median of those of each round, and its quartiles. Wanted: at most {LIMIT}. The TIFFs are the same pictures, written
for this page. The guards of a TIFF cost some hundredths of a millisecond for each file, whatever its size: more than that where
little is left to decode, in small files that are not compressed.

| images | files | bare, ms | `read_image`, ms | ratio |
|---|---|---|---|---|
{lines}

{processor()}; Python {sys.version.split()[0]}; {", ".join(f"{name} {version}" for name, version in versions().items())}
"""
    print(page)
    write_text(given.out, page)


if __name__ == "__main__":
    main()
