"""Plan for the folders of the ISIC challenges: images and masks in a pair of folders for each side of the official split."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.pairing import FileRule, keep_first, plan_pairs, unpaired
from tmunet.datasets._build.source import SourceFiles

SIDES: dict[Subset, str] = {"train": "training", "val": "validation", "test": "test"}


def plan_isic(
    source: SourceFiles, facts: DatasetFacts, folders: Mapping[Subset, tuple[str, str]]
) -> ImportPlan:
    """Pair the images with their masks, folder by folder; superpixels and tables are not used.

    Args:
        source: the files.
        facts: of the data set.
        folders: of images and of masks, for each side of the official split.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, a folder without its counterpart, one image in
            two folders.
    """
    faults: list[Fault] = []
    subsets: dict[Subset, list[str]] = {}
    images: dict[str, list[PurePosixPath]] = {}
    masks: dict[str, PurePosixPath] = {}
    for subset, (inputs, truths) in folders.items():
        found = FileRule(rf"(?i:{inputs})/((?i:ISIC)_[0-9]{{7}})\.(?i:jpe?g)").find(source, faults)
        drawn = FileRule(rf"(?i:{truths})/((?i:ISIC)_[0-9]{{7}})_(?i:segmentation\.png)").find(source, faults)
        for name, path in found.items():
            images.setdefault(name, []).append(path)
        if found and drawn:
            faults += unpaired(found, drawn)
            subsets[subset] = sorted(found, key=natural_key)
            masks |= {name: drawn[name] for name in drawn.keys() & found.keys()}
        elif found or drawn:
            here, missing = (inputs, truths) if found else (truths, inputs)
            hint = "download that too, or remove this folder"
            faults.append(Fault("missing-folder", here, f"is here without {missing}", hint))
    paired = {name: path for name, path in keep_first(images, faults).items() if name in masks}
    return plan_pairs(
        source,
        facts,
        paired,
        masks,
        faults,
        official=subsets if len(subsets) > 1 else {},
        remarks=[f"The {SIDES[subset]} images are not here." for subset in folders if subset not in subsets],
    )
