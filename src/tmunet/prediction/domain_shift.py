"""Detect domain shift: images whose scale or intensity range differs from that of the training images."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from tmunet.data.training_stats import Appearance, Intensity, Scale
from tmunet.errors import TMUNetWarning
from tmunet.model_config import ModelConfig
from tmunet.prediction.sliding_window import Size, scaled_size
from tmunet.text import pluralize

MAX_SCALE_FACTOR = 1.5  # between the scale of an image and those of the training images
APPEARANCE_MARGIN = 0.05  # relative, beyond the range of the training images: rounding, another resampling
MAX_NAMED = 3  # images in one warning


class DomainShift:
    """Collect the sizes and intensities of images, and warn once about all that differ from the training images.

    Args:
        config: of the model.
        tile_size: side of a tile in pixels; None without a sliding window.
    """

    def __init__(self, config: ModelConfig, tile_size: int | None) -> None:
        self._config, self._tile_size = config, tile_size
        self._sizes: list[Size] = []
        self._intensities: dict[str, Intensity] = {}

    def add(self, name: str, image: NDArray[Any]) -> None:
        """Add an image (H, W, C) with the model's channels, at its original size."""
        self._sizes.append((image.shape[0], image.shape[1]))
        self._intensities[name] = Intensity.of(image)

    def merge(self, other: "DomainShift") -> None:
        """Add the images of another collection, such as of another worker."""
        self._sizes += other._sizes
        self._intensities |= other._intensities

    def warn(self) -> None:
        """Warn about images at another scale, mostly padding, or with another intensity range.

        Warns:
            TMUNetWarning: once for each of the three.
        """
        scale, side = self._config.scale, self._config.preprocess.size
        if scale is not None and self._tile_size is not None:
            _warn_padding([min(scaled_size(size, scale)) for size in self._sizes], self._tile_size)
        elif scale is not None:
            _warn_scale([scale_factor(size, side, scale) for size in self._sizes], side)
        _warn_intensity(self._intensities, self._config)


def shift_flags(
    image: NDArray[Any], size: Size, appearance: Appearance, config: ModelConfig, tile_size: int | None
) -> tuple[str, ...]:
    """Name how an image differs from the training images: size, intensity, brightness, contrast, blur, noise.

    Args:
        image: (H, W, C) with the model's channels.
        size: its original height and width.
        appearance: of the image at the size of the network's input.
        config: of the model.
        tile_size: side of a tile in pixels; None without a sliding window, which keeps the scale of training.
    """
    flags = []
    if config.scale is not None and tile_size is None:
        factor = scale_factor(size, config.preprocess.size, config.scale)
        flags += ["size"] if _distance(factor) > MAX_SCALE_FACTOR else []
    if has_other_range(Intensity.of(image), config):
        flags.append("intensity")
    if (trained := config.appearance) is not None:
        low, high, tolerance = trained.lowest, trained.highest, 1 + APPEARANCE_MARGIN
        for name in ("brightness", "contrast"):
            if not getattr(low, name) / tolerance <= getattr(appearance, name) <= getattr(high, name) * tolerance:
                flags.append(name)
        fine, least = appearance.fine_detail, low.fine_detail
        lacks_detail = fine is not None and least is not None and fine < least / tolerance
        if lacks_detail or appearance.sharpness < low.sharpness / tolerance:
            flags.append("blur")
        if appearance.sharpness > high.sharpness * tolerance:
            flags.append("noise")
    return tuple(flags)


def scale_factor(size: Size, side: int, scale: Scale) -> float:
    """Compute how many times larger (above 1) or smaller an image resized to a square appears than any training image.

    Args:
        size: original height and width.
        side: of the square, in pixels.
        scale: of the training images.

    Returns:
        The factor of the axis that is further from 1; a change of the aspect ratio is one of scale along one axis.
    """
    factors = scale.height.factor(side / size[0]), scale.width.factor(side / size[1])
    return max(factors, key=_distance)


def _distance(factor: float) -> float:
    return max(factor, 1 / factor)


def _warn_scale(factors: Sequence[float], side: int) -> None:
    beyond = [factor for factor in factors if _distance(factor) > MAX_SCALE_FACTOR]
    if not beyond:
        return
    worst = max(beyond, key=_distance)
    change = f"{worst:.2g} times larger" if worst > 1 else f"{1 / worst:.2g} times smaller"
    _warn(
        f"Domain shift: {len(beyond)} of {pluralize(len(factors), 'image')} have other sizes than the training images: resized "
        f"to {side} x {side} pixels, objects appear up to {change} along an axis. If pixels have the same physical size as in "
        f"training, use a sliding window (--tile-size {side}), which keeps the scale; if the images show the same field of view "
        "in more or fewer pixels, ignore this."
    )


def _warn_padding(sides: Sequence[int], tile_size: int) -> None:
    small = [side for side in sides if tile_size > MAX_SCALE_FACTOR * side]
    if small:
        _warn(
            f"{len(small)} of {pluralize(len(sides), 'image')} are much smaller than a tile at the scale of training "
            f"(at worst {min(small)} pixels for {tile_size}), so that most of a tile is padding. Choose a smaller tile size, "
            "or none."
        )


def has_other_range(image: Intensity, config: ModelConfig) -> bool:
    """Return whether an image uses a part of its value range, nearly black or bright, that no training image used.

    Models that normalize each image by itself do not depend on it; an image of one value has no range.
    """
    if config.preprocess.normalize == "image" or image.lowest == image.highest:
        return False
    trained = {typical.is_dark for typical in config.intensity} or {False}
    return image.is_dark not in trained


def _warn_intensity(images: Mapping[str, Intensity], config: ModelConfig) -> None:
    other = {name: image for name, image in images.items() if has_other_range(image, config)}
    if not other:
        return
    shown = [f"{name} (largest value {image.brightest:,})" for name, image in other.items()][:MAX_NAMED]
    more = f" and {len(other) - MAX_NAMED} more" if len(other) > MAX_NAMED else ""
    first = next(iter(other.values()))
    trained = ", ".join(_describe(one) for one in config.intensity) or "values that it does not state"
    consequence = "nearly black" if first.is_dark else "far too bright"
    _warn(
        f"Domain shift: {', '.join(shown)}{more}: {_describe(first)}, but the model was trained on {trained}. Values are divided "
        f"by the largest of their data type, so these images are {consequence} to the model. Rescale the values of all images by "
        "one rule to the range of the training images, or train with --preprocess.normalize image."
    )


def _describe(one: Intensity) -> str:
    return f"{one.bits} bits of which {one.used_bits} are used" if one.used_bits < one.bits else f"{one.bits} bits"


def _warn(message: str) -> None:
    warnings.warn(message, TMUNetWarning, stacklevel=5)
