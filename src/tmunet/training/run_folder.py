"""Run folder: settings, split, provenance and checkpoints of a training."""

import hashlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tmunet.config import from_mapping, read_yaml, to_yaml
from tmunet.data.dataset import Dataset
from tmunet.data.item_dataset import IN_MEMORY
from tmunet.data.json_object import read_json_object
from tmunet.data.split.leakage import LeakReport
from tmunet.data.split.splits import write_split
from tmunet.errors import DataError, InputError, UsageError
from tmunet.files import write_json, write_text
from tmunet.model_files import CONFIG
from tmunet.temporary import whole_folder
from tmunet.training.train_config import TrainConfig
from tmunet.versions import versions

_PLACE = {"data": "", "out": None, "split": None, "device": "auto", "devices": 1, "nodes": 1, "tensorboard": False}
"""Settings that say where a run computes, not what."""


def _settings_sha256(config: TrainConfig) -> str:
    settings = to_yaml(replace(config, minutes=None, **_PLACE))  # type: ignore[arg-type]
    # a run holds the epochs; runs that began before there was such a setting can be resumed
    return hashlib.sha256(settings.replace("\nminutes: null\n", "\n", 1).encode()).hexdigest()


class RunFolder:
    """The files of a training run.

    Attributes:
        path: the folder.
        config: the resolved settings.
        provenance: data, split, versions, command.
        split: the split that was used, whatever file it came from.
        metrics: one row an epoch.
        checkpoints: folder of the two checkpoints.
        last: checkpoint after the last finished epoch.
        best: checkpoint of the best epoch by the validation images.
        model: the trained model.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.provenance = path / "provenance.json"
        self.split = path / "split.json"
        self.metrics = path / "metrics.csv"
        self.checkpoints = path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.best = self.checkpoints / "best.ckpt"
        self.model = path / "model"

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunFolder) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def is_begun(self) -> bool:
        """Whether the run can be resumed: `start` has written its files."""
        return self.config.is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the trained model is there."""
        return (self.model / CONFIG).is_file()

    def named_data(self) -> Path:
        """The data set folder of the training as it was given, whether it still exists or not."""
        named = Path(self.read_config().data)
        return named.parent if named.suffix == ".json" else named

    def data(self) -> Path:
        """The data set folder of the training.

        Raises:
            InputError: it does not exist, as seen from the current folder.
        """
        folder = self.named_data()
        if str(folder) == IN_MEMORY:
            raise InputError(
                f"{self.config}: the run was trained on a torch Dataset, which is in no folder; give images in a folder with "
                "--data. Such a run cannot be resumed.",
                code="missing-data",
                path=self.config,
            )
        if not folder.is_dir():
            raise InputError(
                f"{self.config}: expected the data set in {folder}, but there is no such folder. Paths there are relative to the "
                "folder in which the training was started: give the command there.",
                code="missing-data",
                path=folder,
            )
        return folder

    def start(
        self,
        config: TrainConfig,
        dataset: Dataset,
        data_hash: str,
        leaks: LeakReport,
        machine: Mapping[str, Any],
        pretrained: Mapping[str, Any] | None = None,
    ) -> None:
        """Write settings, split and provenance before the first epoch.

        Args:
            config: the settings.
            dataset: with the split.
            data_hash: of its training and validation images.
            leaks: data leakage of the split.
            machine: device and processes.
            pretrained: where the weights come from that the training starts from; None is fresh weights.
        """
        provenance = {
            "command": shlex.join(["tmunet", *sys.argv[1:]]),
            "data": dataset.info.name,
            "classes": list(dataset.info.classes),
            "data_sha256": data_hash,
            "split_sha256": dataset.split.sha256,
            "split_sizes": {side: len(names) for side, names in dataset.split.to_dict().items()},
            "leaks": leaks.counts(),
            "seed": config.seed,
            **({} if pretrained is None else {"pretrained": dict(pretrained)}),
            "settings_sha256": _settings_sha256(config),
            "machine": machine,
            "versions": versions(),
        }
        with whole_folder(self.path) as folder:  # a run that is killed here can be started again
            write_split(folder / self.split.name, dataset.split)
            write_json(folder / self.provenance.name, provenance)
            write_text(folder / self.config.name, to_yaml(config))

    def read_config(self) -> TrainConfig:
        """Read the settings of the run.

        Raises:
            UsageError: this is not a run folder, or its settings are damaged.
        """
        if not self.config.is_file():
            message = f"{self.path}: expected a run folder with a {self.config.name}, but found none."
            raise UsageError(message, code="no-run", path=self.path)
        return from_mapping(TrainConfig, read_yaml(self.config), where=self.config)

    def check_settings(self, config: TrainConfig) -> None:
        """Refuse to resume a run whose settings were edited: the schedule of its optimizer was made for the old ones.

        Where the run computes (data set, device, number of processes) may change. Runs of older versions are not checked.

        Raises:
            UsageError: code "settings-changed".
        """
        begun = self.read_provenance().get("settings_sha256")
        if begun is not None and begun != _settings_sha256(config):
            raise UsageError(
                f"{self.config}: was edited since the run began, but its learning rates and its optimizer belong to the old "
                "settings. Put it back, or start a new run in another folder, --out NEW, with the new settings as flags or in a "
                "recipe of your own.",
                code="settings-changed",
                path=self.config,
            )

    def change_settings(self, config: TrainConfig) -> None:
        """Write settings that the run goes on with, which `check_settings` takes from then on."""
        provenance = self.read_provenance()
        if "settings_sha256" in provenance:
            write_json(self.provenance, {**provenance, "settings_sha256": _settings_sha256(config)})
        write_text(self.config, to_yaml(config))

    def check_data(self, data_hash: str, classes: tuple[str, ...]) -> None:
        """Refuse to resume a run whose data set has changed.

        Raises:
            DataError: the training or validation images or masks have changed, or the classes, be it in their order.
        """
        begun = self.read_provenance()
        known = begun.get("classes", list(classes))
        if known != list(classes):  # the masks are the same, so one of the two is wrong
            raise DataError(
                str(self.path),
                [
                    f"the run began with the classes {known}, but dataset.json names {list(classes)} now; put them back, or "
                    "start a new run"
                ],
            )
        if begun["data_sha256"] != data_hash:
            raise DataError(
                str(self.path),
                ["the training or validation images or masks changed since the run began; start a new run"],
            )

    def read_provenance(self) -> dict[str, Any]:
        """Read the provenance that `start` wrote."""
        return read_json_object(self.provenance)

    def describe(
        self, rows: Sequence[Mapping[str, Any]], config: TrainConfig, speed: Mapping[str, float]
    ) -> dict[str, Any]:
        """The provenance of the trained model: what `start` wrote, and the validation scores of the kept epoch."""
        known = self.read_provenance()
        known.pop("settings_sha256", None)  # of the run, not of the model
        by_dice = config.monitor == "val_dice"
        measured = [row for row in rows if row["val_dice" if by_dice else "val_loss"] is not None]
        kept: Mapping[str, Any] = rows[-1]
        if measured and by_dice:
            kept = max(measured, key=lambda row: row["val_dice"])
        elif measured:
            kept = min(measured, key=lambda row: row["val_loss"])
        return {
            **known,
            "recipe": config.recipe,
            "epochs": config.epochs,
            "kept_epoch": kept["epoch"],
            "kept_weights": kept["kept_weights"],
            "val_loss": kept["val_loss"],
            "val_dice": kept["val_dice"],
            **{name: round(value, 1) for name, value in speed.items()},
        }
