"""Read whole slides at a resolution in micrometers per pixel, by tiffslide, or by openslide where it is installed."""

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tmunet.data.io.spacing import read_spacing
from tmunet.errors import InputError
from tmunet.extras import require

_WHITE = 255


class _Opened(Protocol):
    """What tiffslide and openslide have in common."""

    dimensions: tuple[int, int]
    level_dimensions: tuple[tuple[int, int], ...]
    level_downsamples: tuple[float, ...]
    properties: Mapping[str, Any]

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image: ...


class Slide:
    """A slide, seen at one resolution; what lies outside the scanned area is white, as glass is.

    Args:
        path: the file.
        mpp: micrometers per pixel to read at.
        slide_mpp: those of the full resolution, for a file that does not state them; refused where it states others.

    Attributes:
        size: (H, W) in pixels of `mpp`.
        scale: (x, y) pixels of the full resolution for one of these.

    Raises:
        InputError: the file cannot be opened (code "slide"), or its resolution is unknown or another (code "mpp").
        MissingExtraError: neither tiffslide nor openslide is installed.
    """

    def __init__(self, path: Path, mpp: float, slide_mpp: float | None = None) -> None:
        self.path = path
        self._slide = _open(path)
        stated = self._stated_mpp()
        if stated is None and slide_mpp is None:
            raise InputError(
                f"{path}: states no micrometers per pixel, so the size of its cells is unknown; give them by --slide-mpp.",
                code="mpp",
                path=path,
            )
        if stated is not None and slide_mpp is not None and abs(stated[0] / slide_mpp - 1) > 0.01:
            raise InputError(
                f"{path}: states {stated[0]:g} micrometers per pixel, but --slide-mpp is {slide_mpp:g}; leave it out.",
                code="mpp",
                path=path,
            )
        full = stated or (float(slide_mpp or 0), float(slide_mpp or 0))
        # programs such as QuPath show this rectangle only, and count pixels from its corner
        self._left, self._top = int(self._property("bounds-x") or 0), int(self._property("bounds-y") or 0)
        width = int(self._property("bounds-width") or self._slide.dimensions[0] - self._left)
        height = int(self._property("bounds-height") or self._slide.dimensions[1] - self._top)
        self.size = max(1, round(height * full[1] / mpp)), max(1, round(width * full[0] / mpp))
        self.scale = width / self.size[1], height / self.size[0]

    def read(self, y: int, x: int, height: int, width: int, reduce: int = 1) -> NDArray[np.uint8]:
        """Read a rectangle, which may reach beyond the slide: (height, width, 3), RGB.

        Args:
            y: of its corner, in pixels of `mpp` divided by `reduce`, as are the next three.
            x: of its corner.
            height: of the rectangle.
            width: of the rectangle.
            reduce: factor by which the resolution is lower than `mpp`.
        """
        step = self.scale[0] * reduce, self.scale[1] * reduce
        downsamples = self._slide.level_downsamples
        level = max(range(len(downsamples)), key=lambda k: (downsamples[k] <= min(step) * 1.01, downsamples[k]))
        if downsamples[level] > min(step) * 1.01:
            level = 0
        factors = [
            full / own for full, own in zip(self._slide.dimensions, self._slide.level_dimensions[level], strict=True)
        ]
        box = [  # in pixels of the level
            (self._left + x * step[0]) / factors[0],
            (self._top + y * step[1]) / factors[1],
            (self._left + (x + width) * step[0]) / factors[0],
            (self._top + (y + height) * step[1]) / factors[1],
        ]
        left, top = math.floor(box[0] + 1e-6), math.floor(box[1] + 1e-6)
        right, bottom = math.ceil(box[2] - 1e-6), math.ceil(box[3] - 1e-6)
        picture = self._read_level(level, factors, left, top, max(right - left, 1), max(bottom - top, 1))
        inner = (
            max(box[0] - left, 0.0),
            max(box[1] - top, 0.0),
            min(box[2] - left, picture.width),
            min(box[3] - top, picture.height),
        )
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BILINEAR, box=inner)
        return np.array(picture)

    def _read_level(
        self, level: int, factors: list[float], left: int, top: int, width: int, height: int
    ) -> Image.Image:
        picture = Image.new("RGB", (width, height), (_WHITE, _WHITE, _WHITE))
        full_width, full_height = self._slide.level_dimensions[level]
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, full_width), min(top + height, full_height)
        if x0 < x1 and y0 < y1:
            location = round(x0 * factors[0]), round(y0 * factors[1])
            try:
                part = self._slide.read_region(location, level, (x1 - x0, y1 - y0))
            except Exception as error:  # whatever a damaged file leads the decoders to
                raise InputError(
                    f"{self.path}: the region at x={location[0]}, y={location[1]} of level {level} cannot be read: {error}; "
                    "copy the file again from its source.",
                    code="damaged",
                    path=self.path,
                ) from error
            if part.mode == "RGBA":  # transparent where nothing was scanned
                picture.paste(part, (x0 - left, y0 - top), part)
            else:
                picture.paste(part.convert("RGB"), (x0 - left, y0 - top))
        return picture

    def _property(self, name: str) -> Any:
        properties = self._slide.properties
        return properties.get(f"openslide.{name}") or properties.get(f"tiffslide.{name}")

    def _stated_mpp(self) -> tuple[float, float] | None:
        found = [self._property("mpp-x"), self._property("mpp-y")]
        try:
            x, y = float(found[0]), float(found[1])
            if 0 < x < math.inf and 0 < y < math.inf:
                return x, y
        except (TypeError, ValueError):
            pass
        spacing = read_spacing(self.path)  # of OME and ImageJ TIFFs
        return None if spacing is None else (spacing[1] * 1000, spacing[0] * 1000)


def _open(path: Path) -> _Opened:
    if not path.is_file():
        raise InputError(f"{path}: expected a slide, but there is no such file.", code="slide", path=path)
    names = [name for name in ("tiffslide", "openslide") if importlib.util.find_spec(name)]
    faults = []
    for name in names or ["tiffslide"]:
        module = require(name, extra="slides")
        try:
            opened: _Opened = getattr(module, "TiffSlide" if name == "tiffslide" else "OpenSlide")(str(path))
            if opened.dimensions and opened.level_downsamples:
                return opened
        except Exception as error:  # each has errors of its own, and of its decoders
            faults.append(f"{name}: {error}")
    raise InputError(
        f"{path}: cannot be opened as a slide ({'; '.join(faults)}). Formats other than TIFF need openslide, which you can "
        "install by: pip install openslide-python openslide-bin",
        code="slide",
        path=path,
    )
