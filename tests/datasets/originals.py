"""Miniatures of the original distributions: the same folders, names and traps, with small made-up pictures."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import tifffile
from PIL import Image

from tmunet.datasets._build.source import Source

SIZE = (30, 40)  # (H, W)
POLYP = (slice(8, 20), slice(10, 25))
RESIDUE = 112


def source_of(folder: Path) -> Source:
    """Every file under a folder."""
    files = {PurePosixPath(path.relative_to(folder).as_posix()): path for path in folder.rglob("*") if path.is_file()}
    return Source(folder, files)


def picture(number: int) -> np.ndarray:
    """Noise, (H, W, 3) uint8."""
    return np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)


def polyp() -> np.ndarray:
    """What the masks of the CVC sets mean, (H, W) labels."""
    labels = np.zeros(SIZE, np.uint8)
    labels[POLYP] = 1
    return labels


def gray_mask() -> np.ndarray:
    """A mask like the originals: gray steps at the edge of the polyp, and dim residue at the border of the frame."""
    mask = polyp() * np.uint8(255)
    mask[POLYP[0], 9], mask[POLYP[0], 10] = 127, 128
    mask[:, -2:] = RESIDUE
    return mask


def write_odd_tiff(path: Path, pixels: np.ndarray, photometric: int | None) -> None:
    """Write an RGB TIFF whose photometric tag says something else than RGB, or is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as file:
        tag, order = file.pages.first.tags[262], file.byteorder
    content = bytearray(path.read_bytes())
    if photometric is None:
        struct.pack_into(f"{order}H", content, tag.offset, 263)  # the next tag: thresholding, of no importance
    else:
        struct.pack_into(f"{order}H", content, tag.valueoffset, photometric)
    path.write_bytes(content)


def write_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def clinicdb(folder: Path, numbers: Iterable[int], photometric: int | None = None) -> Path:
    """CVC-ClinicDB as TIFF files that Pillow cannot open."""
    for number in numbers:
        write_odd_tiff(folder / "Original" / f"{number}.tif", picture(number), photometric)
        write_picture(folder / "Ground Truth" / f"{number}.tif", gray_mask())
    return folder


def clinicdb_png(folder: Path, numbers: Iterable[int]) -> Path:
    """The PNG folders of a mirror of CVC-ClinicDB."""
    for number in numbers:
        write_picture(folder / "PNG" / "Original" / f"{number}.png", picture(number))
        write_picture(folder / "PNG" / "Ground Truth" / f"{number}.png", gray_mask())
    return folder


def colondb(folder: Path, numbers: Iterable[int]) -> Path:
    for number in numbers:
        write_picture(folder / f"{number}.tiff", picture(number))
        write_picture(folder / f"p{number}.tiff", gray_mask())
        write_picture(folder / f"cp{number}.tiff", gray_mask())
    return folder


def aperio(regions: Sequence[Sequence[tuple[float, float]]]) -> str:
    """An annotation of ImageScope, with the elements that surround the outlines in real ones."""
    drawn = "".join(
        f'<Region Id="{number}" Type="0" Zoom="1" Area="9"><Attributes/><Vertices>'
        + "".join(f'<Vertex X="{x!r}" Y="{y!r}" Z="0"/>' for x, y in corners)
        + "</Vertices></Region>"
        for number, corners in enumerate(regions, 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Annotations MicronsPerPixel="0.252000"><Annotation Id="1" Name="">'
        '<Attributes><Attribute Name="Description" Id="0" Value=""/></Attributes><Regions><RegionAttributeHeaders>'
        '<AttributeHeader Id="9999" Name="Region" ColumnWidth="-1"/></RegionAttributeHeaders>'
        f"{drawn}</Regions><Plots/></Annotation></Annotations>"
    )


SQUARE = [(2.0, 3.0), (7.0, 3.0), (7.0, 9.0), (2.0, 9.0)]


def monuseg(folder: Path, train: Iterable[str], test: Iterable[str]) -> Path:
    """MoNuSeg as its two archives unpack: two folders for training, one for testing."""
    training, testing = folder / "MoNuSeg 2018 Training Data", folder / "MoNuSegTestData"
    places = [(name, training / "Tissue Images", training / "Annotations") for name in train]
    for name, tiles, annotations in [*places, *((name, testing, testing) for name in test)]:
        tiles.mkdir(parents=True, exist_ok=True)
        annotations.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tiles / f"{name}.tif", picture(len(name)), photometric="rgb")
        (annotations / f"{name}.xml").write_text(aperio([SQUARE]), "utf-8")
    return folder


def busi(folder: Path, masks: Mapping[str, Sequence[np.ndarray]]) -> Path:
    """BUSI with the mask files of each image, such as ``{"benign (1)": [first, second]}``."""
    for number, (name, drawn) in enumerate(masks.items()):
        place = folder / "Dataset_BUSI_with_GT" / name.split()[0]
        write_picture(place / f"{name}.png", picture(number))
        for index, mask in enumerate(drawn):
            write_picture(place / f"{name}_mask{f'_{index}' if index else ''}.png", mask)
    return folder


def udiat(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        write_picture(folder / "original" / f"{name}.png", picture(int(name))[:, :, 0])
        write_picture(folder / "GT" / f"{name}.png", polyp() * np.uint8(255))
    return folder
