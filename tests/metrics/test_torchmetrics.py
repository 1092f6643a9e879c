"""Metric classes of torchmetrics equal the functions and the protocol, in batches and over processes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tmunet.errors import InputError, UsageError
from tmunet.metrics import (
    StrictProtocol,
    confusion,
    count_objects,
    dice,
    f1,
    hausdorff_distance,
    iou,
    precision,
    presence,
    recall,
)
from tmunet.metrics.torchmetrics import DiceScore, HausdorffDistance, MeanIoU, Precision, Recall

FUNCTIONS = (dice, iou, precision, recall, f1, hausdorff_distance, confusion, count_objects, presence)


def masks(seed: int, images: int = 4, classes: int = 2) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, classes, (images, 9, 11)))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_take_tensors_as_they_take_arrays(function: object) -> None:
    preds, target = masks(0)[0] > 0, masks(1)[0] > 0
    expected = function(preds.numpy(), target.numpy())  # type: ignore[operator]
    assert function(preds, target) == expected  # type: ignore[operator]
    assert function(preds, target.numpy()) == expected  # type: ignore[operator]
    with pytest.raises(InputError):
        function(preds.long(), target.long())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (DiceScore(), dice),
        (MeanIoU(), iou),
        (Precision(), precision),
        (Recall(), recall),
        (HausdorffDistance(), hausdorff_distance),
        (HausdorffDistance(95), lambda a, b: hausdorff_distance(a, b, percentile=95)),
    ],
)
def test_a_class_is_the_mean_of_its_function(metric: DiceScore, function: object) -> None:
    preds, target = masks(0), masks(1)
    expected = np.mean([function(a > 0, b > 0) for a, b in zip(preds, target, strict=True)])  # type: ignore[operator]
    metric.update(preds[:3], target[:3])
    metric.update(preds[3:, None], target[3:, None].bool())
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)
    metric.reset()
    metric.update(preds.float() * 0.51, target)
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)


def test_empty_masks_follow_the_policy_and_an_absent_class_has_no_value() -> None:
    preds, target = torch.zeros(2, 30, 40, dtype=torch.long), torch.zeros(2, 30, 40, dtype=torch.long)
    assert DiceScore()(preds, target).isnan()
    target[0, 3:6, 3:6] = 1  # missed; the other image is a true negative
    assert float(DiceScore()(preds, target)) == 0.5
    assert float(HausdorffDistance()(preds, target)) == 25  # half of the diagonal of 30 x 40
    metric = HausdorffDistance()
    metric.update(preds, target, spacing=[(2.0, 2.0), (1.0, 1.0)])
    assert float(metric.compute()) == 50
    metric.reset()
    metric.update(preds, target, spacing=(0.5, 0.5))
    assert float(metric.compute()) == 12.5


def test_several_classes_have_a_value_each_and_their_mean_without_the_absent() -> None:
    preds, target = masks(2, classes=3), masks(3, classes=3)
    each = DiceScore(num_classes=4, average="none")(preds, target)
    expected = [
        np.mean([StrictProtocol().score(preds=a == k, target=b == k).dice for a, b in zip(preds, target, strict=True)])
        for k in (1, 2)
    ]
    assert each[:2].tolist() == pytest.approx(expected, abs=1e-6)
    assert each[2].isnan()
    assert float(DiceScore(num_classes=4)(preds, target)) == pytest.approx(np.mean(expected), abs=1e-6)


def test_ignored_pixels_count_in_neither_mask_and_ignored_images_not_at_all() -> None:
    preds, target = masks(0), masks(1)
    target[0] = 255
    target[1, :4] = 255
    metric = DiceScore()
    metric.update(preds, target)
    kept = [(preds[1, 4:], target[1, 4:]), (preds[2], target[2]), (preds[3], target[3])]
    assert float(metric.compute()) == pytest.approx(np.mean([dice(a > 0, b > 0) for a, b in kept]), abs=1e-6)
    with pytest.raises(InputError):
        DiceScore(ignore_index=None).update(preds, target)


def test_the_states_of_processes_sum_up() -> None:
    preds, target = masks(0), masks(1)
    whole, parts = DiceScore(), [DiceScore(), DiceScore()]
    whole.update(preds, target)
    parts[0].update(preds[:1], target[:1])
    parts[1].update(preds[1:], target[1:])
    for name, reduce in whole._reductions.items():
        assert reduce is not None
        joined = torch.stack([getattr(part, name) for part in parts])
        setattr(parts[0], name, reduce(joined, dim=0) if reduce is torch.sum else joined.sum(0))
    assert torch.equal(parts[0].compute(), whole.compute())


@pytest.mark.parametrize(
    ("preds", "target"),
    [
        (torch.zeros(2, 3, 9, 9), torch.zeros(2, 9, 9, dtype=torch.long)),
        (torch.full((1, 9, 9), -3.0), torch.zeros(1, 9, 9, dtype=torch.long)),
        (torch.zeros(1, 9, 9), torch.zeros(1, 9, 9)),
        (torch.full((1, 9, 9), 2), torch.zeros(1, 9, 9, dtype=torch.long)),
        (torch.zeros(1, 9, 8, dtype=torch.long), torch.zeros(1, 9, 9, dtype=torch.long)),
    ],
)
def test_what_does_not_fit_is_an_error(preds: Tensor, target: Tensor) -> None:
    with pytest.raises(InputError):
        DiceScore().update(preds, target)


def test_settings_that_do_not_exist_are_errors() -> None:
    for make in (lambda: DiceScore(0), lambda: DiceScore(average="micro"), lambda: HausdorffDistance(90)):  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            make()
