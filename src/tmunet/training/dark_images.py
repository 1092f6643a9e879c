"""Training images that are nearly black to a network."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from tmunet.data.config import AugmentConfig, Preprocess
from tmunet.data.training_stats import Intensity
from tmunet.errors import TMUNetWarning
from tmunet.text import pluralize


def warn_of_dark_images(
    folder: Path, images: Sequence[Intensity], preprocess: Preprocess, augment: AugmentConfig
) -> None:
    """Say of 16-bit images that use a small part of their range what it spoils, if it spoils anything.

    Args:
        folder: of the data set, for messages.
        images: the values of each training image.
        preprocess: how they are prepared.
        augment: how they are changed.

    Warns:
        TMUNetWarning: they are normalized by fixed numbers, or changed by amounts that are meant for the whole range.
    """
    dark = [image for image in images if image.is_dark]
    spoilt = [
        *(["they are nearly black where normalize is 'imagenet'"] if preprocess.normalize == "imagenet" else []),
        *([f"brightness changes by up to {augment.brightness:g} of white"] if augment.brightness > 0 else []),
    ]
    if dark and spoilt:
        brightest = max(image.brightest for image in dark)
        warnings.warn(
            f"{folder}: {len(dark)} of {pluralize(len(images), 'training image')} have 16 bits, but no value above {brightest:,} "
            f"of 65,535: {' and '.join(spoilt)}. Stretch the values of all images by one rule, or train with "
            "--preprocess.normalize image --augment.brightness 0. `tmunet check` lists the images (small-range).",
            TMUNetWarning,
            stacklevel=3,
        )
