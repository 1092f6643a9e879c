"""The Lightning module: training step, validation step, optimizer, moving average of the weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, Self

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tmunet.data.cached_dataset import Batch
from tmunet.data.preprocess import normalize, unit
from tmunet.data.transforms import augment, draw
from tmunet.errors import NonFiniteLossError
from tmunet.labels import IGNORE_LABEL
from tmunet.losses import DiceCELoss, counts, loss_from_config, mean_loss
from tmunet.metrics import EMPTY_POLICY, dice, presence
from tmunet.prediction.postprocess import decide
from tmunet.training.optimizer import build_optimizer, encoder_of, learning_rate_factor
from tmunet.training.train_config import TrainConfig
from tmunet.training.weight_average import moving_average

Weights = Literal["average", "raw"]


@dataclass(frozen=True)
class Validated:
    """Scores of one validation image in one epoch.

    Attributes:
        loss: loss of the image.
        dice: Dice by label, without the background.
        shown: labels in the mask of the image, without the background.
    """

    loss: float
    dice: Mapping[int, float]
    shown: frozenset[int]


class SegmentationModule(pl.LightningModule):
    """A network with the loss of Eq. 9, an optimizer and, if `ema_decay` is set, the moving average of its weights (EMA).

    The average and the raw weights are both validated. `kept_weights` says which were better by the monitored metric in the
    last validation; `val_loss` and `val_dice` are of these.

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
        self.loss = DiceCELoss(config.loss.cross_entropy, config.loss.dice, reduction="none")
        self.training_loss = loss_from_config(network, config.loss.cross_entropy, config.loss.dice)
        decay = config.optimizer.ema_decay
        self.average = None if decay is None else moving_average(network, decay)
        self.kept_weights: Weights = "raw" if self.average is None else "average"
        self.validation: dict[Weights, list[Validated]] = {}
        self.batch: tuple[str, ...] = ()  # names of the images of the step
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set training mode, but for BatchNorm layers of the encoder that are frozen.

        Raises:
            UsageError: they shall be, and the network has no encoder.
        """
        super().train(mode)
        if self.settings.freeze_encoder_batchnorm:
            for module in encoder_of(self.network, "freeze_encoder_batchnorm", without="false").modules():
                if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                    module.eval()
        return self

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Scale to [0, 1], augment (in training) and normalize, on the device."""
        images, masks = unit(batch["image"]), batch["mask"]
        if self.trainer.training:
            config, C = self.settings, images.shape[1]
            draws = [draw(config.augment, C, config.seed, self.current_epoch, case) for case in batch["case"].tolist()]
            images, masks = augment(images, masks, draws)
        return {**batch, "image": normalize(images, self.settings.preprocess.normalize), "mask": masks}

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Mean loss over the images of a batch with a pixel that is not ignored; 0 without a gradient if there is none.

        With several processes each image weighs the same: a process returns its share of the mean over all their batches.

        Raises:
            NonFiniteLossError: the loss of an image is infinite or NaN; the message names the images.
        """
        self.batch = tuple(self.names[case] for case in batch["case"].tolist())
        losses: Tensor = self.training_loss(self.network(batch["image"]), batch["mask"])  # (B,)
        culprits = [
            name for name, finite in zip(self.batch, torch.isfinite(losses).tolist(), strict=True) if not finite
        ]
        if culprits:
            raise self._not_finite("loss", f"for: {', '.join(culprits)}", "Check these images, or lower")
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
        """Check that the gradient is finite, before it reaches the weights.

        Raises:
            NonFiniteLossError: it is not; the message names the first parameter and the images of the batch.
        """
        gradients = {name: p.grad for name, p in self.network.named_parameters() if p.grad is not None}
        if torch.isfinite(torch.nn.utils.get_total_norm(gradients.values())):
            return
        first = next((name for name, g in gradients.items() if not torch.isfinite(g).all()), "its norm")
        raise self._not_finite("gradient", f"though the loss is; first: {first}", "Lower")

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights and their moving average."""
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Reset the scores."""
        self.validation = {}

    def validation_step(self, batch: Batch, _: int) -> None:
        """Score each image at the size of training, with the average and with the raw weights; ignored images are left out."""
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
        """Log the means over the validation images, of the better weights; every process validates on all images."""
        if self.validation:
            means = {
                of: (fmean(image.loss for image in images), mean_dice(images)) for of, images in self.validation.items()
            }
            self.kept_weights = min(means, key=lambda weights: self._cost(*means[weights]))  # the average if equal
            loss, score = means[self.kept_weights]
            self.log("val_loss", loss)
            if score is not None:
                self.log("val_dice", score)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store which weights the validation scores are of."""
        checkpoint["kept_weights"] = self.kept_weights

    def on_train_start(self) -> None:
        """Set the learning rate of a resumed run by the schedule: the checkpoint has that of its own number of epochs."""
        schedule: Any = self.lr_schedulers()
        if schedule.last_epoch > 0:
            rates = [
                base * factor(schedule.last_epoch)
                for base, factor in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
            ]
            for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate

    def configure_optimizers(self) -> Any:
        """Optimizer and learning rate schedule, by step."""
        optimizer = build_optimizer(self.network, self.settings.optimizer)
        factor = learning_rate_factor(self.settings.optimizer, self.steps_per_epoch, self.settings.epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _cost(self, loss: float, score: float | None) -> float:
        """Lower is better: the monitored metric as a cost."""
        if self.settings.monitor == "val_dice":
            return math.inf if score is None else -score
        return math.inf if math.isnan(loss) else loss

    def _not_finite(self, what: str, where: str, advice: str) -> NonFiniteLossError:
        return NonFiniteLossError(
            f"The {what} is not finite in epoch {self.current_epoch + 1}, step {self.global_step + 1}, {where} "
            f"(batch: {', '.join(self.batch)}). The last checkpoint is from the epoch before. {advice} "
            "--optimizer.learning-rate, or set --optimizer.clip-norm 1."
        )


def mean_dice(images: Sequence[Validated]) -> float | None:
    """Mean Dice over validation images; None where no mask shows a class.

    The Dice of an image is the mean over the classes that some validation mask shows, and over false alarms of other classes,
    which score 0: a class that is on no mask adds no 1, and a false alarm never improves an epoch.
    """
    labels = frozenset[int]().union(*(image.shown for image in images))
    if not labels:
        return None
    return fmean(
        fmean(score for label, score in image.dice.items() if label in labels or not score) for image in images
    )


def class_dice(mask: np.ndarray, prediction: np.ndarray, classes: int) -> dict[int, float]:
    """Dice of one image by label, without the background; empty masks by the policy of the protocol strict."""
    valid = mask != IGNORE_LABEL
    scores = {}
    for label in range(1, classes):
        pair = (mask == label) & valid, (prediction == label) & valid
        outcome = presence(*pair)
        scores[label] = EMPTY_POLICY[outcome].overlap if outcome in EMPTY_POLICY else dice(*pair)
    return scores
