"""GlaS, also known as Warwick-QU: glands of the colon in stained tissue (Sirinukunwattana et al., 2017)."""

import csv
from pathlib import Path, PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.conversion import merge_instances
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import FileRule, missing_cases, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="GlaS",
    version=1,
    classes=("background", "gland"),
    modality="histology, H&E stain, 20x (0.62 µm a pixel), of colorectal adenocarcinoma and healthy colon",
    url="https://warwick.ac.uk/fac/cross_fac/tia/data/glascontest/",
    license="For research only; commercial use is not allowed (terms of the challenge).",
    citation=(
        "K. Sirinukunwattana, J. P. W. Pluim, H. Chen et al.: Gland segmentation in colon histology images: the GlaS challenge "
        "contest. Medical Image Analysis 35 (2017) 489-502. https://doi.org/10.1016/j.media.2016.08.008"
    ),
    group="patient",
    layout="files train_1.bmp, train_1_anno.bmp, testA_1.bmp, testB_1.bmp and so on, and the table Grade.csv",
    notes=(
        "The original masks number the glands; here all of them are one class, so glands that touch are one object.",
        "The official split has 85 training images and 80 test images (60 of part A, 20 of part B), but no validation images.",
        "Grade.csv lists the patients. The official split may leak patients: see how many test images share a patient "
        "with training images.",
    ),
)
_PARTS = {"train": 85, "testA": 60, "testB": 20}
_IMAGES, _MASKS = (FileRule(rf"((?:{'|'.join(_PARTS)})_[0-9]+){ending}\.bmp") for ending in ("", "_anno"))
_TABLE = "Grade.csv"


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the images with their annotations, and read the patients.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, no Grade.csv, images that it does not name.
    """
    faults: list[Fault] = []
    images, masks = (rule.find(source, faults) for rule in (_IMAGES, _MASKS))
    tables = [key for key in source.files if key.name.casefold() == _TABLE.casefold()]
    patients: dict[str, str] = {}
    if images and len(tables) == 1:
        of_table: list[Fault] = []
        patients = _read_patients(source.files[tables[0]], tables[0], of_table)
        missing = [path for name, path in images.items() if name not in patients]
        faults += of_table or [Fault("missing-group", path, f"{_TABLE} has no patient for it.") for path in missing]
    elif images:
        found = " and ".join(map(str, sorted(tables, key=str))) or "none"
        message = f"expected one {_TABLE} with the patients, but found {found}"
        faults.append(Fault("group-table", "", message, "download the data set again"))
    names = sorted(images, key=natural_key)
    train, test = ([name for name in names if name.startswith(part)] for part in ("train", "test"))
    training = {patients.get(name) for name in train}
    shared = sum(patients.get(name) in training for name in test)
    leakage = f"{shared} of the {len(test)} official test images are of a patient who has training images too."
    full = (f"{part}_{number}" for part, count in _PARTS.items() for number in range(1, count + 1))
    return plan_pairs(
        source,
        FACTS,
        images,
        masks,
        faults,
        read_mask=lambda source, keys: merge_instances(source, keys[0]),
        group=patients.get,
        official={"train": train, "test": test} if train and test else {},
        remarks=(*([leakage] if shared else []), *missing_cases(full, names, "images")),
        used=tables,
    )


def _read_patients(path: Path, key: PurePosixPath, faults: list[Fault]) -> dict[str, str]:
    """Patients by image name; cells may have spaces around their text."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(path.read_text("utf-8-sig").splitlines())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        faults.append(Fault("group-table", key, f"expected a CSV table, but it cannot be read: {error}."))
        return {}
    columns = rows[0] if rows else []
    if not {"name", "patient ID"} <= set(columns):
        found = ", ".join(columns) or "nothing"
        faults.append(Fault("group-table", key, f"expected the columns `name` and `patient ID`, but found {found}."))
        return {}
    name, patient = columns.index("name"), columns.index("patient ID")
    complete = [row for row in rows[1:] if len(row) > max(name, patient) and row[patient]]
    return {row[name]: f"patient {row[patient]}" for row in complete}
