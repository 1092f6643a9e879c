"""Plots of measurements with matplotlib: cost against throughput, and scaling with the image size."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tmunet.extras import require
from tmunet_lab.bench.measure import Measurement
from tmunet_lab.bench.scaling import ScalingPoint, fit_scaling
from tmunet_lab.plots import family_color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT = 8.0  # points, of labels
LARGEST, SMALLEST = 20.0, 2.0  # points, radius of a bubble
GAPS = (3.0, 10.0, 20.0, 35.0, 55.0, 80.0)  # points between a bubble and its label, tried from near to far
ANGLES = tuple(index * math.pi / 8 for index in (0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 3, 13, 5, 11, 7, 9))


def cost_plot(rows: Sequence[Measurement], machine: str) -> "Figure":
    """Plot MACs against images per second, one bubble a network, its area the number of parameters.

    Args:
        rows: at least one, all timed at one size and batch.
        machine: what they ran on, for the title.
    """
    figure, axes = _figure(1, (9.6, 6.0))
    first, most = rows[0], max(row.parameters for row in rows)
    bubbles = []
    for row in sorted(rows, key=lambda row: -row.parameters):
        assert row.seconds is not None
        x, y = (row.macs or 0) / 1e9, row.batch / row.seconds.median
        radius = max(SMALLEST, LARGEST * math.sqrt(row.parameters / most))
        color = family_color(row.network)
        axes[0].scatter(x, y, s=(2 * radius) ** 2, color=color, alpha=0.55, gid=f"bubble {row.network}")
        axes[0].vlines(x, row.batch / row.seconds.high, row.batch / row.seconds.low, color="#6b6b6b", linewidth=1)
        bubbles.append((x, y, radius, row.network))
    axes[0].set(xscale="log", yscale="log", xlabel="GMACs of one image", ylabel="images per second")
    axes[0].margins(0.08)
    axes[0].set_title(
        f"{first.work}, {first.size} x {first.size} pixels, batch {first.batch}; {machine}\n"
        f"area: parameters, at most {most / 1e6:.1f} million; bar: quartiles"
    )
    _label(axes[0], bubbles)
    return figure


def scaling_plot(points: Sequence[ScalingPoint], machine: str) -> "Figure":
    """Plot latency and peak memory against the image size, with the fitted exponents.

    Args:
        points: of several networks and sizes; at least one was run.
        machine: what they ran on, for the title.
    """
    figure, (latency, memory) = _figure(2, (11.0, 5.0))
    run = [point for point in points if point.seconds and point.peak_bytes]
    for fit in fit_scaling(points):
        own = [point for point in run if point.network == fit.network]
        if not own:
            continue
        sizes = [point.size for point in own]
        times = [point.seconds.median * 1e3 for point in own if point.seconds]
        peaks = [point.peak_bytes / 1e6 for point in own if point.peak_bytes]
        for axes, values, exponent in ((latency, times, fit.time), (memory, peaks, fit.memory)):
            label = fit.network if exponent is None else f"{fit.network}  {exponent:.2f}"
            axes.plot(sizes, values, marker="o", markersize=4, label=label, gid=f"line {fit.network}")
    ticks = sorted({point.size for point in run})
    for axes, ylabel in ((latency, "latency, ms"), (memory, "peak memory, MB")):
        axes.set(xscale="log", yscale="log", xlabel="height and width, pixels", ylabel=ylabel)
        axes.set_xticks(ticks, labels=map(str, ticks))
        axes.set_xticks([], minor=True)
        axes.legend()
    figure.suptitle(f"Scaling with the image size, {machine}; exponents over pixels: 1 is linear, 2 quadratic")
    return figure


def _figure(columns: int, inches: tuple[float, float]) -> tuple["Figure", list[Any]]:
    figure = require("matplotlib.figure", extra="plots").Figure(figsize=inches, layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _label(axes: Any, bubbles: Sequence[tuple[float, float, float, str]]) -> None:
    """Write each label (x, y, radius, text) at the nearest position that covers no other label or bubble."""
    bounds = require("matplotlib.transforms", extra="plots").Bbox.from_bounds
    text = require("matplotlib.text", extra="plots")
    axes.figure.draw_without_rendering()  # the layout is final from here on
    axes.figure.set_layout_engine("none")
    scale = axes.figure.dpi / 72  # pixels in a point
    centers = [axes.transData.transform((x, y)) for x, y, _, _ in bubbles]
    taken = [
        bounds(cx - r * scale, cy - r * scale, 2 * r * scale, 2 * r * scale)
        for (cx, cy), (_, _, r, _) in zip(centers, bubbles, strict=True)
    ]
    area = axes.get_window_extent()

    def inside(box: Any) -> bool:
        return bool(area.x0 <= box.x0 and box.x1 <= area.x1 and area.y0 <= box.y0 and box.y1 <= area.y1)

    for (cx, cy), (x, y, radius, label) in sorted(zip(centers, bubbles, strict=True), key=lambda pair: pair[1][2]):
        extent = text.Text(0, 0, label, figure=axes.figure, fontsize=FONT).get_window_extent()
        width, height = extent.width, extent.height
        boxes = {
            (gap, dx, dy): bounds(cx + dx * scale - width / 2, cy + dy * scale - height / 2, width, height)
            for gap, dx, dy in _offsets(radius, width / scale, height / scale)
        }
        offsets = [offset for offset, box in boxes.items() if inside(box)] or list(boxes)
        gap, dx, dy = best = min(offsets, key=lambda offset: boxes[offset].count_overlaps(taken))  # the first of equals
        taken.append(boxes[best])
        line = {"arrowstyle": "-", "color": "#6b6b6b", "linewidth": 0.7} if gap > GAPS[1] else None
        axes.annotate(
            *(label, (x, y), (dx, dy)),
            **{"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": FONT, "arrowprops": line},
        )


def _offsets(radius: float, width: float, height: float) -> Iterator[tuple[float, float, float]]:
    """Gap and center (x, y) of a label around a bubble, in points, from near to far."""
    for gap in GAPS:
        for angle in ANGLES:
            yield gap, (radius + gap + width / 2) * math.cos(angle), (radius + gap + height / 2) * math.sin(angle)
