"""What a model keeps of the images it was trained on, so that it can say which later ones are unlike them. Plain data."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tmunet.data.config import MAX_SIZE, AugmentConfig

TAIL = 0.05  # share of the images beyond each end of a spread: one odd image widens nothing
SMALL_PART = 8  # a 16-bit image should use at least this part of its range: 12-bit data use a sixteenth


@dataclass(frozen=True)
class Spread:
    """How a number is distributed over the training images."""

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
        """The spread of at least one number."""
        ordered = sorted(values)
        tail = round(TAIL * (len(ordered) - 1))
        return cls(ordered[tail], median(ordered), ordered[-1 - tail])

    def factor(self, value: float) -> float:
        """By how much a value lies outside: above 1 if it is larger than all, below 1 if it is smaller, 1 inside."""
        return value / min(max(value, self.lowest), self.highest)


@dataclass(frozen=True)
class Scale:
    """How large training images were to the network: pixels of the network for a pixel of the image, along each axis."""

    height: Spread
    """Size of training divided by the heights of the images."""
    width: Spread
    """Size of training divided by the widths of the images."""
    mm_per_network_pixel: float | None = None
    """Millimeters that a pixel of the network covers; null where the spacing of the images is not known."""

    def __post_init__(self) -> None:
        if self.mm_per_network_pixel is not None and not 0 < self.mm_per_network_pixel < math.inf:
            raise ValueError(f"Expected `mm_per_network_pixel` to be above 0, but got {self.mm_per_network_pixel}.")

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], side: int) -> "Scale":
        """The scale of images of these heights and widths, at least one, that are resized to a square of this side."""
        return cls(Spread.of(side / height for height, _ in sizes), Spread.of(side / width for _, width in sizes))


@dataclass(frozen=True)
class Intensity:
    """The values of an image, or the typical ones (medians) of the training images of one depth."""

    bits: int
    """8 or 16, of a value."""
    lowest: float
    """The darkest value, black being 0 and white 1."""
    highest: float
    """The brightest value."""

    def __post_init__(self) -> None:
        if self.bits not in (8, 16) or not 0 <= self.lowest <= self.highest <= 1:
            raise ValueError(
                f"Expected 8 or 16 bits and 0 <= lowest <= highest <= 1, but got {self.bits}, {self.lowest}, {self.highest}."
            )

    @property
    def brightest(self) -> int:
        """The brightest value as the file stores it."""
        return round(self.highest * (255 if self.bits == 8 else 65535))

    @property
    def used_bits(self) -> int:
        """How many of the bits the brightest value needs."""
        return self.brightest.bit_length()

    @property
    def is_dark(self) -> bool:
        """Whether it is 16-bit and uses so small a part of its range that it is nearly black where white is 65,535."""
        return self.bits == 16 and self.highest < 1 / SMALL_PART

    @classmethod
    def typical(cls, images: Iterable["Intensity"]) -> tuple["Intensity", ...]:
        """The medians of images, one for each depth; those of one value say nothing of a range and are left out."""
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
class Turns:
    """How training images were turned at random."""

    horizontal_flip: bool
    """Left-right."""
    vertical_flip: bool
    """Upside down."""
    quarter_turns: bool
    """By 90, 180 and 270 degrees."""

    @classmethod
    def of(cls, augment: AugmentConfig) -> "Turns":
        """The turns of an augmentation."""
        return cls(augment.horizontal_flip > 0, augment.vertical_flip > 0, augment.quarter_turns)

    def flips(self) -> tuple[tuple[int, ...], ...]:
        """The axes of the flips that training images went through, or a sequence of turns; the first is no flip.

        >>> Turns(False, True, True).flips()  # a left-right flip is an upside-down one, turned by 180 degrees
        ((), (-1,), (-2,), (-2, -1))
        """
        horizontal = self.horizontal_flip or (self.vertical_flip and self.quarter_turns)
        vertical = self.vertical_flip or (self.horizontal_flip and self.quarter_turns)
        both = self.quarter_turns or (self.horizontal_flip and self.vertical_flip)
        possible = {(): True, (-1,): horizontal, (-2,): vertical, (-2, -1): both}
        return tuple(axes for axes, seen in possible.items() if seen)
