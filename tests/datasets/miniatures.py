"""Miniatures of the original distributions: the same folders, names and traps, with small synthetic images."""

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets._build.source import SourceFiles

SIZE = (30, 40)  # (H, W)
POLYP = (slice(8, 20), slice(10, 25))
RESIDUE = 112


def source_of(folder: Path) -> SourceFiles:
    """Every file under a folder."""
    files = {PurePosixPath(path.relative_to(folder).as_posix()): path for path in folder.rglob("*") if path.is_file()}
    return SourceFiles(folder, files)


def faults_of(plan: Callable[..., object], folder: Path, *options: object) -> set[tuple[str, str]]:
    """Kind and path of every fault that an importer reports; each once."""
    with pytest.raises(DatasetImportError) as caught:
        plan(source_of(folder), *options)
    found = [(fault.kind, fault.path) for fault in caught.value.faults]
    assert len(set(found)) == len(found)
    return set(found)


def random_image(number: int) -> np.ndarray:
    """Noise, (H, W, 3) uint8."""
    return np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)


def polyp() -> np.ndarray:
    """Labels that the masks of the CVC sets encode, (H, W) labels."""
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


def write_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def clinicdb(folder: Path, numbers: Iterable[int], photometric: int | None = None) -> Path:
    """CVC-ClinicDB as TIFF files that Pillow cannot open."""
    for number in numbers:
        write_odd_tiff(folder / "Original" / f"{number}.tif", random_image(number), photometric)
        write_image(folder / "Ground Truth" / f"{number}.tif", gray_mask())
    return folder


def clinicdb_png(folder: Path, numbers: Iterable[int]) -> Path:
    """The PNG folders of a mirror of CVC-ClinicDB."""
    for number in numbers:
        write_image(folder / "PNG" / "Original" / f"{number}.png", random_image(number))
        write_image(folder / "PNG" / "Ground Truth" / f"{number}.png", gray_mask())
    return folder


def colondb(folder: Path, numbers: Iterable[int]) -> Path:
    for number in numbers:
        write_image(folder / f"{number}.tiff", random_image(number))
        write_image(folder / f"p{number}.tiff", gray_mask())
        write_image(folder / f"cp{number}.tiff", gray_mask())
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
        tifffile.imwrite(tiles / f"{name}.tif", random_image(len(name)), photometric="rgb")
        (annotations / f"{name}.xml").write_text(aperio([SQUARE]), "utf-8")
    return folder


def busi(folder: Path, masks: Mapping[str, Sequence[np.ndarray]]) -> Path:
    """BUSI with the mask files of each image, such as ``{"benign (1)": [first, second]}``."""
    for number, (name, drawn) in enumerate(masks.items()):
        place = folder / "Dataset_BUSI_with_GT" / name.split()[0]
        write_image(place / f"{name}.png", random_image(number))
        for index, mask in enumerate(drawn):
            write_image(place / f"{name}_mask{f'_{index}' if index else ''}.png", mask)
    return folder


def udiat(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        write_image(folder / "original" / f"{name}.png", random_image(int(name))[:, :, 0])
        write_image(folder / "GT" / f"{name}.png", polyp() * np.uint8(255))
    return folder


SMALL = (6, 8)  # (H, W) of the miniatures below


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))


def photograph(seed: int, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, 256, (*SMALL, channels), dtype=np.uint8)
    if channels == 4:
        values[:, :, 3] = 255
    return values[:, :, 0] if channels == 1 else values


def box(top: int, left: int, value: int = 255) -> np.ndarray:
    """A mask with a square of 3 pixels."""
    mask = np.zeros(SMALL, np.uint8)
    mask[top : top + 3, left : left + 3] = value
    return mask


def image_id(start: str) -> str:
    return start.ljust(64, "0")


def make_dsb2018(folder: Path) -> None:
    """Two training images with two nuclei and one, and a test image without masks."""
    for seed, (start, boxes) in enumerate({"b1": [(0, 0), (2, 4)], "a2": [(1, 1)]}.items()):
        home = folder / "stage1_train" / image_id(start)
        save(home / "images" / f"{home.name}.png", photograph(seed, 4))
        for n, (top, left) in enumerate(boxes):
            save(home / "masks" / f"{image_id(f'{start}{n}')}.png", box(top, left))
    test = folder / "stage1_test" / image_id("c3")
    save(test / "images" / f"{test.name}.png", photograph(9, 4))
    (folder / "stage1_train_labels.csv").write_text("ImageId,EncodedPixels\n")


def make_kvasir(folder: Path, names: Sequence[str] = ("cju2", "cju10", "cju1")) -> None:
    """RGB JPEG masks with gray edges."""
    for seed, name in enumerate(names):
        mask = box(1, seed, 250)
        mask[4, seed] = 90  # a gray edge
        save(folder / "Kvasir-SEG" / "images" / f"{name}.jpg", photograph(seed))
        save(folder / "Kvasir-SEG" / "masks" / f"{name}.jpg", np.stack([mask] * 3, -1))
    (folder / "Kvasir-SEG" / "kavsir_bboxes.json").write_text("{}")


ISIC_SIDES = {"Training": (0, 1), "Validation": (12,), "Test": (50,)}


def make_isic(folder: Path, sides: Sequence[str] = tuple(ISIC_SIDES)) -> None:
    """The folders of task 1, with the superpixels and texts that lie beside the images."""
    for side in sides:
        inputs, truths = folder / f"ISIC2018_Task1-2_{side}_Input", folder / f"ISIC2018_Task1_{side}_GroundTruth"
        for number in ISIC_SIDES[side]:
            name = f"ISIC_{number:07d}"
            save(inputs / f"{name}.jpg", photograph(number))
            save(inputs / f"{name}_superpixels.png", photograph(number))
            save(truths / f"{name}_segmentation.png", box(2, number % 5))
        (inputs / "ATTRIBUTION.txt").write_text("x")
        (inputs / "LICENSE.txt").write_text("x")


GRADES = """name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)
testA_1, 4, benign, adenomatous
testB_1, 7, malignant, moderately differentiated
train_1, 4, malignant, poorly differentiated
train_2, 5, benign, healthy
"""


def make_glas(folder: Path) -> Path:
    """BMP images; the annotations number the glands, train_2 in a palette whose first colors have no red."""
    home = folder / "Warwick QU Dataset (Released 2016_07_08)"
    for seed, name in enumerate(("train_1", "train_2", "testA_1", "testB_1")):
        labels = np.maximum(box(0, 0, 1), box(3, 4, 2) if name != "testB_1" else 0)
        save(home / f"{name}.bmp", photograph(seed))
        annotation = Image.fromarray(labels, "P" if name == "train_2" else "L")
        if name == "train_2":
            annotation.putpalette([0, 0, 0, 0, 0, 143, 0, 120, 255])
        annotation.save(home / f"{name}_anno.bmp")
    (home / "Grade.csv").write_text(GRADES)
    return home


def make_nnunet(folder: Path, description: Mapping[str, Any] | None = None, ending: str = ".png") -> Path:
    """Three training cases and a test case of three classes, with pixels to ignore, RGB in one file."""
    home = folder / "nnUNet_raw" / "Dataset120_Organs"
    for seed, (name, part) in enumerate({"a": "Tr", "b_0001": "Tr", "c": "Tr", "d": "Ts"}.items()):
        save(home / f"images{part}" / f"{name}_0000{ending}", photograph(seed))
        save(home / f"labels{part}" / f"{name}{ending}", np.maximum(box(0, 0, 1 + seed % 2), box(3, 4, 3)))
    content = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "liver": 1, "spleen": 2, "ignore": 3},
        "numTraining": 3,
        "file_ending": ending,
        **(description or {}),
    }
    (home / "dataset.json").write_text(json.dumps(content))
    return home
