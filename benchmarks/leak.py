"""Measure data leakage: Dice on CVC-ClinicDB with a random split and with a split by video, same training and evaluation.

    python benchmarks/leak.py DATA [--seeds 2] [--runs runs/leak] [--out benchmarks/leak.md]

DATA is what `tmunet import CVC-ClinicDB` makes (its dataset.json says to which video each frame belongs). For each seed there is
a random and a grouped split of about the same sizes (7:1:2); tmunet_t is trained on each with the same settings and scored on its
own test images. The test images differ then, so there is a third training, "seen": of the grouped split, every second test frame
of a video goes to train in place of another training frame, and both are scored on the frames between. Interrupted runs go on:
what is done is not done again.
"""

import argparse
import json
import platform
import random
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tmunet.data.dataset import open_dataset
from tmunet.data.split.splits import Split, read_split, write_split
from tmunet.files import write_text
from tmunet.metrics import describe
from tmunet.versions import versions

KINDS = ("random", "grouped")
SETTINGS = (
    "--model=tmunet_t",
    "--recipe=paper",
    "--epochs=40",
    "--batch-size=8",
    "--optimizer.learning-rate=1e-3",
    "--preprocess.size=128",
    "--device=cpu",
)


def tmunet(*words: object) -> None:
    """Run a command of tmunet, as a user would."""
    subprocess.run([sys.executable, "-m", "tmunet", *map(str, words)], check=True)


def trained_and_scored(data: Path, kind: str, seed: int, runs: Path) -> dict[str, Any]:
    """Split, train and score, as far as that has not been done; what the table needs of it."""
    split, run = runs / f"{kind}-{seed}.json", runs / f"{kind}-{seed}"
    scores = run / "test"
    if not split.exists() and kind == "seen":
        write_split(split, half_seen(data, runs / f"grouped-{seed}.json", seed))
    if not split.exists():
        tmunet("split", data, "--kind", kind, "--seed", seed, "--out", split)
    if not (run / "model" / "config.json").exists():
        if (run / "config.yaml").exists():
            tmunet("train", "--resume", run)
        else:
            tmunet("train", "--data", data, "--split", split, "--out", run, "--seed", seed, *SETTINGS)
    if not (scores / "summary.json").exists():
        tmunet("evaluate", "--model", run, "--data", data, "--split", split, "--out", scores)
    leaks = json.loads((run / "provenance.json").read_text("utf-8"))["leaks"]["test in train"]
    summary = json.loads((scores / "summary.json").read_text("utf-8"))
    (scored,) = summary["classes"].values()
    split_hash = summary["facts"]["split_sha256"]
    rows = {row["case"]: row["dice"] for row in summary["per_image"]}
    return {"kind": kind, "seed": seed, "leaks": leaks, "scores": scored, "split": split_hash, "dice": rows}


def half_seen(data: Path, grouped: Path, seed: int) -> Split:
    """The grouped split with every second test frame of each video in train, in place of as many others."""
    cases = open_dataset(data, grouped).cases
    split = read_split(grouped, [case.name for case in cases])
    of_video: dict[str | None, list[str]] = {}
    for case in cases:
        if case.name in split.test:
            of_video.setdefault(case.group, []).append(case.name)
    moved = [name for names in of_video.values() for name in names[1::2]]
    kept = random.Random(seed).sample(split.train, len(split.train) - len(moved))
    return Split((*kept, *moved), split.val, tuple(name for names in of_video.values() for name in names[::2]))


def gain(unseen: dict[str, Any], seen: dict[str, Any]) -> str:
    """One line of the second table: the same frames, without and with their videos in train."""
    pairs = [(unseen["dice"][case], value) for case, value in seen["dice"].items()]
    more = describe({"gain": [b - a for a, b in pairs]})["gain"]
    without, with_ = (fmean(column) for column in zip(*pairs, strict=True))
    return (
        f"| {seen['seed']} | {len(pairs)} | {without:.3f} | {with_:.3f} | {more.mean:+.3f} | "
        f"{more.low:+.3f} to {more.high:+.3f} | `{seen['split'][:12]}` |"
    )


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    leaks, dice = found["leaks"], found["scores"]["metrics"]["dice"]
    images = leaks["images"]
    return (
        f"| {found['kind']} | {found['seed']} | {images} | {leaks['same_group'] / images:.0%} | "
        f"{leaks['same_scene'] / images:.0%} | {dice['mean']:.3f} | {dice['low']:.3f} to {dice['high']:.3f} | "
        f"{found['scores']['n_missed']} | `{found['split'][:12]}` |"
    )


def table(found: list[dict[str, Any]], seen: list[dict[str, Any]], command: str) -> str:
    """The page."""
    unseen = [one for one in found if one["kind"] == "grouped"]
    gains = "\n".join(gain(*pair) for pair in zip(unseen, seen, strict=True))
    means = {kind: [one["scores"]["metrics"]["dice"]["mean"] for one in found if one["kind"] == kind] for kind in KINDS}
    spread = {kind: f" (SD {stdev(values):.3f})" if len(values) > 1 else "" for kind, values in means.items()}
    told = ", ".join(f"{kind} {fmean(values):.3f}{spread[kind]}" for kind, values in means.items())
    gaps = [a - b for a, b in zip(*means.values(), strict=True)]
    rows = "\n".join(map(row, found))
    made = ", ".join(f"{name} {versions()[name]}" for name in ("tmunet", "torch", "numpy", "pillow"))
    return f"""# Data leakage of a random split of video frames

CVC-ClinicDB: 612 frames of 29 videos. Trained shortly from fresh weights, scored at native size, protocol `strict`. Settings:
`{" ".join(SETTINGS)}`.

## Two splits

| split | seed | test frames | video in train | near-duplicate in train | Dice | 95 % interval | missed | split SHA-256 |
|---|---|---|---|---|---|---|---|---|
{rows}

Mean Dice over the seeds: {told}; random above grouped by {fmean(gaps):+.3f}
(by seed: {", ".join(f"{gap:+.3f}" for gap in gaps)}).

"Video in train": share of the test frames whose video has frames among the training images. "Near-duplicate in train": share with
a training image whose small gray copy correlates above 0.97. The two kinds of split have other test frames, and few videos make a
test set: the difference above is also one of easy and hard videos.

## The same frames

Of the grouped split every second test frame of a video goes to train, in place of as many other training frames. Both networks
are scored on the frames between: one has never seen these videos, the other has seen their neighbors.

| seed | test frames | Dice, videos not in train | Dice, videos in train | difference | 95 % interval | split SHA-256 |
|---|---|---|---|---|---|---|
{gains}

Made by `{command}` ({platform.system()}, CPU, one thread; {made}).
"""


def main() -> None:
    """Run what is missing, and write the page after each pair of runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/leak"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/leak.md"))
    given = parser.parse_args()
    found: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        found += [trained_and_scored(given.data, kind, seed, given.runs) for kind in KINDS]
        seen.append(trained_and_scored(given.data, "seen", seed, given.runs))
        write_text(given.out, table(found, seen, f"python benchmarks/leak.py DATA --seeds {seed + 1}"))


if __name__ == "__main__":
    main()
