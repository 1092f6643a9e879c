"""Places for the labels of bubbles, so that no label lies on another one or on a bubble."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tmunet_lab.bench.svg import LETTER, LINE

DISTANCES = (4.0, 12.0, 24.0, 40.0, 60.0, 85.0)  # pixels from the bubble's rim, tried from near to far
DIRECTIONS = tuple(index * math.pi / 8 for index in (0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 3, 13, 5, 11, 7, 9))


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Area in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def holds(self, other: "Box") -> bool:
        """Whether the other lies inside."""
        return self.overlap(other) >= (other.right - other.left) * (other.bottom - other.top) * (1 - 1e-9)


@dataclass(frozen=True)
class Bubble:
    """A labeled circle, in pixels."""

    x: float
    y: float
    radius: float
    label: str

    @property
    def box(self) -> Box:
        """The square around it."""
        return Box(self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)


def place_labels(bubbles: Sequence[Bubble], area: Box) -> list[Box]:
    """The rectangle of each label, in the order of the bubbles.

    Small bubbles choose first, since a label far from a large one is easier to follow. Each takes the nearest place that is free;
    where none is, the place that covers least.
    """
    taken = [bubble.box for bubble in bubbles]
    places: dict[int, Box] = {}
    for index in sorted(range(len(bubbles)), key=lambda index: bubbles[index].radius):
        options = [box for box in _places(bubbles[index]) if area.holds(box)] or list(_places(bubbles[index]))
        places[index] = min(options, key=lambda box: sum(box.overlap(other) for other in taken))  # the first of equals
        taken.append(places[index])
    return [places[index] for index in range(len(bubbles))]


def _places(bubble: Bubble) -> Iterator[Box]:
    width, height = LETTER * len(bubble.label), LINE
    for distance in DISTANCES:
        for angle in DIRECTIONS:
            x = bubble.x + (bubble.radius + distance) * math.cos(angle)
            y = bubble.y + (bubble.radius + distance) * math.sin(angle)
            # beside the bubble it begins or ends there, above it is centerd
            left = x - width * (1 - math.cos(angle)) / 2
            top = y - height * (1 - math.sin(angle)) / 2
            yield Box(left, top, left + width, top + height)
