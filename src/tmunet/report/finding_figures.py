"""Cases as pictures on a page, with what can be shown of those that are not in order."""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tmunet.data.cases import Case, DatasetInfo, find_cases
from tmunet.data.io.images import read_image
from tmunet.data.reader import load_case
from tmunet.errors import DataError, InputError
from tmunet.report.outlines import shrink
from tmunet.report.page_assets import data_uri
from tmunet.report.thumbnails import reason, thumbnail
from tmunet.visualize import to_rgb8

LONGEST = 240  # pixels of a picture


@dataclass(frozen=True)
class Picture:
    """One picture as a data URI, with its size in pixels and what it shows in words, long and short."""

    uri: str
    width: int
    height: int
    alt: str
    label: str


@dataclass(frozen=True)
class Figure:
    """One case: its thumbnail; or what is left of it, and why there is no thumbnail."""

    name: str
    pictures: Sequence[Picture]
    reason: str | None = None


def draw_figures(folder: Path, info: DatasetInfo, names: Iterable[str]) -> Mapping[str, Figure]:
    """Draw cases of a data set folder by name, in threads; only the pictures for the page are kept.

    A case that cannot be loaded shows its image and its mask as they are stored, as far as they can be read.
    """
    cases = {case.name: case for case in find_cases(folder)[0]}

    def draw(name: str) -> Figure:
        if name not in cases:
            return Figure(name, (), "There is no image of this name.")
        return _figure(cases[name], info)

    wanted = list(dict.fromkeys(names))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return dict(zip(wanted, pool.map(draw, wanted), strict=True))


def _figure(case: Case, info: DatasetInfo) -> Figure:
    try:
        loaded = load_case(case, info)
    except DataError as error:
        stored = (_stored(case.name, "image", case.image), _stored(case.name, "mask", case.mask))
        return Figure(case.name, [picture for picture in stored if picture is not None], reason(error.faults[0]))
    drawn = thumbnail(loaded.image, loaded.mask, LONGEST)
    return Figure(
        case.name, (_picture(drawn, f"{case.name}: the image with the outline of its mask", "image and mask"),)
    )


def _stored(name: str, role: str, path: Path | None) -> Picture | None:
    if path is None:
        return None
    try:
        pixels = read_image(path)
    except InputError:
        return None
    if role == "mask":  # labels such as 1 and 2 would all look black
        pixels = (pixels * (255 / max(1, int(pixels.max())))).astype(np.uint8)
    return _picture(shrink(Image.fromarray(to_rgb8(pixels)), LONGEST), f"{name}: the {role} as it is stored", role)


def _picture(picture: Image.Image, alt: str, label: str) -> Picture:
    # Without subsampling: thin colored lines would lose their color.
    return Picture(data_uri(picture, "JPEG", quality=80, subsampling=0), *picture.size, alt, label)
