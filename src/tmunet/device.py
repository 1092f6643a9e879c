"""Where to compute."""

from typing import Literal

import torch

from tmunet.errors import UsageError

Device = Literal["auto", "cpu", "cuda", "mps"]


def choose_device(device: Device) -> torch.device:
    """The device meant by a name.

    Raises:
        UsageError: the named device is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if device not in there:
        raise UsageError(f"Expected `device` to be auto, cuda, mps or cpu, but got {device!r}.")
    if not there[device]:
        raise UsageError(f"Expected `device` to be one that is there, but torch finds no {device}; choose auto or cpu.")
    return torch.device(device)
