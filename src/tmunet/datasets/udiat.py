"""UDIAT, known as Dataset B: 163 breast ultrasound images with one lesion each (Yap et al., 2018)."""

from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import FileRule, missing_count, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="UDIAT",
    version=1,
    classes=("background", "lesion"),
    modality="breast ultrasound (B-mode, Siemens ACUSON Sequoia C512)",
    url="https://helward.mmu.ac.uk/STAFF/M.Yap/dataset.php",
    license="Not distributed openly: released by its owner under a signed agreement, whose terms hold.",
    citation=(
        "M. H. Yap, G. Pons, J. Martí, S. Ganau, M. Sentís, R. Zwiggelaar, A. K. Davison, R. Martí: Automated breast ultrasound "
        "lesions detection using convolutional neural networks. IEEE Journal of Biomedical and Health Informatics 22(4) "
        "(2018) 1218-1226. https://doi.org/10.1109/JBHI.2017.2731873"
    ),
    layout="folders `original` and `GT` with PNG files of the same names, such as 000001.png",
    notes=(
        "The distribution does not record which images are of one patient, so no split can be grouped by patient.",
        "A pixel is lesion if the value of its mask is above 127.",
    ),
)
_IMAGES, _MASKS = (
    FileRule(rf"(?i:{folder})/([0-9]+)\.(?i:png)", rf"(?i:{folder})/[^/]*\.(?i:png)", "000001.png")
    for folder in ("original", "GT")
)
_CASES = 163


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the images with their masks by name.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, and names that are no number.
    """
    faults: list[Fault] = []
    images, masks = (rule.find(source, faults) for rule in (_IMAGES, _MASKS))
    return plan_pairs(source, FACTS, images, masks, faults, remarks=missing_count(len(images), _CASES, "cases"))
