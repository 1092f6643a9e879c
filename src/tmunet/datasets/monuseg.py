"""MoNuSeg: nuclei in H&E tiles of seven organs, drawn as outlines (Kumar et al., 2017 and 2020)."""

import csv
import re
from collections.abc import Collection, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Literal

from tmunet.data.cases import natural_key
from tmunet.datasets._build.aperio_xml import read_regions
from tmunet.datasets._build.import_plan import Draw, Labels, Plan, PlannedCase, SetFacts
from tmunet.datasets._build.pairing import by_name, not_there, not_used, refuse, without_partner
from tmunet.datasets._build.regions import draw_regions
from tmunet.datasets._build.source import Source
from tmunet.errors import InputError

FACTS = SetFacts(
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
        "A region marked as negative (NegativeROA) is a hole: it is taken out of every region that holds more than half of it; "
        "what is drawn inside it stays. Rectangles and ellipses are filled; arrows, rulers and layers named as exclusion are "
        "refused.",
        "Outlines are cut off at the border of the tile; regions of fewer than three corners have no area and mark nothing.",
        "Touching nuclei become one area: this is a mask of two classes, not of single nuclei.",
        "The organizers have replaced some images under the same names: tiles downloaded at different times may differ.",
    ),
)
_BARCODE = re.compile(r"TCGA-[0-9A-Z]{2}-[0-9A-Z]{4}-[0-9A-Z-]+")
_SLIP = 20  # pixels by which an outline along the border of a tile may lie outside


def plan(source: Source) -> Plan:
    """Pair the tiles with their annotations, wherever they lie, and recognize the tiles of the official split by name.

    Tiles that the official split does not name, as in editions with more of them, are imported and left out of it.

    Raises:
        DataError: all faults: tiles and annotations without a partner, twice, or not named by a TCGA barcode.
    """
    faults: list[str] = []
    images, outlines = (_tiles(source, suffixes, faults) for suffixes in ((".tif", ".tiff"), (".xml",)))
    refuse(source, FACTS, images.keys() | outlines.keys(), faults + without_partner(images, outlines))
    names, sides = sorted(images, key=natural_key), _official_sides()
    others = [name for name in names if name not in sides]
    return Plan(
        FACTS,
        tuple(
            PlannedCase(name, images[name], (outlines[name],), _filled(source.files[outlines[name]]), _patient(name))
            for name in names
        ),
        _official(names, sides),
        remarks=(
            *([f"Tiles of no side of the official split, left out of it: {', '.join(others)}."] if others else []),
            *not_there(sides, images, "tiles of the official split"),
            *not_used(source, [*images.values(), *outlines.values()]),
        ),
    )


def _tiles(source: Source, suffixes: Collection[str], faults: list[str]) -> dict[str, PurePosixPath]:
    paths = [path for path in source.files if path.suffix.lower() in suffixes]
    faults += [
        f"{path}: expected a TCGA barcode for a name, such as TCGA-18-5592-01Z-00-DX1; take the file out."
        for path in paths
        if not _BARCODE.fullmatch(path.stem)
    ]
    return by_name(((path.stem, path) for path in paths), faults)


def _patient(name: str) -> str:
    return "patient " + "-".join(name.split("-")[:3])


def _official_sides() -> dict[str, str]:
    """Read the packaged table of the 30 training and 14 test tiles."""
    text = (files("tmunet.datasets") / "splits" / "MoNuSeg.csv").read_text("utf-8")
    return {row["tile"]: row["side"] for row in csv.DictReader(text.splitlines())}


def _official(names: list[str], sides: Mapping[str, str]) -> dict[Literal["train", "val", "test"], list[str]]:
    train, test = ([name for name in names if sides.get(name) == side] for side in ("train", "test"))
    return {"train": train, "test": test} if train and test else {}


def _filled(path: Path) -> Draw:
    def draw(size: tuple[int, int]) -> Labels:
        regions = read_regions(path)
        try:
            return draw_regions(regions, size)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    return draw
