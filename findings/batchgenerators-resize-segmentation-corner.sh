#!/usr/bin/env bash
# resize_segmentation of batchgenerators 0.25.1 (nnU-Net resamples its reference masks with it, order 1) resizes each label by itself
# and takes it where it reaches 0.5. Where four labels meet none does, and the pixel becomes 0: background, a label that the map may
# not hold at all. Where two labels share a pixel half and half, the HIGHER number takes it: borders move towards low numbers, so a
# class gains or loses area by the number that it was given.
#
# A guess: the label of the largest share (as nearest neighbor on a finer grid would give), and no label that was not there.
#
# Seen with batchgenerators 0.25.1, NumPy 1.26.4, scikit-image 0.26.0, 16 x 16 pixels in four quarters of labels 1 2 / 3 4, order 1:
#   to 9 x 9:   0: 1, 1: 16, 2: 20, 3: 20, 4: 24 pixels    (a hole of background in the middle)
#   to 23 x 23: 0: 1, 1: 121, 2: 132, 3: 132, 4: 143
#   the numbers 1 and 4 exchanged: their areas are exchanged too
#   to 8 x 8 and 32 x 32 (whole factors): 16 and 256 each, no background
#   a map of one-pixel regions, 16 x 16 to 24 x 24, labels 1 to 4: 36 pixels of background
#
# For users of 2D segmentation: touching structures (layers of a retina, cells by class) get specks of background in the reference
# that a network is trained and scored on. For us: masks are resized by nearest neighbor, which invents no label.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check numpy==1.26.4 scipy==1.17.1 scikit-image==0.26.0 pandas==2.2.3
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps batchgenerators==0.25.1
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
from batchgenerators.augmentations.utils import resize_segmentation


def areas(labels, side):
    values, counts = np.unique(resize_segmentation(labels, (side, side), order=1), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


quarters = np.kron([[1, 2], [3, 4]], np.ones((8, 8), int))
for side in (9, 23, 8, 32):
    print("four quarters to", side, areas(quarters, side))
assert areas(quarters, 9) == {0: 1, 1: 16, 2: 20, 3: 20, 4: 24}
assert areas(quarters, 23) == {0: 1, 1: 121, 2: 132, 3: 132, 4: 143}
assert areas(quarters, 8) == dict.fromkeys((1, 2, 3, 4), 16)
assert areas(quarters, 32) == dict.fromkeys((1, 2, 3, 4), 256)

exchanged = np.array([0, 4, 2, 3, 1])[quarters]
assert areas(exchanged, 9) == areas(quarters, 9)

specks = np.random.default_rng(0).integers(1, 5, (16, 16))
print("one-pixel regions to 24", areas(specks, 24))
assert areas(specks, 24)[0] > 0 and specks.min() == 1
PYTHON
