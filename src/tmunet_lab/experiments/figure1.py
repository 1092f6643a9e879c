"""Figure 1: Dice against arithmetic as an SVG picture, the area of a bubble the images per second, a panel for each data set."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tmunet.report.text_layout import wrap
from tmunet_lab.bench.cost_plot import bubble_label, family_color
from tmunet_lab.bench.label_placement import Box, Bubble, place_labels
from tmunet_lab.bench.svg import LETTER, LIGHT, LINE, LogAxis, document, frame, line, text
from tmunet_lab.experiments.captions import block_title, drawn_over, missing_notes
from tmunet_lab.experiments.linear_axis import LinearAxis
from tmunet_lab.experiments.number_format import scaled, seeds
from tmunet_lab.experiments.paper_values import MACHINE, PROTOCOL
from tmunet_lab.experiments.table import Block, Row, Table

PANEL, HEIGHT = 390.0, 300.0  # pixels of the area between the axes
LEFT, ABOVE, BELOW, GAP = 60.0, 48.0, 56.0, 30.0
TOP = 44.0  # room of the title
COLUMNS = 2
LARGEST, SMALLEST, UNTIMED = 22.0, 4.0, 2.0  # pixels, radius


@dataclass(frozen=True)
class Point:
    """A network in a panel.

    Attributes:
        label: what is written beside it; nothing for a point of the paper that is joined to ours.
        color: its name in `PAINT`.
        gmac: of a 3 x 512 x 512 image.
        dice: in percent.
        speed: images per second; None where it was not measured.
        interval: of the Dice, in percent; None for the paper's.
        ours: whether it is filled.
        row: the paper's row that it is or stands for.
    """

    label: str
    color: str
    gmac: float
    dice: float
    speed: float | None
    interval: tuple[float, float] | None
    ours: bool
    row: str


def efficiency_plot(table: Table) -> str:
    """An SVG picture of the blocks of the protocol `paper`, or of the first protocol of a plan without it.

    Args:
        table: ours are drawn where scores and cost are known, the paper's hollow, at its own FLOPs and FPS.
    """
    blocks = [block for block in table.blocks if block.protocol == _protocol(table)]
    points = [list(_points(table, block)) for block in blocks]
    every = [point for panel in points for point in panel]
    columns = min(COLUMNS, len(blocks))
    rows = math.ceil(len(blocks) / columns)
    width = columns * (LEFT + PANEL + GAP)
    parts: list[str] = []
    for index, (block, panel) in enumerate(zip(blocks, points, strict=True)):
        left = LEFT + index % columns * (LEFT + PANEL + GAP)
        top = TOP + ABOVE + index // columns * (ABOVE + HEIGHT + BELOW)
        parts += _panel(block, panel, every, left, top) if panel else _empty(block, left, top)
    bottom = TOP + rows * (ABOVE + HEIGHT + BELOW)
    fastest = max((point.speed or 0 for point in every), default=0)
    parts += _legend(fastest, LEFT, bottom + LARGEST)
    notes = [words for note in _notes(table) for words in wrap(note, _fits(width - LEFT - GAP), 6)]
    below = bottom + 2 * LARGEST + 20
    parts += [text(LEFT, below + LINE * 1.3 * index, words, kind="soft") for index, words in enumerate(notes)]
    return document(width, below + LINE * 1.3 * len(notes) + 10, table.plan.title, parts)


def _protocol(table: Table) -> str:
    return PROTOCOL if PROTOCOL in table.plan.protocols else table.plan.protocols[0]


def _points(table: Table, block: Block) -> Iterator[Point]:
    """The paper's first, so that ours lie over them."""
    ours = [point for row in block.rows if (point := _ours(table, row)) is not None]
    drawn: set[str] = set()
    for row in block.rows:
        printed, dice = table.printed[row.network], row.cells["dice"].paper
        if printed is None or dice is None or row.planned.row in drawn:
            continue
        drawn.add(row.planned.row)
        joined = any(point.row == row.planned.row for point in ours)
        label = "" if joined else f"{row.planned.row} (paper)"
        color = family_color(row.planned.model)
        yield Point(label, color, printed.flops, dice, printed.fps, None, False, row.planned.row)
    yield from ours


def _ours(table: Table, row: Row) -> Point | None:
    estimate, cost = row.cells["dice"].ours, table.costs.get(row.network)
    if estimate is None or cost is None:
        return None
    low, high = estimate.low, estimate.high
    interval = None if low is None or high is None else (scaled("dice", low), scaled("dice", high))
    return Point(
        row.network,
        family_color(row.planned.model),
        cost.macs / 1e9,
        scaled("dice", estimate.mean),
        cost.images_per_second,
        interval,
        True,
        row.planned.row,
    )


def _panel(block: Block, points: Sequence[Point], every: Sequence[Point], left: float, top: float) -> Iterator[str]:
    x = LogAxis.around([point.gmac for point in every], left, left + PANEL)  # the same in all panels
    heights = [height for point in points for height in (point.dice, *(point.interval or ()))]
    room = 0.06 * (max(heights) - min(heights))
    y = LinearAxis.around([min(heights) - room, max(heights) + room], top + HEIGHT, top)
    yield text(left, top - 28, block_title(block), kind="title")
    yield from frame(x, y, "GMAC of one 3 x 512 x 512 image", "Dice, %")
    fastest = max(point.speed or 0 for point in every)
    bubbles = [
        Bubble(x.at(point.gmac), y.at(point.dice), _radius(point.speed, fastest), point.label) for point in points
    ]
    for point, bubble in zip(points, bubbles, strict=True):
        if point.interval:
            yield line(bubble.x, y.at(point.interval[0]), bubble.x, y.at(point.interval[1]), "leader")
    yield from _joints(points, bubbles)
    for point, bubble in sorted(zip(points, bubbles, strict=True), key=lambda pair: -pair[1].radius):
        yield _circle(bubble, point)
    for bubble, place in zip(bubbles, place_labels(bubbles, Box(left, top, left + PANEL, top + HEIGHT)), strict=True):
        if bubble.label:
            yield from bubble_label(bubble, place)


def _joints(points: Sequence[Point], bubbles: Sequence[Bubble]) -> Iterator[str]:
    """From each point of the paper to ours that stand for it."""
    papers = {point.row: bubble for point, bubble in zip(points, bubbles, strict=True) if not point.ours}
    for point, bubble in zip(points, bubbles, strict=True):
        if point.ours and point.row in papers:
            other = papers[point.row]
            yield (
                f'<line x1="{other.x:.1f}" y1="{other.y:.1f}" x2="{bubble.x:.1f}" y2="{bubble.y:.1f}" '
                f'stroke="{LIGHT[point.color]}" stroke-dasharray="1 3"/>'
            )


def _circle(bubble: Bubble, point: Point) -> str:
    filling = f'fill="{LIGHT[point.color]}" fill-opacity="0.55"' if point.ours else 'fill="none"'
    return (
        f'<circle cx="{bubble.x:.1f}" cy="{bubble.y:.1f}" r="{bubble.radius:.1f}" {filling} '
        f'stroke="{LIGHT[point.color]}"/>'
    )


def _empty(block: Block, left: float, top: float) -> Iterator[str]:
    """A panel without points: why it is empty."""
    yield text(left, top - 28, block_title(block), kind="title")
    words = " ".join(missing_notes(block)) or "Empty: the cost of the networks is not known."
    for index, part in enumerate(wrap(words, _fits(PANEL), 12)):
        yield text(left, top + LINE * 1.3 * (index + 1), part, kind="soft")


def _legend(fastest: float, left: float, middle: float) -> Iterator[str]:
    """Circles of three round speeds."""
    if not fastest:
        return
    round_number = 10 ** math.floor(math.log10(fastest))
    yield text(left, middle + 4, "images per second")
    x = left + LETTER * 20
    for speed in (round_number / 10, round_number, fastest):
        radius = _radius(speed, fastest)
        x += radius
        yield f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="{radius:.1f}" fill="none" stroke="{LIGHT["ink"]}"/>'
        words = f"{speed:.3g}"
        yield text(x + radius + 6, middle + 4, words, kind="soft")
        x += radius + 20 + LETTER * len(words)


def _notes(table: Table) -> list[str]:
    every = [row for block in table.blocks for row in block.rows]
    timed = {cost.machine for cost in table.costs.values() if cost.images_per_second is not None}
    machines = "; ".join(sorted(timed)) or "no machine yet"
    ours = (
        f"Filled: ours, mean Dice of {seeds(table.plan.seeds)}, protocol {_protocol(table)}, recipe {table.plan.recipe}; "
        f"lines: 95 % bootstrap interval over {drawn_over(table)}; GMAC counted in full; images per second at "
        f"batch 1 on: {machines}."
    )
    papers = (
        f"Hollow: as the paper prints them, FLOPs counted by hooks on modules, images per second on an {MACHINE}; dotted lines "
        "join them to ours."
    )
    costs = [cost for label, cost in table.costs.items() if any(row.network == label and row.results for row in every)]
    dots = ["The smallest dots were not timed."] if any(cost.images_per_second is None for cost in costs) else []
    left_out = sorted({row.network for row in every} - set(table.costs))
    hollow = [papers] if any(block.printed for block in table.blocks) else []
    return [
        ours,
        *hollow,
        *dots,
        *([f"Not drawn, since the cost is not known: {', '.join(left_out)}."] if left_out else []),
    ]


def _radius(speed: float | None, fastest: float) -> float:
    return UNTIMED if not speed else max(SMALLEST, LARGEST * math.sqrt(speed / fastest))


def _fits(width: float) -> Callable[[str], bool]:
    return lambda words: LETTER * len(words) <= width
