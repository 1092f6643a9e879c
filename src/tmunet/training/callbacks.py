"""What happens around training: the log, the progress bar, the speed."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from tmunet.files import write_csv
from tmunet.training.module import SegmentationModule

COLUMNS = ("epoch", "learning_rate", "train_loss", "val_loss", "val_dice", "kept_weights")


class MetricsLog(pl.Callback):
    """`metrics.csv`: one row an epoch. The rows live in the checkpoint, so a resumed run writes the same file."""

    def __init__(self, path: Path, module: SegmentationModule) -> None:
        self.path, self._module = path, module
        self.rows: list[dict[str, Any]] = []
        self._learning_rate = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows of the interrupted run."""
        self.rows = [{"kept_weights": "raw", **row} for row in state_dict["rows"]]  # of 0.1.0: without an average

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note the learning rate of the epoch's first step."""
        if batch_idx == 0:
            self._learning_rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row and write the file."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row: dict[str, Any] = {"epoch": trainer.current_epoch + 1, "learning_rate": self._learning_rate}
        row |= {name: values.get(name) for name in COLUMNS[2:-1]}
        self.rows.append(row | {"kept_weights": self._module.kept_weights})
        if trainer.is_global_zero:
            write_csv(self.path, COLUMNS, self.rows)


class ProgressBar(pl.Callback):
    """A line that says what is trained, and one bar over all steps, whose estimate of the time left includes validation."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar where the run starts or continues."""
        if trainer.is_global_zero:
            tqdm.write(f"{self._title}, on {pl_module.device}.")
            total = int(trainer.estimated_stepping_batches)
            self._bar = tqdm(total=total, initial=trainer.global_step, desc="train", unit="step", smoothing=0.05)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on by a step."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch's losses."""
        if self._bar is not None:
            shown = {name: f"{float(value):.3f}" for name, value in sorted(trainer.callback_metrics.items())}
            self._bar.set_postfix({"epoch": f"{trainer.current_epoch + 1}/{trainer.max_epochs}", **shown})

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the bar, also after an interruption."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Throughput(pl.Callback):
    """Images per second of the loader and of the training step, measured in the first epoch and printed once."""

    def __init__(self) -> None:
        self._images, self._loading, self._stepping, self._mark = 0, 0.0, 0.0, 0.0
        self.speed: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The batch has come: what passed was loading."""
        now = time.perf_counter()
        self._loading += now - self._mark
        self._mark = now

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """The step is done: what passed was training."""
        now = time.perf_counter()
        self._stepping += now - self._mark
        self._mark = now
        self._images += len(batch["case"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the two speeds after the first epoch."""
        if not self.speed and trainer.is_global_zero:
            self.speed = {
                "loader_images_per_s": self._images / self._loading,
                "step_images_per_s": self._images / self._stepping,
            }
            tqdm.write(
                f"Speed: loader with augmentation {self.speed['loader_images_per_s']:.0f} images/s, "
                f"training step {self.speed['step_images_per_s']:.1f} images/s."
            )
