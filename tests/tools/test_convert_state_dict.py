"""Weights of tmunet 0.1 under the names of today: every value goes to one place, in the right order."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tmunet.nn.tmunet import TMUNet


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "convert_state_dict.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stacked(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict as tmunet 0.1 wrote it: parameters of both directions in one tensor."""
    old = {
        name.replace(".dwconv.", ".refine.").replace(".out_linear.", ".project_out."): value
        for name, value in weights.items()
        if "forward_" not in name and "backward_" not in name
    }
    for layer in {name.split(".forward_linear")[0] for name in weights if ".forward_linear" in name}:
        linears, cells = ([f"{layer}.{way}_{part}" for way in ("forward", "backward")] for part in ("linear", "mlstm"))
        for kind in ("weight", "bias"):
            old[f"{layer}.project_in.{kind}"] = torch.cat([weights[f"{linear}.{kind}"] for linear in linears])
            old[f"{layer}.mlstm.norm_{kind}"] = torch.stack([weights[f"{cell}.norm.{kind}"] for cell in cells])
        for gate in ("input_gate", "forget_gate", "output_gate"):
            old[f"{layer}.mlstm.{gate}_bias"] = torch.stack([weights[f"{cell}.{gate}.bias"] for cell in cells])
        old[f"{layer}.mlstm.qkv_weight"] = torch.cat([weights[f"{cell}.qkv.weight"] for cell in cells])
        old[f"{layer}.mlstm.output_gate_weight"] = torch.stack([weights[f"{c}.output_gate.weight"].mT for c in cells])
        old[f"{layer}.mlstm.gate_weight"] = torch.stack(
            [torch.cat([weights[f"{c}.input_gate.weight"], weights[f"{c}.forget_gate.weight"]]).mT for c in cells]
        )
    return old


def test_a_file_is_converted_in_place_and_keeps_its_metadata(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = TMUNet(widths=(4, 4, 8, 8, 8), heads=2, layers=2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    expected, path = network.state_dict(), tmp_path / "model.safetensors"
    save_file({name: value.contiguous() for name, value in stacked(expected).items()}, path, {"format": "pt"})
    monkeypatch.setattr("sys.argv", ["convert_state_dict.py", str(path)])
    tool.main()
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_weights_of_today_are_refused(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match="qkv_weight"):
        tool.convert(TMUNet(widths=(4, 4, 8, 8, 8)).state_dict())
