"""DSB2018: nuclei in many kinds of microscopy, the training images of stage 1 (Caicedo et al., 2019)."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.binary_masks import union_above
from tmunet.datasets._build.import_plan import Plan, PlannedCase, SetFacts
from tmunet.datasets._build.pairing import by_name, not_used, refuse
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
    name="DSB2018",
    version=1,
    classes=("background", "nucleus"),
    modality="microscopy of nuclei: fluorescence, bright field and stained tissue",
    url="https://bbbc.broadinstitute.org/BBBC038",
    license="CC0 1.0 (public domain); image set BBBC038v1 of the Broad Bioimage Benchmark Collection",
    citation=(
        "J. C. Caicedo, A. Goodman, K. W. Karhohs et al.: Nucleus segmentation across imaging experiments: the 2018 Data "
        "Science Bowl. Nature Methods 16 (2019) 1247-1253. https://doi.org/10.1038/s41592-019-0612-7"
    ),
    layout="a folder for each image, named by its ImageId of 64 hexadecimal digits, with `images/ID.png` and `masks/*.png`",
    notes=(
        "The original has one mask file for each nucleus; here the mask is their union, so nuclei that touch are one object. "
        "A pixel is nucleus if the value of any of its masks is above 127.",
        "The name of a case is the first 16 digits of its ImageId.",
        "The images are RGBA with an opaque alpha plane, which reading leaves out.",
        "Many images are fields of the same slide, and the distribution does not tell which. A split at random may put "
        "neighboring fields on two sides.",
    ),
)
_NAME = 16  # digits of the ImageId that are kept


def plan(source: Source) -> Plan:
    """Gather the masks of each image; images without any (the competition's test images) are left out with a remark.

    Raises:
        DataError: all faults: folders without their image or with another name, two cases of one name.
    """
    faults: list[str] = []
    pictures: list[tuple[str, PurePosixPath]] = []
    masks: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for path in sorted(source.files, key=str):
        folder = path.parent.parent
        if path.suffix.lower() != ".png" or path.parent.name not in ("images", "masks"):
            continue
        if not re.fullmatch("[0-9a-f]{64}", folder.name):
            faults.append(
                f"{path}: expected to lie in a folder named by an ImageId of 64 hexadecimal digits; take it out."
            )
        elif path.parent.name == "masks":
            masks[folder].append(path)
        elif path.stem != folder.name:
            faults.append(
                f"{path}: expected the name of its folder, {folder.name}.png; rename the file or take it out."
            )
        else:
            pictures.append((folder.name[:_NAME], path))
    with_masks = [(name, path) for name, path in pictures if path.parent.parent in masks]
    images = by_name(with_masks, faults)
    alone = sorted(masks.keys() - {path.parent.parent for _, path in pictures})
    faults += [f"{folder}: has masks, but no images/{folder.name}.png; download the set again." for folder in alone]
    refuse(source, FACTS, images, faults)
    return Plan(
        FACTS,
        tuple(
            PlannedCase(name, path, tuple(drawn), union_above(source, drawn))
            for name, path in sorted(images.items(), key=lambda item: natural_key(item[0]))
            for drawn in [masks[path.parent.parent]]
        ),
        remarks=(
            *_about_left_out(len(pictures) - len(images)),
            *not_used(source, [*(path for _, path in pictures), *(path for paths in masks.values() for path in paths)]),
        ),
    )


def _about_left_out(count: int) -> list[str]:
    return [f"Left out, since they have no masks (test images of the competition): {count}."] if count else []
