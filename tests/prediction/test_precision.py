"""TF32 is allowed where it was asked for, and nowhere else."""

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
