#!/usr/bin/env bash
# skimage.morphology.remove_small_holes takes every small piece of background for a hole, also one that is open to the edge of the
# image: a thin lesion that cuts off a corner gets the whole corner, and a crop that is nearly full loses its background for good.
# scipy.ndimage.binary_fill_holes leaves both alone. The page's text speaks of "contiguous holes".
#
# Seen with scikit-image 0.26.0 and SciPy 1.17.1, max_size=64:
#   an L-shaped line of 11 pixels that cuts a corner of 5 x 5 off:  36 pixels afterwards, SciPy 11
#   a mask of 20 x 20 pixels with one row of background:            400 pixels afterwards (no background), SciPy 380
#   the same line one pixel away from the image's edge (a frame):   both fill it
#
# For users of 2D segmentation: post-processing by "remove small holes" differs from "fill holes" along the image's border, and
# tile by tile it fills at every seam. For us: a hole is background that does not reach the image's edge.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
from scipy.ndimage import binary_fill_holes
from skimage.morphology import remove_small_holes


def areas(mask):
    return int(mask.sum()), int(remove_small_holes(mask, max_size=64).sum()), int(binary_fill_holes(mask).sum())


corner = np.zeros((40, 40), bool)
corner[5, :6] = corner[:6, 5] = True
print("corner: mask, scikit-image, SciPy", *areas(corner))
assert areas(corner) == (11, 36, 11)

crop = np.ones((20, 20), bool)
crop[0] = False
print("crop:   mask, scikit-image, SciPy", *areas(crop))
assert areas(crop) == (380, 400, 380)

frame = np.zeros((40, 40), bool)
frame[1:8, 1:8] = True
frame[2:7, 2:7] = False
print("frame:  mask, scikit-image, SciPy", *areas(frame))
assert areas(frame) == (24, 49, 49)
PYTHON
