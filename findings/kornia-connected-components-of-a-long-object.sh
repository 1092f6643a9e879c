#!/usr/bin/env bash
# kornia.contrib.connected_components (kornia 0.9.0) spreads labels by one pixel an iteration and stops after num_iterations, 100 by
# default, finished or not: ONE rectangle of 40 x 390 pixels comes out as 290 objects. No warning, no flag that it did not converge.
# kornia.contrib.distance_transform is 28 % too small at 30 pixels along the diagonal.
#
# A guess: an object longer than 100 pixels is cut into two or three, or takes longer.
#
# Seen with kornia 0.9.0, torch 2.13.0, SciPy 1.17.1:
#   one rectangle of 40 x 390: 340 objects after 50 iterations, 290 after 100 (default), 1 after 500; SciPy 1
#   distance to one pixel, at (21, 21) from it: kornia 21.41, SciPy 29.70
#
# For users of 2D segmentation: counts of vessels, layers of a retina or glands are those of the iteration limit, and "keep the largest
# object" keeps a strip. For us: scipy.ndimage.label and distance_transform_edt, which are exact.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 scipy==1.17.1
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps kornia==0.9.0 kornia-rs==0.2.0 packaging==26.3
"$dir/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import torch
from kornia.contrib import connected_components, distance_transform
from scipy import ndimage

mask = torch.zeros(1, 1, 64, 400)
mask[..., 10:50, 5:395] = 1


def objects(**options):
    return len(torch.unique(connected_components(mask, **options))) - 1


found = objects(num_iterations=50), objects(), objects(num_iterations=500)
print("objects after 50, 100 and 500 iterations:", *found, "SciPy", ndimage.label(mask[0, 0].numpy())[1])
assert found == (340, 290, 1)

point = torch.zeros(1, 1, 32, 32)
point[..., 10, 10] = 1
near = distance_transform(point)[0, 0].numpy()
exact = ndimage.distance_transform_edt(1 - point[0, 0].numpy())
print("distance at (21, 21) from the pixel:", near[31, 31], "SciPy", exact[31, 31])
assert np.isclose(near[31, 31], 21.414, atol=1e-3) and np.isclose(exact[31, 31], 29.698, atol=1e-3)
PYTHON
