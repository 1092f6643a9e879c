"""CVC-ColonDB: 380 frames of 15 colonoscopy sequences, with polyps (Bernal et al., 2012)."""

import re
from pathlib import PurePosixPath

from tmunet.datasets._build.binary_masks import binary_cases
from tmunet.datasets._build.cvc_frames import numbered, read_frames
from tmunet.datasets._build.import_plan import Plan, SetFacts
from tmunet.datasets._build.pairing import by_name, not_there, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
    name="CVC-ColonDB",
    version=1,
    classes=("background", "polyp"),
    modality="colonoscopy video frames (white light, RGB)",
    url="http://mv.cvc.uab.es/projects/colon-qa/cvccolondb",
    license=(
        "The page of the set names no license. Treat it as its sister CVC-ClinicDB, which is restricted to research and "
        "educational purposes, or ask its owner, the Computer Vision Center, Barcelona."
    ),
    citation=(
        "J. Bernal, J. Sánchez, F. Vilariño: Towards automatic polyp detection with a polyp appearance model. Pattern "
        "Recognition 45(9) (2012) 3166-3182. https://doi.org/10.1016/j.patcog.2012.03.002"
    ),
    group="video sequence",
    layout="the images 1.tiff to 380.tiff with the masks p1.tiff to p380.tiff in one folder",
    notes=(
        "The frames of a sequence show the same polyp: a split at random puts nearly the same picture on both sides. Split by "
        "sequence.",
        "34 of the 380 frames are exact copies of another one, in 17 groups, each inside one sequence; in 4 of the groups the "
        "masks of identical images differ. All of them are imported.",
        "A pixel is polyp if the value of its mask is above 127.",
    ),
)
_LAST = 380


def plan(source: Source) -> Plan:
    """Pair the frames with their masks; the contours (``cp1.tiff``) are left aside.

    Raises:
        DataError: all faults: frames and masks without a partner, with a number out of 1 to 380, or twice.
    """
    faults: list[str] = []
    images, masks, contours = (_frames(source, prefix, faults) for prefix in ("", "p", "cp"))
    refuse(source, FACTS, images.keys() | masks.keys(), faults + without_partner(images, masks))
    table = read_frames("CVC-ColonDB")
    copies = [name for name in images if table[name].copy_of in images]
    return Plan(
        FACTS,
        binary_cases(source, images, masks, {name: frame.group for name, frame in table.items()}),
        remarks=(
            *([f"{len(copies)} of the imported frames are exact copies of an earlier one."] if copies else []),
            *([f"The {len(contours)} contour files (cp1.tiff and so on) are not used."] if contours else []),
            *not_there(table, images, "frames"),
            *not_used(source, [*images.values(), *masks.values(), *contours.values()]),
        ),
    )


def _frames(source: Source, prefix: str, faults: list[str]) -> dict[str, PurePosixPath]:
    files = [path for path in source.files if re.fullmatch(rf"{prefix}[0-9]+\.(?i:tiff?)", path.name)]
    return by_name(numbered(files, prefix, _LAST, faults), faults)
