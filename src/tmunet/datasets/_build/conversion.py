"""Convert the image and the mask of a case: masks by threshold, stored values or instances; files that most programs open."""

import hashlib
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tmunet.data.io.images import Pixels, decode_image, image_format, read_image, to_image
from tmunet.data.io.masks import histogram, read_mask, stored_values, to_labels
from tmunet.data.io.palettes import Legend, legend
from tmunet.data.io.spacing import Millimeters, read_spacing
from tmunet.datasets._build.faults import ConversionError
from tmunet.datasets._build.import_plan import DatasetFacts, Labels, PlannedCase, ReadMask
from tmunet.datasets._build.source import SourceFiles
from tmunet.files import write_bytes
from tmunet.labels import IGNORE_LABEL
from tmunet.visualize import color

_LUMA = np.array([299, 587, 114], np.uint32)  # thousandths of ITU-R BT.601
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".png", "PPM": ".png", "DICOM": ".dcm"}
_DOWNLOAD_AGAIN = "download the file again"


def threshold_union(source: SourceFiles, masks: Sequence[PurePosixPath], threshold: int = 127) -> ReadMask:
    """Binarize mask files and take their union.

    Args:
        source: where the files are.
        masks: keys of gray or RGB images (RGB by luma) of 8 bits or 1 bit; none of them gives an empty mask.
        threshold: a pixel is foreground if its value is greater; 0 to 254.

    Returns:
        A function from (H, W) to labels (H, W), 0 and 1. It raises `InputError` if a file cannot be read, has another
        size, more than 8 bits or transparent pixels, declares that 0 is white, or stores labels 0 and 1.
    """

    def read(size: tuple[int, int]) -> Labels:
        foreground = np.zeros(size, np.bool_)
        for key in masks:
            foreground |= _read_gray(source.files[key], size) > threshold
        return foreground.astype(np.uint8)

    return read


def _read_gray(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    decoded = decode_image(path)
    _check_size(path, decoded.pixels.shape, size)
    ambiguous = {
        "declares that 0 is white (MinIsWhite), which programs read differently": decoded.inverted,
        "has transparent pixels": decoded.alpha is not None and decoded.alpha.min() < np.iinfo(decoded.alpha.dtype).max,
        "has more than 8 bits": decoded.pixels.dtype not in (np.bool_, np.uint8),
        f"has {decoded.pixels.shape[2]} channels": decoded.pixels.shape[2] not in (1, 3),
    }
    for reason, applies in ambiguous.items():
        if applies:
            message = f"expected a gray mask of 8 bits, but it {reason}"
            raise ConversionError("mask-format", path, message, "save it as a gray PNG, or download it again")
    stored = to_image(path, decoded) if decoded.palette is not None else decoded.pixels
    if stored.dtype == np.bool_:
        return stored[:, :, 0].astype(np.uint8) * np.uint8(255)
    gray = stored[:, :, 0] if stored.shape[2] == 1 else (stored @ _LUMA + 500) // 1000
    if gray.max() == 1:
        message = "expected gray values from 0 to 255, but it holds only 0 and 1, as if converted to labels"
        raise ConversionError("mask-values", path, message, "take the original file, or use `tmunet import folders`")
    return gray.astype(np.uint8)


@dataclass(frozen=True)
class StoredLabels:
    """A `ReadMask` of a file that stores labels; the palettes of such files have to agree in the whole data set."""

    path: Path
    convert: Callable[[Path], tuple[Labels, Legend | None]]  # the legend is that of the palette

    def __call__(self, size: tuple[int, int]) -> Labels:
        """Read the labels, which must have the size (H, W) of the image."""
        labels, _ = self.convert(self.path)
        _check_size(self.path, labels.shape, size)
        return labels

    def legend(self) -> Legend | None:
        """Read how the palette of the file shows its labels; None if it has none."""
        return self.convert(self.path)[1]


def stored_labels(source: SourceFiles, mask: PurePosixPath, classes: Sequence[str]) -> StoredLabels:
    """Read a mask as `tmunet.data.io.masks.read_mask` does: exact labels, or an error that lists the values."""

    def convert(path: Path) -> tuple[Labels, Legend | None]:
        decoded = decode_image(path)
        labels = to_labels(path, decoded, classes)
        return labels, None if decoded.palette is None else legend(decoded, labels)

    return StoredLabels(source.files[mask], convert)


def remap_labels(source: SourceFiles, mask: PurePosixPath, label_of: Mapping[int, int]) -> StoredLabels:
    """Map each stored value of a mask to its label.

    Args:
        source: where the file is.
        mask: key of the file.
        label_of: label by stored value; a mask with any other value raises `InputError`.
    """

    def convert(path: Path) -> tuple[Labels, Legend | None]:
        decoded = decode_image(path)
        stored = stored_values(path, decoded)
        counts = np.bincount(stored.ravel())
        if any(int(value) not in label_of for value in np.flatnonzero(counts)):
            known = ", ".join(map(str, sorted(label_of)))
            message = f"expected the values {known} only, but found {histogram(counts)}"
            raise ConversionError("mask-values", path, message, "give a label to every value, or correct the mask")
        table = np.array([label_of.get(value, 0) for value in range(len(counts))], np.uint8)
        labels: Labels = table[stored.astype(np.intp)]
        return labels, None if decoded.palette is None else legend(decoded, labels)

    return StoredLabels(source.files[mask], convert)


def merge_instances(source: SourceFiles, mask: PurePosixPath) -> ReadMask:
    """Convert an instance mask (0 is the background, 1 to N are the objects) to a binary mask."""
    path = source.files[mask]

    def read(size: tuple[int, int]) -> Labels:
        stored = stored_values(path, decode_image(path))
        _check_size(path, stored.shape, size)
        return np.not_equal(stored, 0).astype(np.uint8)

    return read


def unite(readers: Sequence[ReadMask]) -> ReadMask:
    """Unite several masks of an image, of two classes: a pixel is foreground if it is in one of them."""

    def read(size: tuple[int, int]) -> Labels:
        united = np.zeros(size, np.uint8)
        for reader in readers:
            united |= reader(size)
        return united

    return read


def _check_size(path: Path, found: tuple[int, ...], size: tuple[int, int]) -> None:
    if found[:2] != size:
        message = (
            f"expected the mask to have the {size[1]} x {size[0]} pixels (width x height) of its image, but found "
            f"{found[1]} x {found[0]}"
        )
        raise ConversionError("mask-size", path, message, "download or export the mask again at the size of the image")


@dataclass(frozen=True)
class WrittenCase:
    """A converted case; the files are relative to the data set folder, `sources` are the paths of the original ones."""

    name: str
    image: str
    mask: str
    width: int
    height: int
    sources: tuple[str, ...]
    image_sha256: str
    mask_sha256: str
    empty: bool
    spacing: Millimeters | None = None


def convert_case(case: PlannedCase, source: SourceFiles, facts: DatasetFacts, folder: Path) -> WrittenCase:
    """Write ``images/NAME.*`` and ``masks/NAME.png`` of a case; safe to call in threads.

    PNG, JPEG and BMP are copied byte for byte, with the suffix of their content. TIFF, GIF, PPM and DICOM become PNG of the same values,
    since many programs cannot open those of medical data sets; 16-bit color and other numbers of channels stay TIFF.
    Masks of two classes are gray, 0 and 255; others have a palette whose index is the label.

    Raises:
        InputError: a file cannot be read, or the mask does not fit the image or the classes.
        OSError: a file cannot be written.
    """
    path = source.files[case.image]
    try:
        decoded = decode_image(path)
        image = to_image(path, decoded)
        if case.channels:
            image = _stack([path, *(source.files[key] for key in case.channels)])
        labels = case.read_mask((image.shape[0], image.shape[1]))
        if case.channels:
            suffix, content, encoded = (*_encode_channels(image), True)
        else:
            suffix, content, encoded = _encode_image(path, image, decoded.has_known_range)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise ConversionError("unreadable", error.filename or path, message, "check its permissions") from error
    _check_labels(case, labels, image, facts)
    mask_content = _to_png(_mask_image(labels, facts))
    written = WrittenCase(
        name=case.name,
        image=f"images/{case.name}{suffix}",
        mask=f"masks/{case.name}.png",
        width=labels.shape[1],
        height=labels.shape[0],
        sources=tuple(str(key) for key in (case.image, *case.channels, *case.masks)),
        image_sha256=hashlib.sha256(content).hexdigest(),
        mask_sha256=hashlib.sha256(mask_content).hexdigest(),
        empty=not np.any((labels > 0) & (labels != IGNORE_LABEL)),
        spacing=read_spacing(path) if encoded else None,  # a PNG does not keep it
    )
    write_bytes(folder / written.image, content)
    write_bytes(folder / written.mask, mask_content)
    same = not encoded or np.array_equal(read_image(folder / written.image), image)
    if not (same and np.array_equal(read_mask(folder / written.mask, facts.classes, facts.ignore_label), labels)):
        message = "the written image or mask reads back with other values"
        raise ConversionError("read-back", written.image, message, "check the disk")
    return written


def _encode_image(path: Path, image: Pixels, known_range: bool) -> tuple[str, bytes, bool]:
    """Suffix and content of the image file, and whether it was encoded anew; numbers without known range stay as they are."""
    kind = image_format(path)
    encoded = kind in ("TIFF", "GIF", "PPM", "DICOM") and known_range
    if encoded and (image.shape[2] == 1 or (image.shape[2] == 3 and image.dtype == np.uint8)):
        return ".png", _to_png(Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)), True
    return _SUFFIXES[kind], path.read_bytes(), False


def _stack(paths: Sequence[Path]) -> Pixels:
    """Stack gray images of one size and type, a channel each: (H, W, C)."""
    planes: list[Pixels] = []
    for path in paths:
        decoded = decode_image(path)
        plane = to_image(path, decoded)
        first = planes[0] if planes else plane
        found = f"{plane.shape[1]} x {plane.shape[0]} pixels of {plane.shape[2]} channels and {decoded.pixels.dtype}"
        if plane.shape != first.shape or plane.dtype != first.dtype or plane.shape[2] != 1 or not decoded.has_known_range:
            expected = f"expected a gray image of 8 or 16 bits, {first.shape[1]} x {first.shape[0]} pixels as the first channel"
            raise ConversionError("channel-files", path, f"{expected}, but found {found}", "export the channels alike")
        planes.append(plane)
    return np.concatenate(planes, axis=2)


def _encode_channels(image: Pixels) -> tuple[str, bytes]:
    """PNG for one or three channels of 8 bits, else TIFF."""
    if image.shape[2] == 1 or (image.shape[2] == 3 and image.dtype == np.uint8):
        return ".png", _to_png(Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image))
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, photometric="minisblack", planarconfig="contig", compression="zlib", metadata=None)
    return ".tif", buffer.getvalue()


def _check_labels(case: PlannedCase, labels: Labels, image: Pixels, facts: DatasetFacts) -> None:
    path = case.masks[0] if case.masks else case.image
    if labels.shape != image.shape[:2] or labels.dtype != np.uint8:
        expected, found = f"{image.shape[:2]} (height, width) and uint8", f"{labels.shape} and {labels.dtype}"
        raise ConversionError(
            "mask-size", path, f"expected a mask of {expected}, as its image has, but got {found}", _DOWNLOAD_AGAIN
        )
    values = np.flatnonzero(np.bincount(labels.ravel()))
    wrong = [int(value) for value in values if value >= len(facts.classes) and value != facts.ignore_label]
    if wrong:
        message = f"expected labels 0 to {len(facts.classes) - 1} in the mask, but got {wrong[:5]}"
        raise ConversionError("mask-values", path, message, "correct the mask, or name all classes")


def _mask_image(labels: Labels, facts: DatasetFacts) -> Image.Image:
    if len(facts.classes) == 2 and facts.ignore_label is None:
        return Image.fromarray(labels * np.uint8(255))
    mask = Image.frombytes("P", labels.shape[::-1], labels.tobytes())
    mask.putpalette([value for label in range(256) for value in color(label)])
    return mask


def _to_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # a quarter of the time of zlib's default strategy for photographs, in no more bytes (benchmarks/commands.md)
    image.save(buffer, format="PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()
