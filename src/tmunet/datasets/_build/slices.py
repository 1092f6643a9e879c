"""Volumes and slices that are no image files: NIfTI volumes (nibabel) and ``.npz`` slices as TransUNet's preparations have them."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from tmunet.file_limits import MAX_PIXELS
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.source import SourceFiles
from tmunet.errors import InputError
from tmunet.extras import require
from tmunet.progress import progress_bar

Spacing = tuple[float, float]
"""Millimeters from a pixel to the next, (row, column)."""

_NIFTI = (".nii", ".nii.gz")
_MAX_VALUES = 4 * MAX_PIXELS
_IMAGE_KEYS, _MASK_KEYS = ("image", "img", "images", "imgs"), ("label", "mask", "seg", "labels", "masks", "gts")


def expand_slices(source: SourceFiles, staging: Path) -> SourceFiles:
    """Replace NIfTI volumes and ``.npz`` slices by TIFF files of single slices, with unchanged values.

    A volume ``NAME.nii.gz`` (X, Y, Z) becomes ``NAME_slice000.tif`` and so on, (Y, X) each; an archive ``NAME.npz`` with the arrays
    image and label becomes ``images/NAME.tif`` and ``masks/NAME.tif``.

    Args:
        source: the files of the download.
        staging: a new folder for the slices; keep it until the import is finished.

    Raises:
        MissingExtraError: there are NIfTI files, but nibabel is not installed.
        DatasetImportError: every file that cannot be read, or is of another shape.
    """
    convertible = [key for key in source.files if _is_volume(key) or key.suffix.lower() == ".npz"]
    if not convertible:
        return source
    files = {key: path for key, path in source.files.items() if key not in set(convertible)}
    spacing: dict[PurePosixPath, Spacing] = {}
    faults = []
    for key in progress_bar(convertible, desc="slices", unit="file"):
        try:
            read = _read_nifti if _is_volume(key) else _read_npz
            for place, values, millimeters in read(source.files[key], key):
                path = staging / f"{len(files)}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, values, photometric="minisblack", metadata=None)
                files[place] = path
                if millimeters is not None:
                    spacing[place] = millimeters
        except InputError as error:
            faults.append(Fault("unreadable", key, str(error)))
    if faults:
        raise DatasetImportError(source.location, faults)
    return replace(source, files=dict(sorted(files.items())), spacing=spacing)


def _is_volume(key: PurePosixPath) -> bool:
    return key.name.lower().endswith(_NIFTI)


def _read_nifti(path: Path, key: PurePosixPath) -> Iterator[tuple[PurePosixPath, NDArray[Any], Spacing | None]]:
    nibabel = require("nibabel", "nifti")
    try:
        volume = nibabel.load(path)
        shape, zooms, unit = volume.shape, volume.header.get_zooms(), volume.header.get_xyzt_units()[0]
        if len(shape) > 3 and all(size == 1 for size in shape[3:]):
            shape = shape[:3]
        if len(shape) not in (2, 3) or np.prod(shape) > _MAX_VALUES or 0 in shape:
            raise InputError(f"expected a volume (X, Y, Z) of at most {_MAX_VALUES:,} values, but got {shape}")
        values = np.asanyarray(volume.dataobj).reshape(*shape[:2], -1)
    except InputError:
        raise
    except Exception as error:  # nibabel raises many types for damaged files
        raise InputError(f"cannot be read as NIfTI: {' '.join(str(error).split())}; copy it again") from error
    factor = {"mm": 1.0, "unknown": 1.0, "micron": 0.001, "meter": 1000.0}[unit]
    spacing = float(zooms[1]) * factor, float(zooms[0]) * factor
    known = spacing if min(spacing) > 0 else None
    name = key.name[: -len(next(end for end in _NIFTI[::-1] if key.name.lower().endswith(end)))]
    for number in range(values.shape[2]):
        place = key.with_name(f"{name}_slice{number:03d}.tif" if values.shape[2] > 1 else f"{name}.tif")
        yield place, np.ascontiguousarray(values[:, :, number].T), known


def _read_npz(path: Path, key: PurePosixPath) -> Iterator[tuple[PurePosixPath, NDArray[Any], Spacing | None]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > 8 * _MAX_VALUES:
            raise InputError(f"expected one slice, but its arrays have {size:,} bytes")
        with np.load(path, allow_pickle=False) as content:
            arrays = {name.lower(): content[name] for name in content.files}
    except InputError:
        raise
    except Exception as error:  # of the archive, or of its arrays
        raise InputError(f"cannot be read as .npz: {' '.join(str(error).split())}; copy it again") from error
    image, mask = (_first(arrays, keys) for keys in (_IMAGE_KEYS, _MASK_KEYS))
    if image is None or mask is None or mask.ndim != 2 or image.shape[:2] != mask.shape or image.ndim not in (2, 3):
        shapes = {name: array.shape for name, array in arrays.items()}
        raise InputError(f"expected the arrays image (H, W) or (H, W, C) and label (H, W), but found {shapes}")
    stem = PurePosixPath(key.name).stem
    yield key.parent / "images" / f"{stem}.tif", image, None
    yield key.parent / "masks" / f"{stem}.tif", mask, None


def _first(arrays: Mapping[str, NDArray[Any]], keys: tuple[str, ...]) -> NDArray[Any] | None:
    return next((arrays[key] for key in keys if key in arrays), None)
