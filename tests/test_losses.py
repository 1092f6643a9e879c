"""The loss of Eq. 9 against independent implementations: MONAI's Dice loss and torch's cross-entropies."""

from functools import partial

import pytest
import torch
from monai.losses import DiceLoss
from torch import nn
from torch.nn import functional as F

from tmunet.labels import IGNORE_LABEL
from tmunet.losses import DeepSupervisionLoss, DiceCELoss, counts, loss_from_config, mean_loss

per_image = partial(DiceCELoss, reduction="none")


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(3, 1, 9, 7, generator=torch.Generator().manual_seed(1))


def labels(classes: int) -> torch.Tensor:
    return torch.randint(classes, (3, 9, 7), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)


def test_binary_is_two_cross_entropy_and_one_dice(logits: torch.Tensor) -> None:
    target = labels(2)
    truth = target.unsqueeze(1).float()
    ce = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((1, 2, 3))
    dice = DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, reduction="none")(logits, truth).flatten()
    torch.testing.assert_close(per_image()(logits, target), 2 * ce + dice, rtol=1e-6, atol=1e-6)


def test_multi_class_is_two_cross_entropy_and_one_dice_without_background() -> None:
    logits = torch.randn(3, 4, 9, 7, generator=torch.Generator().manual_seed(3))
    target = labels(4)
    ce = F.cross_entropy(logits, target.long(), reduction="none").mean((1, 2))
    monai = DiceLoss(
        softmax=True, to_onehot_y=True, include_background=False, smooth_nr=1.0, smooth_dr=1.0, reduction="none"
    )
    dice = monai(logits, target.unsqueeze(1)).flatten(1).mean(1)
    torch.testing.assert_close(per_image()(logits, target), 2 * ce + dice, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("outputs", [1, 3])
def test_ignored_pixels_change_nothing_and_get_no_gradient(outputs: int) -> None:
    logits = torch.randn(1, outputs, 6, 8, generator=torch.Generator().manual_seed(4))
    target = labels(max(outputs, 2))[:1, :6].repeat(1, 1, 2)[:, :, :8]
    target[:, :, 5:] = IGNORE_LABEL
    logits.requires_grad_()
    loss = per_image()(logits, target)
    torch.testing.assert_close(loss, per_image()(logits[..., :5], target[..., :5]))
    loss.sum().backward()
    assert logits.grad is not None
    assert not logits.grad[..., 5:].any()
    assert logits.grad[..., :5].any()


def test_each_image_has_its_own_loss(logits: torch.Tensor) -> None:
    target = labels(2)
    together = per_image()(logits, target)
    single = torch.cat([per_image()(logits[b : b + 1], target[b : b + 1]) for b in range(3)])
    torch.testing.assert_close(together, single)


def test_a_perfect_prediction_costs_nothing_and_an_empty_image_can_be_learned() -> None:
    target = labels(2)
    perfect = (target.unsqueeze(1).float() * 2 - 1) * 50
    assert per_image()(perfect, target).max() < 1e-5
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    per_image(lambda_ce=0.0)(logits, torch.zeros(1, 8, 8, dtype=torch.uint8)).sum().backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_weights_scale_the_terms_and_bfloat16_is_computed_in_float32(logits: torch.Tensor) -> None:
    target = labels(2)
    both = per_image(2.0, 1.0)(logits, target)
    parts = 2 * per_image(1.0, 0.0)(logits, target) + per_image(0.0, 1.0)(logits, target)
    torch.testing.assert_close(both, parts)
    assert per_image()(logits.bfloat16(), target).dtype == torch.float32
    assert per_image()(torch.full((1, 1, 4, 4), -1e4), labels(2)[:1, :4, :4]).isfinite().all()


def test_deep_supervision_weighs_the_losses_of_the_resolutions() -> None:
    random = torch.Generator().manual_seed(4)
    outputs = [torch.randn(3, 1, side, side, generator=random) for side in (16, 8, 4)]
    target = torch.randint(2, (3, 16, 16), generator=random, dtype=torch.uint8)
    target[0, :2, :4] = IGNORE_LABEL
    loss = per_image()
    # nearest pixels of a halved map are the odd ones, of a quartered one the third of each four
    expected = 0.75 * loss(outputs[0], target) + 0.25 * loss(outputs[1], target[:, 1::2, 1::2])
    result = DeepSupervisionLoss(loss, (0.75, 0.25, 0.0))(outputs, target)
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-6)
    with_last = DeepSupervisionLoss(loss, (0.0, 0.0, 1.0))(outputs, target)
    torch.testing.assert_close(with_last, loss(outputs[2], target[:, 2::4, 2::4]), rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="zip"):
        DeepSupervisionLoss(loss, (1.0,))(outputs, target)


@pytest.mark.parametrize("outputs", [1, 3])
def test_an_image_that_is_ignored_whole_costs_nothing_and_stays_finite(outputs: int) -> None:
    logits = torch.randn(2, outputs, 6, 8, requires_grad=True)
    target = labels(2)[:2, :6, :6].repeat(1, 1, 2)[:, :, :8]
    target[1] = IGNORE_LABEL
    loss = per_image()(logits, target)
    assert loss[1] == 0
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[1].any()


def test_a_network_is_supervised_where_it_has_weights_for_it() -> None:
    plain, deep = nn.Identity(), nn.Identity()
    deep.supervision_weights = (0.75, 0.25)  # type: ignore[assignment]
    outputs = [torch.randn(3, 1, 8, 8), torch.randn(3, 1, 4, 4)]
    target = torch.randint(2, (3, 8, 8), dtype=torch.uint8)
    loss = per_image(0.5, 3.0)
    torch.testing.assert_close(loss_from_config(plain, 0.5, 3.0)(outputs[0], target), loss(outputs[0], target))
    expected = DeepSupervisionLoss(loss, (0.75, 0.25))(outputs, target)
    torch.testing.assert_close(loss_from_config(deep, 0.5, 3.0)(outputs, target), expected)


@pytest.mark.parametrize("outputs", [1, 3])
def test_an_image_that_is_ignored_whole_does_not_dilute_the_mean(outputs: int) -> None:
    logits = torch.randn(4, outputs, 6, 8, generator=torch.Generator().manual_seed(6), requires_grad=True)
    target = torch.randint(2, (4, 6, 8), generator=torch.Generator().manual_seed(7), dtype=torch.uint8)
    target[1] = target[2] = IGNORE_LABEL
    assert counts(target).tolist() == [True, False, False, True]
    loss = per_image()
    mean = mean_loss(loss(logits, target), target)
    torch.testing.assert_close(mean, loss(logits[[0, 3]], target[[0, 3]]).mean())
    nothing = mean_loss(loss(logits[1:3], target[1:3]), target[1:3])
    nothing.backward()
    assert nothing == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_default_reduction_is_the_mean_over_images_that_are_not_ignored(logits: torch.Tensor) -> None:
    target = labels(2)
    torch.testing.assert_close(DiceCELoss()(logits, target), per_image()(logits, target).mean())
    target[1] = IGNORE_LABEL
    torch.testing.assert_close(DiceCELoss()(logits, target), per_image()(logits, target)[[0, 2]].mean())
    with pytest.raises(ValueError, match="reduction"):
        DiceCELoss(reduction="total")  # type: ignore[arg-type]


def test_the_sum_is_over_the_images_of_the_batch(logits: torch.Tensor) -> None:
    target = labels(2)
    target[1] = IGNORE_LABEL
    each = per_image()(logits, target)
    assert each[1] == 0
    torch.testing.assert_close(DiceCELoss(reduction="sum")(logits, target), each.sum())
