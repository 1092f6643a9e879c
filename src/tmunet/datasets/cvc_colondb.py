"""CVC-ColonDB: 380 frames of 15 colonoscopy sequences, with polyps (Bernal et al., 2012)."""

from tmunet.datasets._build.cvc_frames import frame_name, read_frames
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan
from tmunet.datasets._build.pairing import FileRule, missing_cases, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
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
        "The frames of a sequence show the same polyp: a random split leaks near-duplicates. Split by sequence.",
        "34 of the 380 frames are exact copies of another one, in 17 groups, each inside one sequence; in 4 of the groups the "
        "masks of identical images differ. All of them are imported.",
        "A pixel is polyp if the value of its mask is above 127.",
    ),
)
_LAST = 380
_IMAGES, _MASKS, _CONTOURS = (
    FileRule(rf"{prefix}([0-9]+)\.(?i:tiff?)", "", f"{prefix}1.tiff to {prefix}{_LAST}.tiff", frame_name(_LAST))
    for prefix in ("", "p", "cp")
)


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the frames with their masks; the contours (``cp1.tiff``) are not used.

    Raises:
        DatasetImportError: all faults: frames without mask, masks without frame, numbers out of 1 to 380, and second files of a
            frame.
    """
    faults: list[Fault] = []
    images, masks, contours = (rule.find(source, faults) for rule in (_IMAGES, _MASKS, _CONTOURS))
    frames = read_frames("CVC-ColonDB")
    copies = [name for name in images if frames[name].copy_of in images]
    return plan_pairs(
        source,
        FACTS,
        images,
        masks,
        faults,
        group=lambda name: frames[name].group,
        remarks=(
            *([f"{len(copies)} of the imported frames are exact copies of an earlier one."] if copies else []),
            *([f"The {len(contours)} contour files (cp1.tiff and so on) are not used."] if contours else []),
            *missing_cases(frames, images, "frames"),
        ),
        used=contours.values(),
    )
