"""Whole slides: read, predicted, resumed, and opened by other programs."""

import csv
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tmunet.errors import InputError, UsageError
from tmunet.formats.geojson import read_geojson
from tmunet.formats.ome_pyramid import write_pyramid
from tmunet.formats.outlines import fill_polygons, number_objects
from tmunet.formats.slide_reader import Slide
from tmunet.prediction.predictor import Predictor
from tmunet.prediction.slide import create_slide_predictor, predict_slide, working_mpp
from tmunet.prediction.tissue import find_tissue

from ..coded_errors import coded
from ..small_models import bright_model

tiffslide = pytest.importorskip("tiffslide")
MPP = 0.25  # micrometers per pixel of the full resolution


def picture(height: int, width: int) -> np.ndarray:
    """Purple tissue on white glass, with bright cells that a bright model finds, some at any border."""
    pixels = np.full((height, width, 3), 245, np.uint8)
    y, x = np.mgrid[:height, :width]
    tissue = ((y / height - 0.4) ** 2 + (x / width - 0.4) ** 2) < 0.14
    pixels[tissue] = (120, 40, 130)
    cells = ((y % 61 - 30) ** 2 + (x % 53 - 26) ** 2 < 150) & ((y % 61 - 30) ** 2 + (x % 53 - 26) ** 2 > 12)
    pixels[tissue & cells] = (200, 160, 210)
    return pixels


def write_slide(path: Path, pixels: np.ndarray, mpp: float | None = MPP) -> Path:
    """A tiled pyramid in OME-TIFF."""
    metadata = {"axes": "YXS"}
    if mpp is not None:
        metadata |= {"PhysicalSizeX": mpp, "PhysicalSizeY": mpp}  # type: ignore[dict-item]
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as tiff:
        kind = {"photometric": "rgb", "tile": (256, 256), "compression": "zlib"}
        tiff.write(pixels, subifds=2, metadata=metadata, **kind)
        for step in (2, 4):
            tiff.write(np.ascontiguousarray(pixels[::step, ::step]), subfiletype=1, **kind)
    return path


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    pytest.importorskip("monai")
    return create_slide_predictor([bright_model(size=32)])


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slide") / "s.tif", picture(1100, 1300))


def drawn(annotations: Path, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    for one in read_geojson(annotations):
        place, inside = fill_polygons(one.polygons, size)
        assert not mask[place][inside].any()
        mask[place][inside] = 1
    return mask


def test_outlines_labels_table_and_probability_of_a_slide_agree(
    predictor: Predictor, slide: Path, tmp_path: Path
) -> None:
    done = predict_slide(predictor, slide, tmp_path, MPP)
    labels = tifffile.imread(tmp_path / "s_labels.ome.tif")
    assert labels.shape == (1100, 1300)
    objects, classes = number_objects(labels, 2)
    assert len(classes) == done.objects > 100
    np.testing.assert_array_equal(drawn(done.outlines, labels.shape), labels)
    probability = tifffile.imread(tmp_path / "s_probability.ome.tif")
    assert ((probability > 128) <= (labels == 1)).all()
    assert ((probability < 127) <= (labels == 0)).all()
    rows = list(csv.DictReader((tmp_path / "s_objects.csv").open()))
    assert [int(row["object"]) for row in rows] == list(range(1, done.objects + 1))
    assert sorted(int(row["area_px"]) for row in rows) == sorted(np.bincount(objects.ravel())[1:])
    assert float(rows[0]["area_um2"]) == int(rows[0]["area_px"]) * MPP**2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "s.geojson.gz", "s.json", "s_labels.ome.tif", "s_objects.csv", "s_probability.ome.tif",
    ]  # fmt: skip
    assert 0.2 < done.tissue < 0.9


def test_the_mask_is_that_of_the_whole_image(predictor: Predictor, slide: Path, tmp_path: Path) -> None:
    predict_slide(predictor, slide, tmp_path, MPP)
    labels = tifffile.imread(tmp_path / "s_labels.ome.tif")
    pixels = picture(1100, 1300)
    expected = (pixels.mean(axis=2) > 127.5) & (np.ptp(pixels.astype(int), axis=2) > 20)
    tissue = labels[:600, :600]
    np.testing.assert_array_equal(
        tissue[np.ptp(pixels[:600, :600], axis=2) > 20], expected[:600, :600][np.ptp(pixels[:600, :600], axis=2) > 20]
    )


def test_a_lower_resolution_gives_outlines_in_pixels_of_the_slide(
    predictor: Predictor, slide: Path, tmp_path: Path
) -> None:
    done = predict_slide(predictor, slide, tmp_path, 2 * MPP)
    labels = tifffile.imread(tmp_path / "s_labels.ome.tif")
    assert labels.shape == (550, 650)
    np.testing.assert_array_equal(drawn(done.outlines, (1100, 1300)), labels.repeat(2, axis=0).repeat(2, axis=1))
    rows = list(csv.DictReader((tmp_path / "s_objects.csv").open()))
    assert float(rows[0]["area_um2"]) == int(rows[0]["area_px"]) * (2 * MPP) ** 2


def test_a_call_that_was_interrupted_goes_on_and_writes_the_same_bytes(
    predictor: Predictor, slide: Path, tmp_path: Path
) -> None:
    predict_slide(predictor, slide, tmp_path / "whole", MPP)
    calls = 0

    def interrupt() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_slide(predictor, slide, tmp_path / "out", MPP, batch=interrupt)
    blocks = {path.name for path in (tmp_path / "out" / "s.blocks").iterdir()}
    assert len(blocks) == 4
    again: list[int] = []
    predict_slide(predictor, slide, tmp_path / "out", MPP, batch=lambda: again.append(1))
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    first = calls + len(again)
    assert predict_slide(predictor, slide, tmp_path / "out", MPP).done_before
    (tmp_path / "out" / "s_objects.csv").unlink()
    every: list[int] = []
    predict_slide(predictor, slide, tmp_path / "out", MPP, batch=lambda: every.append(1))
    assert len(every) == first


def test_results_of_other_settings_are_not_mixed(predictor: Predictor, slide: Path, tmp_path: Path) -> None:
    predict_slide(predictor, slide, tmp_path, 4 * MPP)
    with pytest.raises(InputError, check=coded("other-masks", tmp_path / "s.json")):
        predict_slide(predictor, slide, tmp_path, 2 * MPP)


def test_an_unknown_resolution_is_refused_unless_it_is_given(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "s.tif", picture(300, 300), None)
    with pytest.raises(InputError, check=coded("mpp", path)):
        Slide(path, 0.5)
    assert Slide(path, 0.5, 0.25).size == (150, 150)
    stated = write_slide(tmp_path / "t.tif", picture(300, 300))
    with pytest.raises(InputError, check=coded("mpp", stated)):
        Slide(stated, 0.5, 0.5)


def test_the_resolution_to_work_at_is_given_or_that_of_the_model() -> None:
    assert working_mpp([bright_model()], 0.4) == 0.4
    with pytest.raises(UsageError, check=coded("mpp")):
        working_mpp([bright_model()], None)
    with pytest.raises(UsageError, check=coded("value")):
        working_mpp([bright_model()], 0.0)


def test_a_file_that_is_no_slide_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"no slide")
    for path in (tmp_path / "a.svs", tmp_path / "b.svs"):
        with pytest.raises(InputError, check=coded("slide", path)):
            Slide(path, 0.5)


def test_regions_are_those_of_the_pixels_and_white_outside(slide: Path) -> None:
    pixels = picture(1100, 1300)
    read = Slide(slide, MPP).read(-10, 1200, 50, 200)
    np.testing.assert_array_equal(read[10:, :100], pixels[:40, 1200:])
    assert (read[:10] == 255).all()
    assert (read[:, 100:] == 255).all()
    half = Slide(slide, 2 * MPP).read(100, 100, 40, 60)
    np.testing.assert_array_equal(half, pixels[200:280:2, 200:320:2])  # the second level, as it is
    assert Slide(slide, 3.1 * MPP).read(20, 30, 40, 50).shape == (40, 50, 3)


def test_tissue_is_found_and_glass_is_not() -> None:
    overview = np.full((60, 60, 3), 240, np.uint8)
    assert not find_tissue(overview).any()
    overview[20:30, 20:30] = (215, 190, 220)  # faint
    found = find_tissue(overview)
    assert found[20:30, 20:30].all()
    assert not found[:15].any()


@pytest.fixture
def pyramid(tmp_path: Path) -> tuple[Path, np.ndarray]:
    mask = np.random.default_rng(0).integers(0, 3, (1500, 1810)).astype(np.uint8)
    mask[512:1024, :512] = 0

    def read(row: int, column: int) -> np.ndarray | None:
        part = mask[row * 512 : row * 512 + 512, column * 512 : column * 512 + 512]
        return part if part.any() else None

    assert write_pyramid(tmp_path / "p.ome.tif", (1500, 1810), 512, read, MPP, "p") == 3
    return tmp_path / "p.ome.tif", mask


def test_pyramids_open_in_tiffslide_at_every_level_and_state_their_resolution(pyramid: tuple[Path, np.ndarray]) -> None:
    path, mask = pyramid
    with tiffslide.TiffSlide(path) as opened:
        assert opened.level_dimensions == ((1810, 1500), (905, 750), (453, 375))
        assert float(opened.properties["tiffslide.mpp-x"]) == MPP
        for level, size in enumerate(opened.level_dimensions):
            values = np.asarray(opened.read_region((0, 0), level, size, as_array=True)).squeeze()
            np.testing.assert_array_equal(values, mask[:: 2**level, :: 2**level])


def test_pyramids_have_valid_ome_metadata(pyramid: tuple[Path, np.ndarray]) -> None:
    ome_types = pytest.importorskip("ome_types")
    (image,) = ome_types.from_tiff(pyramid[0]).images
    assert (image.pixels.size_x, image.pixels.size_y, image.pixels.physical_size_x) == (1810, 1500, MPP)
    assert image.pixels.physical_size_x_unit.value == "µm"


@pytest.mark.skipif(not shutil.which("openslide-write-png"), reason="needs OpenSlide: apt install openslide-tools")
def test_openslide_reads_the_labels(pyramid: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, mask = pyramid
    command = ["openslide-write-png", str(path), "100", "200", "0", "300", "250", str(tmp_path / "region.png")]
    subprocess.run(command, check=True, timeout=60)
    from PIL import Image

    values = np.array(Image.open(tmp_path / "region.png"))
    np.testing.assert_array_equal(values[..., 0], mask[200:450, 100:400])


def test_geojson_of_a_slide_has_detections(predictor: Predictor, slide: Path, tmp_path: Path) -> None:
    done = predict_slide(predictor, slide, tmp_path, 4 * MPP)
    features = json.loads(gzip.decompress(done.outlines.read_bytes()))["features"]
    assert {feature["properties"]["objectType"] for feature in features} == {"detection"}
    assert {feature["properties"]["classification"]["name"] for feature in features} == {"foreground"}
