"""Images at the scale at which a network was trained, and how far they are from it."""

import warnings
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from tmunet.data.io.decoders import MAX_PIXELS
from tmunet.data.preprocess import resize_image
from tmunet.data.training_stats import Scale
from tmunet.errors import InputError, TMUNetWarning
from tmunet.text import pluralize

FACTOR = 1.5  # between the scale of an image and those of training: beyond it, look

Size = tuple[int, int]  # height and width


def window_size(size: Size, scale: Scale) -> Size:
    """The height and width that an image of this size has for the network under a tile_size: those of the scale of training."""
    return max(1, round(size[0] * scale.height.median)), max(1, round(size[1] * scale.width.median))


def check_window_size(size: Size, scale: Scale) -> None:
    """See that an image of this size can be brought to the scale of training.

    Raises:
        InputError: it would have more pixels than an image may.
    """
    height, width = window_size(size, scale)
    if height * width > MAX_PIXELS:
        raise InputError(
            f"Expected at most {MAX_PIXELS:,} pixels, but at the scale of training the image has {height:,} x {width:,}; "
            "cut it into tiles, or predict it without a sliding window."
        )


def at_training_scale(image: NDArray[Any], size: Size, scale: Scale | None) -> NDArray[Any]:
    """Resample an image (H, W, C) for a sliding window; without a known scale it stays as it is.

    Args:
        image: its pixels.
        size: its own height and width, whatever the pixels were resized to before.
        scale: of training.
    """
    return image if scale is None else resize_image(image, window_size(size, scale))


def scale_factor(size: Size, side: int, scale: Scale) -> float:
    """By how much an image that is resized to a square of this side is larger (above 1) or smaller than any of training was.

    A change of the aspect ratio is one of scale along one axis, so the axis that is further off counts.
    """
    factors = scale.height.factor(side / size[0]), scale.width.factor(side / size[1])
    return max(factors, key=_distance)


def _distance(factor: float) -> float:
    return max(factor, 1 / factor)


def warn_of_window(scale: Scale | None) -> None:
    """Say that a sliding window does not know the scale of training.

    Warns:
        TMUNetWarning: that is so.
    """
    if scale is None:
        warnings.warn(
            "The model does not say at which scale it was trained, so the sliding window slides over each image at the image's own "
            "scale; if training images were shrunken, objects look larger here. Train it again to have its scale kept.",
            TMUNetWarning,
            stacklevel=3,
        )


def warn_of_scale(sizes: Iterable[Size], side: int, tile_size: int | None, scale: Scale | None) -> None:
    """Say once which images the network sees at another scale than those of training, or mostly as padding.

    Args:
        sizes: own heights and widths of the images.
        side: of the square to which images are resized without a sliding window.
        tile_size: side of a tile in pixels, or None.
        scale: of training; None is not known, and nothing is said.

    Warns:
        TMUNetWarning: of images beyond a factor of `FACTOR`.
    """
    if scale is None:
        return
    if tile_size is not None:
        _warn_of_padding([min(window_size(size, scale)) for size in sizes], tile_size)
        return
    factors = [scale_factor(size, side, scale) for size in sizes]
    beyond = [factor for factor in factors if _distance(factor) > FACTOR]
    if beyond:
        worst = max(beyond, key=_distance)
        said = f"{worst:.2g} times larger" if worst > 1 else f"{1 / worst:.2g} times smaller"
        warnings.warn(
            f"{len(beyond)} of {pluralize(len(factors), 'image')} have other sizes than those of training: resized to "
            f"{side} x {side} pixels, what is in them looks to the network up to {said} along an axis. If their pixels cover as "
            f"much as those of training, keep the scale with a sliding window (--tile-size {side}); if they show the same field in more or "
            "fewer pixels, all is well.",
            TMUNetWarning,
            stacklevel=3,
        )


def _warn_of_padding(sides: list[int], tile_size: int) -> None:
    small = [side for side in sides if tile_size > FACTOR * side]
    if small:
        warnings.warn(
            f"{len(small)} of {pluralize(len(sides), 'image')} are much smaller than a tile at the scale of training "
            f"(at worst {min(small)} pixels for {tile_size}), so that much of what the network sees is padding. Choose a "
            "smaller tile size, or none.",
            TMUNetWarning,
            stacklevel=4,
        )
