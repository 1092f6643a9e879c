"""BUSI: 780 breast ultrasound images, benign, malignant and normal (Al-Dhabyani et al., 2020)."""

import re
from collections import Counter

from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import FileRule, missing_count, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="BUSI",
    version=1,
    classes=("background", "lesion"),
    modality="breast ultrasound (B-mode, LOGIQ E9 and LOGIQ E9 Agile)",
    url="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
    license="The source asks for the paper to be cited; listings elsewhere disagree on the license. Ask its owner.",
    citation=(
        "W. Al-Dhabyani, M. Gomaa, H. Khaled, A. Fahmy: Dataset of breast ultrasound images. Data in Brief 28 (2020) 104863. "
        "https://doi.org/10.1016/j.dib.2019.104863"
    ),
    layout="folders `benign`, `malignant` and `normal` with files such as `benign (1).png` and `benign (1)_mask.png`",
    notes=(
        "The names of the cases keep the kind of the image: benign, malignant or normal. The mask of a normal image is empty.",
        "17 images have two or three mask files; here the mask is their union. A pixel is lesion if its value is above 127.",
        "The 780 images are of 600 patients, and the distribution does not record which; 24 pairs of images are near-duplicates "
        "(correlation above 0.995). A random split may leak them.",
    ),
)
_COUNTS = {"benign": 437, "malignant": 210, "normal": 133}
_FOLDER = "|".join(f"(?i:{kind})" for kind in _COUNTS)
_IMAGE = r"(?P<kind>[a-z]+) \((?P<number>[0-9]+)\)"
_MASK = r"_mask(?:_[0-9]+)?"


def _case_name(match: re.Match[str]) -> str | None:
    return f"{match['kind']}_{int(match['number']):03d}" if match["folder"].lower() == match["kind"] else None


_IMAGES = FileRule(
    rf"(?P<folder>{_FOLDER})/{_IMAGE}\.(?i:png)",
    rf"(?:{_FOLDER})/(?![^/]*{_MASK}\.)[^/]*\.(?i:png)",
    "`benign (1).png`",
    _case_name,
)
_MASKS = FileRule(
    rf"(?P<folder>{_FOLDER})/{_IMAGE}{_MASK}\.(?i:png)",
    rf"(?:{_FOLDER})/[^/]*{_MASK}\.(?i:png)",
    "`benign (1)_mask.png`",
    _case_name,
)


def plan(source: SourceFiles) -> ImportPlan:
    """Gather the masks of each image; a normal image needs its (black) mask file as well.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, and names that do not fit.
    """
    faults: list[Fault] = []
    images, masks = _IMAGES.find(source, faults), _MASKS.find_all(source, faults)
    found = Counter(name.split("_")[0] for name in images)
    counts = [remark for kind, full in _COUNTS.items() for remark in missing_count(found[kind], full, f"{kind} images")]
    return plan_pairs(source, FACTS, images, masks, faults, remarks=counts)
