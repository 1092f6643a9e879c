"""Measure the objects of predicted masks: area, centroid, axes, mean intensity, one row an object."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.case_spacing import spacing_of_files
from tmunet.data.io.images import Pixels, read_image, to_channels
from tmunet.data.io.masks import read_mask
from tmunet.data.io.spacing import Millimeters
from tmunet.files import write_csv
from tmunet.metrics import components

IN_PIXELS = (
    *("image", "class", "object", "area_px", "centroid_row_px", "centroid_column_px"),
    *("major_axis_px", "minor_axis_px", "mean_intensity"),
)
IN_MM = ("area_mm2", "major_axis_mm", "minor_axis_mm")


def measure_objects(
    mask: NDArray[np.uint8], image: Pixels | None, classes: Sequence[str], spacing: Millimeters | None = None
) -> list[dict[str, Any]]:
    """Measure the 8-connected components of each class.

    Args:
        mask: labels (H, W).
        image: (H, W, C) values as stored; None measures no intensity.
        classes: names of the labels.
        spacing: (row, column) in mm, or None.

    Returns:
        A row for each object, classes by label, objects in reading order, numbered from 1 in each class. The centroid is in
        pixels from the center of the first one. The axes are those of the ellipse with the same second moments, as in
        scikit-image: 4 times the root of the eigenvalues of the covariance. The intensity is that of gray: luma of RGB, the
        mean of the channels of others. Measures in mm are there if `spacing` is.
    """
    gray = None if image is None else _gray(image)
    rows = []
    for label, name in enumerate(classes):
        if label == 0 or not (region := mask == label).any():
            continue
        objects, areas = components(region)
        at = np.argwhere(region).astype(np.float64)  # (N, 2)
        of = objects[region]
        count = np.bincount(of, minlength=len(areas)).clip(min=1)

        def mean(values: NDArray[Any], of: NDArray[Any] = of, count: NDArray[Any] = count) -> NDArray[np.float64]:
            return np.asarray(np.bincount(of, weights=values, minlength=len(count)) / count, np.float64)

        center = np.stack([mean(at[:, 0]), mean(at[:, 1])], axis=1)  # (objects + 1, 2)
        offset = at - center[of]
        covariance = np.array([[mean(offset[:, i] * offset[:, j]) for j in (0, 1)] for i in (0, 1)]).transpose(
            2, 0, 1
        )  # (objects + 1, 2, 2)
        intensity = None if gray is None else mean(gray[region].astype(np.float64))
        for number in range(1, len(areas)):
            minor, major = _axes(covariance[number])
            row = {
                "class": name,
                "object": number,
                "area_px": int(areas[number]),
                "centroid_row_px": float(center[number, 0]),
                "centroid_column_px": float(center[number, 1]),
                "major_axis_px": major,
                "minor_axis_px": minor,
            }
            if intensity is not None:
                row["mean_intensity"] = float(intensity[number])
            if spacing is not None:
                minor, major = _axes(covariance[number] * np.outer(spacing, spacing))
                area = int(areas[number]) * spacing[0] * spacing[1]
                row |= {"area_mm2": area, "major_axis_mm": major, "minor_axis_mm": minor}
            rows.append(row)
    return rows


def _gray(image: Pixels) -> NDArray[Any]:
    channel = to_channels(image, 1) if image.shape[2] in (1, 3) else image.mean(axis=2, keepdims=True)
    return np.asarray(channel[..., 0])


def _axes(covariance: NDArray[np.float64]) -> tuple[float, float]:
    """Lengths of the minor and the major axis."""
    minor, major = 4 * np.sqrt(np.linalg.eigvalsh(covariance).clip(min=0))
    return float(minor), float(major)


def write_object_table(path: Path, masks: Mapping[Path, Path], classes: Sequence[str]) -> str:
    """Write a CSV file with a row for each object of predicted masks.

    Columns in mm are there if the spacing of every image is stated, by its file or by the `dataset.json` of its data set, so that
    a column never mixes units.

    Args:
        path: the file.
        masks: image by mask file, as `tmunet predict` wrote it.
        classes: names of the labels.

    Returns:
        The unit of lengths, "mm" or "pixels".

    Raises:
        DataError: file and `dataset.json` contradict each other.
    """
    spacings = spacing_of_files(list(masks.values()))
    in_mm = bool(spacings) and None not in spacings
    rows = [
        {"image": str(image), **row}
        for (mask, image), spacing in zip(masks.items(), spacings, strict=True)
        for row in measure_objects(read_mask(mask, classes), read_image(image), classes, spacing if in_mm else None)
    ]
    write_csv(path, (*IN_PIXELS, *IN_MM) if in_mm else IN_PIXELS, rows)
    return "mm" if in_mm else "pixels"
