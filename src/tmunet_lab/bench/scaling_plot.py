"""Time and memory against the size of the image as a picture, with the slopes."""

from collections.abc import Iterator, Sequence

from tmunet_lab.bench.scaling import Step, slopes
from tmunet_lab.bench.svg import COLORS, LETTER, LIGHT, LINE, LogAxis, document, frame, text

HEIGHT = 500.0
LEFT, PANEL = 70.0, 330.0  # pixels: room for the numbers of an axis, width of a panel
TOP, BOTTOM = 90.0, HEIGHT - 60


def growth_plot(steps: Sequence[Step], machine: str) -> str:
    """An SVG picture of the steps that were run, at least one.

    Args:
        steps: of several networks and sizes.
        machine: what they ran on, for the title.
    """
    labels = list(dict.fromkeys(step.network for step in steps))
    exponents = {row.network: row for row in slopes(steps)}
    run = [step for step in steps if step.seconds and step.peak_bytes]
    times = [(step.network, step.size, step.seconds.median * 1e3) for step in run if step.seconds]
    peaks = [(step.network, step.size, step.peak_bytes / 1e6) for step in run if step.peak_bytes]
    second = LEFT + PANEL + 30 + LETTER * (max(map(len, labels)) + 6) + LEFT  # behind the first panel's labels
    of_time = {label: exponents[label].time for label in labels}
    of_memory = {label: exponents[label].memory for label in labels}
    parts = [
        *_panel(LEFT, times, of_time, "time of an image, ms; slope"),
        *_panel(second, peaks, of_memory, "peak memory, MB; slope of what the image adds"),
    ]
    title = f"Growth with the image, {machine}; slopes over pixels: 1 is in proportion, 2 with the square"
    return document(2 * second - LEFT, HEIGHT, title, parts)


def _panel(
    left: float,
    points: Sequence[tuple[str, int, float]],
    exponents: dict[str, float | None],
    heading: str,
) -> Iterator[str]:
    """Lines of all networks; points are label, size, value."""
    sizes = sorted({size for _, size, _ in points})
    x = LogAxis.around(sizes, left, left + PANEL)
    y = LogAxis.around([value for _, _, value in points], BOTTOM, TOP)
    yield from frame(x, y, "height and width of the image, pixels", heading, x_ticks=sizes)
    last = {label: y.at(value) for label, _, value in points}  # of each line, in the order of sizes
    spread = dict(zip(sorted(last, key=last.__getitem__), _apart(sorted(last.values())), strict=True))
    for index, (label, exponent) in enumerate(exponents.items()):
        own = [(x.at(size), y.at(value)) for name, size, value in points if name == label]
        if not own:
            continue
        color = LIGHT[f"c{index % COLORS}"]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in own)
        yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8"/>'
        yield from (f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in own)
        end = own[-1]
        yield (
            f'<line x1="{end[0]:.1f}" y1="{end[1]:.1f}" x2="{x.end + 8:.1f}" y2="{spread[label]:.1f}" stroke="{color}" '
            'stroke-dasharray="1 3"/>'
        )
        slope = "" if exponent is None else f"  {exponent:.2f}"
        yield text(x.end + 11, spread[label] + 4, label + slope)


def _apart(places: Sequence[float]) -> list[float]:
    """Ascending places, each at least a line of text after the one before."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + LINE) if found else place)
    return found
