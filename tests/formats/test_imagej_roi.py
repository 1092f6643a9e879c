"""ROI zips, read by roifile and filled by ImageJ itself."""

import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile
from skimage.measure import points_in_poly

from tmunet.errors import InputError
from tmunet.formats.imagej_roi import write_roi_zip
from tmunet.formats.outlines import number_objects, trace_outlines

from ..coded_errors import coded

IMAGEJ = Path("/usr/share/java/ij.jar")
# areas come from ImageJ's own measurement of each ROI, pixels from filling all
MACRO = """
setBatchMode(false);
newImage("out", "16-bit black", WIDTH, HEIGHT, 1);
roiManager("open", "FOLDER/rois.zip");
text = "";
for (i = 0; i < roiManager("count"); i++) {
  roiManager("select", i);
  getStatistics(area);
  text = text + Roi.getName + " " + area + "\\n";
  setColor(parseInt(Roi.getName));
  fill();
}
run("Select None");
saveAs("tiff", "FOLDER/out.tif");
File.saveString(text, "FOLDER/areas.txt");
"""


def write(path: Path, mask: np.ndarray) -> np.ndarray:
    """Write the ROIs of a mask and return its objects."""
    objects, labels = number_objects(mask, 3)
    write_roi_zip(path, zip(trace_outlines(objects), labels, strict=True), (mask.shape[0], mask.shape[1]))
    return objects


def blobs(side: int = 60) -> np.ndarray:
    """Objects with holes, corners that touch, and both classes."""
    random = np.random.default_rng(2)
    coarse = random.integers(0, 3, (side // 4, side // 4)).astype(np.uint8)
    mask = coarse.repeat(4, axis=0).repeat(4, axis=1)
    mask[random.random(mask.shape) < 0.1] = 0
    return mask


def test_rois_have_the_names_of_the_labels_and_the_corners_of_the_outlines(tmp_path: Path) -> None:
    objects = write(tmp_path / "rois.zip", blobs())
    rois = roifile.roiread(tmp_path / "rois.zip")
    assert [roi.name for roi in rois] == [str(number) for number in range(1, objects.max() + 1)]
    y, x = np.mgrid[: objects.shape[0], : objects.shape[1]] + 0.5
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    for roi in rois:
        paths = roi.coordinates(multi=True)
        inside = sum(points_in_poly(points, path).astype(int) for path in paths) % 2 == 1
        expected = objects == int(roi.name)
        np.testing.assert_array_equal(inside.reshape(objects.shape), expected)
        rows, columns = np.nonzero(expected)
        box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert (roi.top, roi.left, roi.bottom, roi.right) == box


def test_the_group_is_the_class(tmp_path: Path) -> None:
    mask = np.zeros((4, 8), np.uint8)
    mask[1:3, 1:3], mask[1:3, 5:7] = 1, 2
    write(tmp_path / "rois.zip", mask)
    assert [roi.group for roi in roifile.roiread(tmp_path / "rois.zip")] == [1, 2]


def test_a_second_call_replaces_the_file_by_the_same_bytes(tmp_path: Path) -> None:
    file = tmp_path / "rois.zip"
    write(file, blobs())
    before = file.read_bytes()
    write(file, blobs())
    assert file.read_bytes() == before
    assert len(set(zipfile.ZipFile(file).namelist())) == len(zipfile.ZipFile(file).namelist())


def test_an_empty_mask_gives_an_empty_zip(tmp_path: Path) -> None:
    write(tmp_path / "rois.zip", np.zeros((5, 5), np.uint8))
    assert zipfile.ZipFile(tmp_path / "rois.zip").namelist() == []


def test_images_beyond_the_coordinates_of_rois_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, check=coded("too-large", tmp_path / "rois.zip")):
        write_roi_zip(tmp_path / "rois.zip", [], (100, 32768))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ten_thousand_objects_take_less_than_five_seconds(tmp_path: Path) -> None:
    cell = np.pad(np.ones((9, 9), np.uint8), (2, 1))
    cell[5, 5] = 0
    mask = np.tile(cell, (100, 100))
    begin = time.process_time()
    objects = write(tmp_path / "rois.zip", mask)
    assert objects.max() == 10_000
    assert time.process_time() - begin < 5


@pytest.mark.slow
@pytest.mark.skipif(
    not (IMAGEJ.is_file() and shutil.which("xvfb-run")), reason="needs ImageJ and xvfb: apt install imagej xvfb xauth"
)
def test_imagej_fills_exactly_the_pixels_of_the_mask_and_measures_their_areas(tmp_path: Path) -> None:
    objects = write(tmp_path / "rois.zip", blobs(120))
    height, width = objects.shape
    macro = tmp_path / "fill.ijm"
    text = MACRO.replace("FOLDER", str(tmp_path)).replace("WIDTH", str(width)).replace("HEIGHT", str(height))
    macro.write_text(text, "utf-8")
    command = ["xvfb-run", "-a", "java", "-jar", str(IMAGEJ), "-batch", str(macro)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert (tmp_path / "areas.txt").is_file(), done.stdout + done.stderr
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), objects)
    areas = dict(line.split() for line in (tmp_path / "areas.txt").read_text("utf-8").splitlines())
    counts = np.bincount(objects.ravel())
    assert {int(name): float(area) for name, area in areas.items()} == {n: counts[n] for n in range(1, len(counts))}
