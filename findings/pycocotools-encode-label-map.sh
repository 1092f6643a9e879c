#!/usr/bin/env bash
# pycocotools 2.0.11: mask.encode() of a label map (0, 1, 2, ...) gives neither "label > 0" nor an error. The run lengths flip
# at every change of value, so what they mean alternates: two labels that touch in a column come back as one full and one empty,
# and what follows, column by column, is inverted until the next such place. encode() of 0 and 255 is right.
#
# A guess: as in most mask tools, everything that is not zero is the object.
#
# Seen with pycocotools 2.0.11 and NumPy 2.4.6:
#   6 x 6, label 1 in rows 1 to 2, label 2 in rows 3 to 4 of columns 1 and 2 (8 pixels): the mask that comes back has 6 pixels,
#   of which 2 lie on the background, and 4 of the 8 pixels are lost
#
# For users of 2D segmentation: COCO files made from an instance or class map have plausible areas and wrong pixels; encode
# (map == label) for each label. For us: no COCO file is written; one that is made from our label files needs that loop.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check pycocotools==2.0.11 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
from pycocotools import mask as coco

labels = np.zeros((6, 6), np.uint8)
labels[1:3, 1:3] = 1
labels[3:5, 1:3] = 2

rle = coco.encode(np.asfortranarray(labels))
found = coco.decode(rle)
print(found)
print("labels", int((labels > 0).sum()), "pixels; RLE area", int(coco.area(rle)), "of which on background", int(found[labels == 0].sum()))
assert int(coco.area(rle)) == 6
assert int(found[labels == 0].sum()) == 2
assert int(found[labels > 0].sum()) == 4

for value in (1, 255):
    binary = (labels > 0).astype(np.uint8)
    assert np.array_equal(coco.decode(coco.encode(np.asfortranarray(binary * value))), binary)
for label in (1, 2):
    one = (labels == label).astype(np.uint8)
    assert np.array_equal(coco.decode(coco.encode(np.asfortranarray(one))), one)
PYTHON
