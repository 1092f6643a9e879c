#!/usr/bin/env bash
# SimpleITK 2.5.7 takes the printing resolution ("dpi") of a JPEG and of a TIFF for the size of a pixel in mm, and ignores that of a
# PNG and of a BMP. Many programs write 72 dpi into a photograph without being asked: 25.4 / 72 = 0.353 mm. So a JPEG image and its
# PNG mask of the same pixels lie in two different spaces, and a distance "in mm" between JPEG or TIFF masks is off by what a camera
# or an editor wrote. A spacing that SimpleITK itself wrote into a PNG is kept, and one that it wrote into a JPEG or a BMP is lost.
#
# A guess: without a medical header the spacing is 1, for every one of the four formats.
#
# Seen with SimpleITK 2.5.7 and Pillow 13.0.0, one image of 30 x 20 pixels, spacing (x, y) as read:
#   JPEG, 72 dpi:  0.353, 0.353      JPEG, 300 x 150 dpi: 0.085, 0.169      TIFF: the same
#   PNG, BMP:      1, 1 for both
#   JPEG without dpi: 1, 1
#   written by SimpleITK with 0.2, 0.3: PNG and TIFF 0.2, 0.3; JPEG and BMP 1, 1
#   Mask(JPEG image of 72 dpi, PNG mask): RuntimeError, "Inputs do not occupy the same physical space"
#   Hausdorff distance of two TIFF masks 10 pixels apart: 10 without dpi, 3.53 with 72 dpi
#
# For users of 2D segmentation: HD95 and areas "in mm" of photographs differ by the file type. For us: a resolution that a camera or
# an editor writes by itself is no spacing (docs/reference/data.md, "Spacing").
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check SimpleITK==2.5.7 pillow==13.0.0 numpy==2.4.6
cd "$dir"
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
import SimpleITK
from PIL import Image

mask = np.zeros((20, 30), np.uint8)
mask[5:10, 5:10] = 1


def spacing(name):
    return SimpleITK.ReadImage(name).GetSpacing()


for extension in ("jpg", "tif", "png", "bmp"):
    Image.fromarray(mask).save(f"plain.{extension}")
    Image.fromarray(mask).save(f"72.{extension}", dpi=(72, 72))
    Image.fromarray(mask).save(f"300.{extension}", dpi=(300, 150))
    own = SimpleITK.GetImageFromArray(mask)
    own.SetSpacing((0.2, 0.3))
    SimpleITK.WriteImage(own, f"own.{extension}")
    found = [spacing(f"{name}.{extension}") for name in ("plain", "72", "300", "own")]
    print(extension, "plain, 72 dpi, 300 x 150 dpi, written by SimpleITK:", *np.round(found, 3).tolist())
    dots = extension in ("jpg", "tif")
    assert np.allclose(found[0], 1)
    assert np.allclose(found[1], 25.4 / 72 if dots else 1)
    assert np.allclose(found[2], (25.4 / 300, 25.4 / 150) if dots else 1)
    assert np.allclose(found[3], (0.2, 0.3) if extension in ("tif", "png") else 1)

try:
    SimpleITK.Mask(SimpleITK.ReadImage("72.jpg"), SimpleITK.ReadImage("72.png"))
except RuntimeError as error:
    print("JPEG image, PNG mask:", str(error).splitlines()[1][-60:])
    assert "physical space" in str(error)
else:
    raise AssertionError("a JPEG of 72 dpi and a PNG of 72 dpi share a space now")

moved = np.roll(mask, 10, axis=1)
distances = []
for name, dots in (("plain", {}), ("72", {"dpi": (72, 72)})):
    Image.fromarray(moved).save("moved.tif", **dots)
    hausdorff = SimpleITK.HausdorffDistanceImageFilter()
    hausdorff.Execute(SimpleITK.ReadImage("moved.tif"), SimpleITK.ReadImage(f"{name}.tif"))
    distances.append(hausdorff.GetHausdorffDistance())
print("10 pixels apart, TIFF without dpi and with 72 dpi:", *distances)
assert np.allclose(distances, (10, 254 / 72))
PYTHON
