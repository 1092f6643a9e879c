"""ISIC 2018, task 1: dermoscopy images of skin lesions (Codella et al., 2019)."""

from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.isic_folders import plan_isic
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
_FOLDERS: dict[Subset, tuple[str, str]] = {
    "train": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    "val": ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    "test": ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
}


def plan(source: SourceFiles) -> ImportPlan:
    """Pair images and masks as `plan_isic` does."""
    return plan_isic(source, FACTS, _FOLDERS)
