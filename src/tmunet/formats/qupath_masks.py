"""Draw annotations of QuPath into masks, so that corrections by pathologists train a model."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import read_dataset_info
from tmunet.data.io.images import read_image
from tmunet.errors import InputError, TMUNetWarning
from tmunet.formats.geojson import Annotation, read_geojson
from tmunet.formats.outlines import fill_polygons, signed_area
from tmunet.text import pluralize


def mask_path(image: Path) -> Path:
    """Return ``masks/NAME.png`` beside the folder of the image if that is called images, as in a data set, else in it."""
    folder = image.parent
    return (folder.parent if folder.name == "images" else folder) / "masks" / f"{image.stem}.png"


def find_classes(annotations: Path, mask: Path, given: Sequence[str] | None) -> tuple[str, ...]:
    """Find the class names of a mask: those given, of ``dataset.json``, or the background and the one annotated class.

    Raises:
        InputError: several classes are annotated and neither names their labels (code "classes").
        DataError: ``dataset.json`` has faults.
    """
    if given is not None:
        return tuple(given)
    folder = mask.parent.parent
    if (folder / "dataset.json").is_file():
        return read_dataset_info(folder).classes
    names = sorted({one.class_name for one in read_geojson(annotations) if one.class_name is not None})
    if len(names) != 1:
        raise InputError(
            f"{annotations}: expected one class, or their labels by --classes background,..., but found "
            f"{', '.join(names) or 'none'}; a label must mean the same class in every mask.",
            code="classes",
            path=annotations,
        )
    return ("background", names[0])


def draw_annotations(
    annotations: Path, image: Path, classes: Sequence[str]
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Draw annotations: a pixel has the class of the smallest annotation that its center is in.

    Args:
        annotations: GeoJSON file.
        image: the image that they belong to, at its full size.
        classes: names of the labels.

    Returns:
        The mask (H, W), and the number of annotations of each class.

    Raises:
        InputError: a file cannot be read, or an annotation has no class or another one (code "class").

    Warns:
        TMUNetWarning: annotations of different classes overlap, or lie outside the image.
    """
    height, width = read_image(image).shape[:2]
    found = read_geojson(annotations)
    labels = {name: label for label, name in enumerate(classes) if label}
    if faults := [one for one in found if one.class_name not in labels]:
        names = sorted({one.class_name or "no class" for one in faults})
        raise InputError(
            f"{annotations}: expected the classes {', '.join(labels)}, but {pluralize(len(faults), 'annotation')} "
            f"(first: feature {faults[0].number}) have {', '.join(names)}; set their class in QuPath, or name it by --classes.",
            code="class",
            path=annotations,
        )
    mask = np.zeros((height, width), np.uint8)
    counts, overlapping, outside = [0] * len(classes), 0, 0
    for one in sorted(found, key=_area, reverse=True):
        label = labels[str(one.class_name)]
        place, inside = fill_polygons(one.polygons, (height, width))
        there = mask[place]
        overlapping += bool((inside & (there != 0) & (there != label)).any())
        corners = np.concatenate([ring for polygon in one.polygons for ring in polygon])
        outside += bool((corners < 0).any() or (corners > (width, height)).any())
        there[inside] = label
        counts[label] += 1
    if overlapping:
        _warn(annotations, overlapping, "overlap one of another class; the smaller one was kept there")
    if outside:
        _warn(
            annotations,
            outside,
            f"reach beyond the image of {height} x {width} pixels and were cut; is it the right image?",
        )
    return mask, tuple(counts)


def _area(annotation: Annotation) -> float:
    return sum(abs(signed_area(outside)) for outside, *_ in annotation.polygons)


def _warn(path: Path, count: int, what: str) -> None:
    warnings.warn(f"{path}: {pluralize(count, 'annotation')} {what}.", TMUNetWarning, stacklevel=3)
