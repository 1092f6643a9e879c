"""Checkpoints written whole or not at all.

Lightning writes to the system's temporary folder and moves the file, which is a copy, and can be cut off half-way, where that
folder lies on another disk than the run.
"""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tmunet.files import write_bytes


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own checkpoint files, renamed into place inside their folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the checkpoint; a reader sees the old one or the whole new one."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getvalue())
