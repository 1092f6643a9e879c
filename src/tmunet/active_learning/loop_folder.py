"""Files of an active learning loop: a folder with the start model, the corrected masks and a folder for each round."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.data.cases import natural_key
from tmunet.data.json_object import read_json_object
from tmunet.data.split.splits import Split
from tmunet.training.run_folder import RunFolder


@dataclass(frozen=True)
class RoundFolder:
    """Files of one round, in the order in which they are written; a round is over when it has a decision.

    Attributes:
        loop: the folder of the loop.
        number: from 1.
    """

    loop: Path
    number: int

    @property
    def path(self) -> Path:
        """The folder."""
        return self.loop / f"round-{self.number}"

    @property
    def predictions(self) -> Path:
        """Masks that the model of the round predicts of the images that are not corrected, with `confidence.csv`."""
        return self.path / "predictions"

    @property
    def queue(self) -> Path:
        """These images, least certain first."""
        return self.path / "queue.csv"

    @property
    def to_correct(self) -> Path:
        """The first of them with their predicted masks, as images/ and masks/; written last of what comes before correcting."""
        return self.path / "to_correct"

    @property
    def data(self) -> Path:
        """Data set folder with all corrected images, and with the split; there as a whole or not at all."""
        return self.path / "data"

    @property
    def training(self) -> RunFolder:
        """The training on it."""
        return RunFolder(self.path / "training")

    @property
    def decision_file(self) -> Path:
        """Validation Dice of both models, and which is kept."""
        return self.path / "decision.json"

    @property
    def is_queued(self) -> bool:
        """Whether the round waits for corrected masks, or had them."""
        return self.to_correct.is_dir()

    @property
    def has_data(self) -> bool:
        """Whether the corrected masks of the round are taken."""
        return self.data.is_dir()

    def decision(self) -> dict[str, Any] | None:
        """Read the decision; None before there is one."""
        return read_json_object(self.decision_file) if self.decision_file.is_file() else None

    def split(self) -> Split:
        """Read which corrected images train and which validate."""
        sides = read_json_object(self.data / "split.json")
        return Split(tuple(sides["train"]), tuple(sides["val"]))


@dataclass(frozen=True)
class LoopFolder:
    """Files of a loop.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def settings(self) -> Path:
        """Start model and settings that are the same in every round."""
        return self.path / "loop.json"

    @property
    def start(self) -> Path:
        """Copy of the start model."""
        return self.path / "start"

    @property
    def corrected(self) -> Path:
        """Where the user saves corrected masks, under the names of the images."""
        return self.path / "corrected"

    def rounds(self) -> list[RoundFolder]:
        """The rounds that are begun, in order."""
        names = [path.name for path in self.path.glob("round-*") if path.name.removeprefix("round-").isdecimal()]
        return [RoundFolder(self.path, int(name.removeprefix("round-"))) for name in sorted(names, key=natural_key)]

    def model_of(self, number: int) -> Path:
        """Folder of the model that predicts in a round: the one that was kept in the round before."""
        decision = RoundFolder(self.path, number - 1).decision()
        return self.start if decision is None else self.path / decision["model"]
