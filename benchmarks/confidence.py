"""Show how well the confidence of nuclei-t finds masks that fail, on unseen images and on degraded ones.

    python benchmarks/confidence.py sample dsb2018 MoNuSeg --out benchmarks/confidence.md

`sample` is the one that comes with the package. Each data set is scored without the images that the model was trained, selected
or calibrated on, by pixel hash, and without parts cut out of them, by name. Every image is scored as it is, blurred, with noise,
and inverted.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tmunet.cli.demo import sample_folder
from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.images import Pixels, to_channels
from tmunet.data.json_object import read_json_object
from tmunet.data.reader import load_case
from tmunet.files import write_text
from tmunet.metrics import StrictProtocol
from tmunet.metrics.failure_detection import FailureDetection, detect_failures
from tmunet.prediction.predictor import Predictor, packaged_model

KINDS = ("as they are", "blurred (Gaussian, sigma 5 pixels)", "noise (SD 60 of 255)", "inverted")
HEADER = (
    "images",
    "n",
    "failures",
    "mean Dice",
    "AUROC",
    "AURC (best, random)",
    "flagged",
    "failures among the flagged",
)


def degrade(image: Pixels, kind: int, random: np.random.Generator) -> Pixels:
    """Degrade an image (H, W, C) of 8 bits; kind is a number in `KINDS`."""
    values = image.astype(np.float32)
    if kind == 1:
        values = ndimage.gaussian_filter(values, (5, 5, 0))
    elif kind == 2:
        values += random.normal(0, 60, values.shape)
    elif kind == 3:
        values = 255 - values
    return values.clip(0, 255).astype(np.uint8)


def unseen(dataset: Dataset, predictor: Predictor, every: int) -> Iterator[tuple[Case, Pixels, NDArray[np.bool_]]]:
    """Yield every n-th image that the model was neither trained nor selected on, nor is cut from one of these, with its mask."""
    known, split = predictor.fingerprint.side_of(), read_json_object(packaged_model() / "split.json")
    names = {*split["train"], *split["val"]}
    cases = (load_case(case, dataset.info) for case in dataset.cases)
    new = [
        (case, loaded)
        for case, loaded in zip(dataset.cases, cases, strict=True)
        if pixels_sha256(loaded.image) not in known
        and case.name.rpartition("_")[2] not in names  # the sample: bright_NAME
    ]
    for case, loaded in new[::every]:
        yield case, to_channels(loaded.image, predictor.config.preprocess.channels), loaded.mask == 1


def measure(folder: Path, every: int, tta: bool) -> list[tuple[str, FailureDetection, float]]:
    """Score the images of each kind, and all together: name, failure detection, mean Dice."""
    predictor, random = Predictor(tta=tta), np.random.default_rng(0)
    rows: dict[str, list[tuple[float, float, bool, str]]] = {kind: [] for kind in KINDS}
    for case, image, mask in unseen(open_dataset(folder, unsplit="test"), predictor, every):
        for number, kind in enumerate(KINDS):
            found = predictor.pipeline([degrade(image, number, random)])[0]
            dice = StrictProtocol().score(preds=found.mask == 1, target=mask).dice
            assert dice is not None
            rows[kind].append((found.confidence.agreement, dice, bool(found.confidence.flags), case.name))
    rows["all four"] = [row for kind in KINDS for row in rows[kind]]
    table = []
    for kind, found in rows.items():
        agreement, dice, flagged, cases = zip(*found, strict=True)
        groups = cases if kind == "all four" else None  # the versions of one image are alike
        table.append((kind, detect_failures(agreement, dice, flagged, groups), float(np.mean(dice))))
    return table


def line(kind: str, found: FailureDetection, mean: float) -> str:
    """Format a row of the table."""

    def between(low: float | None, high: float | None, scale: int, digits: int) -> str:
        return "" if low is None or high is None else f" ({scale * low:.{digits}f} to {scale * high:.{digits}f})"

    auroc = "-" if found.auroc is None else f"{found.auroc:.2f}{between(found.auroc_low, found.auroc_high, 1, 2)}"
    caught = f"{found.caught} of {found.failures}{between(found.caught_low, found.caught_high, 100, 0)}"
    aurc = f"{found.aurc:.3f} ({found.aurc_best:.3f}, {found.aurc_random:.3f})"
    flagged = f"{found.flagged} ({100 * found.flagged / found.n:.0f} %)"
    cells = (kind, str(found.n), str(found.failures), f"{mean:.3f}", auroc, aurc, flagged, caught)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="sample, or data set folders of nuclei")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--out", type=Path, help="page to write")
    given = parser.parse_args()
    folders = [sample_folder() if word == "sample" else Path(word) for word in given.data]
    sets = " ".join(folder.name for folder in folders)
    parts = [
        "# How well the confidence of `nuclei-t` finds masks that fail\n",
        f"Written by `python benchmarks/confidence.py {sets} --every {given.every} --out benchmarks/confidence.md`. A failure is "
        "a mask with a Dice below 0.7. AUROC and the share of failures among the flagged masks, in percent, have 95 % bootstrap "
        "intervals over images; `all four` draws the four versions of an image together. AURC: area under the risk-coverage "
        "curve, beside that of the best and of a random order. What is flagged depends on agreement and appearance, AUROC "
        "and AURC on the agreement alone. No image is one that the model was trained, selected or calibrated on, or cut from "
        "one.\n",
    ]
    for folder in folders:
        for tta in (False, True):
            how = "worst Dice between four flips (`--tta`)" if tta else "soft Dice, one pass"
            parts += [f"\n## {folder.name}: {how}\n", f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
            parts += [line(*row) for row in measure(folder, given.every, tta)]
    text = "\n".join(parts) + "\n"
    print(text)
    if given.out is not None:
        write_text(given.out, text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
