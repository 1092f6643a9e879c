"""Images whose values fill another part of their range than those of training did."""

import warnings
from collections.abc import Mapping

from tmunet.data.training_stats import Intensity
from tmunet.errors import TMUNetWarning
from tmunet.model_config import ModelConfig

NAMED = 3  # images in a message


def is_unlike(image: Intensity, config: ModelConfig) -> bool:
    """Whether an image is nearly black, or far brighter, to a model that was not trained on such.

    Models that normalize each image by itself see no difference; an image of one value has no range.
    """
    if config.preprocess.normalize == "image" or image.lowest == image.highest:
        return False
    trained = {typical.is_dark for typical in config.intensity} or {False}
    return image.is_dark not in trained


def warn_of_intensity(images: Mapping[str, Intensity], config: ModelConfig) -> None:
    """Say once which images have values unlike those of training.

    Args:
        images: their values, by name.
        config: of the model.

    Warns:
        TMUNetWarning: there are some.
    """
    unlike = {name: image for name, image in images.items() if is_unlike(image, config)}
    if not unlike:
        return
    shown = [f"{name} (largest value {image.brightest:,})" for name, image in unlike.items()][:NAMED]
    more = f" and {len(unlike) - NAMED} more" if len(unlike) > NAMED else ""
    first = next(iter(unlike.values()))
    trained = ", ".join(_said(one) for one in config.intensity) or "values that it does not state"
    consequence = "nearly black" if first.is_dark else "far too bright"
    warnings.warn(
        f"{', '.join(shown)}{more}: {_said(first)}, but the model was trained on {trained}. Values are scaled by all the bits "
        f"they are stored in, so these images are {consequence} to it. Stretch the values of all images by one rule to the range "
        "of training, or train with --preprocess.normalize image.",
        TMUNetWarning,
        stacklevel=3,
    )


def _said(one: Intensity) -> str:
    return f"{one.bits} bits of which {one.used_bits} are used" if one.used_bits < one.bits else f"{one.bits} bits"
