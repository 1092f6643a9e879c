"""ISIC 2018, task 1: skin lesions seen through a dermatoscope (Codella et al., 2019)."""

import re
from pathlib import PurePosixPath
from typing import Literal

from tmunet.data.cases import natural_key
from tmunet.datasets._build.binary_masks import binary_cases
from tmunet.datasets._build.import_plan import Plan, SetFacts
from tmunet.datasets._build.pairing import by_name, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
    name="ISIC2018",
    version=1,
    classes=("background", "lesion"),
    modality="dermoscopy (RGB)",
    url="https://challenge.isic-archive.com/data/#2018",
    license="CC BY-NC 4.0; the license and attribution files of the download hold",
    citation=(
        "N. Codella, V. Rotemberg, P. Tschandl et al.: Skin lesion analysis toward melanoma detection 2018: a challenge hosted "
        "by the International Skin Imaging Collaboration (ISIC). arXiv:1902.03368 (2019). "
        "P. Tschandl, C. Rosendahl, H. Kittler: The HAM10000 dataset, a large collection of multi-source dermatoscopic images "
        "of common pigmented skin lesions. Scientific Data 5 (2018) 180161. https://doi.org/10.1038/sdata.2018.161"
    ),
    layout=(
        "folders `ISIC2018_Task1-2_Training_Input` with ISIC_0000000.jpg and `ISIC2018_Task1_Training_GroundTruth` with "
        "ISIC_0000000_segmentation.png; the same with Validation and Test"
    ),
    notes=(
        "The official split is that of the folders: 2594 training, 100 validation and 1000 test images.",
        "A pixel is lesion if the value of its mask is above 127; the original masks hold 0 and 255.",
        "The distribution does not tell which images are of one patient or lesion.",
    ),
)
_FOLDERS: dict[Literal["train", "val", "test"], str] = {"train": "Training", "val": "Validation", "test": "Test"}


def plan(source: Source) -> Plan:
    """Pair the images with their masks, folder by folder; superpixels and tables are not used.

    Raises:
        DataError: all faults: images and masks without a partner, a folder without the other, one image in two folders.
    """
    faults: list[str] = []
    sides: dict[Literal["train", "val", "test"], list[str]] = {}
    found: list[tuple[str, PurePosixPath]] = []
    masks: dict[str, PurePosixPath] = {}
    for side, word in _FOLDERS.items():
        inputs, truths = f"ISIC2018_Task1-2_{word}_Input", f"ISIC2018_Task1_{word}_GroundTruth"
        images = by_name(_named(source, inputs, r"(ISIC_\d{7})\.jpe?g"), faults)
        drawn = by_name(_named(source, truths, r"(ISIC_\d{7})_segmentation\.png"), faults)
        if images and drawn:
            faults += without_partner(images, drawn)
            sides[side] = sorted(images, key=natural_key)
        elif images or drawn:
            here, missing = (inputs, truths) if images else (truths, inputs)
            faults.append(f"{here}: is here without {missing}; download that too, or take this folder out.")
        found += images.items()
        masks |= drawn
    images = by_name(found, faults)
    refuse(source, FACTS, images.keys() | masks.keys(), faults)
    return Plan(
        FACTS,
        binary_cases(source, images, masks),
        official=sides if len(sides) > 1 else {},
        remarks=(
            *(f"The {word.lower()} images are not here." for side, word in _FOLDERS.items() if side not in sides),
            *not_used(source, [*images.values(), *masks.values()]),
        ),
    )


def _named(source: Source, folder: str, pattern: str) -> list[tuple[str, PurePosixPath]]:
    matches = ((re.fullmatch(pattern, name, re.IGNORECASE), path) for name, path in source.under(folder).items())
    return [(match[1], path) for match, path in matches if match]
