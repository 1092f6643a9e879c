"""Spacing of image files: what states millimeters, what does not, and never a guess."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.data.io.spacing import agree, read_spacing
from tmunet.errors import InputError

PIXELS = np.zeros((5, 7), np.uint8)


def sizes(x: float, x_unit: str, y: float, y_unit: str) -> dict[str, Any]:
    return {"PhysicalSizeX": x, "PhysicalSizeXUnit": x_unit, "PhysicalSizeY": y, "PhysicalSizeYUnit": y_unit}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}}, (5e-4, 2.5e-4)),  # µm by default
        ({"ome": True, "metadata": sizes(2, "mm", 0.3, "cm")}, (3, 2)),
        ({"ome": True, "metadata": sizes(2, "pixel", 2, "pixel")}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 2}}, None),
        ({"ome": True}, None),
        ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "mm"}}, (0.5, 0.25)),
        ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "um"}}, (5e-4, 2.5e-4)),
        ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "\\u00B5m"}}, (5e-4, 2.5e-4)),
        ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "inch"}}, None),
        ({"imagej": True, "resolution": (4, 2)}, None),
        ({"resolution": (40, 20), "resolutionunit": "CENTIMETER"}, (0.5, 0.25)),
        ({"resolution": (300 / 2.54, 300 / 2.54), "resolutionunit": "CENTIMETER"}, None),  # a printer's
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (1, 1), "resolutionunit": "NONE"}, None),
        ({"resolution": (0, 0), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (40, 20), "resolutionunit": "CENTIMETER", "extratags": [(274, "H", 1, 6, True)]}, (0.25, 0.5)),
        ({}, None),
    ],
)  # fmt: skip
def test_the_spacing_of_a_tiff(tmp_path: Path, settings: dict[str, Any], expected: tuple[float, float] | None) -> None:
    path = tmp_path / ("a.ome.tif" if settings.get("ome") else "a.tif")
    tifffile.imwrite(path, PIXELS, **settings)
    assert read_spacing(path) == (None if expected is None else pytest.approx(expected))


def test_what_is_no_tiff_has_none(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(300, 300))
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", dpi=(100, 100))
    (tmp_path / "damaged.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    (tmp_path / "empty.tif").write_bytes(b"")
    for name in ("a.png", "a.jpg", "damaged.tif", "empty.tif", "nowhere.tif"):
        assert read_spacing(tmp_path / name) is None


def test_two_statements_have_to_agree(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, resolution=(40, 20), resolutionunit="CENTIMETER")
    assert agree(path, None) == pytest.approx((0.5, 0.25))
    assert agree(path, (0.501, 0.25)) == (0.501, 0.25)
    assert agree(tmp_path / "none.png", (3.0, 2.0)) == (3.0, 2.0)
    with pytest.raises(InputError) as caught:
        agree(path, (0.25, 0.5))
    assert (caught.value.code, caught.value.path) == ("spacing", path)
