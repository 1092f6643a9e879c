"""UDIAT, known as Dataset B: 163 breast ultrasound images with one lesion each (Yap et al., 2018)."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from tmunet.datasets._build.binary_masks import binary_cases
from tmunet.datasets._build.import_plan import Plan, SetFacts
from tmunet.datasets._build.pairing import by_name, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
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
        "The distribution does not tell which images are of one patient, so a split cannot keep patients apart.",
        "A pixel is lesion if the value of its mask is above 127.",
    ),
)
_CASES = 163


def plan(source: Source) -> Plan:
    """Pair the images with their masks by name.

    Raises:
        DataError: all faults: images and masks without a partner, or with a name that is no number.
    """
    faults: list[str] = []
    images, masks = (_pictures(source.under(folder).values(), faults) for folder in ("original", "GT"))
    refuse(source, FACTS, images.keys() | masks.keys(), faults + without_partner(images, masks))
    count = () if len(images) == _CASES else (f"{len(images)} cases are here; the full set has {_CASES}.",)
    used = [*images.values(), *masks.values()]
    return Plan(FACTS, binary_cases(source, images, masks), remarks=(*count, *not_used(source, used)))


def _pictures(paths: Iterable[PurePosixPath], faults: list[str]) -> dict[str, PurePosixPath]:
    pictures = [path for path in paths if path.suffix.lower() == ".png"]
    faults += [
        f"{path}: expected a number for a name, such as 000001.png; rename the file or take it out."
        for path in pictures
        if not path.stem.isdecimal()
    ]
    return by_name(((path.stem, path) for path in pictures), faults)
