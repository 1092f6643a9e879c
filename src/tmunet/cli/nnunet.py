"""`tmunet nnunet`: nnU-Net's raw data sets, and nnU-Net itself on our splits, under our protocols."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmunet.cli.evaluate import refuse_other_scores
from tmunet.cli.parser import parse
from tmunet.cli.paths import file_name
from tmunet.cli.process_setup import prepare_process
from tmunet.cli.score_table import score_table
from tmunet.config import suggest
from tmunet.errors import UsageError
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet_lab.nnunet.programs import Resources


@dataclass(frozen=True)
class NNUNetExportConfig:
    """Export a data set to nnU-Net's raw format: train and val images to imagesTr, test images to imagesTs."""

    data: str
    """Data set folder or its split file."""
    destination: str
    """Folder in which DatasetNNN_NAME is made."""
    number: int = 1
    """NNN, nnU-Net's number of the data set."""
    split: str | None = None
    """Split file; by default split.json of the data set."""


@dataclass(frozen=True)
class NNUNetTrainConfig:
    """Plan, preprocess and train nnU-Net's 2D network with its own programs; repeat the call to resume."""

    data: str
    """Data set folder or its split file."""
    work: str
    """Workspace folder."""
    environment: str | None = None
    """Folder of the Python environment in which nnU-Net is installed; by default WORK/environment."""
    split: str | None = None
    """Split file; by default split.json of the data set."""
    trainer: str = "nnUNetTrainer"
    """nnU-Net trainer class: 1000 epochs; nnUNetTrainer_5epochs, _50epochs and others are shorter."""
    trainers: str | None = None
    """Folder with additional trainer classes."""
    memory: float | None = None
    """GPU memory target of the plan in GB, by default nnU-Net's 8; less makes batches or patches smaller."""
    device: Literal["cuda", "cpu", "mps"] = "cuda"
    """Where to compute."""
    processes: int | None = None
    """Processes for preprocessing and augmentation; by default one a core, at most 8."""


@dataclass(frozen=True)
class NNUNetPredictConfig:
    """Predict the test images; writes masks to WORK/masks."""

    work: str
    """Folder in which nnU-Net was trained."""
    environment: str | None = None
    """Folder of nnU-Net's environment; by default that of the training."""
    device: Literal["cuda", "cpu", "mps"] = "cuda"
    """Where to compute."""
    processes: int | None = None
    """Processes for reading images and writing masks; by default one a core, at most 8."""


@dataclass(frozen=True)
class NNUNetEvaluateConfig:
    """Score the masks in WORK/masks."""

    work: str
    """Folder in which nnU-Net predicted."""
    protocol: str = "strict"
    """strict: native size, every image counts. paper: as the paper's released code, at 512 x 512."""
    out: str | None = None
    """Folder for the scores; by default WORK/evaluation/DATA-test-PROTOCOL."""
    seed: int = 0
    """Seed of the bootstrap intervals."""
    allow_train_images: bool = False
    """Score images although nnU-Net was trained on them or validated with them."""


def run(arguments: Sequence[str]) -> int:
    """Run an action."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: tmunet nnunet ACTION [--help] ...\n")
        print("\n".join(f"  {action:10} {purpose}" for action, (purpose, _) in ACTIONS.items()))
        print("\nThe way back from a raw data set: tmunet import nnunet SOURCE DESTINATION")
        return 0
    action, *rest = arguments
    if action not in ACTIONS:
        raise UsageError(f"There is no action {action!r}.{suggest(action, ACTIONS)}", code="action")
    ACTIONS[action][1](rest)
    return 0


def _export(arguments: Sequence[str]) -> None:
    from tmunet.data.dataset import open_dataset
    from tmunet_lab.nnunet.raw_export import write_nnunet

    positional = {
        "data": "data set folder or its split file",
        "destination": "folder in which DatasetNNN_NAME is made, such as nnU-Net's nnUNet_raw",
    }
    config = parse(NNUNetExportConfig, arguments, "nnunet export", positional=positional)
    dataset = open_dataset(Path(config.data), _path(config.split))
    print(write_nnunet(dataset, Path(config.destination), config.number))


def _train(arguments: Sequence[str]) -> None:
    from tmunet.data.dataset import open_dataset
    from tmunet_lab.nnunet.steps import train
    from tmunet_lab.nnunet.workspace import begin, make_record

    positional = {"data": "data set folder or its split file", "work": "workspace folder"}
    config = parse(NNUNetTrainConfig, arguments, "nnunet train", positional=positional)
    work, split = Path(config.work), _path(config.split)
    record = make_record(
        open_dataset(Path(config.data), split),
        Path(config.data),
        split,
        Path(config.environment or work / "environment"),
        config.trainer,
        _path(config.trainers),
        config.memory,
    )
    train(begin(work, record), _resources(config))
    print(f"nnU-Net is trained. Next: tmunet nnunet predict {shlex.quote(config.work)} --device {config.device}")


def _predict(arguments: Sequence[str]) -> None:
    from tmunet_lab.nnunet.steps import predict
    from tmunet_lab.nnunet.workspace import open_workspace

    positional = {"work": "folder in which nnU-Net was trained"}
    config = parse(NNUNetPredictConfig, arguments, "nnunet predict", positional=positional)
    workspace = open_workspace(Path(config.work), _path(config.environment))
    count = predict(workspace, _resources(config))
    print(f"{pluralize(count, 'mask')} in {workspace.masks}. Next: tmunet nnunet evaluate {shlex.quote(config.work)}")


def _evaluate(arguments: Sequence[str]) -> None:
    config = parse(
        NNUNetEvaluateConfig, arguments, "nnunet evaluate", positional={"work": "folder in which nnU-Net predicted"}
    )
    prepare_process()
    from tmunet.data.fingerprint import read_fingerprint
    from tmunet.metrics import get_protocol
    from tmunet.versions import versions
    from tmunet_lab.nnunet.scores import score_masks
    from tmunet_lab.nnunet.workspace import facts_of, open_workspace

    protocol = get_protocol(config.protocol)
    workspace = open_workspace(Path(config.work))
    dataset = workspace.open_dataset()
    facts = {"command": shlex.join(["tmunet", *sys.argv[1:]]), **facts_of(workspace), "versions": versions()}
    fingerprint = read_fingerprint(workspace.fingerprint)
    evaluation = score_masks(
        workspace.masks, dataset, fingerprint, protocol, config.seed, facts, config.allow_train_images
    )
    folder = Path(
        config.out or workspace.folder / "evaluation" / f"{file_name(dataset.info.name)}-test-{protocol.name}"
    )
    known = ("split_sha256", "images_sha256")
    refuse_other_scores(folder, protocol.name, {name: evaluation.facts[name] for name in known})
    evaluation.write(folder)
    print(f"{score_table(evaluation)}\n\nScores: {folder / 'per_image.csv'}, {folder / 'summary.json'}")


def _resources(config: NNUNetTrainConfig | NNUNetPredictConfig) -> "Resources":
    from tmunet_lab.nnunet.programs import Resources

    return Resources(config.device, config.processes, lambda line: print(line, file=sys.stderr))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


ACTIONS: dict[str, tuple[str, Callable[[Sequence[str]], None]]] = {
    "export": ("export a data set to nnU-Net's raw format", _export),
    "train": ("train nnU-Net, in its own environment, on the split", _train),
    "predict": ("predict the test images", _predict),
    "evaluate": ("score the predicted masks", _evaluate),
}
