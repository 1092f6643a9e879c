#!/usr/bin/env bash
# MONAI 1.6.1: compute_hausdorff_distance and compute_average_surface_distance take `spacing` and use it for "euclidean" only. With
# distance_metric="chessboard" or "taxicab" it is dropped without a word: the result is in pixels whatever the spacing says.
# torchmetrics 1.9.0, whose hausdorff_distance has the same three names and the same argument, uses it for all three.
#
# A guess: an argument that is checked for its length and type is used, or refused where it cannot be.
#
# Seen with monai 1.6.1, torchmetrics 1.9.0, torch 2.13.0, SciPy 1.17.1; two squares 10 columns apart, spacing (row, column):
#   (1, 1) / (1, 3) / (3, 1)                            euclidean    chessboard   taxicab
#   MONAI Hausdorff distance                            10  30  10   10  10  10   10  10  10
#   MONAI average surface distance                       8  24   8    8   8   8    8   8   8
#   torchmetrics Hausdorff distance                     10  30  10   10  30  10   10  30  10
#
# For users of 2D segmentation: distances "in mm" of ultrasound or of oblique slices that are counts of pixels. For us: surface
# distances are Euclidean, and a spacing is always used.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 scipy==1.17.1 torchmetrics==1.9.0
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps monai==1.6.1
"$dir/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from torchmetrics.functional.segmentation import hausdorff_distance

preds, target = torch.zeros(2, 1, 1, 32, 32)
preds[..., 5:10, 5:10] = 1
target[..., 5:10, 15:20] = 1
SPACINGS = [1.0, 1.0], [1.0, 3.0], [3.0, 1.0]


def values(function, metric, **options):
    return [
        round(float(function(preds, target, distance_metric=metric, include_background=True, spacing=spacing, **options)), 6)
        for spacing in SPACINGS
    ]


for metric in ("euclidean", "chessboard", "taxicab"):
    furthest = values(compute_hausdorff_distance, metric)
    average = values(compute_average_surface_distance, metric)
    print(metric, "MONAI", furthest, average)
    assert furthest == ([10, 30, 10] if metric == "euclidean" else [10, 10, 10])
    assert average == ([8, 24, 8] if metric == "euclidean" else [8, 8, 8])

preds, target = preds.int(), target.int()
for metric in ("euclidean", "chessboard", "taxicab"):
    found = values(hausdorff_distance, metric, num_classes=1, input_format="one-hot")
    print(metric, "torchmetrics", found)
    assert found == [10, 30, 10]
PYTHON
