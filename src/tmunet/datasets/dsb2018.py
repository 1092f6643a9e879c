"""DSB2018: nuclei in many kinds of microscopy, the training images of stage 1 (Caicedo et al., 2019)."""

import re

from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import FileRule, keep_first, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
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
        "The images are RGBA with an opaque alpha channel, which is dropped when they are read.",
        "Many images are fields of the same slide, and the distribution does not record which. A random split may leak "
        "neighboring fields.",
    ),
)
_ID = r"(?P<id>(?P<case>[0-9a-f]{16})[0-9a-f]{48})"


def _case_name(match: re.Match[str]) -> str:
    return match["case"]


_IMAGES = FileRule(rf"{_ID}/images/(?P=id)\.(?i:png)", r"images/[^/]*\.(?i:png)", "ID/images/ID.png", _case_name)
_MASKS = FileRule(rf"{_ID}/masks/[^/]*\.(?i:png)", r"masks/[^/]*\.(?i:png)", "ID/masks/NAME.png", _case_name)


def plan(source: SourceFiles) -> ImportPlan:
    """Gather the masks of each image; images without any (the competition's test images) are left out with a remark.

    Raises:
        DatasetImportError: all faults: masks without image, names that do not fit, and two images of one case.
    """
    faults: list[Fault] = []
    found, masks = _IMAGES.find_all(source, faults), _MASKS.find_all(source, faults)
    unlabeled = [path for name, paths in found.items() if name not in masks for path in paths]
    images = keep_first({name: paths for name, paths in found.items() if name in masks}, faults)
    folders = {path.parent.parent for paths in found.values() for path in paths}
    alone = {path.parent.parent for name in images for path in masks[name]} - folders
    hint = "download the data set again"
    faults += [Fault("missing-image", folder, "has masks, but no image", hint) for folder in sorted(alone, key=str)]
    return plan_pairs(
        source,
        FACTS,
        images,
        {name: sorted(paths, key=str) for name, paths in masks.items()},
        faults,
        remarks=[f"Left out, since they have no masks (test images of the competition): {len(unlabeled)}."]
        if unlabeled
        else (),
        used=unlabeled,
    )
