"""Kvasir-SEG: 1000 colonoscopy images of polyps (Jha et al., 2020)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.faults import Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, Subset
from tmunet.datasets._build.pairing import FileRule, missing_count, plan_pairs
from tmunet.datasets._build.source import SourceFiles

FACTS = DatasetFacts(
    name="Kvasir-SEG",
    version=1,
    classes=("background", "polyp"),
    modality="colonoscopy (RGB)",
    url="https://datasets.simula.no/kvasir-seg/",
    license="For research and education; other use needs the permission of its owner (Simula).",
    citation=(
        "D. Jha, P. H. Smedsrud, M. A. Riegler, P. Halvorsen, T. de Lange, D. Johansen, H. D. Johansen: Kvasir-SEG: a segmented "
        "polyp dataset. MultiMedia Modeling (MMM 2020), LNCS 11962, 451-462. https://doi.org/10.1007/978-3-030-37734-2_37"
    ),
    layout="folders `images` and `masks` with JPEG files of the same names; optionally `train.txt` and `val.txt`",
    notes=(
        "The masks are JPEG, so their edges hold gray values: a pixel is polyp if its value is above 127.",
        "The distribution does not record which images are of one patient or video.",
        "Where `train.txt` and `val.txt` (880 and 120 images) are in the source, they are the official split. The images of "
        "`val.txt` are those that papers report scores on, so they are the test images here; take validation images from "
        "the others.",
    ),
)
_CASES = 1000
_IMAGES, _MASKS = (FileRule(rf"(?i:{folder})/([^/]+)\.(?i:jpe?g|png)") for folder in ("images", "masks"))
_LISTS: dict[Subset, str] = {"train": "train.txt", "test": "val.txt"}


def plan(source: SourceFiles) -> ImportPlan:
    """Pair the images with their masks by name, and read the official split if its lists are there.

    Raises:
        DatasetImportError: all faults: images without mask, masks without image, and lists that do not fit them.
    """
    faults: list[Fault] = []
    images, masks = (rule.find(source, faults) for rule in (_IMAGES, _MASKS))
    lists = {subset: [key for key in source.files if key.name == name] for subset, name in _LISTS.items()}
    official = _read_split(source, lists, images, faults) if any(lists.values()) else {}
    return plan_pairs(
        source,
        FACTS,
        images,
        masks,
        faults,
        official=official,
        remarks=missing_count(len(images), _CASES, "cases"),
        used=[key for keys in lists.values() for key in keys],
    )


def _read_split(
    source: SourceFiles, lists: Mapping[Subset, list[PurePosixPath]], images: Mapping[str, object], faults: list[Fault]
) -> dict[Subset, Sequence[str]]:
    official: dict[Subset, Sequence[str]] = {}
    listed_in: dict[str, PurePosixPath] = {}
    for subset, keys in lists.items():
        if len(keys) != 1:
            found = ", ".join(map(str, keys)) or "none"
            message = f"expected one {_LISTS[subset]} beside the other list of the split, but found {found}."
            faults.append(Fault("official-split", "", message))
            continue
        names = _read_list(source.files[keys[0]], keys[0], faults)
        for name in names:
            if name not in images:
                faults.append(Fault("official-split", keys[0], f"there is no image {name!r}."))
            if name in listed_in:
                faults.append(Fault("official-split", keys[0], f"{name!r} is in {listed_in[name]} too."))
        listed_in |= dict.fromkeys(names, keys[0])
        official[subset] = sorted(names, key=natural_key)
    return official


def _read_list(path: Path, key: PurePosixPath, faults: list[Fault]) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        message = f"expected a text file with one image name on each line, but it cannot be read: {error}."
        faults.append(Fault("unreadable", key, message))
        return []
    names = [line.removesuffix(".jpg") for line in lines]
    twice = [name for name, count in Counter(names).items() if count > 1]
    faults += [Fault("official-split", key, f"{name!r} is listed twice.") for name in twice]
    return names
