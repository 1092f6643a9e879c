"""The metrics of protocol strict as classes of torchmetrics: update with batches, compute over the images, on several processes.

The value of an image is that of `StrictProtocol.score`: of the functions in :mod:`tmunet.metrics.functional`, with the policy for
empty masks. Needs the extra ``torchmetrics``.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from tmunet.errors import InputError, UsageError
from tmunet.extras import require
from tmunet.labels import IGNORE_LABEL
from tmunet.metrics.functional import Spacing
from tmunet.metrics.protocols import Presence, StrictProtocol

require("torchmetrics", extra="torchmetrics")

from torchmetrics import Metric  # noqa: E402  (after the check that it is installed)

__all__ = ["DiceScore", "HausdorffDistance", "MeanIoU", "Precision", "Recall"]


class _MeanOverImages(Metric):
    """Mean of a score over images, for each class; the state is sums, so that processes can be reduced by sums.

    Args:
        num_classes: 1 for masks of one object class, K > 1 for labels 0 to K - 1 with the background, which is not scored.
        average: "macro" is the mean over the classes that an image shows; "none" gives each class, NaN where it is absent.
        ignore_index: label of pixels that count in neither mask; None ignores none.
        kwargs: of `torchmetrics.Metric`.

    Raises:
        UsageError: a value that does not fit.
    """

    full_state_update = False
    field: str  # of `CaseScores`
    total: Tensor
    images: Tensor
    absent: Tensor

    def __init__(
        self,
        num_classes: int = 1,
        average: Literal["macro", "none"] = "macro",
        ignore_index: int | None = IGNORE_LABEL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_classes < 1 or average not in ("macro", "none"):
            raise UsageError(
                f"Expected `num_classes` of at least 1 and `average` macro or none, but got {num_classes} and {average!r}.",
                code="value",
            )
        self.num_classes, self.average, self.ignore_index = num_classes, average, ignore_index
        scored = max(1, num_classes - 1)
        for name in ("total", "images", "absent"):
            self.add_state(name, default=torch.zeros(scored, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, spacing: Spacing | Sequence[Spacing] = (1.0, 1.0)) -> None:
        """Add a batch of masks.

        Args:
            preds: labels (B, H, W) or (B, 1, H, W), integer or boolean; for `num_classes` 1 also probabilities (float), which are
                foreground above 0.5.
            target: labels of the same shape.
            spacing: (row, column) of all images, or one pair for each; distances come out in its unit.

        Raises:
            InputError: shapes differ, floats that are no probabilities, or labels beyond the classes.
        """
        preds, target = self._labels("preds", preds), self._labels("target", target)
        if preds.shape != target.shape:
            raise InputError(f"Expected `preds` and `target` of one shape, but got {preds.shape} and {target.shape}.")
        spacings = _each(spacing, len(target))
        for pred, truth, of_image in zip(preds, target, spacings, strict=True):
            valid = (
                torch.ones_like(truth, dtype=torch.bool) if self.ignore_index is None else truth != self.ignore_index
            )
            if not bool(valid.any()):
                continue
            for place in range(len(self.total)):
                found = StrictProtocol().score(
                    preds=(pred == place + 1) & valid, target=(truth == place + 1) & valid, spacing=of_image
                )
                self.total[place] += getattr(found, self.field)
                self.images[place] += 1
                self.absent[place] += found.outcome is Presence.NEITHER

    def compute(self) -> Tensor:
        """Mean over the images: a scalar, or (classes,) with `average` none; NaN for classes that no image shows."""
        means = torch.where(self.absent < self.images, self.total / self.images.clamp(min=1), torch.nan).float()
        if self.average == "none":
            return means
        return means.nanmean()

    def _labels(self, name: str, values: Tensor) -> Tensor:
        if values.ndim == 4 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 3:
            raise InputError(
                f"Expected `{name}` to be labels (B, H, W) or (B, 1, H, W), but got {tuple(values.shape)}; take the argmax of K "
                "channels first."
            )
        if values.is_floating_point():
            if self.num_classes > 1 or name == "target" or bool((values < 0).any() or (values > 1).any()):
                raise InputError(
                    f"Expected `{name}` to be integer labels"
                    + (", or probabilities between 0 and 1" * (self.num_classes == 1 and name == "preds"))
                    + f", but got {values.dtype}; logits need a sigmoid or an argmax first."
                )
            values = values > 0.5
        labels = values.long()
        beyond = (labels < 0) | (labels >= max(2, self.num_classes))
        if name == "target" and self.ignore_index is not None:
            beyond &= labels != self.ignore_index
        if bool(beyond.any()):
            raise InputError(
                f"Expected `{name}` to have labels 0 to {max(2, self.num_classes) - 1}, but got {int(labels[beyond][0])}."
            )
        return labels


def _each(spacing: Spacing | Sequence[Spacing], images: int) -> list[Spacing]:
    """One spacing for each image."""
    if len(spacing) == 2 and not hasattr(spacing[0], "__len__"):
        return [(float(spacing[0]), float(spacing[1]))] * images  # type: ignore[arg-type]
    if len(spacing) != images:
        raise InputError(f"Expected one `spacing`, or one for each of {images} images, but got {len(spacing)}.")
    return [(float(row), float(column)) for row, column in spacing]  # type: ignore[misc]


class DiceScore(_MeanOverImages):
    """Mean Dice coefficient; see `tmunet.metrics.dice`.

    >>> metric = DiceScore()
    >>> metric.update(torch.tensor([[[0, 1, 1]]]), torch.tensor([[[1, 1, 0]]]))
    >>> metric.compute()
    tensor(0.5000)
    """

    is_differentiable, higher_is_better = False, True
    field = "dice"


class MeanIoU(_MeanOverImages):
    """Mean intersection over union; see `tmunet.metrics.iou`."""

    is_differentiable, higher_is_better = False, True
    field = "iou"


class Precision(_MeanOverImages):
    """Mean precision of the pixels; see `tmunet.metrics.precision`."""

    is_differentiable, higher_is_better = False, True
    field = "precision"


class Recall(_MeanOverImages):
    """Mean recall of the pixels; see `tmunet.metrics.recall`."""

    is_differentiable, higher_is_better = False, True
    field = "recall"


class HausdorffDistance(_MeanOverImages):
    """Mean Hausdorff distance in units of the spacing; see `tmunet.metrics.hausdorff_distance`.

    Args:
        percentile: 100 for HD, 95 for HD95.
        settings: of every metric here.
    """

    is_differentiable, higher_is_better = False, False

    def __init__(self, percentile: Literal[95, 100] = 100, **settings: Any) -> None:
        super().__init__(**settings)
        if percentile not in (95, 100):
            raise UsageError(f"Expected `percentile` to be 95 or 100, but got {percentile}.", code="value")
        self.field = "hd95" if percentile == 95 else "hd"
