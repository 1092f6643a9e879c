"""Statistics of the training images, saved with a model to detect domain shift: scale, intensity, appearance, flips."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tmunet.data.data_config import MAX_SIZE, AugmentConfig

if TYPE_CHECKING:
    from tmunet.data.io.images import Pixels

TAIL = 0.05  # share of the images beyond each end of a spread: one odd image widens nothing
APPEARANCE_TAIL = 0.005  # the same of an appearance, whose range says what is unusual
SAMPLE_TILES, SAMPLE_SIDE = 8, 256  # of the appearance of a large image
SMALL_PART = 8  # a 16-bit image should use at least this part of its range: 12-bit data use a sixteenth


@dataclass(frozen=True)
class Spread:
    """Distribution of a number over the training images: 5 % quantile, median, 95 % quantile."""

    lowest: float
    """5 % of the images have less."""
    median: float
    """Half of the images have less."""
    highest: float
    """5 % of the images have more."""

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.median <= self.highest <= MAX_SIZE:
            raise ValueError(
                f"Expected 0 < lowest <= median <= highest <= {MAX_SIZE}, but got {self.lowest}, {self.median}, {self.highest}."
            )

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Compute the spread of at least one number."""
        ordered = sorted(values)
        tail = round(TAIL * (len(ordered) - 1))
        return cls(ordered[tail], median(ordered), ordered[-1 - tail])

    def factor(self, value: float) -> float:
        """Return value / nearest bound: above 1 if the value exceeds the spread, below 1 if it falls short, 1 inside."""
        return value / min(max(value, self.lowest), self.highest)


@dataclass(frozen=True)
class Scale:
    """Resize factors of the training images along each axis: pixels of the network for a pixel of the image."""

    height: Spread
    """Training size divided by the heights of the images."""
    width: Spread
    """Training size divided by the widths of the images."""
    mm_per_network_pixel: float | None = None
    """Millimeters that a pixel of the network covers; null where the spacing of the images is not known."""

    def __post_init__(self) -> None:
        if self.mm_per_network_pixel is not None and not 0 < self.mm_per_network_pixel < math.inf:
            raise ValueError(f"Expected `mm_per_network_pixel` to be above 0, but got {self.mm_per_network_pixel}.")

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], side: int) -> "Scale":
        """Compute the scale of images of these (height, width), at least one, resized to a square of this side."""
        return cls(Spread.of(side / height for height, _ in sizes), Spread.of(side / width for _, width in sizes))


@dataclass(frozen=True)
class Intensity:
    """Intensity range of an image, or the medians of the training images of one bit depth."""

    bits: int
    """Bit depth, 8 or 16."""
    lowest: float
    """The darkest value, black being 0 and white 1."""
    highest: float
    """The brightest value."""

    def __post_init__(self) -> None:
        if self.bits not in (8, 16) or not 0 <= self.lowest <= self.highest <= 1:
            raise ValueError(
                f"Expected 8 or 16 bits and 0 <= lowest <= highest <= 1, but got {self.bits}, {self.lowest}, {self.highest}."
            )

    @classmethod
    def of(cls, image: "Pixels") -> "Intensity":
        """Measure the bit depth and the range of an image (H, W, C) of 8 or 16 bits."""
        bits = 8 * image.dtype.itemsize
        white = 2**bits - 1
        return cls(bits, int(image.min()) / white, int(image.max()) / white)

    @property
    def brightest(self) -> int:
        """Brightest value as the file stores it."""
        return round(self.highest * (255 if self.bits == 8 else 65535))

    @property
    def used_bits(self) -> int:
        """Number of bits that the brightest value needs."""
        return self.brightest.bit_length()

    @property
    def is_dark(self) -> bool:
        """Whether the image has 16 bits but uses so small a part of its range that it is nearly black."""
        return self.bits == 16 and self.highest < 1 / SMALL_PART

    @classmethod
    def typical(cls, images: Iterable["Intensity"]) -> tuple["Intensity", ...]:
        """Compute the medians of images, one for each bit depth; images of a single value are left out."""
        known = [image for image in images if image.lowest < image.highest]
        return tuple(
            cls(
                bits,
                median(image.lowest for image in known if image.bits == bits),
                median(image.highest for image in known if image.bits == bits),
            )
            for bits in sorted({image.bits for image in known})
        )


@dataclass(frozen=True)
class Appearance:
    """Appearance of an image at the size of the network's input, its channels averaged, black being 0 and white 1."""

    brightness: float
    """Mean value."""
    contrast: float
    """Standard deviation."""
    sharpness: float
    """Standard deviation of the Laplacian divided by that of the image: low in a blurred image, high in a noisy one."""
    fine_detail: float | None = None
    """Standard deviation of the Laplacian at half resolution divided by that at a quarter: low in a blurred image, whatever its
    contrast. None in models of before it was measured."""

    @classmethod
    def of(cls, image: "Pixels") -> "Appearance":
        """Measure an image (H, W, C) of 8 or 16 bits; of a large one, tiles on a regular grid."""
        white = float(np.iinfo(image.dtype).max)
        gray = _gray(_sample(image)) / white
        contrast, half = float(gray.std()), _halve(gray)
        coarse = _laplacian_sd(_halve(half))
        sharpness = _laplacian_sd(gray) / contrast if contrast else 0.0
        return cls(float(gray.mean()), contrast, sharpness, _laplacian_sd(half) / coarse if coarse else 0.0)


def _gray(image: "Pixels") -> NDArray[np.float32]:
    """Mean of the channels; added one by one, because numpy takes four times as long along a short last axis."""
    total: NDArray[np.float32] = image[..., 0].astype(np.float32)
    for channel in range(1, image.shape[2]):
        total += image[..., channel]
    total /= image.shape[2]
    return total


def _halve(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the blocks of 2 x 2 pixels; the last row and column of an odd side are left out."""
    height, width = gray.shape[0] // 2, gray.shape[1] // 2
    blocks = gray[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    means: NDArray[np.float32] = blocks.mean((1, 3))
    return means


def _laplacian_sd(gray: NDArray[np.float32]) -> float:
    """Standard deviation of the Laplacian; 0 for an image without inner pixels."""
    inner = gray[1:-1, 1:-1]
    if not inner.size:
        return 0.0
    return float((gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * inner).std())


def _sample(image: "Pixels") -> "Pixels":
    """An image, or of one with a side above 2048 pixels at most 8 x 8 tiles of 256 pixels on a regular grid, side by side."""
    for axis in (0, 1):
        if image.shape[axis] > SAMPLE_TILES * SAMPLE_SIDE:
            starts = np.linspace(0, image.shape[axis] - SAMPLE_SIDE, SAMPLE_TILES).astype(int)
            image = image.take(np.concatenate([np.arange(start, start + SAMPLE_SIDE) for start in starts]), axis)
    return image


@dataclass(frozen=True)
class AppearanceRange:
    """Range of the appearance of the training images, without 0.5 % of them at each end."""

    lowest: Appearance
    """Of brightness, contrast, sharpness and fine detail."""
    highest: Appearance
    """Of brightness, contrast, sharpness and fine detail."""

    @classmethod
    def of(cls, images: Sequence[Appearance]) -> "AppearanceRange":
        """Compute the range of at least one image."""
        names = ("brightness", "contrast", "sharpness", "fine_detail")
        ordered = {name: sorted(getattr(image, name) for image in images) for name in names}
        tail = round(APPEARANCE_TAIL * (len(images) - 1))
        lowest, highest = ({name: values[at] for name, values in ordered.items()} for at in (tail, -1 - tail))
        return cls(Appearance(**lowest), Appearance(**highest))


@dataclass(frozen=True)
class Turns:
    """Random flips and rotations of the training images."""

    horizontal_flip: bool
    """Left-right flip."""
    vertical_flip: bool
    """Upside-down flip."""
    quarter_turns: bool
    """Rotation by 90, 180 and 270 degrees."""

    @classmethod
    def of(cls, augment: AugmentConfig) -> "Turns":
        """Return the flips and rotations of an augmentation."""
        return cls(augment.horizontal_flip > 0, augment.vertical_flip > 0, augment.quarter_turns)

    def flips(self) -> tuple[tuple[int, ...], ...]:
        """Return the axes of each flip that augmentation can produce, for tta; the first is no flip.

        >>> Turns(False, True, True).flips()  # a left-right flip is an upside-down one, turned by 180 degrees
        ((), (-1,), (-2,), (-2, -1))
        """
        horizontal = self.horizontal_flip or (self.vertical_flip and self.quarter_turns)
        vertical = self.vertical_flip or (self.horizontal_flip and self.quarter_turns)
        both = self.quarter_turns or (self.horizontal_flip and self.vertical_flip)
        possible = {(): True, (-1,): horizontal, (-2,): vertical, (-2, -1): both}
        return tuple(axes for axes, is_possible in possible.items() if is_possible)
