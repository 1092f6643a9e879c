"""Formats of masks beside PNG, written by `predict_files`."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet import Predictor
from tmunet.data.io.masks import read_mask
from tmunet.errors import MissingExtraError
from tmunet.formats.geojson import read_geojson
from tmunet.formats.outlines import fill_polygons, number_objects
from tmunet.prediction.folder import PredictedFiles, predict_files
from tmunet.prediction.mask_writers import MASK_WRITERS

from ..small_models import THREE, random_model

Draw = Callable[..., np.ndarray]


@pytest.fixture
def scans(tmp_path: Path, noise: Draw) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        Image.fromarray(noise(40, 48, 3)).save(path)
    return paths


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(random_model(THREE))


def predict(predictor: Predictor, images: list[Path], out: Path, kind: str) -> PredictedFiles:
    return predict_files(predictor, images, out, mask_format=kind)  # type: ignore[arg-type]


def files(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()} - {"predictions.json", "confidence.csv"}


def test_geojson_holds_the_objects_of_the_mask(predictor: Predictor, scans: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert predict(predictor, scans, out, "geojson").done == 2
    assert files(out) == {"a.png", "b.png", "a.geojson", "b.geojson"}
    mask = read_mask(out / "a.png", THREE)
    again = np.zeros_like(mask)
    for annotation in read_geojson(out / "a.geojson"):
        place, inside = fill_polygons(annotation.polygons, mask.shape)
        again[place][inside] = THREE.index(str(annotation.class_name))
    np.testing.assert_array_equal(again, mask)
    assert set(THREE) > {one.class_name for one in read_geojson(out / "a.geojson")}


def test_imagej_has_a_roi_for_each_object(predictor: Predictor, scans: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(predictor, scans, out, "imagej")
    assert files(out) == {"a.png", "b.png", "a_rois.zip", "b_rois.zip"}
    objects, _ = number_objects(read_mask(out / "a.png", THREE), 3)
    names = zipfile.ZipFile(out / "a_rois.zip").namelist()
    assert names == [f"{number}.roi" for number in range(1, objects.max() + 1)]


def test_a_second_call_writes_what_is_missing_and_keeps_the_rest(
    predictor: Predictor, scans: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict(predictor, scans, out, "geojson")
    assert predict(predictor, scans, out, "geojson").done_before == 2
    assert predict(predictor, scans, out, "png").done_before == 2
    (out / "b.geojson").unlink()
    assert predict(predictor, scans, out, "geojson").done_before == 1
    assert predict(predictor, scans, out, "imagej").done_before == 0
    assert len(files(out)) == 6


def test_files_of_a_former_image_of_the_name_are_removed(
    predictor: Predictor, scans: list[Path], tmp_path: Path, noise: Draw
) -> None:
    out = tmp_path / "out"
    predict(predictor, scans, out, "geojson")
    Image.fromarray(noise(40, 48, 3)).save(scans[0])
    predict(predictor, scans, out, "imagej")
    assert files(out) == {"a.png", "b.png", "b.geojson", "a_rois.zip", "b_rois.zip"}


def test_a_missing_package_is_named_before_the_first_image(
    predictor: Predictor, scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "roifile", None)
    with pytest.raises(MissingExtraError):
        predict(predictor, scans, tmp_path / "out", "imagej")
    assert not (tmp_path / "out").exists()


def test_every_format_of_the_command_line_has_a_writer() -> None:
    from typing import get_args

    from tmunet.prediction.backends.names import MaskFormat

    assert set(get_args(MaskFormat)) == MASK_WRITERS.keys()
