"""REFUGE: fundus photographs with optic disc and cup (Orlando et al., 2020)."""

from tmunet.data.cases import natural_key
from tmunet.datasets._build.conversion import remap_labels
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.pairing import FileRule, missing_count, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="REFUGE",
    version=1,
    classes=("background", "disc", "cup"),
    modality="fundus photographs (RGB)",
    url="https://refuge.grand-challenge.org/",
    license="As stated by the challenge, which asks for a registration; not distributed here.",
    citation=(
        "J. I. Orlando, H. Fu, J. Barbosa Breda et al.: REFUGE Challenge: a unified framework for evaluating automated methods "
        "for glaucoma assessment from fundus photographs. Medical Image Analysis 59 (2020) 101570. "
        "https://doi.org/10.1016/j.media.2019.101570"
    ),
    layout="images g0001.jpg, n0001.jpg, V0001.jpg, T0001.jpg and masks of the same names, .bmp, in folders Disc_Cup_Masks",
    notes=(
        "The original masks hold 0 for the cup, 128 for the disc (its rim) and 255 for the background. The cup is a part of the "
        "disc: for the whole disc take both labels.",
    ),
)
_LABEL_OF = {255: 0, 128: 1, 0: 2}
_IMAGES = FileRule(r"([gnVT][0-9]{4})\.(?i:jpe?g)")
_MASKS = FileRule(r"(?:Disc_Cup_Masks|gts)/(?:[^/]+/)?([gnVT][0-9]{4})\.(?i:bmp|png)")
_SUBSETS: dict[str, Subset] = {"g": "train", "n": "train", "V": "val", "T": "test"}


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the images with their masks by name; the first letter says the subset.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, a file twice.
    """
    faults: list[Fault] = []
    images, masks = (rule.find(source, faults) for rule in (_IMAGES, _MASKS))
    official: dict[Subset, list[str]] = {}
    for name in sorted(images, key=natural_key):
        official.setdefault(_SUBSETS[name[0]], []).append(name)
    return plan_pairs(
        source,
        FACTS,
        images,
        masks,
        faults,
        read_mask=lambda source, keys: remap_labels(source, keys[0], _LABEL_OF),
        official=official if len(official) > 1 else {},
        remarks=missing_count(len(images), 1200, "images"),
    )
