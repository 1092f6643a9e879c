"""Settings of an active learning loop."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class LoopConfig:
    """Active learning: predict images, correct the masks that are least certain, train on with them, and again.

    Each call goes on to the next step that is yours: masks to correct are in OUT/round-N/to_correct, and corrected masks go
    into OUT/corrected, under the names of the images.
    """

    images: list[str] = field(default_factory=list)
    """Files, folders or glob patterns."""
    model: str | None = None
    """Model to start from: nuclei-t (the default), a run or model folder, or user/name on the Hugging Face Hub."""
    out: str = "loop"
    """Folder of the loop; the same command again goes on there."""
    images_per_round: int = 10
    """Images to correct in a round; more or fewer corrected masks are taken too."""
    val_share: float = 0.25
    """Share of the corrected images that validate and never train; an image that validates once never trains in a later round."""
    recipe: str = "finetune"
    """Name or YAML file of the recipe to train with; network, input size and normalization are those of the model."""
    epochs: int | None = None
    """Number of epochs of each training; by default that of the recipe."""
    seed: int = 0
    """Seed of the trainings, and of the choice of images to validate."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""

    def __post_init__(self) -> None:
        if self.images_per_round < 1:
            raise ValueError(f"Expected `images_per_round` to be at least 1, but got {self.images_per_round}.")
        if not 0 < self.val_share < 1:
            raise ValueError(f"Expected `val_share` to be above 0 and below 1, but got {self.val_share}.")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"Expected `epochs` to be at least 1, but got {self.epochs}.")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"Expected `seed` to be from 0 to {2**32 - 1}, but got {self.seed}.")
