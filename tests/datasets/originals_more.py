"""Miniatures of DSB2018, Kvasir-SEG, ISIC 2018, GlaS and nnU-Net's raw format, laid out as they are distributed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (6, 8)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))


def photograph(seed: int, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, 256, (*SIZE, channels), dtype=np.uint8)
    if channels == 4:
        values[:, :, 3] = 255
    return values[:, :, 0] if channels == 1 else values


def box(top: int, left: int, value: int = 255) -> np.ndarray:
    """A mask with a square of 3 pixels."""
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + 3, left : left + 3] = value
    return mask


def image_id(start: str) -> str:
    return start.ljust(64, "0")


def make_dsb2018(folder: Path) -> None:
    """Two training images with two nuclei and one, and a test image without masks."""
    for seed, (start, boxes) in enumerate({"b1": [(0, 0), (2, 4)], "a2": [(1, 1)]}.items()):
        home = folder / "stage1_train" / image_id(start)
        save(home / "images" / f"{home.name}.png", photograph(seed, 4))
        for n, (top, left) in enumerate(boxes):
            save(home / "masks" / f"{image_id(f'{start}{n}')}.png", box(top, left))
    test = folder / "stage1_test" / image_id("c3")
    save(test / "images" / f"{test.name}.png", photograph(9, 4))
    (folder / "stage1_train_labels.csv").write_text("ImageId,EncodedPixels\n")


def make_kvasir(folder: Path, names: Sequence[str] = ("cju2", "cju10", "cju1")) -> None:
    """RGB JPEG masks with gray edges."""
    for seed, name in enumerate(names):
        mask = box(1, seed, 250)
        mask[4, seed] = 90  # a gray edge
        save(folder / "Kvasir-SEG" / "images" / f"{name}.jpg", photograph(seed))
        save(folder / "Kvasir-SEG" / "masks" / f"{name}.jpg", np.stack([mask] * 3, -1))
    (folder / "Kvasir-SEG" / "kavsir_bboxes.json").write_text("{}")


ISIC_SIDES = {"Training": (0, 1), "Validation": (12,), "Test": (50,)}


def make_isic(folder: Path, sides: Sequence[str] = tuple(ISIC_SIDES)) -> None:
    """The folders of task 1, with the superpixels and texts that lie beside the images."""
    for side in sides:
        inputs, truths = folder / f"ISIC2018_Task1-2_{side}_Input", folder / f"ISIC2018_Task1_{side}_GroundTruth"
        for number in ISIC_SIDES[side]:
            name = f"ISIC_{number:07d}"
            save(inputs / f"{name}.jpg", photograph(number))
            save(inputs / f"{name}_superpixels.png", photograph(number))
            save(truths / f"{name}_segmentation.png", box(2, number % 5))
        (inputs / "ATTRIBUTION.txt").write_text("x")
        (inputs / "LICENSE.txt").write_text("x")


GRADES = """name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)
testA_1, 4, benign, adenomatous
testB_1, 7, malignant, moderately differentiated
train_1, 4, malignant, poorly differentiated
train_2, 5, benign, healthy
"""


def make_glas(folder: Path) -> Path:
    """BMP images; the annotations number the glands, train_2 in a palette whose first colors have no red."""
    home = folder / "Warwick QU Dataset (Released 2016_07_08)"
    for seed, name in enumerate(("train_1", "train_2", "testA_1", "testB_1")):
        labels = np.maximum(box(0, 0, 1), box(3, 4, 2) if name != "testB_1" else 0)
        save(home / f"{name}.bmp", photograph(seed))
        annotation = Image.fromarray(labels, "P" if name == "train_2" else "L")
        if name == "train_2":
            annotation.putpalette([0, 0, 0, 0, 0, 143, 0, 120, 255])
        annotation.save(home / f"{name}_anno.bmp")
    (home / "Grade.csv").write_text(GRADES)
    return home


def make_nnunet(folder: Path, description: Mapping[str, Any] | None = None, ending: str = ".png") -> Path:
    """Three training cases and a test case of three classes, with pixels to ignore, RGB in one file."""
    home = folder / "nnUNet_raw" / "Dataset120_Organs"
    for seed, (name, part) in enumerate({"a": "Tr", "b_0001": "Tr", "c": "Tr", "d": "Ts"}.items()):
        save(home / f"images{part}" / f"{name}_0000{ending}", photograph(seed))
        save(home / f"labels{part}" / f"{name}{ending}", np.maximum(box(0, 0, 1 + seed % 2), box(3, 4, 3)))
    content = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "liver": 1, "spleen": 2, "ignore": 3},
        "numTraining": 3,
        "file_ending": ending,
        **(description or {}),
    }
    (home / "dataset.json").write_text(json.dumps(content))
    return home
