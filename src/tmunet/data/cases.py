"""The cases of a data set folder: images, their masks, and what ``dataset.json`` says about them."""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.data.json_object import read_json_object
from tmunet.data.records import CaseRecord, read_records
from tmunet.errors import DataError, TMUNetWarning
from tmunet.labels import IGNORE_LABEL

SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
DOCUMENTS = frozenset({".txt", ".md", ".csv", ".json", ".xml", ".yaml", ".yml", ".html", ".pdf", ".log"})
SHOWN = 5  # names in a warning
_KNOWN_KEYS = ("name", "classes", "ignore_label", "cases")


@dataclass(frozen=True)
class Case:
    """One image and the mask drawn on it.

    Attributes:
        name: the stem of both file names.
        image: the image file.
        mask: the mask file, or None for an image without a reference.
        group: the video sequence, patient or slide that it belongs to, if that is known. Cases of a group show the same
            thing: on two sides of a split they leak.
    """

    name: str
    image: Path
    mask: Path | None
    group: str | None = None


@dataclass(frozen=True)
class DatasetInfo:
    """What a data set says about itself.

    Attributes:
        name: for titles and tables.
        classes: class names; the index of a name is its label in the masks.
        ignore_label: 255 if masks mark pixels to ignore with it, or None.
        records: what is known of single cases, by name.
        information: every other key of ``dataset.json`` (license, source, citation...), as it stands there.
    """

    name: str
    classes: tuple[str, ...] = ("background", "foreground")
    ignore_label: int | None = None
    records: Mapping[str, CaseRecord] = field(default_factory=dict)
    information: Mapping[str, Any] = field(default_factory=dict)


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key that puts ``"frame 9"`` before ``"frame 10"``.

    >>> sorted(["b", "a10", "a9"], key=natural_key)
    ['a9', 'a10', 'b']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], name


def find_cases(folder: Path) -> tuple[tuple[Case, ...], list[str]]:
    """Pair ``folder/images/NAME.*`` with ``folder/masks/NAME.*``; the two suffixes may differ.

    Hidden files and files that are no images by their suffix are passed over.

    Returns:
        The cases in natural order of their names, those without a mask included, and every fault: a missing folder, no
        images, two files of one name, a missing partner.
    """
    faults: list[str] = []
    images, masks = _by_name(folder / "images", faults), _by_name(folder / "masks", faults)
    if not faults and not images:
        suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
        faults.append(f"{folder / 'images'}: holds no images; expected files with the suffixes {suffixes}.")
    if images is None or masks is None:
        return (), faults
    for name in sorted(images.keys() - masks.keys(), key=natural_key):
        faults.append(f"{images[name]}: has no mask; expected {folder / 'masks' / name}.png, .tif or the like.")
    for name in sorted(masks.keys() - images.keys(), key=natural_key):
        faults.append(f"{masks[name]}: has no image; expected {folder / 'images' / name}.png, .jpg or the like.")
    names = sorted(images, key=natural_key)
    return tuple(Case(name, images[name], masks.get(name)) for name in names), faults


def warn_skipped_files(folder: Path, entries: Iterable[Path], advice: str) -> None:
    """Warn of what lies in a folder of images, may be one or hold some, and is not taken."""
    names = sorted(path.name for path in entries if _may_be_missed(path))
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        shown = ", ".join(names[:SHOWN])
        warnings.warn(f"{folder}: passed over {shown}{more}: no images by name; {advice}.", TMUNetWarning, stacklevel=2)


def _may_be_missed(path: Path) -> bool:
    if path.name.startswith(".") or path.name.casefold() in SYSTEM_FILES or path.suffix.lower() in DOCUMENTS:
        return False
    return not path.is_dir() or any(inside.suffix.lower() in IMAGE_SUFFIXES for inside in path.rglob("*"))


def _by_name(folder: Path, faults: list[str]) -> dict[str, Path] | None:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        faults.append(
            f"{folder}: cannot be listed: {error.strerror}; expected a folder of images. `tmunet import` makes one from "
            "images and masks under other names, and from data sets as they were downloaded."
        )
        return None
    found: dict[str, Path] = {}
    for path in entries:
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if not path.is_file():
            faults.append(f"{path}: is named like an image but is a folder or a broken link; remove or rename it.")
        elif path.stem in found:
            faults.append(f"{path}: {found[path.stem].name} has the same name {path.stem!r}; keep one of the two.")
        found.setdefault(path.stem, path)
    return found


def read_dataset_info(folder: Path) -> DatasetInfo:
    """Read ``folder/dataset.json``; without that file, the classes are background and foreground.

    Raises:
        InputError: the file cannot be read or is not a JSON object.
        DataError: all faults of its `name`, `classes`, `ignore_label` and `cases`, and keys that look like them.
    """
    path = folder / "dataset.json"
    default = DatasetInfo(folder.resolve().name)
    if not path.exists():
        return default
    content = read_json_object(path)
    name = content.get("name", default.name)
    classes = content.get("classes", list(default.classes))
    ignore_label = content.get("ignore_label")
    information = {key: value for key, value in content.items() if key not in _KNOWN_KEYS}
    faults = [
        f"the key {key!r} is not known; did you mean {close[0]!r}?"
        for key in information
        if (close := get_close_matches(key.casefold(), _KNOWN_KEYS, n=1, cutoff=0.8))
    ]
    if not isinstance(name, str) or not name.strip():
        faults.append(f"expected `name` to be a text, but got {name!r}.")
    if not _are_class_names(classes):
        faults.append(f"expected `classes` to be a list of 2 to 255 different names, but got {classes!r}.")
    if ignore_label is not None and (type(ignore_label) is not int or ignore_label != IGNORE_LABEL):
        faults.append(f"expected `ignore_label` to be {IGNORE_LABEL} or null, but got {ignore_label!r}.")
    records = read_records(content.get("cases", {}), faults)
    if faults:
        raise DataError(str(path), faults)
    return DatasetInfo(name, tuple(classes), ignore_label, records, information)


def _are_class_names(classes: object) -> bool:
    if not isinstance(classes, list) or not all(isinstance(name, str) and name.strip() for name in classes):
        return False
    return 2 <= len(classes) <= 255 and len(set(classes)) == len(classes)
