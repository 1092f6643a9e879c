"""Rules about files: names, pairing, readability, format, size, and ``dataset.json``."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TypeVar

from tmunet.check.findings import Finding
from tmunet.check.inspect import CaseInspection, FileFacts, ImageFacts, relative_paths
from tmunet.check.rules import finding, sentence, shortened
from tmunet.data.cases import DatasetInfo, Listing, named_alike, natural_key
from tmunet.data.io.images import IMAGE_SUFFIXES, ImageFormat
from tmunet.data.reader import collect_errors
from tmunet.data.training_stats import SMALL_PART
from tmunet.text import pluralize

SUFFIXES: dict[ImageFormat, tuple[str, ...]] = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm"),
    "DICOM": (".dcm",),
}
"""Suffixes of each format, in lower case; the first is the usual one."""

_T = TypeVar("_T")
_SHOWN = 5
_KEY = re.compile(r"\w+[:,] ")  # of the JSON file, which keeps its spelling
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_names(images: Listing, masks: Listing) -> Iterator[Finding]:
    """Check the names of files and their pairing; no file is opened."""
    suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
    for listing in (images, masks):
        yield from _check_folder(listing, suffixes)
    of_images = images.by_name()
    of_masks = named_alike(of_images, masks.by_name())
    if images.error is None and not of_images:
        yield finding("no-images", ("images",), suffixes=suffixes)
    if images.error is None and masks.error is None:
        yield from _without_partner("missing-mask", of_images, of_masks)
        yield from _without_partner("missing-image", of_masks, of_images)
    yield from _clashes(of_images, of_masks)


def _check_folder(listing: Listing, suffixes: str) -> Iterator[Finding]:
    if listing.error is not None:
        yield finding("missing-folder", (listing.folder.name,), error=listing.error)
    for path in listing.non_files:
        yield finding("not-a-file", relative_paths([path]), (path.stem,))
    for name, paths in listing.by_name().items():
        if len(paths) > 1:
            yield finding("same-name", relative_paths(paths), (name,), name=name, count=len(paths))
    for path in (*listing.images, *listing.non_files):
        if reason := _not_portable(path):
            yield finding("unportable-name", relative_paths([path]), (path.stem,), reason=reason)
    for what, group in groupby(sorted(listing.others, key=_kind), key=_kind):
        skipped = tuple(group)
        yield finding("skipped", relative_paths(skipped), what=what, count=len(skipped), suffixes=suffixes)


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folders"
    ending = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
    return f"files with the suffix {ending.lower()}" if ending else "files without a suffix"


def _without_partner(
    kind: str, these: Mapping[str, Sequence[Path]], others: Mapping[str, Sequence[Path]]
) -> Iterator[Finding]:
    unpaired = sorted(others.keys() - these.keys(), key=natural_key)
    for name in sorted(these.keys() - others.keys(), key=natural_key):
        near = next((other for other in unpaired if _is_similar(name, other)), None)
        similar = f" {relative_paths(others[near])[0]} has none either: its name is nearly the same." if near else ""
        yield finding(kind, relative_paths(these[name]), (name,), name=name, similar=similar)


def _is_similar(name: str, other: str) -> bool:
    """Whether two names differ by case, by Unicode form, or by an ending such as ``_mask``."""
    a, b = sorted((_folded(name), _folded(other)), key=len)
    return a == b or re.fullmatch(rf"{re.escape(a)}[ _.-]+[a-z]+", b) is not None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _clashes(images: Mapping[str, Sequence[Path]], masks: Mapping[str, Sequence[Path]]) -> Iterator[Finding]:
    clashing: dict[str, set[str]] = {}
    for folder in (images, masks):
        by_folded: dict[str, list[str]] = {}
        for name in folder:
            by_folded.setdefault(_folded(name), []).append(name)
        for folded, same in by_folded.items():
            if len(same) > 1:
                clashing.setdefault(folded, set()).update(same)
    for group in clashing.values():
        names = sorted(group, key=natural_key)
        files = relative_paths([path for folder in (images, masks) for name in names for path in folder.get(name, ())])
        yield finding("name-clash", files, tuple(names), names=", ".join(map(ascii, names)))


def _not_portable(path: Path) -> str | None:
    if found := _FORBIDDEN.search(path.name):
        return f"holds the character {found[0]!r}"
    if any("\ud800" <= letter <= "\udfff" for letter in path.name):
        return "is not valid UTF-8"
    if path.stem != path.stem.strip() or path.stem.endswith("."):
        return "has a space at an end of it, or a dot before that of the suffix"
    return "is a device on Windows" if _RESERVED.fullmatch(path.name) else None


def read_json_file(kind: str, path: Path, read: Callable[[], _T]) -> tuple[_T | None, list[Finding]]:
    """Read a JSON file of the data set; each fault becomes a finding of the kind."""
    faults: list[str] = []
    content = collect_errors(faults, read)
    texts = [fault.removeprefix(f"{path}: ") for fault in faults]
    return content, [finding(kind, (path.name,), fault=text if _KEY.match(text) else sentence(text)) for text in texts]


def check_records(info: DatasetInfo, names: Sequence[str], inspections: Sequence[CaseInspection]) -> Iterator[Finding]:
    """Check the records of ``dataset.json``: cases that are gone, files that changed since they were recorded."""
    known = frozenset(names)
    if gone := [name for name in info.records if name not in known]:
        shown = shortened([repr(name) for name in gone], _SHOWN)
        count = pluralize(len(gone), "case")
        yield finding("record-without-case", ("dataset.json",), tuple(gone), count=count, names=shown)
    for one in inspections:
        if not one.is_case or one.name not in info.records:
            continue
        record = info.records[one.name]
        for file, recorded in ((one.image_file, record.image_sha256), (one.mask_file, record.mask_sha256)):
            if file is not None and file.sha256 and recorded is not None and file.sha256 != recorded.lower():
                yield finding("changed-file", (file.file,), (one.name,))


def check_files(one: CaseInspection) -> Iterator[Finding]:
    """Check the files of a case and its image; `tmunet.check.mask_rules` checks its mask."""
    for file in (one.image_file, one.mask_file):
        if file is not None:
            yield from _check_file(file, one.name)
    if one.image_file is not None and one.image is not None:
        yield from _check_image(one.image_file.file, one.name, one.image)
    if one.image is not None and one.mask is not None and one.image_file and one.mask_file:
        yield from _check_sizes(one.name, one.image_file, one.mask_file)


def _check_file(file: FileFacts, case: str) -> Iterator[Finding]:
    where = (file.file,), (case,)
    suffix = PurePosixPath(file.file).suffix
    if file.error is not None:
        yield finding("unreadable", *where, error=file.error)
    elif file.format is not None and suffix.lower() not in SUFFIXES[file.format]:
        yield finding("wrong-suffix", *where, suffix=suffix, format=file.format)
    if file.orientation != 1:
        yield finding("orientation", *where, orientation=file.orientation)


def _check_image(file: str, case: str, image: ImageFacts) -> Iterator[Finding]:
    where = (file,), (case,)
    if image.transparent:
        yield finding("transparent-image", *where, pixels=image.transparent)
    if image.one_color:
        yield finding("one-color", *where)
    elif not image.has_known_range:
        yield finding("number-range", *where)
    elif image.bits == 16 and (image.high - image.low) < 65536 // SMALL_PART:
        yield finding("small-range", *where, low=image.low, high=image.high)


def _check_sizes(case: str, image: FileFacts, mask: FileFacts) -> Iterator[Finding]:
    if image.size == mask.size:
        return
    (H, W), (h, w) = image.size, mask.size
    if (h, w) == (W, H):
        guess = "height and width are swapped: one of the two is rotated by 90 degrees"
        if image.orientation >= 5:
            guess += ", probably since the image has an orientation tag and the mask has none"
    elif abs(w * H - h * W) <= W + H:  # up to a pixel of rounding
        guess = f"the aspect ratio agrees, so the mask was scaled by {w / W:.3g}"
    else:
        guess = "the aspect ratio differs, so one of the two was cropped, padded or belongs elsewhere"
    yield finding("size-mismatch", (mask.file, image.file), (case,), H=H, W=W, h=h, w=w, guess=guess)
