"""The FLOPs columns of the paper's Tables 1, 2 and 3 beside our MACs, counted two ways. Nothing is timed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

import tmunet_lab
from tmunet.macs import count_macs
from tmunet.text import table
from tmunet_lab.bench.model_spec import parse_model_spec
from tmunet_lab.bench.thop import hooked

SIZE = (512, 512)  # pixels, as in the paper
AGREEMENT = 0.01  # GMAC: the paper rounds some figures to two decimals and cuts others


@dataclass(frozen=True)
class PrintedFlops:
    """A figure of the paper, and the network here that it stands for.

    Attributes:
        table: 1, 2 or 3.
        row: its name in `paper.yaml`.
        network: name with model_args.
        flops: the figure, in G.
    """

    table: int
    row: str
    network: str
    flops: float


@dataclass(frozen=True)
class ComparedFlops:
    """A figure of the paper beside our MACs."""

    printed: PrintedFlops
    macs: int
    macs_thop: int

    @property
    def reproduced(self) -> bool:
        """Whether the thop count is the paper's figure to its last digit, rounded or cut."""
        return abs(self.macs_thop / 1e9 - self.printed.flops) < AGREEMENT


NETWORKS = (  # table, row in paper.yaml, network
    (1, "U-Net", "unet"),
    (1, "nnUnet", "nnunet"),
    (1, "U-Lite", "ulite"),
    (1, "TinyU-Net", "tinyunet"),
    (1, "Rolling-Unet", "rolling_unet_l"),
    (1, "Zig-RiR", "zigrir"),
    (1, "TM-UNet", "tmunet_released_b"),
    (1, "TM-UNet", "tmunet_b"),
    (2, "none", "tmunet_b:mstm.xlstm=false,mstm.pooling=false,mstm.dwconv=false"),
    (2, "xLSTM", "tmunet_b:mstm.pooling=false,mstm.dwconv=false"),
    (2, "xLSTM, pooling", "tmunet_b:mstm.dwconv=false"),
    (2, "xLSTM, pooling, DWConv", "tmunet_b"),
    (3, "8 to 128", "tmunet_released_t"),
    (3, "16 to 256", "tmunet_released_s"),
    (3, "32 to 512", "tmunet_released_b"),
    (3, "8 to 128", "tmunet_t"),
    (3, "16 to 256", "tmunet_s"),
    (3, "32 to 512", "tmunet_b"),
)


def _read_figures() -> tuple[PrintedFlops, ...]:
    path = Path(tmunet_lab.__file__).parent / "experiments" / "paper.yaml"
    printed = yaml.safe_load(path.read_text("utf-8"))
    return tuple(PrintedFlops(*entry, printed[f"table{entry[0]}"][entry[1]]["flops"]) for entry in NETWORKS)


FIGURES = _read_figures()

REMARKS = """\
The paper's "FLOPs" are multiply-accumulates (MAC) of one 3 x 512 x 512 image, 1 class, as hooks on modules count them (thop).
Hooks do not see matrix products: in the released TM-UNet they miss the memory itself, 10.9 of 17.4 GMAC at its base size.

Not reproduced by any setting that was tried:
- nnUnet, 97.62: the network that nnU-Net plans for 512 x 512 has 59.7 GMAC, or 67.5 by hooks. The tool itself says 466, because
  the authors' package registers its layers more than once; twice the MAC are 119. Of 4 to 8 resolutions, other widths and other
  numbers of convolutions, the nearest is a residual network of 5 resolutions at 97.69, but only with every MAC counted as two.
- U-Lite, 13.68: the authors' network has 3.0, and twice its widths have 10.2; no width, kernel, depth or image size tried fits.
- Zig-RiR, 17.89: the authors' widths give 13.2; of some 300 other sets of widths, only an unnatural one comes within 0.02.
- Table 2, rows 1 to 3: the figures follow neither from the network of the paper's text, above, nor from the released program,
  where leaving out the four token memories leaves 4.83 by hooks, not 5.82.

`tmunet_released_*` is what the authors released, and the paper's figures belong to it. `tmunet_*` is the network of the paper's
text; its normalizations and memories are written so that hooks miss more of it: compare it by the full count."""


def compare(progress: Callable[[str], object] = lambda _: None) -> list[ComparedFlops]:
    """Count the MACs of every network of the tables at 512 x 512.

    Args:
        progress: takes a line before each network.

    Raises:
        MissingExtraError: the package of nnU-Net's layers is not installed.
    """
    counts: dict[str, tuple[int, int]] = {}
    for label in dict.fromkeys(figure.network for figure in FIGURES):
        progress(f"counting {label}")
        network = parse_model_spec(label).create()
        with hooked(network) as thop:  # one forward pass for both counts
            macs = count_macs(network, SIZE)
        counts[label] = macs, sum(thop)
    return [ComparedFlops(figure, *counts[figure.network]) for figure in FIGURES]


def paper_table(rows: list[ComparedFlops]) -> str:
    """Format the tables, with the figures that cannot be reproduced and why."""
    header = ("", "paper, G", "by thop, GMAC", "in full, GMAC", "reproduced", "")
    parts = []
    for number in (1, 2, 3):
        cells = [
            (
                row.printed.row,
                f"{row.printed.flops:.2f}",
                f"{row.macs_thop / 1e9:.3f}",
                f"{row.macs / 1e9:.3f}",
                "yes" if row.reproduced else "no",
                row.printed.network,
            )
            for row in rows
            if row.printed.table == number
        ]
        parts.append(f"Table {number}, FLOPs:\n{table(cells, header)}")
    return "\n\n".join([*parts, REMARKS])
