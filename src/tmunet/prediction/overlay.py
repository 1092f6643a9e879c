"""The outline of a mask drawn into its image."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tmunet.prediction.mask_files import write_picture
from tmunet.visualize import color, to_rgb8


def overlay(image: NDArray[Any], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Image (H, W, C) and labels (H, W) -> RGB picture (H, W, 3) with the outline of every label in its color."""
    picture = to_rgb8(image).copy()
    width = max(1, round(min(mask.shape) / 300))  # pixels: seen in a large picture, slim in a small one
    for label in np.unique(mask[mask > 0]):
        region = mask == label
        picture[region & ~ndimage.binary_erosion(region, iterations=width)] = color(int(label))
    return picture


def write_overlay(path: Path, image: NDArray[Any], mask: NDArray[np.uint8]) -> None:
    """Write the overlay as PNG."""
    write_picture(path, Image.fromarray(overlay(image, mask)))
