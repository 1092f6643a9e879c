"""BUSI: 780 breast ultrasound images, benign, malignant and normal (Al-Dhabyani et al., 2020)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.binary_masks import union_above
from tmunet.datasets._build.import_plan import Plan, PlannedCase, SetFacts
from tmunet.datasets._build.pairing import by_name, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
    name="BUSI",
    version=1,
    classes=("background", "lesion"),
    modality="breast ultrasound (B-mode, LOGIQ E9 and LOGIQ E9 Agile)",
    url="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
    license="The source asks for the paper to be cited; listings elsewhere disagree on the license. Ask its owner.",
    citation=(
        "W. Al-Dhabyani, M. Gomaa, H. Khaled, A. Fahmy: Dataset of breast ultrasound images. Data in Brief 28 (2020) 104863. "
        "https://doi.org/10.1016/j.dib.2019.104863"
    ),
    layout="folders `benign`, `malignant` and `normal` with files such as `benign (1).png` and `benign (1)_mask.png`",
    notes=(
        "The names of the cases keep the kind of the image: benign, malignant or normal. The mask of a normal image is empty.",
        "17 images have two or three mask files; here the mask is their union. A pixel is lesion if its value is above 127.",
        "The 780 images are of 600 patients, and the distribution does not tell which; 24 pairs of images are nearly the same "
        "(correlation above 0.995). A split at random may put them on two sides.",
    ),
)
_COUNTS = {"benign": 437, "malignant": 210, "normal": 133}
_FILE = re.compile(r"(?P<kind>[a-z]+) \((?P<number>[0-9]+)\)(?P<mask>_mask(_[0-9]+)?)?")


def plan(source: Source) -> Plan:
    """Gather the masks of each image; a normal image needs its (black) mask file as well.

    Raises:
        DataError: all faults: images and masks without a partner, or with names that are not understood.
    """
    faults: list[str] = []
    pictures: list[tuple[str, PurePosixPath]] = []
    masks: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in _files(source):
        kind = path.parent.name.lower()
        name = _FILE.fullmatch(path.stem)
        if name is None or name["kind"] != kind:
            faults.append(
                f"{path}: expected a name such as `{kind} (1).png` or `{kind} (1)_mask.png`; take the file out."
            )
        elif name["mask"]:
            masks[f"{kind}_{int(name['number']):03d}"].append(path)
        else:
            pictures.append((f"{kind}_{int(name['number']):03d}", path))
    images = by_name(pictures, faults)
    first = {name: paths[0] for name, paths in masks.items()}
    refuse(source, FACTS, images, faults + without_partner(images, first))
    used = [*images.values(), *(path for paths in masks.values() for path in paths)]
    return Plan(
        FACTS,
        tuple(
            PlannedCase(name, images[name], tuple(masks[name]), union_above(source, masks[name]))
            for name in sorted(images, key=natural_key)
        ),
        remarks=(*_about_counts(images), *not_used(source, used)),
    )


def _files(source: Source) -> list[PurePosixPath]:
    paths = [path for kind in _COUNTS for path in source.under(kind).values() if path.suffix.lower() == ".png"]
    return sorted(paths, key=lambda path: natural_key(path.name))


def _about_counts(names: Iterable[str]) -> list[str]:
    found = Counter(name.split("_")[0] for name in names)
    return [
        f"{found[kind]} {kind} images are here; the full set has {full}."
        for kind, full in _COUNTS.items()
        if found[kind] != full
    ]
