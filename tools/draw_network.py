"""Draw TM-UNet from the shapes of its feature maps: `python tools/draw_network.py` writes docs/images/network.svg.

Forward hooks on the stages of `tmunet_b` record what goes in and comes out for an image of 512 x 512 pixels. Skip connections
follow from the shapes: what a decoder stage takes beyond the stage before it has the channels of an encoder map of the same size.
"""

import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from tmunet.files import write_bytes
from tmunet.nn.mstm import MSTMBlock
from tmunet.registry import create_model
from tmunet_lab.plots import UNDATED, style

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "network.svg"
NETWORK, SIDE = "tmunet_b", 512
MEMORY, CONVOLUTION, SKIP = "#c2510c", "#0b62a4", "#7a7a7a"


@dataclass(frozen=True)
class Stage:
    """A stage of the network.

    Attributes:
        name: of its module.
        entering: channels of its input.
        channels: of its output.
        side: height and width of its output, in pixels.
        memory: whether it has an MSTM block.
    """

    name: str
    entering: int
    channels: int
    side: int
    memory: bool


def read_stages(name: str = NETWORK, side: int = SIDE) -> list[Stage]:
    """The stages of a network in the order of its forward pass, from a pass of an image (1, 3, side, side)."""
    model, stages = create_model(name).eval(), []

    def record(stage: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        memory = any(isinstance(part, MSTMBlock) for part in module.modules())
        stages.append(Stage(stage, inputs[0].shape[1], output.shape[1], output.shape[2], memory))

    for stage, module in model.named_children():
        module.register_forward_hook(lambda m, i, o, stage=stage: record(stage, m, i, o))
    with torch.inference_mode():
        model(torch.zeros(1, 3, side, side))
    return stages


def find_skips(stages: list[Stage]) -> list[tuple[Stage, Stage]]:
    """Pairs (encoder stage, decoder stage) that a skip connection joins, by the channels of the joined map."""
    encoder = {(stage.channels, stage.side): stage for stage in stages if stage.name.startswith("encoder")}
    return [
        (encoder[stage.entering - before.channels, stage.side], stage)
        for before, stage in pairwise(stages)
        if stage.name.startswith("decoder") and stage.entering > before.channels
    ]


def draw(stages: list[Stage]) -> Figure:
    """A U: encoder down the left side, decoder up the right one, one level for each resolution."""
    figure = Figure(figsize=(8, 5))
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.92))
    axes.set_axis_off()
    axes.set_title(f"{NETWORK}: channels x height x width of each stage, for an image of 3 x {SIDE} x {SIDE}")
    sides = sorted({SIDE, *(stage.side for stage in stages)}, reverse=True)
    lowest = sides[-1]

    def place(stage: Stage) -> tuple[float, float]:
        level = sides.index(stage.side)
        if stage.name == "head":
            return 9.1, 0.0
        x = 0.55 * level if stage.name.startswith("encoder") else 7.4 - 0.55 * level
        return (x if stage.side > lowest else 3.7), -float(level)

    image = Stage("image", 0, 3, SIDE, memory=False)
    points = {stage.name: place(stage) for stage in stages} | {"image": (0.0, 0.0)}
    _box(axes, image, points["image"])
    for stage in stages:
        _box(axes, stage, points[stage.name])
    for before, stage in pairwise([image, *stages]):
        _arrow(axes, points[before.name], points[stage.name], "#333333", "-")
    for start, end in find_skips(stages):
        _arrow(axes, points[start.name], points[end.name], SKIP, "--")
    for x, color, line, text in (
        (-0.7, CONVOLUTION, "-", "convolutions"),
        (1.0, MEMORY, "-", "with MSTM block (token memory)"),
        (4.5, SKIP, "--", "skip connection (concatenated)"),
    ):
        axes.plot([x, x + 0.35], [-5.65, -5.65], color=color, linestyle=line, linewidth=3 if line == "-" else 1.5)
        axes.text(x + 0.45, -5.65, text, va="center")
    axes.set_xlim(-0.75, 9.85)
    axes.set_ylim(-5.9, 0.5)
    return figure


def _box(axes: Any, stage: Stage, point: tuple[float, float]) -> None:
    color = MEMORY if stage.memory else "#333333" if stage.name in ("image", "head") else CONVOLUTION
    axes.text(
        *point,
        f"{stage.name}\n{stage.channels} x {stage.side} x {stage.side}",
        ha="center",
        va="center",
        color="white",
        zorder=3,
        bbox={"boxstyle": "round,pad=0.45", "facecolor": color, "edgecolor": "none"},
    )


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], color: str, line: str) -> None:
    gap = (
        42 if start[1] == end[1] else 26 if abs(start[0] - end[0]) > 1 else 17
    )  # half the width and half the height of a box, in points
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": color,
            "linestyle": line,
            "linewidth": 1.4,
            "shrinkA": gap,
            "shrinkB": gap,
        },
    )


def svg() -> bytes:
    """The picture as the bytes of its file."""
    content = io.BytesIO()
    with style():
        draw(read_stages()).savefig(content, format="svg", metadata=UNDATED["svg"])
    return content.getvalue()


if __name__ == "__main__":
    write_bytes(PICTURE, svg())
