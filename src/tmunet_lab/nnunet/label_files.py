"""Convert nnU-Net's label files to mask files."""

from collections.abc import Sequence
from functools import partial

from tmunet.data.io.masks import read_mask
from tmunet.data.json_object import read_json_object
from tmunet.data.reader import collect_errors
from tmunet.errors import DataError, InputError
from tmunet.prediction.mask_files import source_of, write_mask
from tmunet_lab.nnunet.workspace import Workspace


def is_current(workspace: Workspace, name: str) -> bool:
    """Whether the mask of a case exists and is of the image that nnU-Net predicted.

    Raises:
        InputError: see `source_sha256`.
    """
    return source_of(workspace.masks / f"{name}.png") == source_sha256(workspace, name)


def source_sha256(workspace: Workspace, name: str) -> str:
    """Read the SHA-256 that a test image's file had when it was exported to nnU-Net.

    Raises:
        InputError: ``sources.json`` cannot be read or lacks the case.
    """
    known = read_json_object(workspace.sources).get(name)
    if not isinstance(known, str):
        raise InputError(
            f"{workspace.sources}: expected the hash of the image {name!r}; train in a new folder.",
            code="no-hash",
            path=workspace.sources,
        )
    return known


def write_masks(workspace: Workspace, names: Sequence[str], classes: Sequence[str]) -> None:
    """Convert ``predicted/NAME.png``, labels 0..K-1, to ``masks/NAME.png``: 0 and 255, or a palette for K > 2 classes.

    Args:
        workspace: with predictions.
        names: of the cases.
        classes: K names.

    Raises:
        DataError: all label files that are missing, damaged, or hold other labels; the masks of the others are written.
    """
    faults: list[str] = []
    for name in names:
        collect_errors(faults, partial(_write, workspace, name, classes))
    if faults:
        raise DataError(str(workspace.predicted), [*faults, "delete the damaged ones and predict again."])


def _write(workspace: Workspace, name: str, classes: Sequence[str]) -> None:
    labels = read_mask(workspace.predicted / f"{name}.png", classes)
    write_mask(workspace.masks / f"{name}.png", labels, classes, source_sha256(workspace, name))
