"""Choice of the device."""

from typing import Literal

import torch

from tmunet.errors import UsageError

Device = Literal["auto", "cpu", "cuda", "mps"]


def choose_device(device: Device) -> torch.device:
    """The torch device of a name; auto is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: the device is not available.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if device not in there:
        raise UsageError(f"Expected `device` to be auto, cuda, mps or cpu, but got {device!r}.", code="device")
    if not there[device]:
        raise UsageError(
            f"Expected `device` to be one that is there, but torch finds no {device}; choose auto or cpu.",
            code="device",
        )
    return torch.device(device)
