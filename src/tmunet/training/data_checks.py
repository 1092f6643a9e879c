"""What of the training and validation masks can count, known before the first epoch."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tmunet.data.cached_dataset import CachedCases
from tmunet.errors import InputError, TMUNetWarning
from tmunet.labels import IGNORE_LABEL
from tmunet.text import pluralize

_SHOWN = 3


def check_countable(
    folder: Path, train: CachedCases, val: CachedCases, classes: Sequence[str], chooses_by_dice: bool, tell: bool
) -> bool:
    """See that there is something to learn and to validate by, at the size of training.

    Args:
        folder: of the data set, for messages.
        train: the training cases.
        val: the validation cases.
        classes: names of the labels.
        chooses_by_dice: whether the epoch that is kept is the one of the highest validation Dice.
        tell: whether to warn; one of several processes does.

    Returns:
        Whether there is a validation image with a pixel that counts.

    Raises:
        InputError: no pixel of the training images counts, or the epoch cannot be chosen by Dice: there is no such validation
            image, or none of them shows a class.

    Warns:
        TMUNetWarning: of images of which no pixel counts, and of classes that validation masks lose when they are resized.
            Classes that are on no mask of a side are named elsewhere, whatever the size.
    """
    ignored, _ = _look(train)
    if train.names and len(ignored) == len(train.names):
        raise InputError(
            f"{folder}: expected training images to learn from, but every pixel of {pluralize(len(ignored), 'training mask')} is "
            "marked to be ignored. Draw the masks, or give another split."
        )
    told = [_of_ignored("training", ignored, len(train.names))] if ignored else []
    without, labels = _look(val)
    unseen = [name for label, name in enumerate(classes) if label and label not in labels]
    validates = len(without) < len(val.names)
    if without:
        told.append(_of_ignored("validation", without, len(val.names)))
    if not validates and val.names:
        told.append("There is no validation then.")
    lost = [name for name in unseen if any(name in names for names in val.present.values())]
    if validates and lost:
        told.append(
            f"{', '.join(lost)}: on no validation mask at the size of training, so val_dice is the mean over "
            f"{len(classes) - 1 - len(unseen)} of {pluralize(len(classes) - 1, 'class', 'classes')}, and 0 for another where it is "
            "a false alarm. Choose a larger --preprocess.size."
        )
    if chooses_by_dice and not (validates and len(unseen) < len(classes) - 1):
        such = (
            " that show a class besides the background" if validates else " with a pixel that counts" * bool(val.names)
        )
        raise InputError(
            f"{folder}: the split has no validation images{such}, which `monitor: val_dice` needs. Give a split that has some, "
            "or --monitor val_loss, which takes the last epoch where there is no validation."
        )
    if told and tell:
        warnings.warn(f"{folder}: {' '.join(told)}", TMUNetWarning, stacklevel=2)
    return validates


def _look(cases: CachedCases) -> tuple[list[str], set[int]]:
    """Names of the cases of which no pixel counts, and the labels that occur."""
    ignored, labels = [], set()
    for name, mask in zip(cases.names, cases.masks, strict=True):
        values = set(np.flatnonzero(np.bincount(mask.ravel())).tolist()) - {IGNORE_LABEL}
        labels |= values
        if not values:
            ignored.append(name)
    return ignored, labels


def _of_ignored(side: str, names: Sequence[str], of: int) -> str:
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
    return (
        f"{len(names):,} of {pluralize(of, f'{side} image')} ({shown}) without a pixel that counts: in no loss"
        f"{' and no Dice' if side == 'validation' else ''}."
    )
