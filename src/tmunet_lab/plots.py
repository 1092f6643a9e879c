"""Style of all matplotlib plots, and reproducible SVG and PDF files of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmunet.extras import require
from tmunet.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a dollar in a label is a dollar
    "svg.fonttype": "none",  # text stays text: it can be searched
    "svg.hashsalt": "tmunet",
    "pdf.fonttype": 42,
}
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the project, whatever matplotlibrc says.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="plots")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def save(figure: "Figure", path_without_suffix: Path) -> list[Path]:
    """Write a figure as .svg and .pdf, the same bytes for the same figure; call it inside `style()`."""
    files = []
    for kind, metadata in UNDATED.items():
        content = BytesIO()
        figure.savefig(content, format=kind, metadata=metadata, bbox_inches="tight")
        files.append(path_without_suffix.with_name(f"{path_without_suffix.name}.{kind}"))
        write_bytes(files[-1], content.getvalue())
    return files


def family_color(model: str) -> str:
    """Color of a network by its name: TM-UNet, its released code, all others."""
    return "#c2510c" if model.startswith("tmunet_released") else "#0b62a4" if model.startswith("tmunet") else "#5f5f5f"
