"""Interpret the palette of a mask: gray levels, or a legend of labels.

The rule, for PNG, BMP and TIFF alike: **if every color of the palette is gray, the gray levels are the values of the mask; if
any color is not gray, the palette is a legend, and the index is the label.** A program that reduces a black and white image to a
palette lists the two grays in any order, so the indices have no meaning, while every viewer and every conversion to gray uses
the levels; that holds for 0, 128 and 255 as well. A legend, as PASCAL VOC, labelme and `tmunet predict` write it, has a color for
each label. The whole palette decides, not only the colors in use: a legend may have a gray label, and a mask may hold no other.

Where a palette has the same color for two of the indices in use, or no color for one, the index is the value too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.decoders import DecodedImage
from tmunet.text import pluralize

Color = tuple[int, int, int]

_BLACK, _WHITE = (0, 0, 0), 255


@dataclass(frozen=True)
class Legend:
    """Colors and labels of the palette indices in use.

    Attributes:
        color_of: RGB color of each index in use.
        label_of: label of each index in use.
        is_gray: the labels are gray levels, so the order of the palette does not matter.
    """

    color_of: Mapping[int, Color]
    label_of: Mapping[int, int]
    is_gray: bool


@dataclass(frozen=True)
class Conflict:
    """Two masks with contradicting palettes."""

    files: tuple[str, str]
    message: str


def gray_levels(decoded: DecodedImage) -> NDArray[np.uint8] | None:
    """Return the gray levels (H, W) of a palette of grays; None if the stored values are the values of the mask."""
    palette = decoded.palette
    if palette is None or (palette != palette[:, :1]).any():
        return None
    used = _used(decoded)
    if used[-1] >= len(palette) or len(np.unique(palette[used, 0])) < len(used):
        return None
    levels: NDArray[np.uint8] = palette[:, 0][decoded.pixels[:, :, 0].astype(np.intp)]
    return levels


def legend(decoded: DecodedImage, labels: NDArray[np.uint8]) -> Legend | None:
    """Return the legend of a decoded mask with labels (H, W); None without a palette."""
    if decoded.palette is None:
        return None
    color_of = _colors(decoded, decoded.palette)
    label_of = np.zeros(int(_used(decoded)[-1]) + 1, np.uint8)
    label_of[decoded.pixels[:, :, 0].astype(np.intp)] = labels
    return Legend(color_of, {index: int(label_of[index]) for index in color_of}, gray_levels(decoded) is not None)


def find_ambiguity(decoded: DecodedImage, classes: Sequence[str], ignore_label: int | None) -> str | None:
    """Describe why the palette of a mask has two legal readings; None if it has one."""
    if decoded.palette is None:
        return None
    color_of = _colors(decoded, decoded.palette)
    if gray_levels(decoded) is not None:
        white = [index for index, color in color_of.items() if color[0] == _WHITE]
        plain = all(color[0] in (0, _WHITE) for color in color_of.values())
        if ignore_label is not None and plain and white and white[0] < len(classes):
            return (
                f"white is index {white[0]} of its palette, and may be that label or what is to be ignored ({_WHITE})"
            )
    elif len(classes) == 2 and ignore_label is None and len(color_of) == 2 and 0 in color_of:
        (_, background), (index, foreground) = sorted(color_of.items())
        if foreground == _BLACK and background != _BLACK:
            return (
                f"its palette shows index {index} in black and index 0 in {background}, as if background and foreground "
                "were swapped"
            )
    return None


def find_conflict(legends: Iterable[tuple[str, Legend | None]]) -> Conflict | None:
    """Find the first contradiction among the palettes of the masks of a data set.

    Two legends contradict each other if an index has different colors, a legend and a palette of grays if a gray stands for
    different labels.
    `legends` are names of masks with their legends, or None without a palette.
    """
    known = [(name, one) for name, one in legends if one is not None]
    colors: dict[int, dict[Color, list[str]]] = {}
    labels: dict[Color, dict[int, list[str]]] = {}
    grays: dict[Color, dict[int, list[str]]] = {}
    for name, one in known:
        for index, color in one.color_of.items():
            (grays if one.is_gray else labels).setdefault(color, {}).setdefault(one.label_of[index], []).append(name)
            if not one.is_gray:
                colors.setdefault(index, {}).setdefault(color, []).append(name)
    for index in sorted(colors):
        if len(colors[index]) > 1:
            (color, these), (other, those) = list(colors[index].items())[:2]
            return _conflict(f"index {index}", (these, f"is {color}"), (those, f"is {other}"))
    for color in sorted(labels.keys() & grays.keys()):
        for label, these in labels[color].items():
            for level, those in grays[color].items():
                if label != level:
                    return _conflict(f"the color {color}", (these, f"is label {label}"), (those, f"is label {level}"))
    return None


def _used(decoded: DecodedImage) -> NDArray[np.intp]:
    """Return the indices in use, ascending."""
    return np.flatnonzero(np.bincount(decoded.pixels.ravel()))


def _colors(decoded: DecodedImage, palette: NDArray[np.uint8]) -> dict[int, Color]:
    """Return the color of each index in use, ascending, without those beyond the palette."""
    rows = {int(index): palette[index].tolist() for index in _used(decoded) if index < len(palette)}
    return {index: (row[0], row[1], row[2]) for index, row in rows.items()}


def _conflict(what: str, one: tuple[list[str], str], other: tuple[list[str], str]) -> Conflict:
    (these, this), (those, that) = one, other
    return Conflict(
        (these[0], those[0]),
        f"expected the palettes of all masks to agree, but {what} {this} in {these[0]} ({pluralize(len(these), 'mask')} so) "
        f"and {that} in {those[0]} ({len(those):,}), so the labels of some are wrong",
    )


CONFLICT_HINT = "say which color is which class, and save all masks as gray PNG or with one palette"
"""Hint for a `Conflict`."""
