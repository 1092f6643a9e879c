"""Temporal hysteresis on the sequences of CVC-ClinicDB as frames: flips of small regions and Dice, without and with it.

    python benchmarks/video/hysteresis.py MODEL DATA SPLIT > benchmarks/video/hysteresis.json

Only the sequences of the split's val and test subsets are scored, which a model trained on that split has not seen.
"""

import csv
import json
import sys
from importlib.resources import files
from itertools import groupby
from pathlib import Path

import numpy as np

from tmunet import Predictor
from tmunet.data.io.masks import read_mask
from tmunet.video.hysteresis import TemporalHysteresis, count_flips


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks; 1 if both are empty."""
    total = int((mask > 0).sum() + (truth > 0).sum())
    return 1.0 if total == 0 else 2 * int(((mask > 0) & (truth > 0)).sum()) / total


def main(model: str, data: str, split: str) -> None:
    """Print the result as JSON."""
    predictor, folder, subsets = Predictor(model), Path(data), json.loads(Path(split).read_text("utf-8"))
    unseen = {*subsets["val"], *subsets["test"]}
    rows = csv.DictReader((files("tmunet") / "datasets/sequences/CVC-ClinicDB.csv").read_text("utf-8").splitlines())
    ordered = sorted(
        (row for row in rows if row["stem"] in unseen), key=lambda row: (int(row["sequence"]), row["stem"])
    )
    found = {"plain": (0, []), "hysteresis": (0, [])}
    sequences = 0
    for _, group in groupby(ordered, key=lambda row: row["sequence"]):
        sequences += 1
        steady, masks, truths = TemporalHysteresis(predictor.postprocess.threshold), {"plain": [], "hysteresis": []}, []
        for row in group:
            prediction = predictor.pipeline([predictor.pipeline.load(folder / "images" / f"{row['stem']}.png")])[0]
            masks["plain"].append(prediction.mask)
            masks["hysteresis"].append(steady(prediction.mask, prediction.probability))
            truths.append(read_mask(folder / "masks" / f"{row['stem']}.png", ("background", "polyp")))
        for name, shown in masks.items():
            flips, scores = found[name]
            scores += [dice(mask, truth) for mask, truth in zip(shown, truths, strict=True)]
            found[name] = (flips + count_flips(shown), scores)
    result = {name: {"flips": flips, "dice_mean": float(np.mean(scores))} for name, (flips, scores) in found.items()}
    print(
        json.dumps(
            {"network": predictor.config.model, "frames": len(ordered), "sequences": sequences, **result}, indent=2
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
