"""Checkpoints of a training run: written atomically, checked before a run is resumed, and the weights that are kept."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tmunet.errors import ModelError
from tmunet.files import write_bytes


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written inside their folder and renamed.

    Lightning writes to the system's temporary folder and moves the file; where that folder is on another disk, moving is a
    copy, which can be cut off half-way.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the checkpoint; a reader sees the old one or the whole new one."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getvalue())


def check_checkpoint(checkpoint: Path, averages: bool) -> None:
    """Check that a checkpoint can be read, and resumed by a run that keeps a moving average of its weights or none.

    Raises:
        ModelError: it cannot.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged archive leads to
        message = f"{checkpoint}: the checkpoint is damaged; delete it, and the run starts again."
        raise ModelError(message, code="damaged-checkpoint", path=checkpoint) from error
    if averages and "kept_weights" not in state:
        raise ModelError(
            f"{checkpoint}: expected the moving average of the weights with its number of steps, but found that of tmunet "
            "0.1.0, which includes the random start. Delete the checkpoints folder, and the run starts again.",
            code="old-checkpoint",
            path=checkpoint,
        )


def finished_epochs(checkpoint: Path) -> int:
    """Number of epochs that a run has finished, by its last checkpoint; 0 without one."""
    if not checkpoint.exists():
        return 0
    check_checkpoint(checkpoint, averages=False)
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1


def kept_weights(checkpoint: Path, device: torch.device) -> dict[str, torch.Tensor]:
    """The network's weights in a checkpoint: the moving average or the raw weights, whichever had the better validation.

    Without validation images the average, if the run has one.
    """
    saved = torch.load(checkpoint, map_location=device, weights_only=True)
    prefix = "average.module." if saved.get("kept_weights") == "average" else "network."
    return {name.removeprefix(prefix): value for name, value in saved["state_dict"].items() if name.startswith(prefix)}
