"""DICOM images as arrays: every transfer syntax, and what a viewer shows of them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.data.io.spacing import read_spacing
from tmunet.errors import InputError, UsageError
from tmunet.formats import dicom_file
from tmunet.formats.dicom_codecs import decode_frame
from tmunet.formats.dicom_file import patient_group
from tmunet.formats.dicom_image import DicomImage, parse_window

from ..coded_errors import coded
from .dicom_sources import GRAY, KINDS, make, rgb_of, save

imagecodecs = pytest.importorskip("imagecodecs")
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def gray(tmp_path: Path, window: Any = "file", **tags: Any) -> np.ndarray:
    """What is read of a 12-bit ramp with these tags, (H, W)."""
    dataset = make("xray", **{"size": (64, 64), "pixels": RAMP, **tags})
    return DicomImage.open(save(tmp_path / "ramp.dcm", dataset)).frame(0, window)[:, :, 0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.endswith("loop")])
def test_every_kind_is_read_with_its_pixels(tmp_path: Path, kind: str) -> None:
    dataset = make(kind)
    image = read_image(save(tmp_path / "a.dcm", dataset))
    if kind in GRAY:
        stored = np.frombuffer(dataset.PixelData, np.uint16).reshape(32, 44, 1)
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image, np.rint(stored * (65535 / 4095)))
    else:
        np.testing.assert_array_equal(image, rgb_of(dataset)[0])


def test_a_file_without_suffix_is_known_by_its_content(tmp_path: Path) -> None:
    path = save(tmp_path / "IM0001", make("ultrasound"))
    assert read_image(path).shape == (32, 44, 3)


def test_a_loop_is_read_frame_by_frame_and_is_no_single_image(tmp_path: Path) -> None:
    dataset = make("ultrasound-loop")
    path = save(tmp_path / "a.dcm", dataset)
    loop = DicomImage.open(path)
    np.testing.assert_array_equal([loop.frame(index) for index in range(3)], rgb_of(dataset))
    with pytest.raises(InputError, check=coded("frame", path)):
        loop.frame(3)
    with pytest.raises(InputError, check=coded("several-images", path)):
        read_image(path)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    plain, inverted = gray(tmp_path), gray(tmp_path, PhotometricInterpretation="MONOCHROME1")
    assert plain[0, 0] == 0
    assert plain[-1, -1] == 65535
    np.testing.assert_array_equal(inverted, 65535 - plain)


def test_signed_values_are_shifted_to_their_range(tmp_path: Path) -> None:
    image = gray(tmp_path, pixels=(RAMP.astype(np.int16) - 2048), PixelRepresentation=1)
    np.testing.assert_array_equal(image, gray(tmp_path))


@pytest.mark.parametrize(
    ("window", "tags", "black", "white"),
    [
        # LINEAR: black up to c - 0.5 - (w - 1) / 2, white from c - 0.5 + (w - 1) / 2
        ("file", {"WindowCenter": 1000, "WindowWidth": 201}, 899, 1100),
        ("file", {"WindowCenter": [1000, 5], "WindowWidth": [201, 5]}, 899, 1100),
        ("file", {"WindowCenter": 1000, "WindowWidth": 200, "VOILUTFunction": "LINEAR_EXACT"}, 900, 1100),
        ("file", {"WindowCenter": 0, "WindowWidth": 201, "RescaleSlope": 1, "RescaleIntercept": -1000}, 899, 1100),
        ("file", {"WindowCenter": 1000, "WindowWidth": 0}, 0, 4095),
        ("file", {}, 0, 4095),
        ("full", {"WindowCenter": 1000, "WindowWidth": 201}, 0, 4095),
        ((500.0, 101.0), {"WindowCenter": 1000, "WindowWidth": 201}, 449, 550),
    ],
)
def test_a_window_maps_black_and_white(
    tmp_path: Path, window: Any, tags: dict[str, Any], black: int, white: int
) -> None:
    values = gray(tmp_path, window, **tags).ravel().astype(int)
    assert values[black] == 0
    assert black == 4095 or values[black + 1] > 0
    assert values[white] == 65535
    assert values[white - 1] < 65535
    assert (np.diff(values) >= 0).all()


@pytest.mark.parametrize("vr", ["OW", "US"])
def test_a_voi_lut_maps_values(tmp_path: Path, vr: str) -> None:
    lut = Dataset()
    entries = np.array([0, 1000, 60000, 65535], np.uint16)
    lut.LUTDescriptor = [4, 100, 16]
    lut.add_new("LUTData", vr, entries.tobytes() if vr == "OW" else entries.tolist())
    values = gray(tmp_path, VOILUTSequence=[lut], WindowCenter=5, WindowWidth=5).ravel()
    assert values[[0, 100, 101, 102, 103, 4095]].tolist() == [0, 0, 1000, 60000, 65535, 65535]


def test_a_sigmoid_is_half_at_its_center(tmp_path: Path) -> None:
    values = gray(tmp_path, WindowCenter=1000, WindowWidth=400, VOILUTFunction="SIGMOID").ravel()
    assert abs(int(values[1000]) - 32768) <= 1
    assert values[1100] == round(65535 / (1 + np.exp(-1)))


@pytest.mark.parametrize(("text", "window"), [("file", "file"), ("full", "full"), ("40,400", (40.0, 400.0))])
def test_a_window_is_read_from_text(text: str, window: Any) -> None:
    assert parse_window(text) == window


@pytest.mark.parametrize("text", ["", "40", "40,0", "40,nan", "a,b", "1,2,3"])
def test_a_wrong_window_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, check=coded("value")):
        parse_window(text)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_its_colors(tmp_path: Path, bits: int) -> None:
    colors = np.array([[10, 200, 3], [0, 255, 7], [90, 91, 92], [255, 0, 1]], np.uint16)
    entries = (colors << 8 if bits == 16 else colors).astype(np.uint16 if bits == 16 else np.uint8)
    indices = np.random.default_rng(0).integers(0, 4, (32, 44)).astype(np.uint8)
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR", "SamplesPerPixel": 1, "pixels": indices}
    for plane, name in enumerate(("Red", "Green", "Blue")):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, bits]
        tags[f"{name}PaletteColorLookupTableData"] = entries[:, plane].tobytes()
    image = read_image(save(tmp_path / "a.dcm", make("ultrasound", PlanarConfiguration=None, **tags)))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, colors[indices])


def compressed(dataset: Dataset, syntax: str, frames: list[bytes]) -> Dataset:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    return dataset


def test_lossless_syntaxes_give_the_pixels_of_the_uncompressed_file(tmp_path: Path) -> None:
    for kind in ("xray", "endoscopy"):
        plain = make(kind)
        expected = read_image(save(tmp_path / "plain.dcm", plain))
        array = (
            np.frombuffer(plain.PixelData, np.uint16).reshape(32, 44) if kind == "xray" else rgb_of(plain)[0]
        ).copy()
        encoded = {
            JPEGLSLossless: imagecodecs.jpegls_encode(array),
            JPEG2000Lossless: imagecodecs.jpeg2k_encode(array, level=0, reversible=True, codecformat="j2k"),
            JPEGLosslessSV1: imagecodecs.jpeg8_encode(
                array, lossless=True, predictor=1, bitspersample=12 if kind == "xray" else 8
            ),
        }
        for syntax, data in encoded.items():
            path = save(tmp_path / "a.dcm", compressed(make(kind), syntax, [data]))
            np.testing.assert_array_equal(read_image(path), expected, err_msg=f"{kind} {syntax.name}")
        for syntax in (RLELossless, DeflatedExplicitVRLittleEndian):
            other = make(kind)
            if syntax == RLELossless:
                other.compress(RLELossless)
            other.file_meta.TransferSyntaxUID = syntax
            np.testing.assert_array_equal(read_image(save(tmp_path / "a.dcm", other)), expected)


@pytest.mark.parametrize("bits", [8, 12])
def test_lossy_jpeg_gives_nearly_the_pixels(tmp_path: Path, bits: int) -> None:
    ramp = np.add.outer(np.arange(32), np.arange(44)) * (2 if bits == 8 else 40)
    if bits == 8:
        color = np.stack([ramp, 255 - ramp, ramp // 2], axis=2).astype(np.uint8)
        path = tmp_path / "a.jpg"
        Image.fromarray(color).save(path, quality=95, subsampling=0)
        dataset = compressed(
            make("endoscopy", PhotometricInterpretation="YBR_FULL"), JPEGBaseline8Bit, [path.read_bytes()]
        )
        image = read_image(save(tmp_path / "a.dcm", dataset))
        assert np.abs(image.astype(int) - color).max() <= 6
    else:
        data = imagecodecs.jpeg8_encode(ramp.astype(np.uint16), level=98, bitspersample=12)
        dataset = compressed(make("xray"), "1.2.840.10008.1.2.4.51", [data])
        image = read_image(save(tmp_path / "a.dcm", dataset))[:, :, 0]
        assert np.abs(image / (65535 / 4095) - ramp).max() <= 40


def test_all_images_of_pydicom_that_pydicom_reads_are_read(tmp_path: Path) -> None:
    """Every image in the test set of pydicom of at most 16 bits, and as pydicom decodes it where it can."""
    seen, compared = 0, 0
    for path in sorted(TEST_FILES.rglob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path)
            expected_size = (dataset.Rows, dataset.Columns)
            frames, allocated = int(dataset.get("NumberOfFrames", 1)), dataset.BitsAllocated
            assert "PixelData" in dataset
            assert path.read_bytes()[128:132] == b"DICM"
        except Exception:  # not an image, or without preamble
            continue
        if path.name in ("MR_truncated.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"):  # damaged on purpose
            with pytest.raises(InputError, check=coded("damaged", path)):
                DicomImage.open(path).frame()
            continue
        if allocated > 16:
            with pytest.raises(InputError, check=coded("value-type", path)):
                DicomImage.open(path).frame()
            continue
        image = DicomImage.open(path)
        pixels = image.frame(image.frames - 1)
        assert image.frames == frames
        assert pixels.shape[:2] == expected_size, path.name
        assert pixels.shape[2] in (1, 3), path.name
        seen += 1
        try:
            reference = dataset.pixel_array if frames == 1 else dataset.pixel_array[-1]
        except Exception:  # pydicom has no decoder for it here
            continue
        np.testing.assert_array_equal(decode_frame(path, dataset, frames - 1), reference, err_msg=path.name)
        compared += 1
    assert seen >= 50
    assert compared >= 45


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({}, None),
        ({"PixelSpacing": [0.7, 0.5]}, (0.7, 0.5)),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"NominalScannedPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"PixelSpacing": [0.19, 0.19], "ImagerPixelSpacing": [0.2, 0.2]}, (0.19, 0.19)),  # calibrated
        ({"PixelSpacing": [0, 0.5]}, None),
        ({"PixelAspectRatio": [1, 2]}, None),
    ],
)
def test_spacing_is_what_the_file_states(
    tmp_path: Path, tags: dict[str, Any], spacing: tuple[float, float] | None
) -> None:
    assert read_spacing(save(tmp_path / "a.dcm", make("xray", **tags))) == spacing


def region(x: float, y: float, units: int = 3, form: int = 1) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat, item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection = form, units, units
    item.PhysicalDeltaX, item.PhysicalDeltaY = x, y
    return item


@pytest.mark.parametrize(
    ("regions", "tags", "spacing"),
    [
        ([region(0.02, 0.03)], {}, (0.3, 0.2)),  # cm to mm, and (row, column)
        ([region(0.02, -0.03)], {}, (0.3, 0.2)),
        ([region(0.02, 0.03), region(0.02, 0.03)], {}, (0.3, 0.2)),
        ([region(0.02, 0.03), region(0.05, 0.03)], {}, None),  # they differ
        ([region(0.02, 0.03), region(4, 1, units=4), region(0.1, 0.1, form=2)], {}, (0.3, 0.2)),  # seconds, M mode
        ([region(0.02, 0.03, units=0)], {}, None),
        ([region(0.02, 0.03)], {"PixelSpacing": [0.9, 0.9]}, None),
    ],
)
def test_spacing_of_ultrasound_is_that_of_its_regions(
    tmp_path: Path, regions: list[Dataset], tags: dict[str, Any], spacing: tuple[float, float] | None
) -> None:
    path = save(tmp_path / "a.dcm", make("ultrasound", SequenceOfUltrasoundRegions=regions, **tags))
    assert read_spacing(path) == (None if spacing is None else pytest.approx(spacing))


def test_a_patient_is_a_group_without_giving_the_id_away(tmp_path: Path) -> None:
    one, two, other = (save(tmp_path / f"{n}.dcm", make("xray", seed=seed)) for n, seed in enumerate((0, 0, 1)))
    assert patient_group(one) == patient_group(two) != patient_group(other)
    assert "ID0" not in str(patient_group(one))
    assert patient_group(save(tmp_path / "3.dcm", make("xray", PatientID=""))) is None


def test_a_data_set_of_dicom_images_has_patients_as_groups(tmp_path: Path) -> None:
    for name, seed in {"a.dcm": 0, "b.dcm": 1, "c": 0}.items():
        save(tmp_path / "images" / name, make("ultrasound", seed=seed))
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.eye(32, 44, dtype=np.uint8) * 255).save(tmp_path / "masks" / f"{name[0]}.png")
    cases = open_dataset(tmp_path, unsplit="test").cases
    assert [case.name for case in cases] == ["a", "b", "c"]
    assert cases[0].group == cases[2].group != cases[1].group
    assert read_mask(tmp_path / "masks" / "a.png", ("background", "x")).sum() == 32


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"PhotometricInterpretation": "HSV"}, "color-model"),
        ({"PhotometricInterpretation": "YBR_FULL", "SamplesPerPixel": 3}, "color-model"),
        ({"Rows": 65535, "Columns": 65535}, "too-large"),
        ({"NumberOfFrames": 10_000_000}, "too-large"),
        ({"NumberOfFrames": 2}, "damaged"),
        ({"Rows": 0}, "no-pixels"),
        ({"Rows": 33}, "damaged"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "value-type"),
    ],
)
def test_what_is_not_read_is_an_error_with_a_code(tmp_path: Path, tags: dict[str, Any], code: str) -> None:
    dataset = make("xray")
    for key, value in tags.items():
        setattr(dataset, key, value)
    path = save(tmp_path / "a.dcm", dataset)
    with pytest.raises(InputError, check=coded(code, path)):
        DicomImage.open(path).frame()


def test_video_is_named_as_what_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "a.dcm", compressed(make("endoscopy"), MPEG4HP41, [b"\0" * 16]))
    with pytest.raises(InputError, check=coded("compression", path)):
        read_image(path)


def test_an_object_without_pixels_is_refused(tmp_path: Path) -> None:
    dataset = make("xray")
    del dataset.PixelData
    path = save(tmp_path / "a.dcm", dataset)
    with pytest.raises(InputError, check=coded("no-pixels", path)):
        read_image(path)


def test_a_deflated_file_that_expands_without_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", 2**20)
    dataset = make("ultrasound", size=(1000, 1000), pixels=np.zeros((1000, 1000, 3), np.uint8))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(tmp_path / "a.dcm", dataset)
    assert path.stat().st_size < 2**17
    with pytest.raises(InputError, check=coded("too-large", path)):
        read_image(path)


def test_a_stream_that_is_larger_than_its_header_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    header = (
        b"\xff\x4f\xff\x51"
        + struct.pack(">HHIIIIIIIIH", 41, 0, 2**31, 2**31, 0, 0, 2**31, 2**31, 0, 0, 1)
        + b"\x07\1\1"
    )
    path = save(tmp_path / "a.dcm", compressed(make("xray"), JPEG2000Lossless, [header + b"\0" * 64]))
    with pytest.raises(InputError, check=coded("damaged", path)):
        read_image(path)


def test_bits_above_the_stored_ones_are_left_out(tmp_path: Path) -> None:
    """Old scanners kept overlays there."""
    expected = gray(tmp_path)
    for syntax in (None, RLELossless):
        dataset = make("xray", size=(64, 64), pixels=RAMP | np.uint16(0xA000))
        if syntax is not None:
            dataset.compress(syntax)
        image = DicomImage.open(save(tmp_path / "a.dcm", dataset)).frame()
        np.testing.assert_array_equal(image[:, :, 0], expected)


def group(sequence: str, **values: Any) -> Dataset:
    item, inner = Dataset(), Dataset()
    for key, value in values.items():
        setattr(inner, key, value)
    setattr(item, sequence, [inner])
    return item


def test_an_enhanced_image_has_its_window_and_spacing_in_functional_groups(tmp_path: Path) -> None:
    shared = group("PixelMeasuresSequence", PixelSpacing=[0.3, 0.4])
    transform = group("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1000)
    shared.PixelValueTransformationSequence = transform.PixelValueTransformationSequence
    frames = [group("FrameVOILUTSequence", WindowCenter=center, WindowWidth=101) for center in (0, 500)]
    dataset = make(
        "xray",
        size=(64, 64),
        pixels=np.stack([RAMP, RAMP]),
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
    path = save(tmp_path / "a.dcm", dataset)
    assert read_spacing(path) == (0.3, 0.4)
    for index, center in enumerate((1000, 1500)):
        values = DicomImage.open(path).frame(index).ravel()
        assert values[center - 51] == 0 < values[center - 50]
        assert values[center + 50] == 65535 > values[center + 49]


@pytest.mark.parametrize("model", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("stream", ["jfif", "rgb"])
def test_the_color_of_a_jpeg_stream_goes_before_the_header(tmp_path: Path, stream: str, model: str) -> None:
    """JFIF is YCbCr, and components named R, G and B are RGB, whatever the header says."""
    ramp = np.add.outer(np.arange(32), np.arange(44)) * 2
    color = np.stack([ramp, 255 - ramp, ramp // 2], axis=2).astype(np.uint8)
    if stream == "jfif":
        Image.fromarray(color).save(tmp_path / "a.jpg", quality=95, subsampling=0)
        data = (tmp_path / "a.jpg").read_bytes()
    else:
        data = imagecodecs.jpeg8_encode(color, level=95, colorspace="RGB", outcolorspace="RGB")
    dataset = compressed(make("endoscopy", PhotometricInterpretation=model), JPEGBaseline8Bit, [data])
    image = read_image(save(tmp_path / "a.dcm", dataset))
    assert np.abs(image.astype(int) - color).max() <= 8
