"""Workspace folder of one nnU-Net training: its record and its paths."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmunet.config import from_mapping, to_dict
from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.json_object import read_json_object
from tmunet.data.split.splits import Split
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_json

RECORD = "workspace.json"
CONFIGURATION = "2d"
NUMBER = 1
"""nnU-Net's number of the data set; a workspace holds one."""
FOLD = 0
"""nnU-Net's number of our split; a workspace holds one."""


@dataclass(frozen=True)
class Record:
    """Settings of a workspace.

    Attributes:
        data: data set folder.
        split: split file, or None for the data set's own.
        split_sha256: `Split.sha256` of it.
        environment: folder of nnU-Net's environment; may change later.
        trainer: name of nnU-Net's trainer class.
        trainers: folder with trainer classes beside nnU-Net's own, or None.
        memory: GPU memory in GB that nnU-Net's plan aims at, or None for nnU-Net's own 8 GB.
    """

    data: str
    split: str | None
    split_sha256: str
    environment: str
    trainer: str = "nnUNetTrainer"
    trainers: str | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and not self.memory > 0:
            raise ValueError(f"Expected `memory` to be above 0 GB, but got {self.memory}.")


@dataclass(frozen=True)
class Workspace:
    """The folder of one training.

    Attributes:
        folder: holds ``raw/``, ``preprocessed/`` and ``results/`` of nnU-Net, and our ``logs/``, ``masks/`` and records.
        record: its settings.
    """

    folder: Path
    record: Record

    @property
    def dataset_folder(self) -> Path | None:
        """``raw/Dataset001_NAME``; None before it is written."""
        return next(iter(sorted(self.folder.glob(f"raw/Dataset{NUMBER:03d}_*"))), None)

    @property
    def plans(self) -> str:
        """Name of nnU-Net's plans, which contains the memory target."""
        return "nnUNetPlans" if self.record.memory is None else f"nnUNetPlans_{self.record.memory:g}GB"

    @property
    def result(self) -> Path | None:
        """Where nnU-Net writes the trained model; None before the raw data set is written."""
        if self.dataset_folder is None:
            return None
        kind = f"{self.record.trainer}__{self.plans}__{CONFIGURATION}"
        return self.folder / "results" / self.dataset_folder.name / kind / f"fold_{FOLD}"

    @property
    def checkpoint(self) -> Path | None:
        """The final weights; None before training has ended."""
        path = None if self.result is None else self.result / "checkpoint_final.pth"
        return path if path is not None and path.is_file() else None

    @property
    def planned(self) -> Path:
        """Versions in nnU-Net's environment, written when planning and preprocessing are done."""
        return self.folder / "planned.json"

    @property
    def sources(self) -> Path:
        """SHA-256 of each test image's file when it was copied, by the name of its case."""
        return self.folder / "sources.json"

    @property
    def fingerprint(self) -> Path:
        """Training fingerprint: pixel hashes of the train and val images."""
        return self.folder / "seen.json"

    @property
    def predicted(self) -> Path:
        """Label files as nnU-Net writes them."""
        return self.folder / "predicted"

    @property
    def masks(self) -> Path:
        """Mask files, one for each test image."""
        return self.folder / "masks"

    def log(self, step: str) -> Path:
        """Log of nnU-Net in a step."""
        return self.folder / "logs" / f"{step}.log"

    def open_dataset(self) -> Dataset:
        """Open the data set with the split of the training.

        Raises:
            DataError: faults of the data set.
            InputError: its split has changed.
        """
        split = None if self.record.split is None else Path(self.record.split)
        dataset = open_dataset(Path(self.record.data), split)
        _check_split(self, dataset.split)
        return dataset


def make_record(
    dataset: Dataset,
    data: Path,
    split: Path | None,
    environment: Path,
    trainer: str,
    trainers: Path | None,
    memory: float | None,
) -> Record:
    """Make the record of a training, with absolute paths; see `Record`.

    Args:
        dataset: as opened from `data` and `split`.
        data: data set folder or its split file.
        split: split file, or None.
        environment: folder of nnU-Net's environment.
        trainer: name of the trainer class.
        trainers: folder with more trainer classes, or None.
        memory: GPU memory in GB, or None.

    Raises:
        UsageError: `trainers` is no folder, or `memory` is not above 0.
    """
    if trainers is not None and not trainers.is_dir():
        raise UsageError(
            f"Expected `trainers` to be a folder of Python files with trainer classes, but got {trainers}.",
            code="value",
        )

    def absolute(path: Path | None) -> str | None:
        return None if path is None else str(path.absolute())

    try:
        return Record(
            data=str(data.absolute()),
            split=absolute(split),
            split_sha256=dataset.split.sha256,
            environment=str(environment.absolute()),
            trainer=trainer,
            trainers=absolute(trainers),
            memory=memory,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def begin(folder: Path, record: Record) -> Workspace:
    """Create a workspace, or open the one of the same training.

    Args:
        folder: new, empty but for ``environment``, or a workspace with the same record.
        record: settings; the environment may differ from before, and is then the new one.

    Raises:
        UsageError: the folder has the workspace of another training.
        InputError: the folder holds other files or cannot be written.
    """
    if (folder / RECORD).is_file():
        before = open_workspace(folder).record
        other = [
            f"{key} {value!r} instead of {to_dict(before)[key]!r}"
            for key, value in to_dict(record).items()
            if key != "environment" and value != to_dict(before)[key]
        ]
        if other:
            raise UsageError(
                f"{folder}: another training was begun here: asked for is {', '.join(other)}. "
                "Choose another folder, or repeat the call that began it.",
                code="other-training",
                path=folder,
            )
    elif folder.is_file() or (folder.is_dir() and {path.name for path in folder.iterdir()} - {"environment"}):
        raise InputError(
            f"{folder}: expected a new folder or a workspace, but found other files; choose another.",
            code="not-empty",
            path=folder,
        )
    try:
        write_json(folder / RECORD, to_dict(record))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror}. Check the path and its permissions.",
            code="unwritable",
            path=folder,
        ) from error
    return Workspace(folder, record)


def open_workspace(folder: Path, environment: Path | None = None) -> Workspace:
    """Open a workspace.

    Args:
        folder: of the workspace.
        environment: of nnU-Net, if it has moved.

    Raises:
        InputError: it does not exist, or its record is damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InputError(
            f"{folder}: is no workspace of nnU-Net. Begin one with: tmunet nnunet train DATA {folder}",
            code="no-workspace",
            path=folder,
        )
    try:
        record = from_mapping(Record, read_json_object(path), str(path))
    except UsageError as error:
        raise InputError(f"{error} The file was changed; begin a new workspace.", code="changed", path=path) from None
    return Workspace(folder, record if environment is None else replace(record, environment=str(environment)))


def facts_of(workspace: Workspace) -> dict[str, Any]:
    """Collect the provenance of scores: trainer, plans, weights, and versions of nnU-Net and torch."""
    return {
        "model": f"nnU-Net {CONFIGURATION}",
        "workspace": str(workspace.folder),
        "trainer": workspace.record.trainer,
        "plans": workspace.plans,
        "weights_sha256": None if workspace.checkpoint is None else sha256(workspace.checkpoint),
        "nnunet_versions": read_json_object(workspace.planned),
    }


def _check_split(workspace: Workspace, split: Split) -> None:
    if split.sha256 != workspace.record.split_sha256:
        raise InputError(
            f"{workspace.record.data}: the split is not the one that {workspace.folder} was trained on: expected its hash "
            f"to be {workspace.record.split_sha256[:12]}..., but found {split.sha256[:12]}.... Put the split back, or "
            "train in a new folder.",
            code="other-split",
        )
