"""Cases of a data set folder: list ``images/`` and ``masks/``, pair them by name, read ``dataset.json``."""

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from tmunet.data.io.dicom import is_bare_dicom
from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.data.json_object import read_json_object
from tmunet.data.records import CaseRecord, read_records, read_spacings
from tmunet.errors import DataError, TMUNetWarning
from tmunet.labels import IGNORE_LABEL

SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "dicomdir"})
DOCUMENTS = frozenset({".txt", ".md", ".csv", ".json", ".xml", ".yaml", ".yml", ".html", ".pdf", ".log"})
_T = TypeVar("_T")
SHOWN = 5  # names in a warning
_KNOWN_KEYS = ("name", "classes", "ignore_label", "cases", "spacing_mm")
_MAX_SUGGESTIONS = 10  # finding a close name takes long in a large data set


@dataclass(frozen=True)
class Case:
    """One image with its mask.

    Attributes:
        name: the stem of both file names.
        image: the image file.
        mask: the mask file, or None for an image without a reference.
        group: patient, video sequence or slide, if known. A group on two sides of a split is data leakage.
        spacing: (row, column) distance between pixel centers in mm, as `dataset.json` states it; None if it does not.
        arrays: returns image and mask of a case that is in no files; `image` and `mask` are names then.
    """

    name: str
    image: Path
    mask: Path | None
    group: str | None = None
    spacing: tuple[float, float] | None = None
    arrays: Callable[[], tuple[Any, Any]] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class DatasetInfo:
    """Content of ``dataset.json``.

    Attributes:
        name: for titles and tables.
        classes: class names; the index of a name is its label in the masks.
        ignore_label: 255 if masks mark pixels to ignore with it, or None.
        records: entries of single cases, by name.
        information: every other key (license, source, citation...), unchanged.
        spacings: (row, column) distance between pixel centers in mm, by name of the case.
    """

    name: str
    classes: tuple[str, ...] = ("background", "foreground")
    ignore_label: int | None = None
    records: Mapping[str, CaseRecord] = field(default_factory=dict)
    information: Mapping[str, Any] = field(default_factory=dict)
    spacings: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """Entries of ``images/`` or ``masks/``, sorted; hidden files and files of operating systems are left out.

    Attributes:
        folder: the folder.
        error: why it cannot be listed, or None.
        images: files with the suffix of an image.
        non_files: entries with the suffix of an image that are not files: folders, broken links, devices.
        others: files and folders with other suffixes.
    """

    folder: Path
    error: str | None = None
    images: tuple[Path, ...] = ()
    non_files: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()

    def by_name(self, non_files: bool = True) -> dict[str, list[Path]]:
        """Group the entries with the suffix of an image by case name; more than one for a name is a fault."""
        found: dict[str, list[Path]] = {}
        for path in sorted((*self.images, *self.non_files)) if non_files else self.images:
            found.setdefault(path.stem, []).append(path)
        return found


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key that puts ``"frame 9"`` before ``"frame 10"``.

    >>> sorted(["b", "a10", "a9"], key=natural_key)
    ['a9', 'a10', 'b']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], name


def list_folder(folder: Path) -> Listing:
    """List a folder of images or masks; an unreadable folder gives a `Listing` with an error."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        return Listing(folder, error=error.strerror or type(error).__name__)
    shown = [p for p in entries if not p.name.startswith(".") and p.name.casefold() not in SYSTEM_FILES]
    named = {p: None for p in shown if p.suffix.lower() in IMAGE_SUFFIXES or is_bare_dicom(p)}
    files = frozenset(p for p in named if p.is_file())
    return Listing(
        folder,
        images=tuple(p for p in named if p in files),
        non_files=tuple(p for p in named if p not in files),
        others=tuple(p for p in shown if p not in named),
    )


def find_cases(folder: Path) -> tuple[tuple[Case, ...], list[str]]:
    """Pair ``folder/images/NAME.*`` with ``folder/masks/NAME.*``; the two suffixes may differ.

    Returns:
        The cases in natural order of their names, those without a mask included, and every fault: a missing folder, no
        images, two files of one name, a missing partner.
    """
    faults: list[str] = []
    images, masks = _unique_by_name(folder / "images", faults), _unique_by_name(folder / "masks", faults)
    if not faults and not images:
        suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
        faults.append(f"{folder / 'images'}: holds no images; expected files with the suffixes {suffixes}.")
    if images is None or masks is None:
        return (), faults
    masks = named_alike(images, masks)
    for name in sorted(images.keys() - masks.keys(), key=natural_key):
        faults.append(f"{images[name]}: has no mask; expected {folder / 'masks' / name}.png, .tif or the like.")
    for name in sorted(masks.keys() - images.keys(), key=natural_key):
        faults.append(f"{masks[name]}: has no image; expected {folder / 'images' / name}.png, .jpg or the like.")
    names = sorted(images, key=natural_key)
    return tuple(Case(name, images[name], masks.get(name)) for name in names), faults


def named_alike(images: Mapping[str, _T], masks: Mapping[str, _T]) -> dict[str, _T]:
    """Name masks like their images where the names differ in Unicode form only.

    macOS writes an accent as a mark of its own (NFD), other systems as one letter with it (NFC); both look the same.

    >>> named_alike({"K\u00e4se": 1}, {"Ka\u0308se": 2}) == {"K\u00e4se": 2}
    True
    """
    composed: dict[str, list[str]] = {}
    for name in images:
        composed.setdefault(unicodedata.normalize("NFC", name), []).append(name)
    found = dict(masks)
    for name in masks.keys() - images.keys():
        same = composed.get(unicodedata.normalize("NFC", name), [])
        if len(same) == 1 and same[0] not in found:
            found[same[0]] = found.pop(name)
    return found


def _unique_by_name(folder: Path, faults: list[str]) -> dict[str, Path] | None:
    listing = list_folder(folder)
    if listing.error is not None:
        faults.append(
            f"{folder}: cannot be listed: {listing.error}; expected a folder of images. `tmunet import` makes one from "
            "images and masks under other names, and from data sets as they were downloaded."
        )
        return None
    for path in listing.non_files:
        faults.append(f"{path}: is named like an image but is a folder or a broken link; remove or rename it.")
    by_name = listing.by_name()
    for name, (first, *rest) in by_name.items():
        faults += [f"{path}: {first.name} has the same name {name!r}; keep one of the two." for path in rest]
    return {name: paths[0] for name, paths in by_name.items()}


def warn_skipped_files(folder: Path, entries: Iterable[Path], advice: str) -> None:
    """Warn of files and folders beside the images that may be images and are skipped; documents and hidden files are not."""
    names = sorted(path.name for path in entries if _may_be_image(path))
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        shown = ", ".join(names[:SHOWN])
        warnings.warn(f"{folder}: passed over {shown}{more}: no images by name; {advice}.", TMUNetWarning, stacklevel=2)


def _may_be_image(path: Path) -> bool:
    if path.name.startswith(".") or path.name.casefold() in SYSTEM_FILES or path.suffix.lower() in DOCUMENTS:
        return False
    return not path.is_dir() or any(inside.suffix.lower() in IMAGE_SUFFIXES for inside in path.rglob("*"))


def match_name(entry: str, known: Mapping[str, str]) -> str | None:
    """Find the case of an entry: its name, a file name with suffix, or a path that ends in one of the two.

    `known` maps every name that stands for a case to its name.
    """
    file = PurePosixPath(entry.replace("\\", "/"))
    stem = file.stem if file.suffix.lower() in IMAGE_SUFFIXES else file.name
    return next((known[name] for name in (entry, file.name, stem) if name in known), None)


def unknown_case(entry: object, names: Sequence[str], number: int) -> str:
    """Write the fault of an entry that is not a case; the first ones, by their number from 0, get a suggestion."""
    close = get_close_matches(str(entry), names, n=1) if number < _MAX_SUGGESTIONS else []
    return f"there is no case {entry!r}" + (f"; did you mean {close[0]!r}?" if close else ".")


def read_dataset_info(folder: Path) -> DatasetInfo:
    """Read ``folder/dataset.json``; without that file, the classes are background and foreground.

    Raises:
        InputError: the file cannot be read or is not a JSON object.
        DataError: all faults of its `name`, `classes`, `ignore_label`, `cases` and `spacing_mm`, and misspelled keys.
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
    spacings = read_spacings(content.get("spacing_mm", {}), faults)
    if faults:
        raise DataError(str(path), faults)
    return DatasetInfo(name, tuple(classes), ignore_label, records, information, spacings)


def _are_class_names(classes: object) -> bool:
    if not isinstance(classes, list) or not all(isinstance(name, str) and name.strip() for name in classes):
        return False
    return 2 <= len(classes) <= 255 and len(set(classes)) == len(classes)
