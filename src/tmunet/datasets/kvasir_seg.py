"""Kvasir-SEG: 1000 polyps seen in colonoscopy (Jha et al., 2020)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from tmunet.data.cases import natural_key
from tmunet.datasets._build.binary_masks import binary_cases
from tmunet.datasets._build.import_plan import Plan, SetFacts
from tmunet.datasets._build.pairing import by_name, not_used, refuse, without_partner
from tmunet.datasets._build.source import Source

FACTS = SetFacts(
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
    layout="folders `images` and `masks` with JPEG files of the same names; `train.txt` and `val.txt` may lie beside them",
    notes=(
        "The masks are JPEG, so their edges hold gray values: a pixel is polyp if its value is above 127.",
        "The distribution does not tell which images are of one patient or video.",
        "Where `train.txt` and `val.txt` (880 and 120 images) are in the source, they are the official split. The images of "
        "`val.txt` are those that papers report scores on, so they are the test images here; validation images are to be "
        "taken from the others.",
    ),
)
_CASES = 1000
_SUFFIXES = (".jpg", ".jpeg", ".png")
_LISTS: dict[Literal["train", "test"], str] = {"train": "train.txt", "test": "val.txt"}


def plan(source: Source) -> Plan:
    """Pair the images with their masks by name, and read the official split if its lists are there.

    Raises:
        DataError: all faults: images and masks without a partner, and lists that do not fit them.
    """
    faults: list[str] = []
    images, masks = (_pictures(source.under(folder).values(), faults) for folder in ("images", "masks"))
    faults += without_partner(images, masks)
    lists = {side: [key for key in source.files if key.name == name] for side, name in _LISTS.items()}
    official = _read_split(source, lists, images.keys(), faults) if any(lists.values()) else {}
    refuse(source, FACTS, images.keys() | masks.keys(), faults)
    size = () if len(images) == _CASES else (f"{len(images)} cases are here; the full set has {_CASES}.",)
    used = {*images.values(), *masks.values(), *(key for keys in lists.values() for key in keys)}
    return Plan(
        FACTS,
        binary_cases(source, images, masks),
        official=official,
        remarks=(*size, *not_used(source, used)),
    )


def _pictures(paths: Iterable[PurePosixPath], faults: list[str]) -> dict[str, PurePosixPath]:
    return by_name(((path.stem, path) for path in paths if path.suffix.lower() in _SUFFIXES), faults)


def _read_split(
    source: Source,
    lists: Mapping[Literal["train", "test"], list[PurePosixPath]],
    names: Iterable[str],
    faults: list[str],
) -> dict[Literal["train", "val", "test"], list[str]]:
    official: dict[Literal["train", "val", "test"], list[str]] = {}
    known, seen = frozenset(names), dict[str, PurePosixPath]()
    for side, keys in lists.items():
        if len(keys) != 1:
            found = ", ".join(map(str, keys)) or "none"
            faults.append(f"expected one {_LISTS[side]} beside the other list of the split, but found {found}.")
            continue
        listed = _read_list(source.files[keys[0]], keys[0], faults)
        faults += [f"{keys[0]}: there is no image {name!r}." for name in listed if name not in known]
        faults += [f"{keys[0]}: {name!r} stands in {seen[name]} already." for name in listed if name in seen]
        seen |= dict.fromkeys(listed, keys[0])
        official[side] = sorted(listed, key=natural_key)
    return official


def _read_list(path: Path, key: PurePosixPath, faults: list[str]) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{key}: expected a text file with one image name on each line, but it cannot be read: {error}.")
        return []
    names = [line.removesuffix(".jpg") for line in lines]
    faults += [f"{key}: {name!r} stands there twice." for name, count in Counter(names).items() if count > 1]
    return names
