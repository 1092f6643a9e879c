"""Exported networks compute what PyTorch computes, with statistics of real images; and what the rewriting does to a graph."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.input_size import input_size_of
from tmunet.prediction.backends.names import BackendName
from tmunet.prediction.backends.onnx_export import write_onnx
from tmunet.prediction.backends.onnx_rewrite import rewrite_for_runtimes
from tmunet.prediction.backends.sessions import load
from tmunet.registry import create_model, list_models

from .exported import SAMPLE

TOLERANCE = 1e-4  # of the largest logit
BACKENDS: tuple[BackendName, ...] = ("onnx", "openvino")
EXPORTED = [name for name in list_models() if name != "zigrir"]  # ONNX lacks an operation of it


def sample(count: int, start: int, height: int, width: int) -> Tensor:
    """Sample images (count, 3, height, width), each of mean 0 and variance 1."""
    files = sorted(SAMPLE.iterdir())[start :: len(list(SAMPLE.iterdir())) // count][:count]
    pixels = [np.asarray(Image.open(file).convert("RGB").resize((width, height)), np.float32) for file in files]
    return torch.stack([torch.from_numpy((one - one.mean()) / one.std()).permute(2, 0, 1) for one in pixels])


@torch.no_grad()
def assert_runtimes_agree(network: nn.Module, images: Tensor, file: Path) -> None:
    write_onnx(optimize_for_inference(network), images[:1], file)
    expected = network(images)
    for backend in BACKENDS:
        difference = (load(backend, file, 1, "float32")(images) - expected).abs().max() / expected.abs().max()
        assert difference <= TOLERANCE, backend


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_network_computes_what_pytorch_computes(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=2).train()
    size = input_size_of(network).nearest(64, 64)
    for start in range(3):  # running statistics of a fresh network hide what OpenVINO does to U-Lite
        network(sample(4, start, *size))
    assert_runtimes_agree(network.eval(), sample(2, 5, *size), tmp_path / "model.onnx")


@pytest.mark.parametrize("activation", [nn.GELU(), nn.SiLU(), nn.ReLU()], ids=["gelu", "silu", "relu"])
def test_an_activation_stays_behind_its_max_pooling(activation: nn.Module, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.MaxPool2d(2), activation).eval()
    assert_runtimes_agree(network, torch.randn(1, 3, 16, 24), tmp_path / "model.onnx")


def test_bicubic_upsampling_is_that_of_pytorch(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2, mode="bicubic")).eval()
    assert_runtimes_agree(network, torch.randn(1, 3, 7, 10), tmp_path / "model.onnx")
    (resize,) = (node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "Resize")
    assert {one.name: one.i for one in resize.attribute}["antialias"] == 1


def one_node(operator: str, inputs: list[str], constants: dict[str, list[float]], **settings: Any) -> onnx.ModelProto:
    """The operator on `x` (1, 2, 11, 9), and a GELU after it."""
    nodes = [helper.make_node(operator, inputs, ["y"], "node", **settings), helper.make_node("Gelu", ["y"], ["z"])]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 11, 9])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, "rows", "columns"])],
        [numpy_helper.from_array(np.array(values, np.float32), name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(1, 2, 11, 9)).astype(np.float32)
    result: np.ndarray = session.run(None, {"x": x})[0]
    return result


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 3], "dilations": [2, 1], "pads": [1, 1, 1, 1], "ceil_mode": 1},
        {"kernel_shape": [4, 1]},
    ],
)
def test_two_poolings_are_one(settings: dict[str, Any]) -> None:
    before = one_node("MaxPool", ["x"], {}, **settings)
    after = copy.deepcopy(before)
    rewrite_for_runtimes(after)
    onnx.checker.check_model(after, full_check=True)
    assert [node.op_type for node in after.graph.node] == ["MaxPool", "MaxPool", "Gelu"]
    np.testing.assert_array_equal(run(after), run(before))


@pytest.mark.parametrize(
    ("scales", "mode", "coordinates", "antialias"),
    [
        ([1, 1, 2, 2], "cubic", "half_pixel", 1),
        ([1, 1, 1, 2.6], "cubic", "half_pixel", 1),
        ([1, 1, 0.5, 2], "cubic", "half_pixel", 0),  # smaller: another function
        ([1, 1, 2, 2], "cubic", "align_corners", 0),
        ([1, 1, 2, 2], "linear", "half_pixel", 0),
    ],
)
def test_only_an_enlarging_cubic_resize_is_rewritten(
    scales: list[float], mode: str, coordinates: str, antialias: int
) -> None:
    before = one_node(
        "Resize",
        ["x", "", "scales"],
        {"scales": scales},
        mode=mode,
        coordinate_transformation_mode=coordinates,
        antialias=0,
        cubic_coeff_a=-0.75,
    )
    after = copy.deepcopy(before)
    rewrite_for_runtimes(after)
    assert {one.name: one.i for one in after.graph.node[0].attribute}["antialias"] == antialias
    np.testing.assert_allclose(run(after), run(before), atol=1e-5)
