#!/usr/bin/env bash
# sahi 0.12.8 (tiled inference, COCO files) turns a mask into a COCO segmentation with OpenCV's contours: the outline of a hole becomes
# one more polygon of the object. COCO takes the UNION of an object's polygons, so a reader of the file (pycocotools) gets the hole
# filled. An object one pixel wide (a vessel, a single pixel) gives no polygon and is gone. sahi's own way back hides both: it draws all
# polygons at once by the even-odd rule.
#
# A guess: the area that COCO's own library finds is that of the mask, give or take its rim.
#
# Seen with sahi 0.12.8, pycocotools 2.0.11, opencv-python-headless 4.11.0.86, pixels of the mask / of sahi's way back / of pycocotools:
#   ring, radius 8 to 20:        1048 / 1048 / 1188   (the full disc has 1245; the rim is peeled, the hole is filled)
#   rectangle 10 x 20:            200 /  200 /  171   (9 x 19)
#   line of 20 pixels, one pixel: 20, 1 / 0 / no segmentation
#
# For users of 2D segmentation: rings (the wall of a vessel, an artery's layers) become discs in COCO files and in scores made from
# them. For us: no COCO output; polygons follow the pixels' edges and keep holes as holes (GeoJSON).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==4.11.0.86 numpy==1.26.4 pillow==13.0.0 \
    shapely==2.2.0 requests==2.34.2 tqdm==4.70.1 pyyaml==6.0.3 click==8.5.1
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps sahi==0.12.8 pycocotools==2.0.11
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
from pycocotools import mask as coco
from sahi.utils.cv import get_bool_mask_from_coco_segmentation, get_coco_segmentation_from_bool_mask

rows, columns = np.mgrid[:64, :64]
radius = np.hypot(rows - 32, columns - 32)
blank = np.zeros((64, 64), bool)
ring, disc, rectangle, line, pixel = (radius < 20) & (radius > 8), radius < 20, blank.copy(), blank.copy(), blank.copy()
rectangle[10:20, 10:30] = line[10, 10:30] = pixel[5, 5] = True


def areas(mask):
    """Pixels of the mask, of sahi's way back, and of the object that pycocotools reads."""
    polygons = get_coco_segmentation_from_bool_mask(mask)
    if not polygons:
        return int(mask.sum()), 0, None
    read = coco.decode(coco.merge(coco.frPyObjects(polygons, *mask.shape)))
    if mask is ring:
        assert read[32, 32] == 1, "the hole is open now"
    return int(mask.sum()), int(get_bool_mask_from_coco_segmentation(polygons, 64, 64).sum()), int(read.sum())


for name, mask in (("ring", ring), ("disc", disc), ("rectangle", rectangle), ("line", line), ("pixel", pixel)):
    print(name, *areas(mask))
assert areas(ring) == (1048, 1048, 1188)
assert areas(rectangle) == (200, 200, 171)
assert areas(line) == (20, 0, None) and areas(pixel) == (1, 0, None)
PYTHON
