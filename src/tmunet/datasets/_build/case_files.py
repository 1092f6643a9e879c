"""Make the two files of a case: an image that most programs open, and a mask that shows what it means."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tmunet.data.io.masks import read_mask
from tmunet.visualize import color
from tmunet.data.io.images import Pixels, image_format, read_image
from tmunet.datasets._build.journal import Entry
from tmunet.datasets._build.import_plan import Labels, PlannedCase, SetFacts
from tmunet.datasets._build.source import Source
from tmunet.errors import InputError
from tmunet.files import sha256, write_bytes
from tmunet.labels import IGNORE_LABEL

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "TIFF": ".tif"}


@dataclass(frozen=True)
class _Made:
    suffix: str
    content: bytes
    labels: Labels
    encoded: Pixels | None = None  # what the content has to give when it is read; None for a copy


def make_case(case: PlannedCase, source: Source, facts: SetFacts, folder: Path, former: Entry | None = None) -> Entry:
    """Write ``images/NAME.*`` and ``masks/NAME.png`` of a case, each atomically; safe to call in threads.

    PNG, JPEG and BMP are copied byte for byte, with the suffix of their content. A TIFF becomes a PNG of the same values,
    since many programs cannot open those of medical sets; only what PNG does not hold here (16-bit color, other numbers of
    channels) stays TIFF. Masks of two classes are gray, 0 and 255; others have a palette whose index is the label.

    Args:
        case: what to make.
        source: its files.
        facts: classes and ignore label of the set.
        folder: of the data set.
        former: what a former call returned. If the source files and both outputs are still the same, nothing is done.

    Raises:
        InputError: a file cannot be read, or the mask does not fit the image or the classes.
        OSError: a file cannot be written.
    """
    try:
        sources = {str(key): sha256(source.files[key]) for key in (case.image, *case.masks)}
        if former is not None and former.sources == sources and _is_intact(folder, former):
            return former
        made = _make(case, source, facts)
    except OSError as error:
        path = error.filename or source.files[case.image]
        raise InputError(f"{path}: cannot be read: {error.strerror}. Check its permissions.") from error
    entry = _write(case.name, made, sources, facts, folder)
    if former is not None:
        _remove_other_formats(folder / entry.image)
    return entry


def _is_intact(folder: Path, entry: Entry) -> bool:
    files = {folder / entry.image: entry.image_sha256, folder / entry.mask: entry.mask_sha256}
    return all(path.is_file() and sha256(path) == expected for path, expected in files.items())


def _remove_other_formats(image: Path) -> None:
    """Remove what was made of the case when its original had another format."""
    for suffix in set(_SUFFIXES.values()) - {image.suffix}:
        image.with_name(image.stem + suffix).unlink(missing_ok=True)


def _make(case: PlannedCase, source: Source, facts: SetFacts) -> _Made:
    path = source.files[case.image]
    image = read_image(path)
    labels = case.draw((image.shape[0], image.shape[1]))
    _check_labels(labels, image, facts)
    kind = image_format(path)
    if kind == "TIFF" and (image.shape[2] == 1 or (image.shape[2] == 3 and image.dtype == np.uint8)):
        picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
        return _Made(".png", _as_png(picture), labels, image)
    return _Made(_SUFFIXES[kind], path.read_bytes(), labels)


def _check_labels(labels: Labels, image: Pixels, facts: SetFacts) -> None:
    if labels.shape != image.shape[:2] or labels.dtype != np.uint8:
        raise InputError(
            f"Expected a mask of {image.shape[:2]} (height, width) and uint8, as its image has, but got {labels.shape} and "
            f"{labels.dtype}; download the files of the case again."
        )
    values = np.flatnonzero(np.bincount(labels.ravel()))
    wrong = [int(value) for value in values if value >= len(facts.classes) and value != facts.ignore_label]
    if wrong:
        raise InputError(
            f"Expected labels 0 to {len(facts.classes) - 1} in the mask, but got {wrong[:5]}; see its files."
        )


def _write(name: str, made: _Made, sources: dict[str, str], facts: SetFacts, folder: Path) -> Entry:
    image, mask = f"images/{name}{made.suffix}", f"masks/{name}.png"
    mask_content = _as_png(_as_picture(made.labels, facts))
    write_bytes(folder / image, made.content)
    write_bytes(folder / mask, mask_content)
    same = made.encoded is None or np.array_equal(read_image(folder / image), made.encoded)
    if not (same and np.array_equal(read_mask(folder / mask, facts.classes, facts.ignore_label), made.labels)):
        raise InputError(
            f"{folder / image} or its mask: reads back with other values than were written; check the disk."
        )
    height, width = made.labels.shape
    of_image, of_mask = (hashlib.sha256(content).hexdigest() for content in (made.content, mask_content))
    empty = not np.any((made.labels > 0) & (made.labels != IGNORE_LABEL))
    return Entry(name, image, mask, width, height, sources, of_image, of_mask, empty)


def _as_picture(labels: Labels, facts: SetFacts) -> Image.Image:
    if len(facts.classes) == 2 and facts.ignore_label is None:
        return Image.fromarray(labels * np.uint8(255))
    picture = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    picture.putpalette([value for label in range(256) for value in color(label)])
    return picture


def _as_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
