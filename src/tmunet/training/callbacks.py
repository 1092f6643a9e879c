"""Lightning callbacks: metrics.csv, progress bar, throughput."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from tmunet.files import write_csv
from tmunet.progress import ProgressLines, logger, progress_bar
from tmunet.training.module import SegmentationModule

COLUMNS = ("epoch", "learning_rate", "train_loss", "val_loss", "val_dice", "kept_weights")


class MetricsLog(pl.Callback):
    """Write `metrics.csv`, one row an epoch. The rows are in the checkpoint, so that a resumed run writes the same file."""

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
        """Record the learning rate of the first step of the epoch."""
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
    """Log what is trained and show one bar over all steps, whose estimate of the time left includes validation.

    Where there is no terminal, such as in a log file, the epochs are lines.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None
        self._lines: ProgressLines | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar, at the step where the run starts or is resumed."""
        if trainer.is_global_zero:
            logger.info("%s, on %s.", self._title, pl_module.device)
            total = int(trainer.estimated_stepping_batches)
            bar = {"total": total, "initial": trainer.global_step, "desc": "train", "unit": "step", "smoothing": 0.05}
            self._bar = progress_bar(**bar)
            if self._bar.disable:
                self._lines = ProgressLines(trainer.max_epochs or 0)
                self._lines.start_at(trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance by a step."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch's losses."""
        if self._bar is not None:
            shown = {name: f"{float(value):.3f}" for name, value in sorted(trainer.callback_metrics.items())}
            self._bar.set_postfix({"epoch": f"{trainer.current_epoch + 1}/{trainer.max_epochs}", **shown})
            if self._lines is not None:
                scores = ", ".join(f"{name} {value}" for name, value in shown.items())
                self._lines.show(
                    trainer.current_epoch + 1, f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {scores}"
                )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the bar, also after an interruption."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Throughput(pl.Callback):
    """Measure images per second of the loader and of the training step in the first epoch, and log them once."""

    def __init__(self) -> None:
        self._images, self._loading, self._stepping, self._mark = 0, 0.0, 0.0, 0.0
        self.speed: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Add the time of loading."""
        now = time.perf_counter()
        self._loading += now - self._mark
        self._mark = now

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the time of the step."""
        now = time.perf_counter()
        self._stepping += now - self._mark
        self._mark = now
        self._images += len(batch["case"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the two speeds after the first epoch."""
        if not self.speed and trainer.is_global_zero:
            self.speed = {
                "loader_images_per_s": self._images / self._loading,
                "step_images_per_s": self._images / self._stepping,
            }
            logger.info(
                "Speed: loader with augmentation %.0f images/s, training step %.1f images/s.", *self.speed.values()
            )
