#!/usr/bin/env bash
# MONAI 1.6.1: Rotate(angle=pi / 2) and Rotate90(k=1) turn a 2D image in opposite directions. Rotate90 follows numpy.rot90 (from the
# rows' axis to the columns' axis: counter-clockwise as displayed); Rotate turns clockwise as displayed. kornia's rotate(+90), like
# Rotate90, is counter-clockwise. At 180 degrees they agree.
#
# A guess: a positive angle means one direction in one library.
#
# Seen with monai 1.6.1, torch 2.13.0, kornia 0.9.0, NumPy 2.4.6; 3 x 3 pixels 0 1 2 / 3 4 5 / 6 7 8:
#   Rotate90(k=1), numpy.rot90, kornia rotate(90):  2 5 8 / 1 4 7 / 0 3 6
#   Rotate(angle=+pi / 2):                          6 3 0 / 7 4 1 / 8 5 2
#
# For users of 2D segmentation: undoing an acquisition's quarter turn with the other transform, or mixing both in test-time
# augmentation, gives masks that are upside down. For us: quarter turns by torch.rot90 only, and the way back is tested.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps monai==1.6.1 kornia==0.9.0 kornia-rs==0.2.0 packaging==26.3
"$dir/venv/bin/python" -W ignore - <<'PYTHON'
import math

import kornia
import numpy as np
import torch
from monai.transforms import Rotate, Rotate90

image = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
by_quarters = np.asarray(Rotate90(k=1)(image))[0]
by_angle = np.asarray(Rotate(angle=math.pi / 2, mode="nearest")(image))[0]
by_kornia = kornia.geometry.rotate(torch.from_numpy(image)[None], torch.tensor([90.0])).round().numpy()[0, 0]
print("Rotate90(k=1):    ", by_quarters.astype(int).tolist())
print("Rotate(pi / 2):   ", by_angle.astype(int).tolist())
print("kornia rotate(90):", by_kornia.astype(int).tolist())
assert np.array_equal(by_quarters, np.rot90(image[0]))
assert np.array_equal(by_kornia, np.rot90(image[0]))
assert np.array_equal(by_angle, np.rot90(image[0], -1)), "both turn the same way now"
assert np.array_equal(np.asarray(Rotate(angle=math.pi, mode="nearest")(image)), np.asarray(Rotate90(k=2)(image)))
PYTHON
