"""GlaS, also known as Warwick-QU: glands of the colon in stained tissue (Sirinukunwattana et al., 2017)."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.import_plan import Plan, PlannedCase, SetFacts
from tmunet.datasets._build.label_masks import any_instance
from tmunet.datasets._build.pairing import by_name, not_there, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
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
        "Grade.csv tells the patients. The official split need not keep them apart: see how many test images share a patient "
        "with training images.",
    ),
)
_PARTS = {"train": 85, "testA": 60, "testB": 20}
_TABLE = "Grade.csv"


def plan(source: Source) -> Plan:
    """Pair the images with their annotations, and read the patients.

    Raises:
        DataError: all faults: images and masks without a partner, no Grade.csv, images that it does not name.
    """
    faults: list[str] = []
    images, masks = (by_name(_named(source.files, ending), faults) for ending in ("", "_anno"))
    faults += without_partner(images, masks)
    tables = [key for key in source.files if key.name.casefold() == _TABLE.casefold()]
    patients: dict[str, str] = {}
    if images and len(tables) == 1:
        patients = _read_patients(source.files[tables[0]], tables[0], faults)
        faults += [f"{images[name]}: {_TABLE} does not tell its patient." for name in images if name not in patients]
    elif images:
        found = " and ".join(map(str, sorted(tables, key=str))) or "none"
        faults.append(f"expected one {_TABLE}, which tells the patients, but found {found}; download the set again.")
    refuse(source, FACTS, images.keys() | masks.keys(), faults)
    names = sorted(images, key=natural_key)
    train = [name for name in names if name.startswith("train")]
    test = [name for name in names if name.startswith("test")]
    return Plan(
        FACTS,
        tuple(
            PlannedCase(name, images[name], (masks[name],), any_instance(source, masks[name]), patients[name])
            for name in names
        ),
        official={"train": train, "test": test} if train and test else {},
        remarks=(
            *_about_patients([patients[name] for name in train], [patients[name] for name in test]),
            *not_there((f"{part}_{n}" for part, count in _PARTS.items() for n in range(1, count + 1)), names, "images"),
            *not_used(source, [*images.values(), *masks.values(), *tables]),
        ),
    )


def _about_patients(train: list[str], test: list[str]) -> list[str]:
    shared = sum(patient in train for patient in test)
    return [f"{shared} of the {len(test)} official test images are of a patient who has training images too."] * bool(
        shared
    )


def _named(paths: Iterable[PurePosixPath], ending: str) -> list[tuple[str, PurePosixPath]]:
    matches = ((re.fullmatch(rf"((?:train|testA|testB)_[0-9]+){ending}\.bmp", path.name), path) for path in paths)
    return sorted((match[1], path) for match, path in matches if match)


def _read_patients(path: Path, key: PurePosixPath, faults: list[str]) -> dict[str, str]:
    """Patients by image name; the header's cells and the values may have spaces around them."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(path.read_text("utf-8-sig").splitlines())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        faults.append(f"{key}: expected a CSV table, but it cannot be read: {error}.")
        return {}
    columns = rows[0] if rows else []
    if not {"name", "patient ID"} <= set(columns):
        faults.append(
            f"{key}: expected the columns `name` and `patient ID`, but found {', '.join(columns) or 'nothing'}."
        )
        return {}
    name, patient = columns.index("name"), columns.index("patient ID")
    complete = [row for row in rows[1:] if len(row) > max(name, patient) and row[patient]]
    return {row[name]: f"patient {row[patient]}" for row in complete}
