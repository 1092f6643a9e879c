"""ISIC 2016, part 1: dermoscopy images of skin lesions (Gutman et al., 2016)."""

from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.isic_folders import plan_isic
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="ISIC2016",
    version=1,
    classes=("background", "lesion"),
    modality="dermoscopy (RGB)",
    url="https://challenge.isic-archive.com/data/#2016",
    license="stated on the page of the download",
    citation=(
        "D. Gutman, N. Codella, E. Celebi et al.: Skin lesion analysis toward melanoma detection: a challenge at the "
        "International Symposium on Biomedical Imaging (ISBI) 2016, hosted by the International Skin Imaging Collaboration "
        "(ISIC). arXiv:1605.01397 (2016)."
    ),
    layout=(
        "folders `ISBI2016_ISIC_Part1_Training_Data` with ISIC_0000000.jpg and `ISBI2016_ISIC_Part1_Training_GroundTruth` with "
        "ISIC_0000000_Segmentation.png; the same with Test"
    ),
    notes=(
        "The official split is that of the folders: 900 training and 379 test images.",
        "A pixel is lesion if the value of its mask is above 127; the original masks hold 0 and 255.",
        "The distribution does not record which images are of one patient or lesion.",
    ),
)
_FOLDERS: dict[Subset, tuple[str, str]] = {
    "train": ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),
    "test": ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
}


def plan(source: SourceFiles) -> ImportPlan:
    """Pair images and masks as `plan_isic` does."""
    return plan_isic(source, FACTS, _FOLDERS)
