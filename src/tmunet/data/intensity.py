"""Which part of its range an image uses."""

import numpy as np

from tmunet.data.io.images import Pixels
from tmunet.data.training_stats import Intensity


def intensity(image: Pixels) -> Intensity:
    """The depth of an image (H, W, C) of 8 or 16 bits, and its darkest and brightest value.

    >>> intensity(np.array([[[0], [4095]]], np.uint16)).used_bits
    12
    """
    white = np.iinfo(image.dtype).max
    return Intensity(8 * image.dtype.itemsize, int(image.min()) / white, int(image.max()) / white)
