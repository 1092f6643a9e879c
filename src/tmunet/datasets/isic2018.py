"""ISIC 2018, task 1: dermoscopy images of skin lesions (Codella et al., 2019)."""

from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.pairing import FileRule, keep_first, plan_pairs, unpaired
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
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
        "The distribution does not record which images are of one patient or lesion.",
    ),
)
_FOLDERS: dict[Subset, str] = {"train": "Training", "val": "Validation", "test": "Test"}


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the images with their masks, folder by folder; superpixels and tables are not used.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, a folder without its counterpart, one image in
            two folders.
    """
    faults: list[Fault] = []
    subsets: dict[Subset, list[str]] = {}
    images: dict[str, list[PurePosixPath]] = {}
    masks: dict[str, PurePosixPath] = {}
    for subset, word in _FOLDERS.items():
        inputs, truths = f"ISIC2018_Task1-2_{word}_Input", f"ISIC2018_Task1_{word}_GroundTruth"
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
        FACTS,
        paired,
        masks,
        faults,
        official=subsets if len(subsets) > 1 else {},
        remarks=[
            f"The {word.lower()} images are not here." for subset, word in _FOLDERS.items() if subset not in subsets
        ],
    )
