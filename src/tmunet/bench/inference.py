"""Prediction as it is measured: the conditions, and the call that is timed."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from tmunet.bench.candidate import CHANNELS
from tmunet.errors import UsageError


@dataclass(frozen=True)
class Conditions:
    """What holds for every measurement of a run.

    Attributes:
        device: where to compute.
        precision: arithmetic of the network; bfloat16 by autocast.
        threads: of the CPU.
        memory_limit: bytes that one prediction may take on the CPU; on a GPU its memory is the limit.
        seconds: that the calls of one network may take at one size and batch.

    Raises:
        UsageError: there are no threads, or a limit is not above 0.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int = 1
    memory_limit: int = 8_000_000_000
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise UsageError(f"Expected `threads` to be at least 1, but got {self.threads}.")
        if self.memory_limit <= 0 or self.seconds <= 0:
            raise UsageError(
                f"Expected the limits to be above 0, but got {self.memory_limit} bytes and {self.seconds} seconds."
            )

    def synchronise(self) -> None:
        """Wait until the device has finished."""
        if self.device == "cuda":
            torch.cuda.synchronize()


ENGINE = "eager"  # what `inference` runs the network by, as rows of measurements name it


def inference(network: nn.Module, size: int, batch: int, conditions: Conditions) -> Callable[[], Tensor]:
    """A call that predicts one batch of noise, all conditions met; it sets the threads of this process.

    Args:
        network: in eval mode; it is moved to the device.
        size: side of the square images, in pixels.
        batch: number of images.
        conditions: of the run.

    Returns:
        The call; it gives logits (batch, classes, size, size).
    """
    torch.set_num_threads(conditions.threads)
    network.to(conditions.device)
    images = torch.randn(batch, CHANNELS, size, size, generator=torch.Generator().manual_seed(0)).to(conditions.device)
    lower = torch.autocast(conditions.device, torch.bfloat16) if conditions.precision == "bfloat16" else nullcontext()

    def predict() -> Tensor:
        with torch.inference_mode(), lower:
            logits: Tensor = network(images)
        return logits

    return predict
