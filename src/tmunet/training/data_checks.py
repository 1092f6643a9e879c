"""Warnings and errors about the training data, before the first epoch."""

import warnings
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tmunet.data.cached_dataset import CachedCases
from tmunet.data.dataset import Dataset
from tmunet.data.split.class_counts import count_classes
from tmunet.data.split.leakage import LeakReport
from tmunet.data.training_stats import Intensity
from tmunet.errors import InputError, TMUNetWarning
from tmunet.labels import IGNORE_LABEL
from tmunet.pretrained import NORMALIZE
from tmunet.text import pluralize
from tmunet.training.train_config import TrainConfig

_SHOWN = 3


def warn_low_intensity(dataset: Dataset, images: Sequence[Intensity], config: TrainConfig) -> None:
    """Warn of 16-bit training images that use a small part of their range, where normalization or augmentation suffers.

    Args:
        dataset: for messages.
        images: intensities of each training image.
        config: how images are normalized and augmented.
    """
    dark = [image for image in images if image.is_dark]
    brightness, normalize = config.augment.brightness, config.preprocess.normalize
    effects = [
        *([f"they are nearly black where normalize is {normalize!r}"] if normalize != "image" else []),
        *([f"brightness changes by up to {brightness:g} of white"] if brightness > 0 else []),
    ]
    if dark and effects:
        brightest = max(image.brightest for image in dark)
        _warn(
            f"{dataset.folder}: {len(dark)} of {pluralize(len(images), 'training image')} have 16 bits, but no value above "
            f"{brightest:,} of 65,535: {' and '.join(effects)}. Stretch the values of all images by one rule, or train with "
            "--preprocess.normalize image --augment.brightness 0. `tmunet check` lists the images (small-range)."
        )


def warn_normalization(config: TrainConfig) -> None:
    """Warn of images that are normalized in another way than those that the pretrained weights were learned on."""
    if config.pretrained and config.preprocess.normalize != NORMALIZE:
        _warn(
            f"The pretrained weights were learned on images normalized as {NORMALIZE!r}, but preprocess.normalize is "
            f"{config.preprocess.normalize!r}. Train with --preprocess.normalize {NORMALIZE}, or see which is better on your "
            "validation images."
        )


def warn_leakage(dataset: Dataset, leaks: LeakReport) -> None:
    """Warn of data leakage between the subsets of the split."""
    if leaks.leaking:
        _warn(
            f"{dataset.folder}: the split leaks: {leaks}. Scores on it will look better than they are. "
            f"A split that does not leak: tmunet split {dataset.folder} --kind grouped"
        )


def warn_absent_classes(dataset: Dataset, present: Mapping[str, Collection[str]]) -> None:
    """Warn of classes that are on no mask of a subset of the split; `present` says which are on the mask of each case."""
    for count in count_classes(dataset.split, dataset.info.classes[1:], present):
        if count.absent:
            _warn(
                f"{dataset.folder}: {count}. A split that balances classes: tmunet split {dataset.folder} --kind grouped"
            )


def check_labels(dataset: Dataset, train: CachedCases, val: CachedCases, monitor: str, warn: bool = True) -> bool:
    """Check that there are labels to train and to validate on, at the size of training.

    Args:
        dataset: for messages and class names.
        train: the training cases.
        val: the validation cases.
        monitor: "val_loss" or "val_dice".
        warn: whether to warn; one of several processes does.

    Returns:
        Whether there is a validation image with a pixel that is not ignored.

    Raises:
        InputError: every pixel of the training masks is ignored, or there is nothing that `val_dice` could be computed of.

    Warns:
        TMUNetWarning: of images whose pixels are all ignored, and of classes that validation masks lose when they are resized.
    """
    folder, classes = dataset.folder, dataset.info.classes
    ignored, _ = _labels_of(train)
    if train.names and len(ignored) == len(train.names):
        raise InputError(
            f"{folder}: expected training images to learn from, but every pixel of {pluralize(len(ignored), 'training mask')} is "
            "marked to be ignored. Draw the masks, or give another split.",
            code="all-ignored",
            path=folder,
        )
    messages = [_describe_ignored("training", ignored, len(train.names))] if ignored else []
    without, labels = _labels_of(val)
    absent = [name for label, name in enumerate(classes) if label and label not in labels]
    validates = len(without) < len(val.names)
    if without:
        messages.append(_describe_ignored("validation", without, len(val.names)))
    if not validates and val.names:
        messages.append("There is no validation then.")
    lost = [name for name in absent if any(name in names for names in val.present.values())]
    if validates and lost:
        count = len(classes) - 1
        messages.append(
            f"{', '.join(lost)}: on no validation mask at the size of training, so val_dice is the mean over "
            f"{count - len(absent)} of {pluralize(count, 'class', 'classes')}, and 0 for another where it is "
            "a false alarm. Choose a larger --preprocess.size."
        )
    if monitor == "val_dice" and not (validates and len(absent) < len(classes) - 1):
        such = (
            " that show a class besides the background" if validates else " with a pixel that counts" * bool(val.names)
        )
        raise InputError(
            f"{folder}: the split has no validation images{such}, which `monitor: val_dice` needs. Give a split that has some, "
            "or --monitor val_loss, which takes the last epoch where there is no validation.",
            code="no-validation",
            path=folder,
        )
    if messages and warn:
        _warn(f"{folder}: {' '.join(messages)}")
    return validates


def _labels_of(cases: CachedCases) -> tuple[list[str], set[int]]:
    """Names of the cases whose pixels are all ignored, and the labels that occur."""
    ignored, labels = [], set()
    for name, mask in zip(cases.names, cases.masks, strict=True):
        values = set(np.flatnonzero(np.bincount(mask.ravel())).tolist()) - {IGNORE_LABEL}
        labels |= values
        if not values:
            ignored.append(name)
    return ignored, labels


def _describe_ignored(side: str, names: Sequence[str], of: int) -> str:
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
    return (
        f"{len(names):,} of {pluralize(of, f'{side} image')} ({shown}) without a pixel that counts: in no loss"
        f"{' and no Dice' if side == 'validation' else ''}."
    )


def _warn(message: str) -> None:
    warnings.warn(message, TMUNetWarning, stacklevel=3)
