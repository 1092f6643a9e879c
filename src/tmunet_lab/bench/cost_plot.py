"""Cost against speed as a picture: one bubble for each network, its area the number of parameters."""

import math
from collections.abc import Sequence

from tmunet_lab.bench.label_placement import Box, Bubble, place_labels
from tmunet_lab.bench.measure import Measurement
from tmunet_lab.bench.svg import LIGHT, LINE, LogAxis, document, frame, line, text

WIDTH, HEIGHT = 960.0, 600.0
LARGEST = 26.0  # pixels, radius of the largest bubble
SMALLEST = 2.5


def cost_plot(rows: Sequence[Measurement], machine: str) -> str:
    """An SVG picture of measurements of one size and batch.

    Args:
        rows: at least one; all were timed.
        machine: what they ran on, for the title.
    """
    first = rows[0]
    x = LogAxis.around([(row.macs or 0) / 1e9 for row in rows], 70, WIDTH - 30)
    y = LogAxis.around([row.images_per_second or 0 for row in rows], HEIGHT - 60, 80)
    most = max(row.parameters for row in rows)
    bubbles = [
        Bubble(
            x.at((row.macs or 0) / 1e9),
            y.at(row.images_per_second or 0),
            max(SMALLEST, LARGEST * math.sqrt(row.parameters / most)),
            row.network,
        )
        for row in rows
    ]
    parts = [*frame(x, y, "GMAC of one image, counted in full", "images per second")]
    parts.append(text(WIDTH - 30, y.end - 10, f"area: parameters, the largest {most / 1e6:.1f} million", "end", "soft"))
    places = place_labels(bubbles, Box(x.start, y.end, x.end, y.start))
    for bubble in sorted(bubbles, key=lambda bubble: -bubble.radius):
        color = family_color(bubble.label)
        parts.append(
            f'<circle cx="{bubble.x:.1f}" cy="{bubble.y:.1f}" r="{bubble.radius:.1f}" fill="{LIGHT[color]}" '
            f'fill-opacity="0.55" stroke="{LIGHT[color]}"/>'
        )
    for row, bubble, place in zip(rows, bubbles, places, strict=True):
        parts += _whisker(row, bubble, y)
        parts += bubble_label(bubble, place)
    title = f"{first.work}, {first.size} x {first.size} pixels, batch {first.batch}; {machine}"
    return document(WIDTH, HEIGHT, title, parts)


def _whisker(row: Measurement, bubble: Bubble, y: LogAxis) -> list[str]:
    """From one quartile of the speed to the other."""
    assert row.seconds is not None
    return [line(bubble.x, y.at(row.batch / row.seconds.high), bubble.x, y.at(row.batch / row.seconds.low), "leader")]


def bubble_label(bubble: Bubble, place: Box) -> list[str]:
    """The words, and where they are not beside the bubble a line to it."""
    near_x = min(max(bubble.x, place.left), place.right)
    near_y = min(max(bubble.y, place.top), place.bottom)
    distance = math.hypot(near_x - bubble.x, near_y - bubble.y)
    parts = [text((place.left + place.right) / 2, place.bottom - LINE * 0.25, bubble.label, "middle")]
    if distance > bubble.radius + 9:
        rim = bubble.radius / distance
        start = bubble.x + (near_x - bubble.x) * rim, bubble.y + (near_y - bubble.y) * rim
        parts.append(line(*start, near_x, near_y, "leader"))
    return parts


def family_color(label: str) -> str:
    """The network of the paper, the released one, and all others."""
    return "c1" if label.startswith("tmunet_released") else "c0" if label.startswith("tmunet") else "c5"
