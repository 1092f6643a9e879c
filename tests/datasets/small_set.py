"""A small distribution of every image format, and its importer. As a script: imports that are killed at some step.

    python small_set.py SOURCE DESTINATION STEPS...

For each number of steps a child process imports into DESTINATION/STEPS/set, and kills itself at that many file operations.
"""

import os
import signal
import sys
from pathlib import Path, PurePosixPath

import numpy as np
import tifffile
from PIL import Image

from tmunet.datasets._build.import_dataset import Imported, import_dataset
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, PlannedCase
from tmunet.datasets._build.source import SourceFiles
from tmunet.errors import InputError

COMMAND = "tmunet import small small.zip"
FACTS = DatasetFacts(
    name="Small",
    version=3,
    classes=("background", "thing"),
    modality="synthetic images",
    url="https://example.org/small",
    license="CC0",
    citation="Nobody: Nothing. 2020.",
    layout="folders `images` and `masks`",
    group="patient",
    notes=("The images are noise.",),
)
SIZES = {"png": (6, 8), "jpg": (8, 6), "bmp": (6, 8), "gray": (5, 7), "rgb": (6, 8), "deep": (6, 8), "deeprgb": (6, 8)}
"""(H, W) of the upright image of each case."""


def make_source(folder: Path) -> Path:
    """Write the distribution: `images/NAME.*` with suffixes that lie, and `masks/NAME.npy` of bytes."""
    random = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    color = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    images = folder / "images"
    Image.fromarray(color).save(images / "png.JPG", format="PNG")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    Image.fromarray(color).save(images / "jpg.png", format="JPEG", exif=exif)
    Image.fromarray(color).save(images / "bmp.BMP")
    tifffile.imwrite(images / "gray.tif", color[:5, :7, 0])
    tifffile.imwrite(images / "rgb.tif", color, photometric="rgb", compression="zlib")
    tifffile.imwrite(images / "deep.tif", color[:, :, 0].astype(np.uint16) * 201)
    tifffile.imwrite(images / "deeprgb.tif", color.astype(np.uint16) * 201, photometric="rgb")
    for name, size in SIZES.items():
        (folder / "masks" / f"{name}.raw").write_bytes(random.integers(0, 2, size, dtype=np.uint8).tobytes())
    return folder


def make_plan(source: SourceFiles) -> ImportPlan:
    masks = {path.name: path for path in source.files if path.parent.name == "masks"}
    images = sorted(path for path in source.files if path.parent.name == "images")

    def plan(name: str, image: PurePosixPath) -> PlannedCase:
        mask = masks[f"{name}.raw"]

        def read_mask(size: tuple[int, int]) -> np.ndarray:
            content = np.frombuffer(source.files[mask].read_bytes(), np.uint8)
            if content.size != size[0] * size[1]:
                raise InputError(f"{mask}: holds {content.size} labels, but the image has {size}.")
            return content.reshape(size)

        return PlannedCase(name, image, (mask,), read_mask, None if name == "bmp" else f"patient {len(name)}")

    cases = [plan(path.stem, path) for path in images]
    return ImportPlan(FACTS, cases, {"train": ["png", "jpg"], "test": ["bmp"]}, ("7 cases are here.",))


def run(location: Path, destination: Path) -> Imported:
    return import_dataset(make_plan, location, destination, COMMAND)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_and_die(location: Path, destination: Path, steps: int) -> None:
    """Import, but be killed at so many operations on files in the folder of the destination."""
    left = steps

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod") and str(destination.parent) in str(
            arguments[0]
        ):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    run(location, destination)


if __name__ == "__main__":
    for number in map(int, sys.argv[3:]):
        child = os.fork()
        if child == 0:
            run_and_die(Path(sys.argv[1]), Path(sys.argv[2]) / str(number) / "set", number)
            os._exit(0)
        print("killed" if os.WIFSIGNALED(os.waitpid(child, 0)[1]) else "finished")
