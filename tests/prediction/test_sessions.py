"""Sessions of a model file that a runtime reads, but cannot compute on the images that are given."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tmunet.errors import BackendError
from tmunet.prediction.backends.names import BackendName
from tmunet.prediction.backends.sessions import load

from ..coded_errors import coded

onnx = pytest.importorskip("onnx")
RUNTIMES: dict[BackendName, str] = {"onnx": "onnxruntime", "openvino": "openvino"}


def model(path: Path, sizes: list[tuple[int, int, int, int]], output: str = "FLOAT") -> Path:
    """A network of the sum of its inputs, cast to another number type."""
    kinds, helper = onnx.TensorProto, onnx.helper
    names = [f"x{place}" for place in range(len(sizes))]
    inputs = [
        helper.make_tensor_value_info(name, kinds.FLOAT, list(size)) for name, size in zip(names, sizes, strict=True)
    ]
    nodes = [
        helper.make_node("Sum", names, ["sum"]),
        helper.make_node("Cast", ["sum"], ["y"], to=getattr(kinds, output)),
    ]
    outputs = [helper.make_tensor_value_info("y", getattr(kinds, output), list(sizes[0]))]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> BackendName:
    pytest.importorskip(RUNTIMES[request.param])
    name: BackendName = request.param
    return name


def test_images_of_another_size_are_refused(tmp_path: Path, runtime: BackendName) -> None:
    file = model(tmp_path / "a.onnx", [(1, 3, 16, 16)])
    session = load(runtime, file, 1, "float32")
    with pytest.raises(BackendError, check=coded("not-run", file)):
        session(torch.zeros(1, 3, 16, 24))
    images = torch.arange(768.0).reshape(1, 3, 16, 16)
    np.testing.assert_array_equal(session(images).numpy(), images.numpy())


def test_a_network_of_two_inputs_is_refused(tmp_path: Path, runtime: BackendName) -> None:
    with pytest.raises(BackendError, check=coded("file")):
        load(runtime, model(tmp_path / "a.onnx", [(1, 3, 16, 16)] * 2), 1, "float32")


def test_an_output_that_is_text_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    session = load("onnx", model(tmp_path / "a.onnx", [(1, 3, 16, 16)], output="STRING"), 1, "float32")
    with pytest.raises(BackendError, check=coded("not-run")):
        session(torch.zeros(1, 3, 16, 16))
