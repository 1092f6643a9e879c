"""Precision of float32 matrix products and convolutions on CUDA devices: float32 or TF32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tmunet.errors import BackendError
from tmunet.prediction.backends.names import Precision


@contextmanager
def matmul_precision(device: torch.device, precision: Precision) -> Iterator[None]:
    """Compute float32 matrix products and convolutions exactly for "float32", in TF32 for "tf32" and "bfloat16".

    PyTorch's default on a CUDA device is TF32 for convolutions. What autocast leaves in float32 beside bfloat16, such as the
    mLSTM's products, loses less in TF32 than the rest in bfloat16. The settings are global to the process and are restored at
    the end. Other devices have no such settings.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        _allow(precision != "float32", precision != "float32")
        yield
    finally:
        _allow(*before)


def _allow(matmul: bool, convolution: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, convolution


def require_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device supports a precision.

    Raises:
        BackendError: it does not.
    """
    if precision == "tf32" and device.type != "cuda":
        raise BackendError(
            f"tf32 is arithmetic of CUDA devices, and this is {device.type}; take float32 or bfloat16", code="precision"
        )
