"""Compare a training from a trained model with one from fresh weights, by the number of training images.

    python benchmarks/learning_curve.py MoNuSeg --counts 1 5 --epochs 20 --out benchmarks/learning_curve.md

From each image a square is cut out of its middle, so that it keeps its scale. The first images are for training, then come
those to validate and to test; all trainings share the last two. Settings beside the learning rate are those of the recipe nuclei.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tmunet.api import evaluate, train
from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import to_channels
from tmunet.data.reader import load_case
from tmunet.files import write_json, write_text
from tmunet.model import load_model

WAYS: dict[str, dict[str, Any]] = {
    "from the start, learning rate 1e-4": {"learning_rate": 1e-4},
    "from the start, learning rate 1e-3": {"learning_rate": 1e-3},
    "fresh weights, learning rate 4e-3": {"learning_rate": 4e-3, "from_": None},
}


def cut(source: Path, target: Path, side: int, count: int | None = None) -> list[str]:
    """Write the middle square of every image and mask of a data set, or of the first ones by name; returns the names."""
    dataset = open_dataset(source, unsplit="test")
    cases = dataset.cases[:count]
    for case in cases:
        loaded = load_case(case, dataset.info)
        top, left = ((length - side) // 2 for length in loaded.mask.shape)
        window = np.s_[top : top + side, left : left + side]
        for folder, values in (
            ("images", to_channels(loaded.image, 3)[window]),
            ("masks", 255 * (loaded.mask[window] == 1)),
        ):
            path = target / folder / f"{case.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values.astype(np.uint8)).save(path)
    write_json(target / "dataset.json", {"name": source.name, "classes": list(dataset.info.classes)})
    return [case.name for case in cases]


def dice_of(model: Path | str, data: Path, classes: str) -> float:
    """Mean Dice of the test images."""
    found: float = evaluate(model, data, subset="test", device="cpu").summaries[classes]["metrics"]["dice"]["mean"]
    return found


def main() -> None:
    """Train, score and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--start", default="nuclei-t")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 3, 5, 10, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--side", type=int, default=256, help="of the squares, in pixels")
    parser.add_argument("--val", type=int, default=4)
    parser.add_argument("--test", type=int, default=10)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    counts, seeds = " ".join(map(str, given.counts)), " ".join(map(str, given.seeds))
    lines = [
        "# Starting from a trained model\n",
        f"Written by `python benchmarks/learning_curve.py {given.data.name} --start {given.start} --counts {counts} "
        f"--seeds {seeds} --epochs {given.epochs} --val {given.val} --test {given.test}`: squares of "
        f"{given.side} pixels, {given.val} images to validate, {given.test} to test.\n",
        "| training images | seed | weights | val Dice of the start | val Dice of training | kept | test Dice |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        names = cut(given.data, data, given.side)
        held = names[-given.test - given.val :]
        write_json(data / "split.json", {"train": names[:1], "val": held[: given.val], "test": held[given.val :]})
        name = load_model(given.start).config.classes[1]
        lines.append(f"| 0 | - | the start as it is | - | - | - | {dice_of(given.start, data, name):.3f} |")
        for count in given.counts:
            for seed in given.seeds:
                sides = {"train": names[:count], "val": held[: given.val], "test": held[given.val :]}
                write_json(data / "split.json", sides)
                for way, settings in WAYS.items():
                    out = Path(temporary) / f"{count}-{seed}-{len(lines)}"
                    chosen = {"from_": given.start, "epochs": given.epochs, "seed": seed, "device": "cpu", **settings}
                    run = train(data, "nuclei", out=out, **chosen)
                    found = load_model(run.path).config.provenance
                    start = found.get("pretrained", {}).get("validation", {}).get("val_dice")
                    trained = found.get("trained_val_dice", found["val_dice"])
                    kept = "start" if found["kept_weights"] == "start" else f"epoch {found['kept_epoch']}"
                    first = "-" if start is None else f"{start:.3f}"
                    score = dice_of(run.path, data, name)
                    lines.append(f"| {count} | {seed} | {way} | {first} | {trained:.3f} | {kept} | {score:.3f} |")
                    print(lines[-1], flush=True)
    if given.out is not None:
        write_text(given.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
