"""DRIVE, CHASE_DB1 and STARE: fundus photographs with vessels drawn by two observers; the first is the reference."""

from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.pairing import FileRule, Files, missing_count, plan_pairs
from tmunet.datasets._build.source import SourceFiles

_NOTE = (
    "Two people drew the vessels. As in the literature, the first is the reference; the masks of the second, and those of the "
    "field of view, are not imported."
)
DRIVE = DatasetFacts(
    name="DRIVE",
    version=1,
    classes=("background", "vessel"),
    modality="fundus photographs (RGB, 45 degrees)",
    url="https://drive.grand-challenge.org/",
    license="As stated by the challenge, which asks for a registration; not distributed here.",
    citation=(
        "J. Staal, M. D. Abràmoff, M. Niemeijer, M. A. Viergever, B. van Ginneken: Ridge-based vessel segmentation in color "
        "images of the retina. IEEE Transactions on Medical Imaging 23(4) (2004) 501-509. https://doi.org/10.1109/TMI.2004.825627"
    ),
    layout="folders training and test with images/21_training.tif and 1st_manual/21_manual1.gif",
    notes=(
        _NOTE,
        "The official split has 20 training and 20 test images; the challenge distributes the masks of the former only.",
    ),
)
CHASE_DB1 = DatasetFacts(
    name="CHASE_DB1",
    version=1,
    classes=("background", "vessel"),
    modality="fundus photographs (RGB, 30 degrees) of children",
    url="https://blogs.kingston.ac.uk/retinal/chasedb1/",
    license="As stated by its distributor.",
    citation=(
        "M. M. Fraz, P. Remagnino, A. Hoppe, B. Uyyanonvara, A. R. Rudnicka, C. G. Owen, S. A. Barman: An ensemble "
        "classification-based approach applied to retinal blood vessel segmentation. IEEE Transactions on Biomedical Engineering "
        "59(9) (2012) 2538-2548. https://doi.org/10.1109/TBME.2012.2205687"
    ),
    group="child (both eyes)",
    layout="files Image_01L.jpg and Image_01L_1stHO.png",
    notes=(_NOTE,),
)
STARE = DatasetFacts(
    name="STARE",
    version=1,
    classes=("background", "vessel"),
    modality="fundus photographs (RGB, 35 degrees)",
    url="https://cecas.clemson.edu/~ahoover/stare/",
    license="As stated by its distributor.",
    citation=(
        "A. Hoover, V. Kouznetsova, M. Goldbaum: Locating blood vessels in retinal images by piecewise threshold probing of a "
        "matched filter response. IEEE Transactions on Medical Imaging 19(3) (2000) 203-210. https://doi.org/10.1109/42.845178"
    ),
    layout="files im0001.ppm and im0001.ah.ppm, extracted from their .gz files",
    notes=(_NOTE, "The reference is by Adam Hoover (ah); the other set is by Valentina Kouznetsova (vk)."),
)
_SECOND_DRIVE = FileRule(r"((?:2nd_manual|mask)/[^/]*)\.(?i:gif|png|tiff?)")
_SECOND_CHASE = FileRule(r"(Image_[^/]*)_2ndHO\.(?i:png)")
_SECOND_STARE = FileRule(r"(im[0-9]{4})\.vk\.(?i:ppm|png)")
_OFFICIAL: dict[str, Subset] = {"training": "train", "test": "test"}


def plan_drive(source: SourceFiles) -> ImportPlan:
    """Pair the images of DRIVE with the masks of the first observer, folder by folder; test images without masks are left out.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, a file twice.
    """
    faults: list[Fault] = []
    images: dict[str, Files] = {}
    masks: dict[str, Files] = {}
    for part in _OFFICIAL:
        images[part] = FileRule(rf"(?i:{part}/images)/([0-9]+)_{part}\.(?i:tiff?|png)").find(source, faults)
        masks[part] = FileRule(rf"(?i:{part}/1st_manual)/([0-9]+)_manual1\.(?i:gif|png|tiff?)").find(source, faults)
    parts = [part for part in _OFFICIAL if masks[part] or (images[part] and part == "training")]
    official = {_OFFICIAL[part]: sorted(images[part], key=natural_key) for part in parts}
    remarks = [] if "test" in parts else ["The test images have no masks here, so they are left out."]
    unlabeled = [] if "test" in parts else list(images["test"].values())
    return plan_pairs(
        source,
        DRIVE,
        {name: path for part in parts for name, path in images[part].items()},
        {name: path for part in parts for name, path in masks[part].items()},
        faults,
        official=official if len(official) > 1 else {},
        remarks=remarks,
        used=[*_others(_SECOND_DRIVE, source), *unlabeled],
    )


def plan_chase(source: SourceFiles) -> ImportPlan:
    """Pair the images of CHASE_DB1 with the masks of the first observer; both eyes of a child are a group.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, a file twice.
    """
    faults: list[Fault] = []
    images = FileRule(r"(Image_[0-9]{2}[LR])\.(?i:jpe?g|png|tiff?)").find(source, faults)
    masks = FileRule(r"(Image_[0-9]{2}[LR])_1stHO\.(?i:png|tiff?)").find(source, faults)
    return plan_pairs(
        source,
        CHASE_DB1,
        images,
        masks,
        faults,
        group=lambda name: f"child {name[6:8]}",
        remarks=missing_count(len(images), 28, "images"),
        used=_others(_SECOND_CHASE, source),
    )


def plan_stare(source: SourceFiles) -> ImportPlan:
    """Pair the images of STARE with the masks of the first observer; images without any mask are left out.

    Raises:
        DatasetImportError: all faults: masks without image, a file twice.
    """
    faults: list[Fault] = []
    images = FileRule(r"(im[0-9]{4})\.(?i:ppm|png|tiff?)").find(source, faults)
    masks = FileRule(r"(im[0-9]{4})\.ah\.(?i:ppm|png)").find(source, faults)
    unlabeled = [path for name, path in images.items() if name not in masks]
    return plan_pairs(
        source,
        STARE,
        {name: path for name, path in images.items() if name in masks},
        masks,
        faults,
        remarks=missing_count(len(masks), 20, "images with masks"),
        used=[*_others(_SECOND_STARE, source), *unlabeled],
    )


def _others(rule: FileRule, source: SourceFiles) -> list[PurePosixPath]:
    found = rule.find_all(source, [])
    return [path for paths in found.values() for path in paths]
