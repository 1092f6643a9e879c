"""What one training step and one validation step do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tmunet.data.cached_dataset import Batch
from tmunet.data.normalize import normalize, unit
from tmunet.data.transforms import augment, draw
from tmunet.errors import NonFiniteLossError
from tmunet.labels import IGNORE_LABEL
from tmunet.losses import DiceCELoss, counts, loss_from_config, mean_loss
from tmunet.metrics import EMPTY_POLICY, dice, presence
from tmunet.prediction.postprocess import decide
from tmunet.training.config import TrainConfig
from tmunet.training.schedule import learning_rate_factor
from tmunet.training.weight_average import moving_average

Weights = Literal["average", "raw"]


@dataclass(frozen=True)
class Validated:
    """A validation image in one epoch.

    Attributes:
        loss: its loss.
        dice: of each label but the background.
        shown: the labels that its mask shows, of these.
    """

    loss: float
    dice: Mapping[int, float]
    shown: frozenset[int]


class SegmentationModule(pl.LightningModule):
    """A network, the loss of Eq. 9, an optimizer and, if the settings say so, the moving average of the weights.

    The average and the raw weights, those of the last step, are both validated. `kept_weights` says which did better in the
    last validation by what the settings keep epochs for; `val_loss` and `val_dice` are of these.

    Args:
        network: maps images (B, C, S, S) to logits (B, 1 or K, S, S); in training possibly to logits of several resolutions,
            if it has `supervision_weights`.
        config: the run's settings.
        names: names of the training cases, for messages.
        steps_per_epoch: optimizer steps in an epoch.
    """

    def __init__(self, network: nn.Module, config: TrainConfig, names: Sequence[str], steps_per_epoch: int) -> None:
        super().__init__()
        self.network, self.settings, self.names = network, config, tuple(names)
        self.steps_per_epoch = steps_per_epoch
        self.loss = DiceCELoss(config.loss.cross_entropy, config.loss.dice)
        self.training_loss = loss_from_config(network, config.loss.cross_entropy, config.loss.dice)
        decay = config.optimizer.ema_decay
        self.average = None if decay is None else moving_average(network, decay)
        self.kept_weights: Weights = "raw" if self.average is None else "average"
        self.validation: dict[Weights, list[Validated]] = {}
        self.batch: tuple[str, ...] = ()  # names of the images of the step

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Scale, augment (in training) and normalize on the device."""
        images, masks = unit(batch["image"]), batch["mask"]
        if self.trainer.training:
            config, C = self.settings, images.shape[1]
            draws = [draw(config.augment, C, config.seed, self.current_epoch, case) for case in batch["case"].tolist()]
            images, masks = augment(images, masks, draws)
        return {**batch, "image": normalize(images, self.settings.preprocess.normalize), "mask": masks}

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Mean loss over the images of a batch that have a pixel that counts; 0 without a gradient if there is none.

        Each process gives its part of the mean over the batches of all, of which the trainer takes the mean.

        Raises:
            NonFiniteLossError: the loss of an image is infinite or NaN; the message names the images.
        """
        self.batch = tuple(self.names[case] for case in batch["case"].tolist())
        losses: Tensor = self.training_loss(self.network(batch["image"]), batch["mask"])  # (B,)
        culprits = [
            name for name, finite in zip(self.batch, torch.isfinite(losses).tolist(), strict=True) if not finite
        ]
        if culprits:
            raise self._not_finite("loss", f"for: {', '.join(culprits)}", "Look at these images, or lower")
        own, processes = mean_loss(losses, batch["mask"]), self.trainer.world_size
        images = counts(batch["mask"]).sum()
        total, mean, share = images, own.detach(), 1.0
        if processes > 1:
            sums = torch.stack([images.double(), own.detach().double() * images])
            total, weighted = self.trainer.strategy.reduce(sums, reduce_op="sum")
            mean, share = weighted / total.clamp(min=1), float(images * processes / total.clamp(min=1))
        self.log("train_loss", mean.float(), on_step=False, on_epoch=True, batch_size=int(total))
        return own * share

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """See that the gradient is finite before it reaches the weights: after it, every image would be blamed.

        Raises:
            NonFiniteLossError: it is not; the message names the first parameter and the images of the step.
        """
        gradients = {name: p.grad for name, p in self.network.named_parameters() if p.grad is not None}
        if torch.isfinite(torch.nn.utils.get_total_norm(gradients.values())):
            return
        first = next((name for name, g in gradients.items() if not torch.isfinite(g).all()), "its norm")
        raise self._not_finite("gradient", f"though the loss is; first: {first}", "Lower")

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, and let the average follow."""
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.validation = {}

    def validation_step(self, batch: Batch, _: int) -> None:
        """Score each image with a pixel that counts, at the size of training, by the average and by the raw weights."""
        networks: dict[Weights, nn.Module] = {} if self.average is None else {"average": self.average}
        masks, kept = batch["mask"].cpu().numpy(), counts(batch["mask"]).tolist()
        for weights, network in (networks | {"raw": self.network}).items():
            logits = network(batch["image"])
            losses, classes = self.loss(logits, batch["mask"]).tolist(), max(logits.shape[1], 2)
            for loss, mask, prediction, counted in zip(losses, masks, decide(logits).cpu().numpy(), kept, strict=True):
                if counted:
                    shown = frozenset(np.unique(mask).tolist()) & frozenset(range(1, classes))
                    image = Validated(loss, class_dice(mask, prediction, classes), shown)
                    self.validation.setdefault(weights, []).append(image)

    def on_validation_epoch_end(self) -> None:
        """Means over the validation images, of the better weights; every process has seen all of the images."""
        if self.validation:
            means = {
                of: (fmean(image.loss for image in images), mean_dice(images)) for of, images in self.validation.items()
            }
            self.kept_weights = min(means, key=lambda weights: self._badness(*means[weights]))  # the average if equal
            loss, score = means[self.kept_weights]
            self.log("val_loss", loss)
            if score is not None:
                self.log("val_dice", score)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note whose validation the checkpoint was judged by."""
        checkpoint["kept_weights"] = self.kept_weights

    def configure_optimizers(self) -> Any:
        """The optimizer, and its learning rate as a function of the step."""
        settings = self.settings.optimizer
        optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name](
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        factor = learning_rate_factor(settings, self.steps_per_epoch, self.settings.epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _badness(self, loss: float, score: float | None) -> float:
        """What is lowest of the weights and the epoch that are kept."""
        if self.settings.monitor == "val_dice":
            return math.inf if score is None else -score
        return math.inf if math.isnan(loss) else loss

    def _not_finite(self, what: str, where: str, advice: str) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"The {what} is not finite in epoch {self.current_epoch + 1}, step {self.global_step + 1}, {where} "
            f"(batch: {', '.join(self.batch)}). The last checkpoint is from the epoch before. {advice} "
            "--optimizer.learning_rate, or set --optimizer.clip_norm 1."
        )


def mean_dice(images: Sequence[Validated]) -> float | None:
    """Dice over validation images; None where no mask shows a class.

    The Dice of an image is the mean over the classes that some validation mask shows, and over any other that it is falsely
    said to show, which counts 0: a class that is nowhere adds no 1, and a false alarm never helps an epoch.
    """
    labels = frozenset[int]().union(*(image.shown for image in images))
    if not labels:
        return None
    return fmean(
        fmean(score for label, score in image.dice.items() if label in labels or not score) for image in images
    )


def class_dice(mask: np.ndarray, prediction: np.ndarray, classes: int) -> dict[int, float]:
    """Dice of one image for each label but the background, with the policy for empty masks."""
    valid = mask != IGNORE_LABEL
    scores = {}
    for label in range(1, classes):
        pair = (mask == label) & valid, (prediction == label) & valid
        outcome = presence(*pair)
        scores[label] = EMPTY_POLICY[outcome].overlap if outcome in EMPTY_POLICY else dice(*pair)
    return scores
