"""Charts on logarithmic axes as SVG files: they need no plotting package, and follow the reader into dark mode."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

LETTER, LINE = 7.0, 14.0  # pixels: width of a letter, on average, and height of a line, at 12 pixels
BACKGROUND = ("#ffffff", "#16181c")
PAINT = {  # by name: on light ground and in dark mode
    "ink": ("#1c1c1c", "#e8e8e8"),
    "faint": ("#d9d9d9", "#33373d"),
    "soft": ("#6b6b6b", "#a0a4aa"),
    "c0": ("#0b62a4", "#6cb3ee"),
    "c1": ("#c2510c", "#f0965a"),
    "c2": ("#2f7d4f", "#74c796"),
    "c3": ("#7a4fa3", "#b99be0"),
    "c4": ("#a3214e", "#ee7fa3"),
    "c5": ("#5f5f5f", "#a8a8a8"),
}
LIGHT = {
    name: light for name, (light, _) in PAINT.items()
}  # what attributes hold: few programs but browsers know variables
COLORS = 6


class Axis(Protocol):
    """What `frame` needs of an axis: the pixels where it starts and ends, and where values lie."""

    @property
    def start(self) -> float:
        """Pixel of its first value."""

    @property
    def end(self) -> float:
        """Pixel of its last value."""

    def at(self, value: float) -> float:
        """The pixel of a value."""

    def ticks(self) -> list[float]:
        """Round values in range."""


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis.

    Attributes:
        low: value at its start.
        high: value at its end.
        start: pixel of `low`.
        end: pixel of `high`.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float) -> "LogAxis":
        """An axis that leaves a tenth of its length, at least a factor of 1.3, free at both ends."""
        low, high = min(values), max(values)
        room = max(1.3, (high / low) ** 0.1)
        return cls(low / room, high * room, start, end)

    def at(self, value: float) -> float:
        """The pixel of a value.

        >>> LogAxis(1, 100, 0, 200).at(10)
        100.0
        """
        return self.start + (self.end - self.start) * math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[float]:
        """Round values in range: powers of ten with 2 and 5 between them, or powers of ten alone on a long axis.

        >>> LogAxis(3, 60, 0, 1).ticks()
        [5.0, 10.0, 20.0, 50.0]
        """
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if self.high / self.low < 1e4 else (1,)
        ticks = (float(f"{step}e{power}") for power in powers for step in steps)
        return [tick for tick in ticks if self.low <= tick <= self.high]


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Words whose baseline begins, is centerd or ends at a pixel; what they contain is not markup."""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def frame(x: Axis, y: Axis, x_label: str, y_label: str, x_ticks: Sequence[float] | None = None) -> Iterator[str]:
    """Grid, numbers and names of a pair of axes; a number that would lie on the one before it is left out."""
    free = -math.inf
    for tick in x.ticks() if x_ticks is None else x_ticks:
        yield line(x.at(tick), y.start, x.at(tick), y.end, "grid")
        number = f"{tick:g}"
        half = LETTER * len(number) / 2
        if x.at(tick) - half > free:
            yield text(x.at(tick), y.start + 18, number, "middle", "soft")
            free = x.at(tick) + half + 4
    for tick in y.ticks():
        yield line(x.start, y.at(tick), x.end, y.at(tick), "grid")
        yield text(x.start - 8, y.at(tick) + 4, f"{tick:g}", "end", "soft")
    yield text((x.start + x.end) / 2, y.start + 38, x_label, "middle")
    yield text(x.start, y.end - 10, y_label)


def _style() -> str:
    light = [
        f"svg {{ background: {BACKGROUND[0]}; font: 12px system-ui, sans-serif; }}",
        f"text {{ fill: {LIGHT['ink']}; }} .soft {{ fill: {LIGHT['soft']}; }} .title {{ font-size: 15px; font-weight: 600; }}",
        f".grid {{ stroke: {LIGHT['faint']}; }} .leader {{ stroke: {LIGHT['soft']}; stroke-width: 0.8; }}",
    ]
    dark = [f"svg {{ background: {BACKGROUND[1]}; }}"]
    classes = {"ink": ("text", ""), "soft": (".soft", ".leader"), "faint": ("", ".grid")}
    for name, (attribute, color) in PAINT.items():
        for what, css_class in zip(("fill", "stroke"), classes.get(name, ("", "")), strict=True):
            selectors = ", ".join(filter(None, [f'[{what}="{attribute}"]', css_class]))
            dark.append(f"{selectors} {{ {what}: {color}; }}")
    return "\n".join([*light, "@media (prefers-color-scheme: dark) {", *dark, "}"])


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """An SVG file that stands alone."""
    heading = text(16, 26, title, kind="title")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{escape(title)}">\n<style>\n{_style()}\n</style>\n'
        + "\n".join([heading, *parts])
        + "\n</svg>\n"
    )
