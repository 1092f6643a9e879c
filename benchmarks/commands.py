"""Time of whole commands in two source trees, in turns, and whether they give the same files.

    git worktree add --detach /tmp/before COMMIT
    python benchmarks/commands.py /tmp/before/src src --data DSB2018 [--jobs predict evaluate] [--rounds 3] [--images 200]

- predict: masks of 512 x 512 pixel PNG images with the packaged model `nuclei-t` and with `tmunet_s` (fresh weights, 512 pixels),
  in PyTorch, and with OpenVINO, where the second tree has its export from a call before, which is not timed.
- evaluate: `nuclei-t` on a data set folder, such as DSB 2018.
- import: pairs of 574 x 500 pixel TIFF files, as those of CVC-ColonDB.
- check: pairs of 384 x 288 pixels.

Each call is a process of its own. Prints wall and processor seconds (user and system) of the first tree, and the medians of the
ratios of the second tree to the first; on a machine that is shared, the ratio of processor time is the one to trust.
"""

import argparse
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

JOBS = ("predict nuclei-t", "predict tmunet_s", "predict openvino", "evaluate", "import", "check")
SAVE = """
import sys, pathlib
from tmunet.model import save_model
from tmunet.model_config import ModelConfig
config = ModelConfig("tmunet_s")
save_model(pathlib.Path(sys.argv[1]), config.create_network(), config)
"""
Words = list[str]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs=2, type=Path, help="two folders that hold the package tmunet")
    parser.add_argument("--data", type=Path, help="data set folder for evaluate")
    parser.add_argument("--jobs", nargs="+", default=list(JOBS), help="beginnings of their names")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    data = given.data.resolve() if given.data else None
    jobs = [job for job in JOBS if job.startswith(tuple(given.jobs)) and (job != "evaluate" or data)]
    print(f"{given.images} images, {given.rounds} rounds, {os.cpu_count()} cores\n")
    print("| command | wall s before | CPU s before | wall, after / before | CPU, after / before | same files |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for job in jobs:
            measure(job, given.trees, Path(temporary), given.images, given.rounds, data)


def measure(job: str, trees: Sequence[Path], folder: Path, images: int, rounds: int, data: Path | None) -> None:
    """Run one command in both trees by turns, and print its line."""
    words, same = prepare(job, folder, images, data, trees[0])
    if job.endswith("openvino"):
        call(trees[1], [*words, "-o", str(folder / "export")], folder)
    walls, cpus, before = [], [], []
    for turn in range(rounds):
        found = {}
        outs = [folder / f"{job} {turn} {k}" for k in (0, 1)]
        for k in (0, 1) if turn % 2 else (1, 0):
            found[k] = call(trees[k], [*words, *([] if job == "check" else ["-o", str(outs[k])])], folder)
        walls.append(found[1][0] / found[0][0])
        cpus.append(found[1][1] / found[0][1])
        before.append(found[0])
    equal = "-" if job == "check" else same(*outs)
    wall, cpu = (statistics.median(one[k] for one in before) for k in (0, 1))
    ratios = f"{statistics.median(walls):.2f} | {statistics.median(cpus):.2f}"
    print(f"| {job} | {wall:.1f} | {cpu:.1f} | {ratios} | {equal} |", flush=True)


def prepare(
    job: str, folder: Path, images: int, data: Path | None, before: Path
) -> tuple[Words, Callable[[Path, Path], str]]:
    """Make the input of a job; returns its words without the folder of its output, and the comparison of two outputs."""
    if job == "evaluate":
        return [
            "evaluate",
            "-m",
            "nuclei-t",
            "--data",
            str(data),
            "--subset",
            "test",
            "--allow-train-images",
        ], same_scores
    if job in ("import", "check"):
        size, suffix = ((500, 574), ".tif") if job == "import" else ((288, 384), ".png")
        for k in range(images):
            photo, mask = pair(k, size)
            for part, picture in (("images", photo), ("masks", mask)):
                (folder / job / part).mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(folder / job / part / f"{k:05}{suffix}")
        if job == "check":
            return ["check", str(folder / job)], same_pixels
        return [
            "import",
            "folders",
            str(folder / job),
            "--images",
            "images/*.tif",
            "--masks",
            "masks/*.tif",
        ], same_pixels
    scans = folder / "scans"
    if not scans.exists():
        scans.mkdir()
        for k in range(images):
            Image.fromarray(pair(k, (512, 512))[0]).save(scans / f"{k:05}.png")
        environment = {**os.environ, "PYTHONPATH": str(before.resolve())}  # the second tree reads what the first writes
        subprocess.run([sys.executable, "-c", SAVE, str(folder / "tmunet_s")], env=environment, check=True)
    model = str(folder / "tmunet_s") if job.endswith("tmunet_s") else "nuclei-t"
    backend = "openvino" if job.endswith("openvino") else "torch"
    return ["predict", str(scans), "-m", model, "--backend", backend], same_pixels


def pair(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Make a smooth random image with noise (H, W, 3), and an ellipse (H, W)."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC), np.int16)
    y, x = np.ogrid[: size[0], : size[1]]
    center, radii = random.uniform(0.3, 0.7, 2) * size, random.uniform(20, 80, 2)
    mask = ((y - center[0]) / radii[0]) ** 2 + ((x - center[1]) / radii[1]) ** 2 < 1
    noisy = (smooth + random.integers(-4, 5, smooth.shape, np.int16)).clip(0, 255).astype(np.uint8)
    return noisy, mask.astype(np.uint8) * np.uint8(255)


def call(tree: Path, words: Words, folder: Path) -> tuple[float, float]:
    """Run a command of a tree; returns wall and processor seconds."""
    environment = {**os.environ, "PYTHONPATH": str(tree.resolve()), "TMUNET_CACHE": str(folder / "cache")}
    if words[0] == "import":  # its destination is no flag
        at = words.index("-o")
        words = [*words[:3], words[at + 1], *words[3:at]]
    elif words[0] == "evaluate":
        words = ["--out" if word == "-o" else word for word in words]
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "tmunet", *words], env=environment, capture_output=True, text=True, cwd=folder
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(words)}: {done.returncode}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return time.perf_counter() - start, cpu


def same_pixels(one: Path, other: Path) -> str:
    """Count the image files with other pixels."""
    names = sorted(path.relative_to(one) for path in one.rglob("*.png"))
    assert names
    different = [name for name in names if Image.open(one / name).tobytes() != Image.open(other / name).tobytes()]
    return f"{len(names) - len(different)} of {len(names)} images"


def same_scores(one: Path, other: Path) -> str:
    """Compare the rows of two score tables to the last digit, in the columns that both have."""
    tables = [list(csv.DictReader((out / "per_image.csv").open(encoding="utf-8"))) for out in (one, other)]
    columns = [name for name in tables[0][0] if name in tables[1][0]]
    rows = sum(all(a[name] == b[name] for name in columns) for a, b in zip(*tables, strict=True))
    return f"{rows} of {len(tables[0])} rows"


if __name__ == "__main__":
    main()
