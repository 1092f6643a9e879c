"""Annotations of QuPath as masks."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.errors import InputError, TMUNetWarning
from tmunet.files import write_json
from tmunet.formats.qupath_masks import draw_annotations, find_classes, mask_path

from ..coded_errors import coded

CLASSES = ("background", "gland", "lumen")


def square(name: str | None, x: float, y: float, side: float) -> dict[str, object]:
    ring = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
    properties = {} if name is None else {"classification": {"name": name}}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    return path


def write(folder: Path, *features: dict[str, object]) -> Path:
    path = folder / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def test_a_pixel_has_the_class_that_its_center_is_in(tmp_path: Path, image: Path) -> None:
    file = write(tmp_path, square("gland", 2.5, 3.6, 4), square("gland", 20, 10, 2))
    mask, counts = draw_annotations(file, image, CLASSES)
    expected = np.zeros((20, 30), np.uint8)
    expected[4:8, 3:7] = expected[10:12, 20:22] = 1
    # a center on the left edge is inside, so that areas that share an edge do not share a pixel
    expected[4:8, 2] = 0
    np.testing.assert_array_equal(mask[:, 7:], expected[:, 7:])
    assert (counts, int(mask.sum())) == ((0, 2, 0), 20)


def test_areas_that_share_an_edge_share_no_pixel(tmp_path: Path, image: Path) -> None:
    file = write(tmp_path, square("gland", 2.5, 2.5, 4), square("lumen", 6.5, 2.5, 4))
    mask, _ = draw_annotations(file, image, CLASSES)
    assert ((mask == 1).sum(), (mask == 2).sum()) == (16, 16)


def test_the_smaller_of_two_classes_lies_on_top_and_it_is_said(tmp_path: Path, image: Path) -> None:
    file = write(tmp_path, square("lumen", 4, 4, 2), square("gland", 2, 2, 8))
    with pytest.warns(TMUNetWarning):
        mask, _ = draw_annotations(file, image, CLASSES)
    assert ((mask == 1).sum(), (mask == 2).sum()) == (60, 4)
    file = write(tmp_path, square("gland", 4, 4, 2), square("gland", 2, 2, 8))
    assert draw_annotations(file, image, CLASSES)[0].sum() == 64  # of one class: no warning


def test_annotations_beyond_the_image_are_cut_and_it_is_said(tmp_path: Path, image: Path) -> None:
    with pytest.warns(TMUNetWarning):
        mask, _ = draw_annotations(write(tmp_path, square("gland", 25, 15, 100)), image, CLASSES)
    assert mask.sum() == 25


@pytest.mark.parametrize("name", [None, "tumor"])
def test_other_classes_are_refused(tmp_path: Path, image: Path, name: str | None) -> None:
    file = write(tmp_path, square("gland", 1, 1, 3), square(name, 5, 5, 3))
    with pytest.raises(InputError, check=coded("class", file)):
        draw_annotations(file, image, CLASSES)


def test_classes_are_those_given_or_of_the_data_set_or_the_one_annotated(tmp_path: Path, image: Path) -> None:
    mask, one = mask_path(image), write(tmp_path, square("gland", 1, 1, 3))
    assert mask == tmp_path / "masks" / "a.png"
    assert find_classes(one, mask, ["background", "x"]) == ("background", "x")
    assert find_classes(one, mask, None) == ("background", "gland")
    two = write(tmp_path, square("gland", 1, 1, 3), square("lumen", 5, 5, 3))
    with pytest.raises(InputError, check=coded("classes", two)):
        find_classes(two, mask, None)
    write_json(tmp_path / "dataset.json", {"classes": list(CLASSES)})
    assert find_classes(two, mask, None) == CLASSES


def test_masks_of_images_elsewhere_are_in_a_folder_there() -> None:
    assert mask_path(Path("scans/b.v2.tif")) == Path("scans/masks/b.v2.png")
