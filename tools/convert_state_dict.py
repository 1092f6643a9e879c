"""Convert weights of TM-UNet from tmunet 0.1: one mLSTM cell a direction in place of stacked parameters of both.

    python tools/convert_state_dict.py model.safetensors [--out converted.safetensors]

A model folder is converted by converting its `model.safetensors` in place. Other networks' weights have kept their names.
"""

import argparse
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

DIRECTIONS = ("forward", "backward")


def convert(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and split the entries of the xLSTM layers; all others stay.

    Raises:
        ValueError: there are no stacked directions.
    """
    if not any(".mlstm.qkv_weight" in name for name in weights):
        raise ValueError(
            "Expected weights of a TM-UNet with both directions stacked (`mlstm.qkv_weight`), but found none."
        )
    return {new: value.contiguous() for name in weights for new, value in _entries(name, weights[name])}


def _entries(name: str, value: Tensor) -> list[tuple[str, Tensor]]:
    layer, _, last = name.rpartition(".mlstm.")
    if layer:
        return [entry for n in (0, 1) for entry in _cell(f"{layer}.{DIRECTIONS[n]}_mlstm", last, value, n)]
    before, part, kind = name.rpartition(".")[0].rpartition(".")[0], name.split(".")[-2], name.split(".")[-1]
    if part == "project_in":
        return [(f"{before}.{DIRECTIONS[n]}_linear.{kind}", value.chunk(2)[n]) for n in (0, 1)]
    if part == "project_out":
        return [(f"{before}.out_linear.{kind}", value)]
    return [(name.replace(".refine.", ".dwconv."), value)]


def _cell(cell: str, name: str, value: Tensor, n: int) -> list[tuple[str, Tensor]]:
    """One parameter of both directions -> those of the cell of direction `n`."""
    if name == "qkv_weight":
        return [(f"{cell}.qkv.weight", value.chunk(2)[n])]
    own = value[n]
    if name == "gate_weight":
        to_i, to_f = own.mT.chunk(2)
        return [(f"{cell}.input_gate.weight", to_i), (f"{cell}.forget_gate.weight", to_f)]
    part, _, kind = name.rpartition("_")
    return [(f"{cell}.{part}.{kind}", own.mT if name == "output_gate_weight" else own)]


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, help="default: in place")
    given = parser.parse_args()
    with safe_open(given.weights, "pt") as file:
        metadata, weights = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(convert(weights), given.out or given.weights, metadata)


if __name__ == "__main__":
    main()
