#!/usr/bin/env bash
# Albumentations 2.0.8 makes image and mask smaller by two rules that do not lie on each other: the image by cv2.INTER_LINEAR (pixel
# areas are aligned), the mask by cv2.INTER_NEAREST (pixel i comes from pixel floor(i * scale), the top left one of its block). The
# mask is shifted to the bottom right by about half of the factor, in pixels of the original: 1.5 for a quarter of the size.
#
# A guess: one transform moves image and mask alike ("keeps them in sync").
#
# Seen with albumentations 2.0.8 and opencv-python-headless 4.11.0.86, a disc of radius 40 at (100, 90) of 256 x 256, center of what
# comes out, in pixels of the original:
#   Resize(64, 64):                                              image (99.9, 90.0), mask (101.5, 91.5)
#   Resize(64, 64, mask_interpolation=cv2.INTER_NEAREST_EXACT):  mask (99.5, 89.5)
#   Resize(512, 512):                                            both exact
#
# For users of 2D segmentation: training pairs are biased by up to two pixels of the original, and so is a network's answer at full
# size; thin structures lose Dice that no training wins back. For us: image and mask are resized on one grid, pixel centers aligned.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check albumentations==2.0.8 opencv-python-headless==4.11.0.86 numpy==1.26.4
NO_ALBUMENTATIONS_UPDATE=1 "$dir/venv/bin/python" - <<'PYTHON'
import albumentations
import cv2
import numpy as np

rows, columns = np.mgrid[:256, :256]
disc = ((rows - 100) ** 2 + (columns - 90) ** 2 < 40**2).astype(np.uint8)
image = np.repeat(disc[..., None] * 255, 3, axis=2)


def center(found):
    """(row, column) of the object's center in pixels of the original."""
    weights = found.astype(float)
    factor = 256 / len(weights)
    return [float(((axis + 0.5) * factor * weights).sum() / weights.sum() - 0.5) for axis in np.mgrid[: len(weights), : len(weights)]]


for side, shift in ((64, 1.5), (512, 0.0)):
    pair = albumentations.Resize(side, side)(image=image, mask=disc)
    print("to", side, "image", center(pair["image"][..., 0]), "mask", center(pair["mask"]))
    assert np.allclose(center(pair["image"][..., 0]), (100, 90), atol=0.3)
    assert np.allclose(center(pair["mask"]), (100 + shift, 90 + shift), atol=0.1)

exact = albumentations.Resize(64, 64, mask_interpolation=cv2.INTER_NEAREST_EXACT)(image=image, mask=disc)["mask"]
print("to 64, nearest exact, mask", center(exact))
assert np.allclose(center(exact), (99.5, 89.5), atol=0.1)
PYTHON
