"""The call that is measured, a prediction or a training step, and the conditions of a run."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from tmunet.errors import BackendError, UsageError
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.names import TORCH, BackendName, Precision
from tmunet.prediction.backends.onnx_export import write_onnx
from tmunet.prediction.backends.precision import matmul_precision, require_precision
from tmunet.prediction.backends.sessions import PACKAGES, create_session
from tmunet.training.activation_checkpointing import checkpoint_stages
from tmunet.training.step import training_step
from tmunet_lab.bench.model_spec import CHANNELS, ModelSpec


@dataclass(frozen=True)
class Conditions:
    """Conditions of all measurements of a run.

    Attributes:
        device: where to compute.
        precision: of the network.
        threads: of the CPU.
        memory_limit: bytes that one call may take on the CPU.
        seconds: that the calls of one network may take at one size and batch.
        exports: folder of the ONNX files of backends other than PyTorch.
        training: measure a full training step (forward, loss, backward, Adam) instead of a prediction.
        checkpointing: activation checkpointing in the training step.

    Raises:
        UsageError: there are no threads, a limit is not above 0, or there is no training to checkpoint.
        BackendError: the device does not have the precision.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "float32"
    threads: int = 1
    memory_limit: int = 8_000_000_000
    seconds: float = 60.0
    exports: str = ""
    training: bool = False
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise UsageError(f"Expected `threads` to be at least 1, but got {self.threads}.", code="value")
        if self.memory_limit <= 0 or self.seconds <= 0:
            raise UsageError(
                f"Expected the limits to be above 0, but got {self.memory_limit} bytes and {self.seconds} seconds.",
                code="value",
            )
        if self.checkpointing and not self.training:
            raise UsageError(
                "Expected `training` with `checkpointing`: a prediction keeps no activations.", code="flags"
            )
        require_precision(self.precision, torch.device(self.device))

    def synchronize(self) -> None:
        """Wait until the device has finished."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def network_of(spec: ModelSpec, conditions: Conditions) -> nn.Module:
    """Create the network of a spec as it is measured; see `ModelSpec.create` for errors."""
    network = spec.create()
    return checkpoint_stages(network) if conditions.checkpointing else network


def inference(
    network: nn.Module,
    size: int,
    batch: int,
    conditions: Conditions,
    backend: BackendName = TORCH,
    file: Path | None = None,
) -> Callable[[], Tensor]:
    """Build the call that is measured, on one batch of noise; sets the number of threads of this process.

    Args:
        network: in eval mode; moved to the device. A training step changes its weights.
        size: side of the square images, in pixels.
        batch: number of images.
        conditions: of the run.
        backend: what runs the network.
        file: ONNX file for backends other than PyTorch; see `export`.

    Returns:
        A call that returns logits (batch, classes, size, size), or the loss of a training step.

    Raises:
        BackendError: the backend cannot run this network under these conditions.
        MissingExtraError: its packages are not installed.
    """
    torch.set_num_threads(conditions.threads)
    network.to(conditions.device)
    images = torch.randn(batch, CHANNELS, size, size, generator=torch.Generator().manual_seed(0)).to(conditions.device)
    if conditions.training:
        return _training(network, images, conditions, backend)
    run = create_session(backend, network, images, conditions.threads, conditions.precision, file)
    return lambda: run(images)


def _training(network: nn.Module, images: Tensor, conditions: Conditions, backend: BackendName) -> Callable[[], Tensor]:
    if backend not in (TORCH, "compile"):
        raise BackendError(f"{backend} does not train", code="no-training")
    if backend == "compile" and conditions.checkpointing:
        raise BackendError("compile does not take activation checkpointing", code="checkpointing")
    masks = (torch.rand(images[:, 0].shape, generator=torch.Generator().manual_seed(1)) < 0.5).to(images.device)
    if backend == "compile":
        network.compile(dynamic=False)
    step = training_step(network, images, masks.to(torch.uint8), conditions.precision == "bfloat16")

    def call() -> Tensor:
        with matmul_precision(images.device, conditions.precision):
            return step()

    return call


def export(spec: ModelSpec, network: nn.Module, size: int, conditions: Conditions) -> None:
    """Write the ONNX file that a backend runs, if it needs one that does not exist yet; see `inference` for errors."""
    file = export_path(spec, size, conditions)
    if file is not None and not file.exists():
        write_onnx(optimize_for_inference(network), torch.zeros(1, CHANNELS, size, size), file)


def export_path(spec: ModelSpec, size: int, conditions: Conditions) -> Path | None:
    """Name the ONNX file of a network, shared by all backends that need one; None for PyTorch."""
    if spec.backend not in PACKAGES or conditions.training:
        return None
    network = spec.label.removesuffix(f"@{spec.backend}")
    return Path(conditions.exports) / f"{re.sub(r'[^A-Za-z0-9]+', '-', network)}-{size}.onnx"
