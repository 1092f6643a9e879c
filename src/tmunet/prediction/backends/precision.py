"""How PyTorch multiplies float32 on a CUDA device: as it is, or rounded to TF32, which has the same range and 10 bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tmunet.errors import BackendError
from tmunet.prediction.backends.names import Precision


@contextmanager
def matmul_precision(device: torch.device, precision: Precision) -> Iterator[None]:
    """Convolutions and matrix matmul_precision of float32 inside are exact for "float32", and in TF32 for "tf32" and "bfloat16".

    PyTorch by itself takes TF32 for convolutions: its float32 is none on a CUDA device. What stays in float32 beside bfloat16,
    such as the mLSTM's products, loses less in TF32 than the rest does. The settings are those of the whole process; at the end
    they are what they were. Other devices have none of this.
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
    """See that a device has an arithmetic.

    Raises:
        BackendError: it has not.
    """
    if precision == "tf32" and device.type != "cuda":
        raise BackendError(f"tf32 is arithmetic of CUDA devices, and this is {device.type}; take float32 or bfloat16")
