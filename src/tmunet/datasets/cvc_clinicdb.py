"""CVC-ClinicDB: 612 frames of 29 colonoscopy sequences, with polyps (Bernal et al., 2015)."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from tmunet.datasets._build.binary_masks import binary_cases
from tmunet.datasets._build.cvc_frames import numbered, read_frames
from tmunet.datasets._build.import_plan import Plan, SetFacts
from tmunet.datasets._build.pairing import by_name, not_there, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
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
        "The frames of a sequence show the same polyp: a split at random puts nearly the same picture on both sides. Split by "
        "sequence.",
        "Many of the original masks hold gray values, some of them dim residue of up to 112 at the border of the frame, far "
        "from the polyp. Here a pixel is polyp if its value is above 127.",
        "Pillow cannot open the original TIFF files, because of their photometric tag; the imported images are PNG with the "
        "same pixels.",
    ),
)
_TIFF, _PNG = (".tif", ".tiff"), (".png",)
_LAST = 612


def plan(source: Source) -> Plan:
    """Pair the frames with their masks; where TIFF and PNG are both there, the TIFF files are taken.

    Raises:
        DataError: all faults: frames and masks without a partner, with another name than a number from 1 to 612, or twice.
    """
    originals, truths = source.under("Original").values(), source.under("Ground Truth").values()
    is_tiff = any(path.suffix.lower() in _TIFF for path in [*originals, *truths])
    faults: list[str] = []
    images, masks = (_frames(paths, _TIFF if is_tiff else _PNG, faults) for paths in (originals, truths))
    refuse(source, FACTS, images.keys() | masks.keys(), faults + without_partner(images, masks))
    copies = [path for path in [*originals, *truths] if is_tiff and path.suffix.lower() in _PNG]
    table = read_frames("CVC-ClinicDB")
    return Plan(
        FACTS,
        binary_cases(source, images, masks, {name: frame.group for name, frame in table.items()}),
        remarks=(
            *([f"The TIFF files are used; the {len(copies)} PNG files beside them are not."] if copies else []),
            *not_there(table, images, "frames"),
            *not_used(source, [*images.values(), *masks.values(), *copies]),
        ),
    )


def _frames(paths: Iterable[PurePosixPath], suffixes: tuple[str, ...], faults: list[str]) -> dict[str, PurePosixPath]:
    return by_name(numbered((path for path in paths if path.suffix.lower() in suffixes), "", _LAST, faults), faults)
