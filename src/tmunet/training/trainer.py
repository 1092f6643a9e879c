"""Lightning trainer from the settings of a run."""

import logging
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from tmunet.extras import require
from tmunet.training.checkpoints import AtomicCheckpointIO
from tmunet.training.run_folder import RunFolder
from tmunet.training.sync_norm import SyncedNorms
from tmunet.training.train_config import TrainConfig


def build_trainer(config: TrainConfig, run: RunFolder, callbacks: Sequence[Callback], validates: bool) -> pl.Trainer:
    """Build a trainer that writes `checkpoints/last.ckpt` after every epoch and, if it validates, `best.ckpt`, atomically."""
    several = config.devices * config.nodes > 1
    on_cpu = config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available())
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    return pl.Trainer(
        max_epochs=config.epochs,
        accelerator="gpu" if config.device == "cuda" else config.device,
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if several else "auto",
        plugins=[AtomicCheckpointIO(), *([SyncedNorms()] if several and on_cpu else [])],
        sync_batchnorm=several and not on_cpu,
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
        gradient_clip_val=config.optimizer.clip_norm,
        callbacks=[*callbacks, *_checkpoints(config, run, validates)],
        logger=_tensorboard(run) if config.tensorboard else False,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # the training images are sharded by their own sampler; all processes validate on all
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run.path,
    )


def _checkpoints(config: TrainConfig, run: RunFolder, validates: bool) -> list[Callback]:
    monitor, mode = ("val_loss", "min") if config.monitor == "val_loss" else ("val_dice", "max")
    common: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    best = ModelCheckpoint(run.checkpoints, filename=run.best.stem, monitor=monitor, mode=mode, **common)
    last = ModelCheckpoint(run.checkpoints, filename=run.last.stem, **common)
    return [best, last] if validates else [last]  # `last` comes last: it holds what `best` knows


def _tensorboard(run: RunFolder) -> Any:
    require("tensorboard", extra="tensorboard")
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(run.path, name="tensorboard", version="")
