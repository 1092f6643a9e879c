#!/usr/bin/env bash
# Mean IoU of a PERFECT prediction in which one of three classes does not occur: pytorch-ignite 0.5.5 counts the absent class as 0,
# kornia 0.9.0 as 1, torchmetrics 1.9.0 leaves it out. All three call it mIoU and take the number of classes as an argument.
#
# A guess: a perfect prediction has a mean IoU of 1 everywhere; what differs is the case where a class is missed.
#
# Seen with pytorch-ignite 0.5.5, kornia 0.9.0, torchmetrics 1.9.0, torch 2.13.0, 4 x 4 pixels:
#                                             ignite   kornia   torchmetrics
#   perfect, class 2 absent                   0.667    1.0      1.0
#   background found, class 1 missed, 2 absent  0.167    0.5      0.25        (IoU 0.5 and 0)
#
# For users of 2D segmentation: with one image or a small test set "mIoU" differs by a third for the same masks. For us: a class that is
# in neither mask has no score for that image, and tables state over how many images a mean was taken.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 torchmetrics==1.9.0
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps pytorch-ignite==0.5.5 kornia==0.9.0 kornia-rs==0.2.0 packaging==26.3
"$dir/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from ignite.metrics import ConfusionMatrix, mIoU
from kornia.metrics import mean_iou
from torchmetrics.segmentation import MeanIoU

halves = torch.zeros(1, 4, 4, dtype=torch.long)
halves[:, :2] = 1


def three_means(preds, target):
    matrix = ConfusionMatrix(num_classes=3)
    mean = mIoU(matrix)
    matrix.update((torch.nn.functional.one_hot(preds, 3).permute(0, 3, 1, 2).float(), target))
    others = mean_iou(preds, target, 3).mean(), MeanIoU(num_classes=3, input_format="index")(preds, target)
    return [round(float(value), 3) for value in (mean.compute(), *others)]


perfect, missed = three_means(halves, halves), three_means(torch.zeros_like(halves), halves)
print("perfect:       ignite, kornia, torchmetrics", *perfect)
print("class 1 missed: ignite, kornia, torchmetrics", *missed)
assert perfect == [0.667, 1.0, 1.0]
assert missed == [0.167, 0.5, 0.25]
PYTHON
