"""ISIC 2017, part 1: dermoscopy images of skin lesions (Codella et al., 2018)."""

from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.isic_folders import plan_isic
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="ISIC2017",
    version=1,
    classes=("background", "lesion"),
    modality="dermoscopy (RGB)",
    url="https://challenge.isic-archive.com/data/#2017",
    license="stated on the page of the download",
    citation=(
        "N. Codella, D. Gutman, M. E. Celebi et al.: Skin lesion analysis toward melanoma detection: a challenge at the 2017 "
        "International Symposium on Biomedical Imaging (ISBI), hosted by the International Skin Imaging Collaboration (ISIC). "
        "ISBI 2018, 168-172. arXiv:1710.05006"
    ),
    layout=(
        "folders `ISIC-2017_Training_Data` with ISIC_0000000.jpg and `ISIC-2017_Training_Part1_GroundTruth` with "
        "ISIC_0000000_segmentation.png; the same with Validation and Test_v2"
    ),
    notes=(
        "The official split is that of the folders: 2000 training, 150 validation and 600 test images.",
        "A pixel is lesion if the value of its mask is above 127; the original masks hold 0 and 255.",
        "The distribution does not record which images are of one patient or lesion.",
    ),
)
_FOLDERS: dict[Subset, tuple[str, str]] = {
    "train": ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
    "val": ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
    "test": ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
}


def plan(source: SourceFiles) -> ImportPlan:
    """Pair images and masks as `plan_isic` does."""
    return plan_isic(source, FACTS, _FOLDERS)
