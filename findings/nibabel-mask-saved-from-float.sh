#!/usr/bin/env bash
# nibabel 5.4.2: a mask of 0.0 and 1.0 in float64 (what a sigmoid and a threshold give), saved with the header's data type set to
# int16 or uint16, is stored as -32768 and 32767 (or 0 and 65535) with a slope and an intercept. get_fdata() then gives
# 0.9999999997671694 for 1, so get_fdata().astype(np.uint8) is an EMPTY mask and get_fdata() == 1 finds nothing. With uint8 it
# gives 1.0000000591: astype works, == 1 finds nothing. Of the labels 0 to 100 half come back one too small.
#
# A guess: whole numbers that fit the asked type are stored as they are.
#
# Seen with nibabel 5.4.2 and NumPy 2.4.6:
#   mask 0/1, int16:     astype(uint8) 0 of 4 pixels, == 1 0 of 4 pixels, rounded 4 of 4
#   mask 0/1, uint8:     astype(uint8) 4 of 4 pixels, == 1 0 of 4 pixels, rounded 4 of 4
#   labels 0..100, uint8: 50 of 101 labels wrong by astype, none by rounding
#   the same arrays given as integers: exact
#
# For users of 2D segmentation: a reference mask that is empty, or a class shifted by one, with a file that every viewer shows
# right. For us: such a mask is refused with the value found ("expected labels, whole numbers ..."), never cut.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check nibabel==5.4.2 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import nibabel
import numpy as np


def read_back(labels, dtype):
    """The labels (H, W) after a NIfTI file whose header asks for this type."""
    image = nibabel.Nifti1Image(labels, np.eye(4))
    image.set_data_dtype(dtype)
    return nibabel.Nifti1Image.from_bytes(image.to_bytes()).get_fdata()


mask = np.array([[0, 1, 1, 0], [0, 1, 1, 0]], np.float64)
for dtype, kept in ((np.int16, 0), (np.uint16, 0), (np.uint8, 4)):
    found = read_back(mask, dtype)
    counts = int(found.astype(np.uint8).sum()), int((found == 1).sum()), int(np.rint(found).sum())
    print("mask as", dtype.__name__, "largest", found.max(), "astype, == 1, rounded:", *counts)
    assert counts == (kept, 0, 4)
    assert np.array_equal(read_back(mask.astype(dtype), dtype), mask)

labels = np.arange(101.0)[None]
found = read_back(labels, np.uint8)
wrong = int((found.astype(int) != labels).sum()), int((np.rint(found) != labels).sum())
print("labels 0..100 as uint8: wrong by astype, by rounding:", *wrong)
assert wrong == (50, 0)
PYTHON
