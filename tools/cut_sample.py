"""Cut the sample set of the package from the training images of the 2018 Data Science Bowl (BBBC038v1, CC0).

    python tools/cut_sample.py DSB2018 src/tmunet/sample

DSB2018 holds images/ and masks/ (nuclei merged to one foreground). Cases are drawn at random by a fixed seed within each kind of
image; of an image larger than 256 pixels the middle is kept; a case whose mask is empty after that is passed over.
"""

import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tmunet.data.split.splits import Split, write_split
from tmunet.files import write_json

SIDE = 256
SIZES = {"dark": (18, 4, 8), "bright": (9, 1, 2), "stained": (12, 2, 4)}  # train, val, test
HELD_BACK = {
    "dark": 27,
    "bright": 3,
    "stained": 9,
}  # place in the draw where validation and test images begin; the packaged
# model was trained without these test images, so the place stays where it is when the training side changes


def kind_of(image: np.ndarray) -> str:
    """Fluorescence on black, transmitted light without color, or stained tissue: (H, W, 3) -> name."""
    if (image.max(2).astype(int) - image.min(2)).mean() > 4:
        return "stained"
    return "bright" if image.mean() > 127 else "dark"


def middle(array: np.ndarray) -> np.ndarray:
    """The middle SIDE x SIDE pixels."""
    top, left = (max(0, (length - SIDE) // 2) for length in array.shape[:2])
    return array[top : top + SIDE, left : left + SIDE]


def main(source: Path, destination: Path) -> None:
    """Draw, cut and write images, masks, split and description."""
    kinds: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {kind: [] for kind in SIZES}
    for path in sorted((source / "images").iterdir()):
        image = middle(np.asarray(Image.open(path).convert("RGB")))
        mask = middle(np.asarray(Image.open(source / "masks" / path.name).convert("L")) > 127)
        if mask.any():
            kinds[kind_of(image)].append((path.stem, image, mask))
    sides: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for folder in ("images", "masks"):
        (destination / folder).mkdir(parents=True, exist_ok=True)
    for kind, found in kinds.items():
        random.Random(2018).shuffle(found)
        drawn, start = found[::-1], HELD_BACK[kind]
        train, val, test = SIZES[kind]
        end = start + val + test
        chosen = {
            "train": [*drawn[:start], *drawn[end:]][:train],
            "val": drawn[start : start + val],
            "test": drawn[start + val : end],
        }
        for side, cases in chosen.items():
            for stem, image, mask in cases:
                name = f"{kind}_{stem}"
                sides[side].append(name)
                gray = kind != "stained"
                Image.fromarray(image[..., 0] if gray else image).save(
                    destination / "images" / f"{name}.png", optimize=True
                )
                Image.fromarray(mask).save(destination / "masks" / f"{name}.png", optimize=True)
    write_split(destination / "split.json", Split(*(tuple(sorted(names)) for names in sides.values())))
    write_json(
        destination / "dataset.json",
        {
            "name": "nuclei-sample",
            "classes": ["background", "nucleus"],
            "modality": "microscopy: fluorescence (dark), transmitted light (bright), stained tissue (stained)",
            "source": "2018 Data Science Bowl, stage 1 training images; Broad Bioimage Benchmark Collection BBBC038v1",
            "license": "CC0-1.0",
            "citation": "Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, "
            "Nature Methods 16, 1247-1253 (2019)",
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
