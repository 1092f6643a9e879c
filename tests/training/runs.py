"""Short runs, in this process and as real ones."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tmunet.config import from_mapping
from tmunet.training.fit import train
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig

from ..interrupts import hear_interrupts

# everything that has a state: moving average, warm-up, clipping, augmentation, more than one step in an epoch
SETTINGS: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 4,
    "preprocess": {"size": 32, "normalize": "image"},
    "optimizer": {
        "name": "adamw",
        "learning_rate": 3e-3,
        "schedule": "cosine",
        "warmup_epochs": 1,
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "ema_decay": 0.9,
    },
    "augment": {"horizontal_flip": 0.5, "quarter_turns": True, "zoom": 1.2, "contrast": 0.2},
    "monitor": "val_dice",
    "device": "cpu",
}


def run_here(data: Path, out: Path, **settings: Any) -> RunFolder:
    values = {**SETTINGS, **settings, "data": str(data), "out": str(out)}
    return train(from_mapping(TrainConfig, values, where="test"))


def start(*arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A real `tmunet train`, on one thread so that sums come in one order."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, "-m", "tmunet", "train", *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def recipe_file(folder: Path, **settings: Any) -> Path:
    import yaml

    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **settings}))
    return path


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def same_weights(first: Path, second: Path) -> bool:
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
