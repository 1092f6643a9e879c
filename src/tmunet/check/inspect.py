"""Inspect each file of a data set once: facts and hashes that the rules need, no pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tmunet.check.tiny_components import TinyComponents, find_tiny_components
from tmunet.data.cases import DatasetInfo
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.decoders import DecodedImage
from tmunet.data.io.dicom import patient_of
from tmunet.data.io.images import ImageFormat, Pixels, decode_image, image_format, to_image
from tmunet.data.io.masks import class_fractions, histogram, stored_values, to_labels
from tmunet.data.io.palettes import Legend, find_ambiguity, legend
from tmunet.data.split.near_duplicates import Signature, signature
from tmunet.errors import InputError
from tmunet.files import sha256
from tmunet.labels import IGNORE_LABEL

_KEPT_VALUES = 256
_SHOWN_COLORS = 6

Refusal = Literal["inverted", "transparent", "colors", "palette", "numbers", "values"]
"""Reason why `tmunet.data.io.masks.read_mask` refuses a decoded mask."""


@dataclass(frozen=True)
class FileFacts:
    """Facts about a file.

    Attributes:
        file: relative to the data set folder.
        error: why it cannot be decoded, or None.
        format: of its content, if known.
        sha256: of its bytes; None if it cannot be opened.
        size: (H, W), upright.
        orientation: orientation tag, 1 if the file is stored upright.
    """

    file: str
    error: str | None
    format: ImageFormat | None
    sha256: str | None
    size: tuple[int, int] = (0, 0)
    orientation: int = 1


@dataclass(frozen=True)
class ImageFacts:
    """Facts about a decoded image: 8 or 16 `bits`, values from `low` to `high`, number of `transparent` pixels.

    `has_known_range` is False for signed, 32-bit and floating-point numbers.
    """

    channels: int
    bits: int
    low: int
    high: int
    one_color: bool
    transparent: int
    sha256: str
    signature: Signature
    has_known_range: bool = True


@dataclass(frozen=True)
class MaskFacts:
    """Facts about a decoded mask.

    Attributes:
        refusal: why it cannot be read as labels, or None.
        found: values or colors with their numbers of pixels, or the ambiguity of the palette, in words.
        values: stored values, the first 256 of them.
        pixels: number of pixels of each of them.
        shares: `class_fractions`; None if the classes are not known.
        ignored: whether all pixels have the ignore label.
        sha256: of the labels; None if there are none.
        tiny: tiny components, if there are any.
        is_image: whether it has the same pixels as its image.
        legend: of its palette; None if there is none or the labels are not known.
    """

    refusal: Refusal | None
    found: str
    values: tuple[int, ...] = ()
    pixels: tuple[int, ...] = ()
    shares: dict[str, float] | None = None
    ignored: bool = False
    sha256: str | None = None
    tiny: TinyComponents | None = None
    is_image: bool = False
    legend: Legend | None = None


@dataclass(frozen=True)
class CaseInspection:
    """Facts about a case, or a file without partner; `image` and `mask` are None if they cannot be decoded.

    `patient` is that of a DICOM image.
    """

    name: str
    image_file: FileFacts | None
    mask_file: FileFacts | None
    image: ImageFacts | None
    mask: MaskFacts | None
    patient: str | None = None

    @property
    def is_case(self) -> bool:
        """Whether there are an image and a mask, readable or not."""
        return self.image_file is not None and self.mask_file is not None


def relative_paths(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return paths of files in ``images/`` and ``masks/`` relative to the data set folder, with forward slashes."""
    return tuple(f"{path.parent.name}/{path.name}" for path in paths)


def inspect_case(name: str, image: Path | None, mask: Path | None, info: DatasetInfo | None) -> CaseInspection:
    """Decode and inspect the files of a case; thread-safe, never raises for the content of files.

    Without `info` the classes are not known, and labels are not validated.
    """
    image_file, image_decoded = _decode(image)
    mask_file, mask_decoded = _decode(mask)
    pixels = None
    if image is not None and image_file is not None and image_decoded is not None:
        try:
            pixels = to_image(image, image_decoded)
        except InputError as error:
            image_file = FileFacts(image_file.file, _reason(image, error), image_file.format, image_file.sha256)
    facts = None if mask is None or mask_decoded is None else _mask_facts(mask, mask_decoded, info, pixels)
    of_image = None if pixels is None or image_decoded is None else _image_facts(pixels, image_decoded)
    return CaseInspection(name, image_file, mask_file, of_image, facts, None if image is None else patient_of(image))


def _decode(path: Path | None) -> tuple[FileFacts | None, DecodedImage | None]:
    if path is None:
        return None, None
    file, kind, digest = relative_paths([path])[0], None, None
    try:
        kind = image_format(path)
        digest = sha256(path)
        decoded = decode_image(path)
    except InputError as error:
        return FileFacts(file, _reason(path, error), kind, digest), None
    except OSError as error:
        return FileFacts(file, f"cannot be read: {error.strerror}.", kind, digest), None
    return FileFacts(file, None, kind, digest, decoded.pixels.shape[:2], decoded.orientation), decoded


def _reason(path: Path, error: InputError) -> str:
    return str(error).removeprefix(f"{path}: ")


def _image_facts(pixels: Pixels, decoded: DecodedImage) -> ImageFacts:
    small = signature(pixels)
    opaque = None if decoded.alpha is None else np.iinfo(decoded.alpha.dtype).max
    return ImageFacts(
        channels=pixels.shape[2],
        bits=8 * pixels.dtype.itemsize,
        low=int(pixels.min()),
        high=int(pixels.max()),
        one_color=not small.any() and bool((pixels == pixels[0, 0]).all()),
        transparent=0 if decoded.alpha is None else int((decoded.alpha != opaque).sum()),
        sha256=pixels_sha256(pixels),
        signature=small,
        has_known_range=decoded.has_known_range,
    )


def _mask_facts(path: Path, decoded: DecodedImage, info: DatasetInfo | None, image: Pixels | None) -> MaskFacts:
    """Inspect a decoded mask, with the image (H, W, C) of its case, if that could be decoded."""
    is_image = image is not None and _has_pixels_of(path, decoded, image)
    try:
        stored = stored_values(path, decoded)
    except InputError as error:
        if error.code == "mask-values":
            return MaskFacts("numbers", _reason(path, error), is_image=is_image)
        return MaskFacts(_refusal_of_planes(decoded), _colors(decoded), is_image=is_image)
    counts = np.bincount(stored.ravel())
    found, values = histogram(counts), tuple(np.flatnonzero(counts)[:_KEPT_VALUES].tolist())
    pixels = tuple(counts[list(values)].tolist())
    if info is None:
        return MaskFacts(None, found, values, pixels, is_image=is_image)
    if reason := find_ambiguity(decoded, info.classes, info.ignore_label):
        return MaskFacts("palette", reason, values, pixels, is_image=is_image)
    try:
        labels = to_labels(path, decoded, info.classes, info.ignore_label)
    except InputError:
        return MaskFacts("values", found, values, pixels, is_image=is_image)
    shares = class_fractions(labels, info.classes)
    present = tuple(label for label, share in enumerate(shares.values(), 1) if share)
    return MaskFacts(
        None,
        found,
        values,
        pixels,
        shares,
        ignored=info.ignore_label is not None and bool((labels == IGNORE_LABEL).all()),
        sha256=pixels_sha256(labels),
        tiny=find_tiny_components(labels, present),
        is_image=is_image,
        legend=legend(decoded, labels),
    )


def _has_pixels_of(path: Path, decoded: DecodedImage, image: Pixels) -> bool:
    """Whether a mask has the same pixels as its image, which is not uniform."""
    try:
        mask = to_image(path, decoded)
    except InputError:  # its palette lacks colors
        return False
    if mask.shape[:2] != image.shape[:2] or not (
        mask.shape[2] == image.shape[2] or 1 in (mask.shape[2], image.shape[2])
    ):
        return False
    few = mask[::16, ::16] == image[::16, ::16]
    return bool(few.all() and (mask == image).all() and (image != image[0, 0]).any())


def _refusal_of_planes(decoded: DecodedImage) -> Refusal:
    if decoded.inverted:
        return "inverted"
    return "colors" if (decoded.pixels != decoded.pixels[:, :, :1]).any() else "transparent"


def _colors(decoded: DecodedImage) -> str:
    """Describe the most frequent colors, by their first three channels: ``"(255, 0, 0): 123 pixels"``."""
    planes = decoded.pixels[:, :, :3].astype(np.int64)
    codes, counts = np.unique(planes @ (65536 ** np.arange(planes.shape[2])[::-1]), return_counts=True)
    shown = [
        f"{tuple(int(code) >> shift & 65535 for shift in range(16 * (planes.shape[2] - 1), -1, -16))}: {count:,} pixels"
        for code, count in sorted(zip(codes, counts, strict=True), key=lambda pair: -pair[1])[:_SHOWN_COLORS]
    ]
    more = len(codes) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
