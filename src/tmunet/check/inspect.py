"""Look at a file once, and keep what the checks need of it: facts and hashes, no pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmunet.check.files import relative
from tmunet.check.mask_stats import MaskFacts, mask_facts
from tmunet.data.cases import DatasetInfo
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.decoders import DecodedImage
from tmunet.data.io.images import ImageFormat, Pixels, decode_image, image_format, to_image
from tmunet.data.split.near_duplicates import Signature, signature
from tmunet.errors import InputError
from tmunet.files import sha256


@dataclass(frozen=True)
class FileFacts:
    """A file.

    Attributes:
        file: relative to the data set folder.
        trouble: why it cannot be decoded, or None.
        format: what its content is, if that is one of the formats.
        sha256: of its bytes; None if it cannot be opened.
        size: (H, W) of the upright picture.
        orientation: tag by which the picture is turned, 1 if it is stored upright.
    """

    file: str
    trouble: str | None
    format: ImageFormat | None
    sha256: str | None
    size: tuple[int, int] = (0, 0)
    orientation: int = 1


@dataclass(frozen=True)
class ImageFacts:
    """A decoded image; values are of 8 or 16 `bits`, from `low` to `high`."""

    channels: int
    bits: int
    low: int
    high: int
    one_color: bool
    transparent: int
    sha256: str
    signature: Signature


@dataclass(frozen=True)
class Look:
    """What was seen of a case, or of a file without a partner; `image` and `mask` are None if they cannot be decoded."""

    name: str
    image_file: FileFacts | None
    mask_file: FileFacts | None
    image: ImageFacts | None
    mask: MaskFacts | None

    @property
    def is_case(self) -> bool:
        """Whether there are an image and a mask, readable or not."""
        return self.image_file is not None and self.mask_file is not None


def look(name: str, image: Path | None, mask: Path | None, info: DatasetInfo | None) -> Look:
    """Decode the files of a case; safe to call in threads, and raises nothing for what the files hold.

    Args:
        name: of the case.
        image: its image, if there is one.
        mask: its mask, if there is one.
        info: the classes; None if they are not known, and then labels are not judged.
    """
    image_file, image_raster = _decode(image)
    mask_file, mask_raster = _decode(mask)
    pixels = None
    if image is not None and image_file is not None and image_raster is not None:
        try:
            pixels = to_image(image, image_raster)
        except InputError as error:
            image_file = FileFacts(image_file.file, _reason(image, error), image_file.format, image_file.sha256)
    facts = None if mask is None or mask_raster is None else mask_facts(mask, mask_raster, info, pixels)
    of_image = None if pixels is None or image_raster is None else _image_facts(pixels, image_raster)
    return Look(name, image_file, mask_file, of_image, facts)


def _decode(path: Path | None) -> tuple[FileFacts | None, DecodedImage | None]:
    if path is None:
        return None, None
    file, kind, digest = relative([path])[0], None, None
    try:
        kind = image_format(path)
        digest = sha256(path)
        raster = decode_image(path)
    except InputError as error:
        return FileFacts(file, _reason(path, error), kind, digest), None
    except OSError as error:
        return FileFacts(file, f"cannot be read: {error.strerror}.", kind, digest), None
    return FileFacts(file, None, kind, digest, raster.pixels.shape[:2], raster.orientation), raster


def _reason(path: Path, error: InputError) -> str:
    return str(error).removeprefix(f"{path}: ")


def _image_facts(pixels: Pixels, raster: DecodedImage) -> ImageFacts:
    small = signature(pixels)
    opaque = None if raster.alpha is None else np.iinfo(raster.alpha.dtype).max
    return ImageFacts(
        channels=pixels.shape[2],
        bits=8 * pixels.dtype.itemsize,
        low=int(pixels.min()),
        high=int(pixels.max()),
        one_color=not small.any() and bool((pixels == pixels[0, 0]).all()),
        transparent=0 if raster.alpha is None else int((raster.alpha != opaque).sum()),
        sha256=pixels_sha256(pixels),
        signature=small,
    )
