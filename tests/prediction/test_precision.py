"""TF32 is allowed where it was asked for, and nowhere else."""

from contextlib import nullcontext
from pathlib import Path

import numpy
import openvino
import openvino.opset13 as ops
import pytest
import torch

from tmunet.errors import BackendError
from tmunet.prediction.backends.names import Precision
from tmunet.prediction.backends.precision import matmul_precision, require_precision
from tmunet.prediction.backends.sessions import create_session, load
from tmunet.registry import create_model
from tmunet_lab.bench.workload import Conditions

from ..coded_errors import coded

CUDA = torch.device("cuda")  # the settings are there without a device


def allowed() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("precision", "expected"), [("float32", False), ("tf32", True), ("bfloat16", True)])
def test_products_and_convolutions_follow_the_precision_and_the_process_gets_its_settings_back(
    precision: Precision, expected: bool
) -> None:
    before = allowed()
    with matmul_precision(CUDA, precision):
        assert allowed() == (expected, expected)
        with matmul_precision(CUDA, "float32"):
            assert allowed() == (False, False)
        assert allowed() == (expected, expected)
    assert allowed() == before
    with pytest.raises(ValueError, match="inside"), matmul_precision(CUDA, precision):
        raise ValueError("inside")
    assert allowed() == before


def test_another_device_leaves_the_settings_alone() -> None:
    before = allowed()
    with matmul_precision(torch.device("cpu"), "float32"):
        assert allowed() == before


def test_tf32_is_refused_where_there_is_none() -> None:
    require_precision("tf32", CUDA)
    network, images = create_model("tmunet_t"), torch.zeros(1, 3, 32, 32)
    for refuse in (
        lambda: create_session("torch", network, images, 1, "tf32"),
        lambda: load("openvino", "no file is read", 1, "tf32"),  # type: ignore[arg-type]
        lambda: Conditions(precision="tf32"),
    ):
        with pytest.raises(BackendError, check=coded("precision")):
            refuse()


def test_openvino_computes_in_bfloat16_or_refuses(tmp_path: Path) -> None:
    images = ops.parameter([1, 3, 32, 32], numpy.float32)
    kernel = ops.constant(torch.rand(4, 3, 3, 3).numpy())
    logits = ops.convolution(images, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    openvino.save_model(openvino.Model([logits], [images]), tmp_path / "model.xml", compress_to_fp16=False)
    capable = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    image = torch.rand(1, 3, 32, 32)
    with nullcontext() if capable else pytest.raises(BackendError, check=coded("precision")):
        lower = load("openvino", tmp_path / "model.xml", 1, "bfloat16")(image)
        assert not torch.equal(lower, load("openvino", tmp_path / "model.xml", 1, "float32")(image))
