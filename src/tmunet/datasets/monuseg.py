"""MoNuSeg: nuclei in H&E tiles of seven organs, drawn as outlines (Kumar et al., 2017 and 2020)."""

import csv
from collections.abc import Sequence
from importlib.resources import files
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.aperio import read_annotation_mask
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, ReadMask
from tmunet.datasets._build.pairing import FileRule, missing_cases, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="MoNuSeg",
    version=2,
    classes=("background", "nucleus"),
    modality="H&E stained tissue, bright-field whole-slide scans at 40x (RGB)",
    url="https://monuseg.grand-challenge.org/Data/",
    license="CC BY-NC-SA 4.0",
    citation=(
        "N. Kumar, R. Verma, S. Sharma, S. Bhargava, A. Vahadane, A. Sethi: A dataset and a technique for generalized nuclear "
        "segmentation for computational pathology. IEEE Transactions on Medical Imaging 36(7) (2017) 1550-1560. "
        "https://doi.org/10.1109/TMI.2017.2677499; N. Kumar et al.: A multi-organ nucleus segmentation challenge. IEEE "
        "Transactions on Medical Imaging 39(5) (2020) 1380-1391. https://doi.org/10.1109/TMI.2019.2947628"
    ),
    group="patient (the first three parts of the TCGA barcode)",
    layout="tiles named by their TCGA barcode, such as TCGA-18-5592-01Z-00-DX1.tif, each with an .xml of the same name",
    notes=(
        "The mask is the union of the outlines, filled: a pixel is nucleus if its center is enclosed (x = column + 0.5, y = row "
        "+ 0.5, as ImageScope counts from the upper left corner; non-zero winding). The MATLAB script of the challenge puts the "
        "centers half a pixel further, so its masks differ from these in pixels at the border of the nuclei.",
        "A region marked as negative (NegativeROA) is a hole: it is cut out of every region that contains more than half of it; "
        "what is drawn inside it stays. Rectangles and ellipses are filled; arrows, rulers and exclusion layers are errors.",
        "Outlines are cut off at the border of the tile; regions of fewer than three corners are skipped.",
        "Touching nuclei become one object: this is a semantic mask, not an instance mask.",
        "The organizers have replaced some images under the same names: tiles downloaded at different times may differ.",
    ),
)
_BARCODE = "TCGA-[0-9A-Z]{2}-[0-9A-Z]{4}-[0-9A-Z-]+"
_IMAGES, _ANNOTATIONS = (
    FileRule(rf"({_BARCODE})\.(?i:{suffix})", rf"[^/]*\.(?i:{suffix})", "TCGA-18-5592-01Z-00-DX1 (a TCGA barcode)")
    for suffix in ("tiff?", "xml")
)


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the tiles with their annotations, wherever they are, and recognize the tiles of the official split by name.

    Tiles that the official split does not name, as in editions with more of them, are imported and left out of it.

    Raises:
        DatasetImportError: all faults: tiles without annotation, annotations without tile, second files, and names that are no
            TCGA barcode.
    """
    faults: list[Fault] = []
    images, annotations = (rule.find(source, faults) for rule in (_IMAGES, _ANNOTATIONS))
    names, subsets = sorted(images, key=natural_key), _official_subsets()
    train, test = ([name for name in names if subsets.get(name) == subset] for subset in ("train", "test"))
    others = [name for name in names if name not in subsets]
    return plan_pairs(
        source,
        FACTS,
        images,
        annotations,
        faults,
        read_mask=_read_mask,
        group=_patient,
        official={"train": train, "test": test} if train and test else {},
        remarks=(
            *([f"Tiles of no subset of the official split, left out of it: {', '.join(others)}."] if others else []),
            *missing_cases(subsets, images, "tiles of the official split"),
        ),
    )


def _read_mask(source: SourceFiles, annotations: Sequence[PurePosixPath]) -> ReadMask:
    path = source.files[annotations[0]]
    return lambda size: read_annotation_mask(path, size)


def _patient(name: str) -> str:
    return "patient " + "-".join(name.split("-")[:3])


def _official_subsets() -> dict[str, str]:
    """Read the packaged table of the 30 training and 14 test tiles."""
    text = (files("tmunet.datasets") / "splits" / "MoNuSeg.csv").read_text("utf-8")
    return {row["tile"]: row["side"] for row in csv.DictReader(text.splitlines())}
