"""`tmunet nnunet`: work with nnU-Net's raw data sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tmunet.cli.arguments import parse
from tmunet.config import suggest
from tmunet.errors import UsageError

ACTIONS = {"export": "write a data set as nnU-Net's raw data set"}


@dataclass(frozen=True)
class ExportConfig:
    """Write a data set as nnU-Net's raw data set: training and validation images to imagesTr, test images to imagesTs."""

    data: str
    """Data set folder or its split file."""
    destination: str
    """Folder in which DatasetNNN_NAME is made."""
    number: int = 1
    """NNN, nnU-Net's number of the data set."""
    split: str | None = None
    """Split file; by default split.json of the data set."""


def run(arguments: Sequence[str]) -> int:
    """Find the action, and do it."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: tmunet nnunet ACTION [--help] ...\n")
        print("\n".join(f"  {action:10} {purpose}" for action, purpose in ACTIONS.items()))
        print("\nThe way back: tmunet import nnunet SOURCE DESTINATION")
        return 0
    action, *rest = arguments
    if action not in ACTIONS:
        raise UsageError(f"There is no action {action!r}.{suggest(action, ACTIONS)}")
    return _export(rest)


def _export(arguments: Sequence[str]) -> int:
    from tmunet.data.dataset import open_dataset
    from tmunet.data.nnunet_raw import write_nnunet

    positional = {
        "data": "data set folder or its split file",
        "destination": "folder in which DatasetNNN_NAME is made, such as nnU-Net's nnUNet_raw",
    }
    config = parse(ExportConfig, arguments, "nnunet export", positional=positional)
    dataset = open_dataset(Path(config.data), Path(config.split) if config.split else None)
    print(write_nnunet(dataset, Path(config.destination), config.number))
    return 0
