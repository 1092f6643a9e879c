"""CVC-ClinicDB: 612 frames of 29 colonoscopy sequences, with polyps (Bernal et al., 2015)."""

import re
from pathlib import PurePosixPath

from tmunet.datasets._build.cvc_frames import frame_name, read_frames
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import FileRule, missing_cases, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="CVC-ClinicDB",
    version=1,
    classes=("background", "polyp"),
    modality="colonoscopy video frames (white light, RGB)",
    url="https://polyp.grand-challenge.org/CVCClinicDB/",
    license=(
        "Restricted to research and educational purposes; commercial use is forbidden, and the paper has to be cited. The "
        "images are property of Hospital Clinic, Barcelona, the masks of the Computer Vision Center, Barcelona."
    ),
    citation=(
        "J. Bernal, F. J. Sánchez, G. Fernández-Esparrach, D. Gil, C. Rodríguez, F. Vilariño: WM-DOVA maps for accurate "
        "polyp highlighting in colonoscopy: validation vs. saliency maps from physicians. Computerized Medical Imaging and "
        "Graphics 43 (2015) 99-111. https://doi.org/10.1016/j.compmedimag.2015.02.007"
    ),
    group="video sequence",
    layout="folders `Original` and `Ground Truth` with 1.tif to 612.tif (or the same as .png)",
    notes=(
        "The frames of a sequence show the same polyp: a random split leaks near-duplicates. Split by sequence.",
        "Many of the original masks hold gray values, some of them dim residue of up to 112 at the border of the frame, far "
        "from the polyp. Here a pixel is polyp if its value is above 127.",
        "Pillow cannot open the original TIFF files, because of their photometric tag; the imported images are PNG with the "
        "same pixels.",
    ),
)
_FOLDERS = "Original", "Ground Truth"
_TIFF, _PNG = "tiff?", "png"
_LAST = 612


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the frames with their masks; where TIFF and PNG are both there, the TIFF files are taken.

    Raises:
        DatasetImportError: all faults: frames without mask, masks without frame, names other than numbers from 1 to 612, and
            second files of a frame.
    """
    pngs, tiffs = (_files(source, suffix) for suffix in (_PNG, _TIFF))
    faults: list[Fault] = []
    images, masks = (_rule(folder, _TIFF if tiffs else _PNG).find(source, faults) for folder in _FOLDERS)
    frames = read_frames("CVC-ClinicDB")
    copies = pngs if tiffs else []
    return plan_pairs(
        source,
        FACTS,
        images,
        masks,
        faults,
        group=lambda name: frames[name].group,
        remarks=(
            *([f"The TIFF files are used; the {len(copies)} PNG files beside them are not."] if copies else []),
            *missing_cases(frames, images, "frames"),
        ),
        used=copies,
    )


def _rule(folder: str, suffix: str) -> FileRule:
    files = rf"(?i:{folder})/[^/]*\.(?i:{suffix})"
    return FileRule(rf"(?i:{folder})/([0-9]+)\.(?i:{suffix})", files, f"1.tif to {_LAST}.tif", frame_name(_LAST))


def _files(source: SourceFiles, suffix: str) -> list[PurePosixPath]:
    pattern = re.compile(rf"(?:.*/)?(?i:{'|'.join(_FOLDERS)})/[^/]*\.(?i:{suffix})")
    return [path for path in source.files if pattern.fullmatch(str(path))]
