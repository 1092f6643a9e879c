"""Damaged DICOM files: only errors of ours, in bounded time and memory."""

import random
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from tmunet.errors import TMUNetError
from tmunet.formats.dicom_file import patient_group
from tmunet.formats.dicom_image import DicomImage, decode_dicom, read_dicom_spacing
from tmunet.formats.dicom_seg import SegmentationModel, write_segmentation

from .dicom_sources import make, save

imagecodecs = pytest.importorskip("imagecodecs")
SECONDS, BYTES = 2.0, 512 * 2**20  # bounds for one file
MODEL = SegmentationModel("tmunet_t", "0" * 64)


def originals(folder: Path) -> list[bytes]:
    """Valid files of several kinds and transfer syntaxes."""
    ramp = np.add.outer(np.arange(32), np.arange(44)).astype(np.uint16)
    streams = {
        JPEGLSLossless: imagecodecs.jpegls_encode(ramp),
        JPEG2000Lossless: imagecodecs.jpeg2k_encode(ramp, level=0, reversible=True, codecformat="j2k"),
        JPEGLosslessSV1: imagecodecs.jpeg8_encode(ramp, lossless=True, predictor=1, bitspersample=12),
    }
    files: list[Dataset] = [make("ultrasound-loop"), make("ct", WindowCenter=40, WindowWidth=400)]
    for syntax, data in streams.items():
        dataset = make("xray", pixels=ramp)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([data])
        dataset["PixelData"].VR = "OB"
        files.append(dataset)
    rle, deflated = make("endoscopy"), make("mr")
    rle.compress(RLELossless)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    files += [rle, deflated]
    source = make("ultrasound")
    write_segmentation(folder / "seg.dcm", source, np.eye(32, 44, dtype=np.uint8)[None], ("a", "b"), MODEL)
    return [save(folder / "a.dcm", dataset).read_bytes() for dataset in files] + [(folder / "seg.dcm").read_bytes()]


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Change bytes, most of them in the header and at the start of the pixels; cut, repeat or move a part."""
    data = bytearray(content)
    pixels = max(132, content.find(b"\xe0\x7f\x10\x00"))
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = (
            rng.randrange(132, len(data)) if rng.random() < 0.3 else rng.randrange(132, min(len(data), pixels + 200))
        )
        kind = rng.randrange(5)
        if kind == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0"))
        elif kind == 2:
            data[place] = rng.randrange(256)
        elif kind == 3:
            del data[place : place + rng.randrange(1, 64)]
        else:
            start = rng.randrange(132, len(data))
            data[place:place] = data[start : start + rng.randrange(1, 64)]
    if rng.random() < 0.1:
        del data[rng.randrange(132, len(data)) :]
    return bytes(data)


def read_all(path: Path, out: Path) -> None:
    """Everything that we do with a DICOM file."""
    for step in (decode_dicom, patient_group, read_dicom_spacing):
        with suppress(TMUNetError):
            step(path)
    with suppress(TMUNetError):
        image = DicomImage.open(path)
        image.frame(image.frames - 1)
        size = (image.frames, int(image.dataset.Rows), int(image.dataset.Columns))
        if np.prod(size) < 10**6:
            write_segmentation(out, image.dataset, np.zeros(size, np.uint8), ("a", "b"), MODEL)


def run(folder: Path, start: int, count: int) -> float:
    """Read `count` mutated files; returns the longest processor time of one, in seconds."""
    import time

    warnings.simplefilter("ignore")
    files = originals(folder)
    path, slowest = folder / "mutated.dcm", 0.0
    for number in range(start, start + count):
        rng = random.Random(number)
        path.write_bytes(mutate(rng.choice(files), rng))
        begun = time.process_time()
        try:
            read_all(path, folder / "out.dcm")
        except BaseException as error:
            raise AssertionError(f"mutation {number} of {path}") from error
        slowest = max(slowest, time.process_time() - begun)
    return slowest


def in_a_process(tmp_path: Path, start: int, count: int, timeout: int) -> None:
    """In a process of its own, whose memory may grow by `BYTES` over what importing takes."""
    code = (
        f"import resource, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from pathlib import Path\n"
        "from tests.formats.test_dicom_fuzz import originals, run\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "run(folder, 0, 2)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"slowest = run(folder, {start}, {count})\n"
        "print(slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    slowest, grown = done.stdout.split()[-2:]
    assert float(slowest) <= SECONDS
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit <= BYTES


def test_300_mutated_files(tmp_path: Path) -> None:
    in_a_process(tmp_path, 0, 300, timeout=120)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_10000_mutated_files(tmp_path: Path, part: int) -> None:
    in_a_process(tmp_path, 1000 * (part + 1), 1000, timeout=600)


def test_mutations_reach_the_pixels_and_the_header(tmp_path: Path) -> None:
    """A mutation that changed nothing of what is read would test nothing."""
    files = originals(tmp_path)
    rng = random.Random(0)
    outcomes = set()
    path = tmp_path / "mutated.dcm"
    for _ in range(600):  # the UIDs of the files are random, and so is where a mutation falls
        if len(outcomes) >= 5:
            break
        path.write_bytes(mutate(files[1], rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.add(decode_dicom(path).pixels.tobytes())
            except TMUNetError as error:
                outcomes.add(error.code.encode())
    assert len(outcomes) >= 5
